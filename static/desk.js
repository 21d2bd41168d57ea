"use strict";
// Corrects a post in place: verdicts, corrections and additions by mouse and keys, without losing one's place. Forms
// are those of the pages that their links lead to. What changed comes back as the post's page, of which the text and
// the panel are taken. Without this script the links and forms still work, one page after the other.
(() => {
  const columns = document.querySelector(".story-columns[data-mentions]");
  if (!columns) return;

  const toast = document.createElement("p");
  toast.className = "toast";
  toast.setAttribute("role", "status");
  document.body.append(toast);
  const dialog = document.createElement("dialog");
  dialog.className = "desk-dialog";
  dialog.setAttribute("aria-labelledby", "desk-heading");
  document.body.append(dialog);
  const pick = document.createElement("button");
  pick.type = "button";
  pick.className = "primary pick";
  pick.textContent = "Add as a mention";
  pick.hidden = true;
  document.body.append(pick);

  let joining = null; // while a statement is added: the ids of the mentions chosen so far
  let mending = false; // while a click on a mention corrects it
  let busy = false;
  const say = (words) => { toast.textContent = words; toast.classList.toggle("shown", Boolean(words)); };
  const parsed = async (response) => new DOMParser().parseFromString(await response.text(), "text/html");
  const signedOut = (response) => response.redirected && new URL(response.url).pathname.startsWith("/sign-in");

  // --- the page
  const items = () => [...columns.querySelectorAll(".panel .quintuple")].filter((item) => item.offsetParent !== null);
  const current = () => columns.querySelector(".quintuple.current");
  const choose = (item) => {
    current()?.classList.remove("current");
    if (!item) return;
    item.classList.add("current");
    item.tabIndex = -1;
    item.focus({ preventScroll: true });
    item.scrollIntoView({ block: "nearest" });
  };
  const step = (by) => {
    const all = items();
    const at = all.indexOf(current());
    choose(all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))]);
  };

  const take = (page) => {
    const fresh = page.querySelector(".story-columns");
    if (!fresh) return false;
    const place = items().indexOf(current());
    const id = current()?.id;
    const open = new Map([...columns.querySelectorAll("details")].map((one) => [label(one), one.open]));
    const scroll = window.scrollY;
    columns.replaceChildren(...fresh.childNodes);
    for (const one of columns.querySelectorAll("details")) {
      if (open.has(label(one))) one.open = open.get(label(one));
    }
    window.scrollTo(0, scroll);
    pick.hidden = true;
    document.dispatchEvent(new Event("post:replaced"));
    show();
    if (place >= 0) choose((id && document.getElementById(id)) || items()[Math.min(place, items().length - 1)]);
    return true;
  };
  const label = (details) => (details.querySelector("summary")?.firstChild?.textContent || "").trim();
  const announce = (page) => say([...page.querySelectorAll(".messages li")].map((one) => one.textContent.trim()).join(" "));

  // --- requests
  const open = async (address) => {
    pick.hidden = true;
    const response = await fetch(address);
    const form = signedOut(response) ? null : (await parsed(response)).querySelector("#desk-form");
    if (!form) { window.location = response.url; return; }
    dialog.replaceChildren(form);
    if (!dialog.open) dialog.showModal();
    (form.querySelector(".error")?.parentElement.querySelector("select, input") || form.querySelector("select, input:not([type=hidden])"))?.focus();
  };
  const send = async (form, submitter) => {
    if (busy) return;
    busy = true;
    const body = new FormData(form);
    if (submitter?.name) body.set(submitter.name, submitter.value);
    try {
      const response = await fetch(form.action, { method: "POST", body });
      if (signedOut(response) || !response.ok) { window.location = response.redirected ? response.url : form.action; return; }
      const page = await parsed(response);
      const again = page.querySelector("#desk-form");
      if (again) { dialog.replaceChildren(again); again.querySelector("select, input:not([type=hidden])")?.focus(); return; }
      dialog.close();
      if (!take(page)) { window.location = response.url; return; }
      announce(page);
    } catch {
      say("The server did not answer: nothing was changed. Try again.");
    } finally {
      busy = false;
    }
  };
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || !form.closest(".verdict, .desk-tools, .plain > .row, dialog")) return;
    event.preventDefault();
    send(form, event.submitter);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) { event.preventDefault(); dialog.close(); }
  });

  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); dialog.querySelector("form")?.requestSubmit(); }
  });

  // --- mentions
  const mentions = () => [...columns.querySelectorAll("article .mention[data-m]")].filter((one) => one.id || one.tabIndex >= 0);
  const idOf = (mention) => mention.dataset.m.split(" ")[0];
  const mend = (mention) => open(`${columns.dataset.mentions.replace(/add\/$/, "")}${idOf(mention)}/`);
  const show = () => {
    columns.classList.toggle("mending", mending);
    columns.classList.toggle("joining", joining !== null);
    const toggle = columns.querySelector("[data-do=mend]");
    if (toggle) { toggle.hidden = false; toggle.setAttribute("aria-pressed", String(mending)); }
  };
  const join = (mention) => {
    joining.push(idOf(mention));
    if (joining.length < 2) { say("Now choose the tail. Escape cancels."); return; }
    const [head, tail] = joining;
    joining = null;
    say("");
    show();
    open(`${columns.dataset.statements}?head=${head}&tail=${tail}`);
  };
  const startJoining = () => { joining = []; mending = false; show(); say("Choose the head: click a mention, or go to one with m and press Enter. Escape cancels."); };
  document.addEventListener("click", (event) => {
    const tool = event.target.closest("[data-do]");
    if (tool?.dataset.do === "join") { event.preventDefault(); startJoining(); return; }
    if (tool?.dataset.do === "mend") { mending = !mending; joining = null; show(); say(mending ? "Click a mention to correct it." : ""); return; }
    const correct = event.target.closest("a.correct");
    if (correct && !event.ctrlKey && !event.metaKey) { event.preventDefault(); choose(correct.closest(".quintuple")); open(correct.href); return; }
    const mention = event.target.closest("article .mention[data-m]");
    if (mention && (joining || mending)) { event.preventDefault(); if (joining) join(mention); else mend(mention); }
  });
  const walk = (by) => {
    const all = mentions();
    const at = all.indexOf(document.activeElement);
    const next = all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))];
    if (next) { if (next.tabIndex < 0) next.tabIndex = -1; next.focus(); }
  };

  // --- selected words
  const selected = () => {
    const selection = document.getSelection();
    if (!selection || selection.isCollapsed || !selection.rangeCount) return null;
    const range = selection.getRangeAt(0);
    const blockOf = (node) => (node.nodeType === 1 ? node : node.parentElement)?.closest("[data-start]");
    const block = blockOf(range.startContainer);
    if (!block || block !== blockOf(range.endContainer) || !columns.contains(block)) return null;
    const before = document.createRange();
    before.selectNodeContents(block);
    before.setEnd(range.startContainer, range.startOffset);
    const words = range.toString();
    if (!words.trim()) return null;
    // Offsets count code points.
    const start = Number(block.dataset.start) + [...before.toString()].length + [...words].length - [...words.trimStart()].length;
    return { start, end: start + [...words.trim()].length, range };
  };
  const mark = () => {
    const words = selected();
    if (!words) { say("Select words of the text first, then press w."); return; }
    pick.hidden = true;
    open(`${columns.dataset.mentions}?start=${words.start}&end=${words.end}`);
  };
  document.addEventListener("selectionchange", () => {
    const words = selected();
    pick.hidden = !words || dialog.open;
    if (words) {
      const box = words.range.getBoundingClientRect();
      pick.style.left = `${Math.max(8, Math.min(box.left, window.innerWidth - 180)) + window.scrollX}px`;
      pick.style.top = `${box.bottom + window.scrollY + 6}px`;
    }
  });
  pick.addEventListener("mousedown", (event) => event.preventDefault());
  pick.addEventListener("click", mark);

  // --- keys
  const press = (selector) => current()?.querySelector(selector)?.click();
  const keys = {
    j: () => step(1),
    k: () => step(-1),
    a: () => press("button.accept"),
    r: () => press("button.reject"),
    c: () => { if (document.activeElement?.matches("article .mention[data-m]")) mend(document.activeElement); else press("a.correct"); },
    m: () => walk(1),
    M: () => walk(-1),
    n: startJoining,
    w: mark,
    u: () => columns.querySelector("form[data-do=undo]")?.requestSubmit(),
  };
  document.addEventListener("keydown", (event) => {
    if (dialog.open || event.target.closest("input, select, textarea")) return;
    if ((event.ctrlKey || event.metaKey) && event.key === "z" && !event.shiftKey && !event.altKey) { event.preventDefault(); keys.u(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && (joining || mending)) { joining = null; mending = false; show(); say(""); return; }
    if (event.key === "Enter" && joining && event.target.closest(".mention[data-m]")) { event.preventDefault(); join(event.target.closest(".mention[data-m]")); return; }
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });
  show();
})();
