"use strict";
// Keys of the review queue: each presses the button or follows the link that shows it. Nothing is sent twice.
(() => {
  let sent = false;
  document.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, select, textarea") || event.altKey) return;
    const undo = (event.ctrlKey || event.metaKey) && event.key === "z";
    if ((event.ctrlKey || event.metaKey) && !undo) return;
    const element = document.querySelector(`[data-key="${CSS.escape(undo ? "u" : event.key)}"]`);
    if (element) { event.preventDefault(); element.click(); }
  });
  window.addEventListener("pageshow", () => { sent = false; });
})();
