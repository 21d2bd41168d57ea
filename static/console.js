"use strict";
// Both consoles: the Cypher editor in the place of its plain field, examples without a reload, keeping what is written.
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
      const written = window.consoleQuery ? window.consoleQuery() : editor ? editor.state.doc.toString() : field.value;
      keep.elements.namedItem("query").value = written;
      if (parameters) keep.elements.namedItem("parameters").value = parameters.value;
    });
  }
})();
