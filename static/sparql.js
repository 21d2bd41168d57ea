"use strict";
// Puts YASGUI in the place of the plain text field. Without this script the form works as it stands.
(() => {
  const place = document.getElementById("yasgui");
  const form = document.getElementById("ask");
  const field = document.getElementById("id_query");
  if (typeof Yasgui === "undefined" || !place || !form) return;

  const endpoint = new URL(place.dataset.endpoint, location.href).href;
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  // Nothing is asked of other hosts: no lookup of prefixes, classes or properties, and one endpoint.
  Yasgui.Yasqe.defaults.autocompleters = ["variables"];
  Yasgui.Yasqe.defaults.prefixCcApi = null;
  const yasgui = new Yasgui(place, {
    // Queries and answers are not left behind in the browser for the next person who uses it.
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
  // For keeping a query: what stands in the editor now.
  window.consoleQuery = () => tab().getYasqe().getValue();
  // A download sends the form, with what stands in the editor.
  form.addEventListener("submit", () => { field.value = tab().getYasqe().getValue(); });
  for (const link of document.querySelectorAll(".examples a")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      tab().setQuery(link.dataset.query);
      tab().getYasqe().focus();
    });
  }
})();
