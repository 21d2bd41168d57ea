"use strict";
// The SPARQL and Cypher pages: the Cypher editor instead of the plain field, examples without a reload, saving queries.
(() => {
  const form = document.getElementById("ask");
  const field = document.getElementById("id_query");
  if (!form || !field) return;
  const parameters = document.getElementById("id_parameters");
  const place = document.getElementById("editor");
  let editor = null;

  if (place && typeof CypherEditor !== "undefined") {
    editor = CypherEditor.open({
      parent: place,
      text: field.value,
      words: JSON.parse(document.getElementById("words").textContent),
      nonce: place.dataset.nonce,
      label: "Query",
      run: () => form.querySelector(".run").click(),
    });
    place.hidden = false;
    field.required = false;
    form.classList.add("has-editor");
    form.addEventListener("submit", () => { field.value = editor.state.doc.toString(); });
    for (const link of document.querySelectorAll(".examples a")) {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: link.dataset.query } });
        parameters.value = link.dataset.parameters;
        editor.focus();
      });
    }
  }

  for (const keep of document.querySelectorAll("[data-keep]")) {
    keep.addEventListener("submit", () => {
      const query = window.consoleQuery ? window.consoleQuery() : editor ? editor.state.doc.toString() : field.value;
      keep.elements.namedItem("query").value = query;
      if (parameters) keep.elements.namedItem("parameters").value = parameters.value;
    });
  }
})();
