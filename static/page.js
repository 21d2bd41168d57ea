"use strict";
// On every page: times in the reader's own zone, menus that close, boxes that select all rows of a list.
(() => {
  // Without this script times stay as they were sent, in UTC, as the page's foot says.
  const local = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
  for (const time of document.querySelectorAll("time.moment[datetime]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    time.title = time.textContent.trim();
    time.textContent = local.format(moment);
  }
  const zone = document.getElementById("zone");
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && name && name !== "UTC") zone.textContent = `Times are those of ${name}; the rest are UTC.`;

  // A table that is wider than its place scrolls with the keys too.
  for (const area of document.querySelectorAll("div.scroll:not([tabindex])")) {
    if (area.scrollWidth > area.clientWidth && !area.querySelector("a, button, input, select")) area.tabIndex = 0;
  }

  const menus = [...document.querySelectorAll("details.menu")];
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of menus) {
      if (!menu.open) continue;
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
  document.addEventListener("click", (event) => {
    for (const menu of menus) if (menu.open && !menu.contains(event.target)) menu.open = false;
  });

  for (const all of document.querySelectorAll("input[data-all]")) {
    const boxes = () => [...all.form.querySelectorAll(`input[name="${all.dataset.all}"]`)];
    all.addEventListener("change", () => { for (const box of boxes()) box.checked = all.checked; });
    all.form.addEventListener("change", () => {
      const marked = boxes().filter((box) => box.checked).length;
      all.checked = marked > 0 && marked === boxes().length;
      all.indeterminate = marked > 0 && !all.checked;
    });
  }
})();
