"use strict";
// Replaces the plain text field by YASGUI. Without this script the plain form works.
(() => {
  const place = document.getElementById("yasgui");
  const form = document.getElementById("ask");
  const field = document.getElementById("id_query");
  if (typeof Yasgui === "undefined" || !place || !form) return;

  const endpoint = new URL(place.dataset.endpoint, location.href).href;
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  // No requests to other hosts: no lookup of prefixes, classes or properties, and a single endpoint.
  Yasgui.Yasqe.defaults.autocompleters = ["variables"];
  Yasgui.Yasqe.defaults.prefixCcApi = null;
  const yasgui = new Yasgui(place, {
    // Queries and results are not stored in the browser, where the next person could see them.
    persistenceId: null,
    populateFromUrl: false,
    copyEndpointOnNewTab: true,
    endpointCatalogueOptions: { getData: () => [] },
    requestConfig: { endpoint, method: "POST", headers: () => ({ "X-CSRFToken": token }) },
    yasqe: {
      value: field.value,
      persistenceId: null,
      autocompleters: ["variables"],
      prefixCcApi: null,
      consumeShareLink: null,
      createShareableLink: (yasqe) => `${location.origin}${location.pathname}?query=${encodeURIComponent(yasqe.getValue())}`,
    },
    yasr: { persistenceId: null, prefixes: JSON.parse(place.dataset.prefixes) },
  });
  place.hidden = false;
  form.classList.add("has-yasgui");
  const tab = () => yasgui.getTab();
  tab().setQuery(field.value);
  if (tab().getYasqe()) tab().getYasqe().collapsePrefixes(false);

  form.querySelector(".run").addEventListener("click", (event) => {
    event.preventDefault();
    tab().query().catch(() => {});
  });
  // The present text of the editor, for saving a query.
  window.consoleQuery = () => tab().getYasqe().getValue();
  // A download sends the form with the text of the editor.
  form.addEventListener("submit", () => { field.value = tab().getYasqe().getValue(); });
  for (const link of document.querySelectorAll(".examples a")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      tab().setQuery(link.dataset.query);
      tab().getYasqe().focus();
    });
  }
})();
