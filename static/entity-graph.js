"use strict";
// The graph around an entity: drawn by sigma, extended by clicks or keys, and shown as a table with the same content.
(() => {
  const explorer = document.getElementById("explorer");
  if (!explorer || typeof SigmaGraph === "undefined") return;
  const stage = explorer.querySelector(".stage"), status = document.getElementById("graph-status");
  const table = document.querySelector("#statements tbody");
  const first = JSON.parse(document.getElementById("graph").textContent);
  const onWay = new Set(JSON.parse(document.getElementById("paths").textContent).flat());
  const most = Number(explorer.dataset.most), centre = explorer.dataset.centre;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const graph = new SigmaGraph.Graph({ type: "directed", multi: false });
  const statements = new Map();
  const hidden = { type: new Set(), relation: new Set(), factuality: new Set() };
  const expanded = new Set([centre]);
  let sigma = null, chosen = centre, frame = 0, rounds = 0;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim() || "#888888";
  const make = (name, content, attributes = {}) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (content) element.append(content);
    return element;
  };
  const cut = (text, length) => ([...text].length > length ? `${[...text].slice(0, length - 1).join("")}…` : text);

  // Adds what the server sent to the graph. A pair of entities has one line, however many statements connect it.
  function add({ nodes, edges }, around) {
    const place = around && graph.hasNode(around) ? graph.getNodeAttributes(around) : { x: 0, y: 0 };
    let left = 0;
    for (const [i, node] of nodes.entries()) {
      if (graph.hasNode(node.key)) continue;
      if (graph.order >= most) { left += 1; continue; }
      const turn = i * 2.399963, radius = (node.key === centre ? 0 : 1) * (1 + 0.3 * Math.sqrt(i));
      graph.addNode(node.key, { ...node, kind: node.type, type: "circle", label: cut(node.label, 40), name: node.label,
        x: place.x + radius * Math.cos(turn), y: place.y + radius * Math.sin(turn), size: 6 });
    }
    for (const edge of edges) {
      if (statements.has(edge.key) || !graph.hasNode(edge.head) || !graph.hasNode(edge.tail) || edge.head === edge.tail) continue;
      statements.set(edge.key, edge);
      if (!graph.hasEdge(edge.head, edge.tail)) graph.addEdge(edge.head, edge.tail, { keys: [], type: "arrow", size: 1.5 });
      graph.updateEdgeAttribute(graph.edge(edge.head, edge.tail), "keys", (keys) => [...keys, edge.key]);
    }
    graph.forEachNode((key) => graph.setNodeAttribute(key, "size", Math.min(16, 5 + 2 * Math.sqrt(graph.degree(key)))));
    return left;
  }

  const shownStatement = (edge) => !hidden.relation.has(edge.relation) && !hidden.factuality.has(edge.factuality) && shownNode(edge.head) && shownNode(edge.tail);
  const shownNode = (key) => key === centre || !hidden.type.has(graph.getNodeAttribute(key, "kind"));
  // An entity is hidden when all of its statements are.
  const joined = (key) => key === centre || graph.someEdge(key, (_edge, { keys }) => keys.some((one) => shownStatement(statements.get(one))));

  function reduceNode(key, data) {
    const near = chosen && (key === chosen || graph.areNeighbors(key, chosen));
    const result = { ...data, color: colour(data.kind), hidden: !shownNode(key) || !joined(key), forceLabel: near && graph.order < 120 };
    if (key === chosen) { result.highlighted = true; result.zIndex = 2; }
    return result;
  }

  function reduceEdge(key, data) {
    const keys = shownKeys(data.keys);
    const way = keys.some((one) => onWay.has(one)), near = chosen && graph.hasExtremity(key, chosen);
    return { ...data, hidden: !keys.length, size: way ? 4 : near ? 2.5 : 1.2, zIndex: way ? 1 : 0,
      color: way ? colour("accent") : near ? colour("soft") : colour("rule-strong"),
      label: cut([...new Set(keys.map((one) => statements.get(one).label))].join(", "), 48), forceLabel: near || way || strongest(keys) !== "stated" };
  }

  // Sigma draws no dashes: gaps in the colour of the stage are put over its lines, up to the arrow.
  function breakLines() {
    const context = sigma.getCanvases().gaps.getContext("2d"), { width, height } = sigma.getDimensions();
    context.clearRect(0, 0, width, height);
    context.strokeStyle = colour("sheet");
    graph.forEachEdge((key, { keys }, _source, _target, from, to) => {
      const dash = DASHES[strongest(shownKeys(keys))];
      if (!dash) return;
      const a = sigma.graphToViewport(from), b = sigma.graphToViewport(to), thickness = sigma.scaleSize(sigma.getEdgeDisplayData(key).size);
      const length = Math.hypot(b.x - a.x, b.y - a.y), end = length - sigma.scaleSize(to.size) - 3 * thickness;
      if (end <= 0) return;
      context.lineWidth = thickness + 2;
      context.setLineDash([dash[1], dash[0]]);
      context.beginPath();
      context.moveTo(a.x, a.y);
      context.lineTo(a.x + ((b.x - a.x) * end) / length, a.y + ((b.y - a.y) * end) / length);
      context.stroke();
    });
  }

  // How a pair's line is broken, by the strongest of its statements: [drawn, left out] in pixels, none where one is stated.
  const DASHES = { planned: [7, 5], alleged: [2, 4] };
  const strongest = (keys) => ["stated", "planned", "alleged"].find((one) => keys.some((key) => statements.get(key).factuality === one));
  const shownKeys = (keys) => keys.filter((one) => shownStatement(statements.get(one)));

  // The name of what is pointed at or chosen, on the page's own paper: the library's is white in any scheme.
  function hover(context, data, settings) {
    const size = settings.labelSize, width = context.measureText(data.label).width;
    context.font = `600 ${size}px ${settings.labelFont}`;
    context.fillStyle = colour("sheet");
    context.strokeStyle = colour("accent");
    context.lineWidth = 2;
    context.beginPath();
    context.arc(data.x, data.y, data.size + 3, 0, 2 * Math.PI);
    context.fill(); context.stroke();
    const wide = Math.max(width, context.measureText(data.label).width) + 10;
    context.fillRect(data.x + data.size + 5, data.y - size / 2 - 5, wide, size + 10);
    context.strokeRect(data.x + data.size + 5, data.y - size / 2 - 5, wide, size + 10);
    context.fillStyle = colour("ink");
    context.fillText(data.label, data.x + data.size + 10, data.y + size / 3);
  }

  // The relation beside its line, upright: the two directions of a pair have their labels on opposite sides.
  function edgeLabel(context, data, source, target, settings) {
    const x = target.x - source.x, y = target.y - source.y, length = Math.hypot(x, y), size = settings.edgeLabelSize;
    const room = length - source.size - target.size - 14;
    if (!data.label || room < 3 * size) return;
    context.font = `${size}px ${settings.edgeLabelFont}`;
    const text = fitted(context, data.label, room);
    if (!text) return;
    const back = x < 0 || (x === 0 && y < 0), paired = graph.hasEdge(...graph.extremities(data.key).reverse());
    context.save();
    context.translate((source.x + target.x) / 2, (source.y + target.y) / 2);
    context.rotate(Math.atan2(y, x) + (back ? Math.PI : 0));
    context.textAlign = "center";
    context.textBaseline = "middle";
    // Above the line, and below it for the direction that runs back.
    const aside = (data.size / 2 + size / 2 + 2) * (paired && back ? 1 : -1);
    context.lineWidth = 3;
    context.lineJoin = "round";
    context.strokeStyle = colour("sheet");
    context.strokeText(text, 0, aside);
    context.fillStyle = settings.edgeLabelColor.color;
    context.fillText(text, 0, aside);
    context.restore();
    drawnLabels.push({ key: data.key, text, x: (source.x + target.x) / 2, y: (source.y + target.y) / 2, aside: back ? -aside : aside });
  }

  const drawnLabels = [];
  function fitted(context, text, room) {
    if (context.measureText(text).width <= room) return text;
    for (let length = [...text].length - 1; length > 2; length--) {
      const shorter = cut(text, length);
      if (context.measureText(shorter).width <= room) return shorter;
    }
    return "";
  }

  function settle() {
    rounds = graph.order > 200 ? 120 : 220;
    cancelAnimationFrame(frame);
    const options = { ...SigmaGraph.forceAtlas2.inferSettings(graph), barnesHutOptimize: graph.order > 150, gravity: 0.4, scalingRatio: 12, slowDown: 4, adjustSizes: false };
    const step = () => {
      const began = performance.now(), until = calm ? Infinity : began + 8;
      // Only a part of each frame, so that the page responds while the layout is computed.
      do { SigmaGraph.forceAtlas2.assign(graph, { iterations: 2, settings: options }); rounds -= 2; } while (rounds > 0 && performance.now() < until);
      if (rounds > 0) frame = requestAnimationFrame(step);
      else explorer.dataset.settled = String(graph.order);
    };
    delete explorer.dataset.settled;
    if (graph.size) step(); else explorer.dataset.settled = String(graph.order);
  }

  function filters() {
    const counts = { type: new Map(), relation: new Map(), factuality: new Map() }, labels = new Map();
    const capital = (key) => key[0].toUpperCase() + key.slice(1);
    graph.forEachNode((_, { kind }) => counts.type.set(kind, (counts.type.get(kind) || 0) + 1));
    for (const { relation, name, factuality } of statements.values()) {
      counts.relation.set(relation, (counts.relation.get(relation) || 0) + 1);
      counts.factuality.set(factuality, (counts.factuality.get(factuality) || 0) + 1);
      labels.set(relation, name);
    }
    for (const list of explorer.querySelectorAll("[data-filter]")) {
      const what = list.dataset.filter, focused = list.contains(document.activeElement) ? document.activeElement.value : null;
      for (const label of [...list.querySelectorAll("label")]) label.remove();
      for (const [key, count] of [...counts[what]].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]))) {
        const box = make("input", "", { type: "checkbox", value: key });
        box.checked = !hidden[what].has(key);
        box.addEventListener("change", () => { if (box.checked) hidden[what].delete(key); else hidden[what].add(key); changed(); });
        const label = make("label", box);
        if (what === "type") label.append(make("span", "", { class: `swatch t-${key}`, "aria-hidden": "true" }));
        label.append(what === "relation" ? labels.get(key) : capital(key), make("span", String(count), { class: "number" }));
        list.append(label);
        if (focused === key) box.focus();
      }
    }
  }

  function rows() {
    const body = document.createDocumentFragment();
    const shown = [...statements.values()].filter(shownStatement);
    for (const edge of shown) {
      const row = make("tr", "", onWay.has(edge.key) ? { class: "way" } : {});
      row.append(end(edge.head), relation(edge), end(edge.tail), make("td", String(edge.posts), { class: "n" }));
      body.append(row);
    }
    if (!shown.length) body.append(make("tr", make("td", "All statements are hidden. Show a type or relation again.", { colspan: "4" })));
    table.replaceChildren(body);
  }

  function relation(edge) {
    const cell = make("td", make("span", "", { class: `line ${edge.factuality}`, "aria-hidden": "true" }));
    cell.append(` ${edge.label}`);
    if (edge.denied) cell.append(" ", make("span", `denied in ${edge.denied}`, { class: "tag denied" }));
    return cell;
  }

  function end(key) {
    const node = graph.getNodeAttributes(key), cell = make("td", "");
    cell.append(make("a", make("bdi", node.name), { class: `end t-${node.kind}`, href: node.href }));
    if (!expanded.has(key)) {
      const button = make("button", "Expand", { type: "button", class: "small", "aria-label": `Expand ${node.name}: add its neighbours` });
      button.addEventListener("click", () => expand(key));
      cell.append(button);
    }
    return cell;
  }

  function changed() {
    rows();
    sigma?.refresh();
    report();
  }

  function report(words = "") {
    let drawn = 0;
    graph.forEachNode((key) => { drawn += shownNode(key) && joined(key) ? 1 : 0; });
    const lines = [...statements.values()].filter(shownStatement).length;
    status.textContent = `${words} ${drawn} entities, ${lines} statements.`.trim();
  }

  function choose(key) {
    chosen = key;
    sigma?.refresh({ skipIndexation: true });
  }

  async function expand(key) {
    choose(key);
    const node = graph.getNodeAttributes(key);
    if (expanded.has(key)) { report(`${node.name}: all neighbours are shown.`); return; }
    report(`Loading the neighbours of ${node.name}…`);
    try {
      const response = await fetch(node.ask, { headers: { Accept: "application/json" } });
      if (!response.ok) throw new Error(response.status === 404 ? "the entity no longer exists" : `the server responded with ${response.status}`);
      const answer = await response.json(), before = graph.order;
      const left = add(answer, key);
      expanded.add(key);
      settle(); filters(); rows(); sigma?.refresh();
      const more = answer.more ? ` ${answer.more} more are on the page of the entity.` : "";
      const full = left ? ` ${left} are not shown: the graph is limited to ${most} entities. Reset it or start from another entity.` : "";
      report(`${node.name}: ${graph.order - before} new neighbours.${more}${full}`);
    } catch (error) {
      report(`The neighbours of ${node.name} could not be loaded: ${error.message}.`);
    }
  }

  function begin() {
    graph.clear(); statements.clear(); expanded.clear(); expanded.add(centre);
    for (const keys of Object.values(hidden)) keys.clear();
    chosen = centre;
    add(first, null);
    settle(); filters(); rows(); report();
    sigma?.refresh();
    sigma?.getCamera().animatedReset({ duration: calm ? 0 : 200 });
  }

  // Moves to the nearest entity in the direction of the arrow key.
  function go(dx, dy) {
    const here = graph.getNodeAttributes(chosen);
    let best = null, cost = Infinity;
    graph.forEachNode((key, { x, y }) => {
      if (key === chosen || !shownNode(key) || !joined(key)) return;
      const along = (x - here.x) * dx + (y - here.y) * dy, aside = Math.abs((x - here.x) * dy) + Math.abs((y - here.y) * dx);
      if (along > 0 && along + 2 * aside < cost) { best = key; cost = along + 2 * aside; }
    });
    if (!best) return;
    choose(best);
    const node = graph.getNodeAttributes(best), known = graph.neighbors(best).map((key) => graph.getNodeAttribute(key, "name"));
    status.textContent = `${node.name}, ${node.kind}, next to ${known.slice(0, 5).join(", ")}${known.length > 5 ? " and others" : ""}.`;
  }

  const keys = {
    ArrowRight: () => go(1, 0), ArrowLeft: () => go(-1, 0), ArrowUp: () => go(0, 1), ArrowDown: () => go(0, -1),
    Enter: () => expand(chosen), o: () => { location.href = graph.getNodeAttribute(chosen, "href"); },
    "+": () => sigma.getCamera().animatedZoom(), "=": () => sigma.getCamera().animatedZoom(), "-": () => sigma.getCamera().animatedUnzoom(),
  };
  const tools = { in: keys["+"], out: keys["-"], whole: () => sigma.getCamera().animatedReset(), anew: begin };

  explorer.hidden = false;
  begin();
  try {
    sigma = new SigmaGraph.Sigma(graph, stage, {
      nodeReducer: reduceNode, edgeReducer: reduceEdge, zIndex: true, renderEdgeLabels: true, labelDensity: 0.7,
      labelRenderedSizeThreshold: 7, labelFont: getComputedStyle(document.body).fontFamily, labelSize: 13, edgeLabelSize: 11,
      labelColor: { color: colour("ink") }, edgeLabelColor: { color: colour("soft") }, edgeLabelFont: getComputedStyle(document.body).fontFamily,
      defaultDrawNodeHover: hover, defaultDrawEdgeLabel: edgeLabel, minCameraRatio: 0.05, maxCameraRatio: 4, stagePadding: 40,
    });
  } catch {
    // No WebGL: the table and its buttons do everything.
    stage.hidden = true;
    document.getElementById("keys").textContent = "This browser cannot draw the graph because it has no WebGL. The table below has the same content.";
    for (const button of explorer.querySelectorAll("[data-do=in], [data-do=out], [data-do=whole]")) button.remove();
  }
  if (sigma) {
    sigma.createCanvasContext("gaps", { beforeLayer: "edgeLabels" });
    sigma.resize(true);
    sigma.on("beforeRender", () => { drawnLabels.length = 0; });
    sigma.on("afterRender", breakLines);
  }
  window.entityGraph = { graph, drawnLabels, get sigma() { return sigma; } };
  for (const button of explorer.querySelectorAll("[data-do]")) button.addEventListener("click", () => tools[button.dataset.do]());
  if (!sigma) return;
  sigma.on("clickNode", ({ node }) => expand(node));
  sigma.on("enterNode", () => { stage.style.cursor = "pointer"; });
  sigma.on("leaveNode", () => { stage.style.cursor = ""; });
  stage.addEventListener("keydown", (event) => {
    const act = event.ctrlKey || event.metaKey || event.altKey ? null : keys[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    sigma.setSetting("labelColor", { color: colour("ink") });
    sigma.setSetting("edgeLabelColor", { color: colour("soft") });
    sigma.refresh();
  });
})();
