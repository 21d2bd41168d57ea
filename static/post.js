"use strict";
// Links the words, statements and picture regions of a post: hovering over or focusing one marks the others. The words
// of a statement stay marked after its link was followed. Without this script the links still lead to the words, and
// every region has its number in the list.
(() => {
  const start = () => {
    const words = (ids) =>
      (ids || "").split(" ").filter(Boolean).flatMap((id) => [...document.querySelectorAll(`[data-m~="${CSS.escape(id)}"]`)]);
    const regions = (keys) =>
      (keys || "").split(" ").filter(Boolean).flatMap((key) => [...document.querySelectorAll(`[data-region="${CSS.escape(key)}"]`)]);
    const statements = [...document.querySelectorAll(".quintuple[data-ends], .depiction[data-ends]")];

    let marked = [];
    let lit = [];
    const light = (elements) => {
      for (const element of lit) element.classList.remove("lit");
      for (const element of elements) element.classList.add("lit");
      lit = elements;
    };
    const join = (element, related) => {
      element.addEventListener("mouseenter", () => light(related()));
      element.addEventListener("mouseleave", () => light([]));
      element.addEventListener("focusin", () => light(related()));
      element.addEventListener("focusout", () => light([]));
    };

    for (const item of statements) {
      join(item, () => [...words(item.dataset.ends), ...regions(item.dataset.regions)]);
    }
    for (const region of document.querySelectorAll("[data-region]")) {
      const key = region.dataset.region;
      const supported = statements.filter((item) => (item.dataset.regions || "").split(" ").includes(key));
      // A region within a statement marks only itself: the statement already marks the rest.
      const inside = region.closest(".quintuple, .depiction");
      join(region, () => [...regions(key), ...(inside ? words(inside.dataset.ends) : supported.flatMap((item) => [item, ...words(item.dataset.ends)]))]);
    }
    for (const mention of document.querySelectorAll("a.mention[data-m]")) {
      const ids = mention.dataset.m.split(" ");
      const supported = statements.filter((item) => item.dataset.regions && item.dataset.ends.split(" ").some((id) => ids.includes(id)));
      if (supported.length) {
        join(mention, () => supported.flatMap((item) => regions(item.dataset.regions)));
      }
    }
    for (const link of document.querySelectorAll("a.words")) {
      link.addEventListener("click", () => {
        for (const piece of marked) piece.classList.remove("kept");
        marked = words(link.dataset.ends);
        for (const piece of marked) piece.classList.add("kept");
      });
    }
  };

  start();
  // The desk replaces the text and the panel.
  document.addEventListener("post:replaced", start);
})();
