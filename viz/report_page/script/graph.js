// Inputs with relations as vertices and edges, and every head on the same vertices, layer by layer. What is under the
// pointer or the keys here is so in the matrices too, and the other way round.

// No address stands in the page, not even that by which SVG is called.
const SVG = Object.assign(document.createElement("template"), { innerHTML: "<svg></svg>" }).content.firstChild.namespaceURI;
const THINNEST = 1, THICKEST = 9, BEND = 0.12, MOST_LINES = 1000, GIVEN = 1.5;
const VERTEX_LABEL = 7, SMALLEST_RADIUS = 12, CHARACTER = 3.5, SPREAD = 170;
const SIGNS = {
  arrow: "an arrow goes from the key to the query that looks at it, as wide as its attention",
  ring: "a ring is attention of a vertex to itself",
  sector: "a sector is the share of attention on BOS",
  idle: "dashed: the mask lets the query look, and it does not",
  masked: "no line where there is a mask: it hides the key",
  faint: "attention below 0.001, or half an even share, is not drawn",
  cut: "…: a longer value is cut off, and said in full below",
};
let drawings = [];

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function drawGraphs() {
  const focused = drawings.findIndex((drawing) => drawing.picture === document.activeElement);
  const place = drawings[focused]?.place;
  const shown = views.filter((view) => view.given.graph);
  at("graph-section").hidden = !shown.length;
  drawings = [];
  at("graph").replaceChildren(...shown.flatMap(graphOf));
  if (drawings.length) drawings[0].picture.tabIndex = 0;
  if (drawings[focused] && place) { drawings[focused].place = place; drawings[focused].picture.focus({ preventScroll: true }); }
}

function graphOf(view) {
  const { graph, ids } = view.given;
  if (!graph.places) return [quiet(`${among(view)}The graph has ${ids.length} vertices; what is drawn has at most ${data.mostVertices}.`)];
  const signs = new Set();
  const texts = graph.values?.flat(2) ?? [];
  const plan = layoutOf(graph.places, [...texts, ...ids.map(tokenText)]);
  const given = layerBox(`${among(view)}Input`, graph.relations.map((relation) => relationBox(view, relation, plan, signs)));
  const layers = data.layers.map((layer, l) =>
    layerBox(`${among(view)}Layer ${l + 1}`, layer.heads.map((head, h) => headBox(view, l, h, plan, signs)), l));
  const said = Object.keys(SIGNS).filter((sign) => signs.has(sign)).map((sign) => SIGNS[sign]);
  return [given, ...layers, ...graphNotes(view, said).map(quiet)];
}

function graphNotes({ given }, said) {
  const values = given.graph.values ? "On the vertices stand the interpreter’s values." : "The interpreter has no values here: tokens stand on the vertices.";
  return [values, ...said.map((sign) => `${sign[0].toUpperCase()}${sign.slice(1)}.`), ...data.onVertices.remarks.map((remark) => `${remark}.`)];
}

function layerBox(title, boxes, l = null) {
  return make("div", { class: "layer", "data-layer": l }, make("h3", {}, title), make("div", { class: "row" }, ...boxes));
}

// Places in pixels: neighbours as far apart as their labels need, few vertices further.
function layoutOf(places, texts) {
  const longest = Math.max(...texts.map((text) => Math.min(text.length, VERTEX_LABEL)));
  const radius = Math.max(SMALLEST_RADIUS, CHARACTER * longest + 5);
  const gap = Math.max(3.2 * radius, SPREAD / Math.sqrt(places.length)), edge = 1.9 * radius;
  const highest = Math.max(...places.map(([, y]) => y)), widest = Math.max(...places.map(([x]) => x));
  const points = places.map(([x, y]) => [edge + gap * x, edge + gap * (highest - y)]);
  return { points, radius, width: 2 * edge + gap * widest, height: 2 * edge + gap * highest };
}

// ---- what is in each drawing

function relationBox(view, relation, plan, signs) {
  const labels = new Map(relation.edges.map(([u, v, text]) => [`${v + 1}.${u + 1}`, text]));
  const lines = relation.edges.filter(([u, v]) => !relation.both || v >= u)
    .map(([u, v]) => ({ q: v + 1, k: u + 1, width: GIVEN, arrow: !relation.both, text: labels.get(`${v + 1}.${u + 1}`) }));
  const texts = view.given.ids.map(tokenText);
  const about = `${relation.name}, ${relation.both && lines.length ? "both ways" : "from key to query"}`;
  const said = (q, k) => {
    const there = labels.has(`${q}.${k}`), text = labels.get(`${q}.${k}`);
    return `${among(view)}${relation.name}: ${there ? "an edge" : "no edge"} from ${place(view, k)} to ${place(view, q)}${text === null || text === undefined ? "" : `, ${label(text)}`}`;
  };
  return boxOf({ view, plan, texts, lines, idle: [], sectors: [], signs, said, twin: null, title: [make("b", {}, about)], line: null, given: true });
}

function headBox(view, l, h, plan, signs) {
  const pattern = view.trace.attention[l][h], values = view.given.graph.values?.[l][h];
  const least = Math.min(1e-3, 0.5 / pattern.length), masked = hasMask(l, h);
  const lines = [], idle = [];
  pattern.forEach((row, q) => row.forEach((weight, k) => {
    if (!q || !k) return;
    if (weight >= least) lines.push({ q, k, width: THINNEST + (THICKEST - THINNEST) * weight, arrow: true, weight });
    else if (weight > 0) signs.add("faint");
    else if (masked && !isHidden(view, l, h, q, k)) idle.push({ q, k });
  }));
  if (masked) signs.add("masked");
  const sectors = pattern.map((row) => (row[0] >= least ? row[0] : 0)).slice(1);
  const name = data.onVertices.names[l][h];
  const title = [make("b", {}, headName(l, h)), lineLink(data.layers[l].heads[h].line, ", "), make("span", {}, ` — on the vertices: ${name}${masked ? "" : "; no mask: every vertex is in sight"}`)];
  const said = (q, k) => `${headText(matrixOf(view, l, h), q, k)}${values ? `; at the query ${name} is ${label(values[q - 1])}` : ""}`;
  return boxOf({ view, plan, texts: values ?? view.given.ids.map(tokenText), lines, idle, sectors, signs, said, twin: [l, h], title, line: data.layers[l].heads[h].line });
}

const matrixOf = (view, l, h) => panels.find((panel) => panel.view === view && panel.l === l && panel.h === h);

function boxOf(content) {
  const { plan, twin, title, line, signs, lines, view } = content;
  const widest = [...lines].sort((a, b) => b.width - a.width).slice(0, MOST_LINES);
  const idle = content.idle.slice(0, MOST_LINES);
  const about = `${twin ? `Layer ${twin[0] + 1}, ${headName(...twin)}` : "Input"}: vertices and edges`;
  const picture = svg("svg", { viewBox: `0 0 ${plan.width.toFixed(1)} ${plan.height.toFixed(1)}`, width: plan.width.toFixed(0), role: "application", "aria-roledescription": "graph", "aria-label": `${about}; the arrow keys choose query and key`, tabindex: -1, class: content.given ? "given" : null });
  const edges = [...idle.map((one) => idleEdge(one, plan)), ...widest.map((one) => drawnEdge(one, plan))];
  const vertices = plan.points.map((point, i) => vertexOf(point, i, content));
  picture.append(...edges, ...vertices);
  noteSigns({ ...content, widest, idle });
  const drawing = { ...content, picture, vertices, edges, place: [1, 1] };
  listen(drawing);
  drawings.push(drawing);
  const missing = lines.length - widest.length + content.idle.length - idle.length;
  const left = missing ? quiet(`Of ${lines.length + content.idle.length} lines, ${missing} are left out: the ${MOST_LINES} widest are drawn.`) : null;
  const off = twin && state.off.has(headKey(...twin));
  const tools = twin ? make("div", { class: "tools" }, offButton(headKey(...twin), "graph-"), weightsButton(headKey(...twin), "graph-")) : null;
  const group = { class: `drawing${off ? " off" : ""}`, "data-line": line, role: "group", "aria-label": among(view) + about };
  return make("div", group, tools, make("p", {}, ...title.filter((part) => part !== null)), make("div", { class: "canvas" }, picture), left);
}

function noteSigns({ widest, idle, sectors, texts, signs }) {
  if (widest.some((one) => one.arrow && one.q !== one.k)) signs.add("arrow");
  if (widest.some((one) => one.q === one.k && one.weight)) signs.add("ring");
  if (sectors.some(Boolean)) signs.add("sector");
  if (idle.length) signs.add("idle");
  if (texts.some((text) => label(text).length > VERTEX_LABEL)) signs.add("cut");
}

// ---- shapes

// A line bent to the left, from the rim of one vertex to that of another; the bend keeps the two ways apart.
function arc([x0, y0], [x1, y1], radius, tip) {
  const [dx, dy] = [x1 - x0, y1 - y0], length = Math.hypot(dx, dy);
  const middle = [(x0 + x1) / 2 + BEND * dy, (y0 + y1) / 2 - BEND * dx];
  const at = (t) => [0, 1].map((i) => (1 - t) ** 2 * [x0, y0][i] + 2 * t * (1 - t) * middle[i] + t * t * [x1, y1][i]);
  const [first, last] = [radius / length, 1 - (radius + tip) / length];
  return Array.from({ length: 9 }, (_, i) => at(first + (last - first) * i / 8));
}

const path = (points) => `M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`;
const circle = ([x, y], radius) => `M${x - radius} ${y}a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0`;

function drawnEdge({ q, k, width, arrow, text }, { points, radius }) {
  const group = svg("g", { class: "edge", "data-q": q, "data-k": k });
  if (q === k) {
    const ring = circle(points[q - 1], radius + width / 2 + 1);
    group.append(svg("path", { d: ring, class: "hit" }), svg("path", { d: ring, class: "drawn", "stroke-width": width.toFixed(2) }));
    return group;
  }
  const tip = arrow ? 4 + 1.6 * width : 0, end = points[q - 1];
  const line = arc(points[k - 1], end, radius, tip);
  group.append(svg("path", { d: path(line), class: "hit" }), svg("path", { d: path(line), class: "drawn", "stroke-width": width.toFixed(2) }));
  if (arrow) group.append(svg("path", { d: `${path(tipOf(line.at(-1), end, radius, tip))}Z`, class: "tip" }));
  if (text) group.append(svg("text", { x: line[4][0].toFixed(1), y: line[4][1].toFixed(1), class: "label" }, shorten(label(text), VERTEX_LABEL)));
  return group;
}

function tipOf([x, y], [x1, y1], radius, tip) {
  const length = Math.hypot(x1 - x, y1 - y), into = [(x1 - x) / length, (y1 - y) / length];
  const across = [-into[1] * tip / 2, into[0] * tip / 2];
  return [[x + across[0], y + across[1]], [x1 - radius * into[0], y1 - radius * into[1]], [x - across[0], y - across[1]]];
}

function idleEdge({ q, k }, { points, radius }) {
  const shape = q === k ? circle(points[q - 1], radius + 2.5) : path(arc(points[k - 1], points[q - 1], radius, 0));
  return svg("g", { class: "edge idle", "data-q": q, "data-k": k }, svg("path", { d: shape, class: "hit" }), svg("path", { d: shape, class: "drawn" }));
}

function vertexOf([x, y], i, { plan, texts, sectors }) {
  const group = svg("g", { class: "vertex", "data-q": i + 1, "data-k": i + 1 }, svg("circle", { cx: x, cy: y, r: plan.radius }));
  const share = sectors[i];
  if (share) group.append(sectorOf([x, y], plan.radius, share, i + 1));
  group.append(svg("text", { x, y }, shorten(label(texts[i]), VERTEX_LABEL)));
  const out = plan.radius * 0.75 + 2;
  group.append(svg("text", { x: x + out, y: y - out, class: "place" }, String(i)));
  return group;
}

function sectorOf([x, y], radius, share, q) {
  if (share > 0.999) return svg("circle", { cx: x, cy: y, r: radius, class: "sector", "data-q": q, "data-k": 0 });
  const angle = 2 * Math.PI * share, end = [x + radius * Math.sin(angle), y - radius * Math.cos(angle)];
  const shape = `M${x} ${y}V${y - radius}A${radius} ${radius} 0 ${share > 0.5 ? 1 : 0} 1 ${end.map((at) => at.toFixed(2)).join(" ")}Z`;
  return svg("path", { d: shape, class: "sector", "data-q": q, "data-k": 0 });
}

// ---- the pointer and the keys

function listen(drawing) {
  const { picture } = drawing;
  picture.addEventListener("pointerover", (event) => {
    const found = event.target.closest("[data-q]");
    if (found) pointInDrawing(drawing, Number(found.getAttribute("data-q")), Number(found.getAttribute("data-k")));
  });
  picture.addEventListener("focus", () => pointInDrawing(drawing, ...drawing.place));
  picture.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keyInDrawing(event.key, drawing)) return;
    event.preventDefault();
  });
}

function pointInDrawing(drawing, q, k) {
  drawing.place = [q, k];
  const own = drawing.twin ? matrixOf(drawing.view, ...drawing.twin) : { view: drawing.view, cells: null };
  pointAt(own, q, k, drawing.said(q, k));
}

// Whether the key meant something: rows and columns as in the matrices, BOS as a key to the left of the first one.
function keyInDrawing(key, drawing) {
  const [q, k] = drawing.place, last = drawing.view.given.ids.length;
  const [down, right] = MOVES[key] ?? [0, 0];
  if (key in MOVES) pointInDrawing(drawing, Math.min(last, Math.max(1, q + down)), Math.min(last, Math.max(drawing.twin ? 0 : 1, k + right)));
  else if (key === "Home" || key === "End") pointInDrawing(drawing, q, key === "End" ? last : drawing.twin ? 0 : 1);
  else return letterInDrawing(key.toLowerCase(), drawing);
  return true;
}

function letterInDrawing(key, drawing) {
  const step = { n: 1, p: drawings.length - 1 }[key];
  if (step) {
    const target = drawings[(drawings.indexOf(drawing) + step) % drawings.length];
    const last = target.view.given.ids.length;
    target.place = drawing.place.map((one, i) => Math.min(last, Math.max(i && target.twin ? 0 : 1, one)));
    drawing.picture.tabIndex = -1;
    target.picture.tabIndex = 0;
    target.picture.focus();
    return true;
  }
  if (!drawing.twin || !["o", "w"].includes(key)) return false;
  if (key === "o") toggleHead(headKey(...drawing.twin));
  else toggleWeights(headKey(...drawing.twin));
  return true;
}

// In every drawing: the two vertices, and the edge from one to the other (of a vertex alone, all that it looks along).
function lightDrawings({ q, k }, on) {
  for (const { vertices, edges } of drawings) {
    vertices[q - 1]?.classList.toggle("lit", on);
    vertices[k - 1]?.classList.toggle("lit", on);
    for (const edge of edges) {
      const own = [Number(edge.getAttribute("data-q")), Number(edge.getAttribute("data-k"))];
      if (own[0] === q && (own[1] === k || q === k)) edge.classList.toggle("at", on);
    }
  }
}
