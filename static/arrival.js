"use strict";
// Arriving at a statement, from the evidence on another page: it is marked in the panel, and its words in the text.
// Without this script the address still leads to the statement, and its link on to the words.
(() => {
  const arrive = () => {
    const item = location.hash.startsWith("#s-") ? document.getElementById(location.hash.slice(1)) : null;
    if (!item) return;
    const ids = (item.dataset.ends || "").split(" ").filter(Boolean);
    const words = ids.flatMap((id) => [...document.querySelectorAll(`.mention[data-m~="${CSS.escape(id)}"]`)]);
    for (const piece of document.querySelectorAll(".mention.kept")) piece.classList.remove("kept");
    for (const piece of words) piece.classList.add("kept");
    // The words first: where the panel stands beside the text, it is scrolled in itself after that.
    if (words.length) words[0].scrollIntoView({ block: "center" });
    item.scrollIntoView({ block: "nearest" });
  };
  addEventListener("hashchange", arrive);
  arrive();
})();
