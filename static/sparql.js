"use strict";
// Replaces the plain text field by YASGUI. Without this script the plain form works.
(() => {
  const place = document.getElementById("yasgui");
  const form = document.getElementById("ask");
  const field = document.getElementById("id_query");
  if (typeof Yasgui === "undefined" || !place || !form) return;

  const endpoint = new URL(place.dataset.endpoint, location.href).href;
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  // What an address says after "#" are YASGUI's own shared settings, headers among them: only a query is taken from it.
  const shared = new URLSearchParams(location.hash.slice(1)).get("query");
  if (shared) {
    field.value = shared;
    history.replaceState(null, "", addressOf(shared));
  }

  // The address that shows this query, and nothing else of this page or its reader.
  function addressOf(query) {
    return `${location.origin}${location.pathname}?query=${encodeURIComponent(query)}`;
  }
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  // The API takes tokens alone; the session of this page's reader is nobody else's.
  const command = (query) =>
    `curl ${quoted(new URL(place.dataset.api, location.href).href)} -H 'Authorization: Bearer YOUR-TOKEN' --data-urlencode ${quoted(`query=${query}`)}`;

  // No requests to other hosts: no lookup of prefixes, classes or properties, and a single endpoint.
  Yasgui.Yasqe.defaults.autocompleters = ["variables"];
  Yasgui.Yasqe.defaults.prefixCcApi = null;
  // YASGUI shares all its settings, the headers with the reader's CSRF token too; tabs override the option for this.
  Yasgui.Tab.prototype.getShareableLink = function () { return addressOf(this.getQuery()); };
  Yasgui.Yasqe.prototype.getAsCurlString = function () { return command(this.getValue()); };
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
      lineWrapping: true,
    },
    yasr: { persistenceId: null, prefixes: JSON.parse(place.dataset.prefixes) },
  });
  place.hidden = false;
  form.classList.add("has-yasgui");
  const tab = () => yasgui.getTab();
  tab().setQuery(field.value);
  if (tab().getYasqe()) tab().getYasqe().collapsePrefixes(false);

  // Names that YASGUI leaves out. It draws a tab's editor anew whenever the tab is selected.
  const named = () => {
    for (const one of place.querySelectorAll(".CodeMirror textarea")) one.setAttribute("aria-label", "Query");
    // A long query scrolls without the pointer too.
    for (const one of place.querySelectorAll(".CodeMirror-scroll")) one.tabIndex = 0;
  };
  new MutationObserver(named).observe(place, { childList: true, subtree: true });
  named();
  form.querySelector(".new-tab").hidden = false;
  form.querySelector(".new-tab").addEventListener("click", () => yasgui.addTab(true));

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
