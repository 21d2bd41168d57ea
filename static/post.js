"use strict";
// Marks the words of a statement in the text while the statement is pointed at or has the focus, and keeps them
// marked after its link was followed. Without this script the link still leads to the words.
(() => {
  const pieces = (ends) =>
    ends.split(" ").flatMap((id) => [...document.querySelectorAll(`[data-m~="${CSS.escape(id)}"]`)]);
  let kept = [];

  const mark = (element, name) => {
    const found = pieces(element.dataset.ends);
    found.forEach((piece) => piece.classList.add(name));
    return found;
  };
  const unmark = (found, name) => found.forEach((piece) => piece.classList.remove(name));

  for (const item of document.querySelectorAll(".quintuple[data-ends]")) {
    let shown = [];
    const show = () => { unmark(shown, "lit"); shown = mark(item, "lit"); };
    const hide = () => { unmark(shown, "lit"); shown = []; };
    item.addEventListener("mouseenter", show);
    item.addEventListener("mouseleave", hide);
    item.addEventListener("focusin", show);
    item.addEventListener("focusout", hide);
  }
  for (const link of document.querySelectorAll("a.words")) {
    link.addEventListener("click", () => { unmark(kept, "kept"); kept = mark(link, "kept"); });
  }
})();
