"use strict";
// Joins a post's words, its statements and the regions of its pictures: what is pointed at or has the focus is marked
// wherever it stands. A statement's words stay marked after its link was followed. Without this script the links still
// lead to the words, and every region has its number in the list.
(() => {
  const words = (ids) =>
    (ids || "").split(" ").filter(Boolean).flatMap((id) => [...document.querySelectorAll(`[data-m~="${CSS.escape(id)}"]`)]);
  const regions = (keys) =>
    (keys || "").split(" ").filter(Boolean).flatMap((key) => [...document.querySelectorAll(`[data-region="${CSS.escape(key)}"]`)]);
  const statements = [...document.querySelectorAll(".quintuple[data-ends], .depiction[data-ends]")];

  let kept = [];
  let lit = [];
  const light = (found) => {
    for (const element of lit) element.classList.remove("lit");
    for (const element of found) element.classList.add("lit");
    lit = found;
  };
  const join = (element, found) => {
    element.addEventListener("mouseenter", () => light(found()));
    element.addEventListener("mouseleave", () => light([]));
    element.addEventListener("focusin", () => light(found()));
    element.addEventListener("focusout", () => light([]));
  };

  for (const item of statements) {
    join(item, () => [...words(item.dataset.ends), ...regions(item.dataset.regions)]);
  }
  for (const region of document.querySelectorAll("[data-region]")) {
    const key = region.dataset.region;
    const resting = statements.filter((item) => (item.dataset.regions || "").split(" ").includes(key));
    // A region within a statement marks itself alone: the statement marks the rest already.
    const inside = region.closest(".quintuple, .depiction");
    join(region, () => [...regions(key), ...(inside ? words(inside.dataset.ends) : resting.flatMap((item) => [item, ...words(item.dataset.ends)]))]);
  }
  for (const mention of document.querySelectorAll("a.mention[data-m]")) {
    const ids = mention.dataset.m.split(" ");
    const said = statements.filter((item) => item.dataset.regions && item.dataset.ends.split(" ").some((id) => ids.includes(id)));
    if (said.length) {
      join(mention, () => said.flatMap((item) => regions(item.dataset.regions)));
    }
  }
  for (const link of document.querySelectorAll("a.words")) {
    link.addEventListener("click", () => {
      for (const piece of kept) piece.classList.remove("kept");
      kept = words(link.dataset.ends);
      for (const piece of kept) piece.classList.add("kept");
    });
  }
})();
