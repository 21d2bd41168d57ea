"use strict";
// Updates the page of a run while it is in progress, and refreshes other pages until their work has ended.
// Without this script such pages are refreshed every ten seconds.
(() => {
  const EVERY = 4000, SLOWEST = 60000;

  const live = document.querySelector("[data-live]");
  let wait = EVERY;

  const show = (html) => {
    const opened = live.querySelector("details")?.open;
    const log = live.querySelector(".log");
    const below = !log || log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
    const at = log?.scrollTop ?? 0;
    const focused = document.activeElement === log;
    live.innerHTML = html;
    const details = live.querySelector("details"), fresh = live.querySelector(".log");
    if (details && opened !== undefined) details.open = opened;
    if (fresh) {
      fresh.scrollTop = below ? fresh.scrollHeight : at;
      if (focused) fresh.focus();
    }
  };

  const poll = async () => {
    if (document.hidden) return later();
    try {
      const answer = await fetch(live.dataset.live, { headers: { Accept: "text/html" }, redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      const html = await answer.text();
      if (answer.headers.get("X-Ended")) return location.reload();
      show(html);
      wait = EVERY;
    } catch {
      wait = Math.min(SLOWEST, wait * 2);
    }
    later();
  };
  const later = () => setTimeout(poll, wait);
  if (live) later();

  // Do not refresh while somebody fills in a form.
  const reload = () => (document.hidden || document.activeElement?.closest("form") ? setTimeout(reload, EVERY) : location.reload());
  if (document.querySelector("[data-reload]")) setTimeout(reload, EVERY);
})();
