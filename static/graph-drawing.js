"use strict";
// Draws the nodes and edges of a result as SVG: a force-directed layout, computed once; nodes can be dragged.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const WIDTH = 1000;

  const make = (name, attributes, parent) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (parent) parent.append(element);
    return element;
  };
  const cut = (text, most) => ([...text].length > most ? `${[...text].slice(0, most - 1).join("")}…` : text);

  // Scales positions to the drawing; the scale is limited, so that a few nodes are not placed at its corners.
  function fit(nodes, axis, from, to) {
    const values = nodes.map((node) => node[axis]);
    const low = Math.min(...values), high = Math.max(...values), middle = (low + high) / 2;
    const scale = Math.min((to - from) / Math.max(high - low, 1), 1.25);
    for (const node of nodes) node[axis] = (from + to) / 2 + (node[axis] - middle) * scale;
  }

  function layout(nodes, edges, height) {
    const by = new Map(nodes.map((node, i) => {
      // Start on a spiral, so that the same result is always drawn the same way.
      const turn = i * 2.399963, radius = 18 * Math.sqrt(i + 0.5);
      node.x = WIDTH / 2 + radius * Math.cos(turn);
      node.y = height / 2 + radius * Math.sin(turn);
      return [node.key, node];
    }));
    const links = edges.map((edge) => [by.get(edge.from), by.get(edge.to)]).filter(([a, b]) => a && b && a !== b);
    const ideal = Math.min(170, 0.85 * Math.sqrt((WIDTH * height) / Math.max(nodes.length, 1)));
    const rounds = nodes.length > 150 ? 120 : 300;
    for (let round = 0; round < rounds; round++) {
      const warmth = 30 * (1 - round / rounds) + 0.5;
      for (const node of nodes) { node.dx = (WIDTH / 2 - node.x) * 0.02; node.dy = (height / 2 - node.y) * 0.03; }
      for (let i = 0; i < nodes.length; i++) {
        for (let j = i + 1; j < nodes.length; j++) {
          const a = nodes[i], b = nodes[j];
          // Names are wide: horizontal distance has less weight.
          const x = (a.x - b.x) / 1.6, y = a.y - b.y;
          const square = Math.max(x * x + y * y, 25);
          // Only near nodes repel each other; otherwise loosely connected nodes drift to the border.
          if (square > 5 * ideal * ideal) continue;
          const push = (ideal * ideal) / square / 6;
          a.dx += x * push; a.dy += y * push; b.dx -= x * push; b.dy -= y * push;
        }
      }
      for (const [a, b] of links) {
        const x = b.x - a.x, y = b.y - a.y, length = Math.max(Math.hypot(x, y), 1), pull = (length - ideal) / length / 6;
        a.dx += x * pull; a.dy += y * pull; b.dx -= x * pull; b.dy -= y * pull;
      }
      for (const node of nodes) {
        const length = Math.max(Math.hypot(node.dx, node.dy), 0.01), step = Math.min(length, warmth);
        node.x += (node.dx / length) * step;
        node.y += (node.dy / length) * step;
      }
    }
    fit(nodes, "x", 80, WIDTH - 80);
    fit(nodes, "y", 24, height - 36);
    return by;
  }

  function draw(place) {
    const { nodes, edges } = JSON.parse(document.getElementById(place.dataset.graph).textContent);
    const height = Math.min(1400, Math.max(420, 60 * Math.sqrt(nodes.length) * 1.6));
    const by = layout(nodes, edges, height);
    const svg = make("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "group", "aria-label": `${nodes.length} nodes, ${edges.length} edges` });
    const defs = make("defs", {}, svg);
    const marker = make("marker", { id: "head", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" }, defs);
    make("path", { d: "M0 0 8 4 0 8z" }, marker);
    const pairs = new Map();
    const lines = edges.filter((edge) => by.has(edge.from) && by.has(edge.to)).map((edge) => {
      const pair = [edge.from, edge.to].sort().join("|");
      const nth = pairs.get(pair) || 0;
      pairs.set(pair, nth + 1);
      const line = { edge, nth, path: make("path", { class: `edge ${edge.factuality || "stated"}`, "marker-end": "url(#head)" }, svg) };
      if (edges.length <= 120) {
        line.label = make("text", { class: "edge-label", "text-anchor": "middle" }, svg);
        line.label.textContent = cut(edge.label, 26);
      }
      return line;
    });
    const placeLine = ({ edge, nth, path, label }) => {
      const a = by.get(edge.from), b = by.get(edge.to);
      if (a === b) {
        path.setAttribute("d", `M${a.x - 5} ${a.y - 8} c-30 -40 40 -40 12 0`);
        if (label) { label.setAttribute("x", a.x); label.setAttribute("y", a.y - 42); }
        return;
      }
      const x = b.x - a.x, y = b.y - a.y, length = Math.max(Math.hypot(x, y), 1);
      const side = edge.from < edge.to ? 1 : -1, bend = nth ? side * (nth % 2 ? 1 : -1) * 26 * Math.ceil(nth / 2) : 0;
      const mx = (a.x + b.x) / 2 - (y / length) * bend, my = (a.y + b.y) / 2 + (x / length) * bend;
      const ux = (b.x - mx), uy = (b.y - my), u = Math.max(Math.hypot(ux, uy), 1);
      path.setAttribute("d", `M${a.x} ${a.y} Q${mx} ${my} ${b.x - (ux / u) * 11} ${b.y - (uy / u) * 11}`);
      if (label) { label.setAttribute("x", (a.x + b.x) / 4 + mx / 2); label.setAttribute("y", (a.y + b.y) / 4 + my / 2 - 4 + 13 * nth); }
    };
    const drawn = nodes.map((node) => {
      const group = make(node.href ? "a" : "g", node.href ? { href: node.href } : {}, svg);
      group.classList.add("node", node.kind || "none");
      make("circle", { r: 9 }, group);
      const text = make("text", { "text-anchor": "middle", y: 23 }, group);
      text.textContent = cut(node.name, 24);
      node.text = text;
      make("title", {}, group).textContent = node.name;
      const put = () => group.setAttribute("transform", `translate(${node.x} ${node.y})`);
      put();
      makeDraggable(svg, group, node, () => { put(); lines.forEach(placeLine); declutter(nodes, lines, edges); });
      return group;
    });
    lines.forEach(placeLine);
    // Above the nodes, so that none covers a label.
    for (const { label } of lines) if (label) svg.append(label);
    declutter(nodes, lines, edges);
    place.append(svg);
    return drawn;
  }

  // Hides labels that would lie on others: names before relations, and names with many edges first. Pointing at a node
  // or moving to it shows its name.
  function declutter(nodes, lines, edges) {
    const degree = new Map(), taken = [];
    for (const { from, to } of edges) for (const key of [from, to]) degree.set(key, (degree.get(key) || 0) + 1);
    const place = (label, x, y) => {
      const half = 3.2 * [...label.textContent].length, box = [x - half, y - 12, x + half, y + 4];
      const crowded = taken.some((other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3]);
      label.classList.toggle("crowded", crowded);
      if (!crowded) taken.push(box);
    };
    for (const { x, y } of nodes) taken.push([x - 9, y - 9, x + 9, y + 9]);
    const ranked = [...nodes].sort((a, b) => (degree.get(b.key) || 0) - (degree.get(a.key) || 0));
    for (const node of ranked) place(node.text, node.x, node.y + 23);
    for (const { label } of lines) if (label) place(label, Number(label.getAttribute("x")), Number(label.getAttribute("y")));
  }

  // A node follows the pointer; a click without a movement opens its page.
  function makeDraggable(svg, group, node, changed) {
    let from = null, far = false;
    const at = (event) => new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    group.addEventListener("pointerdown", (event) => { from = at(event); far = false; group.setPointerCapture(event.pointerId); });
    group.addEventListener("pointermove", (event) => {
      if (!from) return;
      const to = at(event);
      far = far || Math.hypot(to.x - from.x, to.y - from.y) > 4;
      if (far) { node.x = to.x; node.y = to.y; changed(); }
    });
    group.addEventListener("pointerup", () => { from = null; });
    group.addEventListener("click", (event) => { if (far) event.preventDefault(); });
    group.addEventListener("dragstart", (event) => event.preventDefault());
  }

  for (const place of document.querySelectorAll("[data-graph]")) {
    const section = place.parentElement, views = section.querySelector(".views"), table = section.querySelector("[data-table]");
    let ready = false;
    const show = (view) => {
      if (view === "graph" && !ready) { draw(place); ready = true; }
      place.hidden = view !== "graph";
      if (table) table.hidden = view === "graph";
      for (const button of views.children) button.setAttribute("aria-pressed", String(button.dataset.view === view));
    };
    views.hidden = false;
    for (const button of views.children) button.addEventListener("click", () => show(button.dataset.view));
    show(place.dataset.first || "table");
  }
})();
