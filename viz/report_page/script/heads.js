// The patterns of the attention heads, and what is under the pointer or the keys in all of them.

let panels = [];
let cursor = null;

function drawHeads() {
  const focused = panels.findIndex((panel) => panel.table.contains(document.activeElement));
  const { q, k } = cursor ?? {};
  const shownWith = views.map((view) => view.labels.length);
  panels = [];
  cursor = null;
  at("heads").replaceChildren(...data.layers.map((layer, l) => {
    const own = layer.heads.map((head, h) => drawHead(head, l, h, Math.max(...shownWith)));
    return make("div", { class: "layer", "data-layer": l }, make("h3", {}, `Layer ${l + 1}`), make("div", { class: "row" }, ...own));
  }));
  at("mask-help").hidden = !allHeads().some(([l, h]) => hasMask(l, h));
  if (!panels.length) { at("heads").replaceChildren(quiet("This s-op needs no attention.")); return; }
  const last = views[0].labels.length - 1;
  panels[0].cells[Math.min(1, last)][0].tabIndex = 0;
  const again = panels[focused]?.cells[q]?.[k];
  if (again) { panels[0].cells[Math.min(1, last)][0].tabIndex = -1; again.tabIndex = 0; again.focus({ preventScroll: true }); }
}

function drawHead(head, l, h, size) {
  const key = headKey(l, h), off = state.off.has(key);
  const small = size > WRITTEN_CELLS;
  const tables = views.map((view) => drawPattern(view, l, h, small).table);
  const box = make("div", { class: `head${small ? " small" : ""}${off ? " off" : ""}`, "data-line": head.line, role: "group", "aria-label": `Layer ${l + 1}, ${headName(l, h)}` },
    make("div", { class: "tools" }, offButton(key), weightsButton(key)), make("div", { class: "patterns" }, ...tables));
  box.style.setProperty("--cell", `${small ? Math.max(7, Math.min(16, 560 / size)) : 30}px`);
  return box;
}

function tool(key, pressed, text, press) {
  const button = make("button", { type: "button", "data-key": key, "aria-pressed": String(pressed) }, text);
  button.addEventListener("click", press);
  return button;
}

function offButton(key, where = "") {
  if (!canBeOff(1)) return null;
  const off = state.off.has(key);
  return tool(`${where}off-${key}`, off, off ? "is off" : "switch off", () => toggleHead(key));
}

function toggleHead(key) {
  if (!canBeOff(1)) return;
  const keys = new Set(data.live ? state.off : []);
  if (state.off.has(key)) keys.delete(key);
  else keys.add(key);
  update({ off: keys });
  at("status").textContent = keys.size ? lost(views[0], data.outputs[0], 0) : "Every head is on.";
}

const weightsButton = (key, where = "") => tool(`${where}weights-${key}`, state.weights === key, "weights", () => toggleWeights(key));

function toggleWeights(key) {
  update({ weights: state.weights === key ? null : key });
  if (state.weights) at("weights").scrollIntoView({ block: "nearest" });
}

function drawPattern(view, l, h, small) {
  const pattern = view.trace.attention[l][h];
  const bos = small ? "B" : "BOS";
  const columns = view.labels.map((text, k) => make("th", { scope: "col", class: k ? null : "bos" }, k ? text : bos));
  const cells = pattern.map((weights, q) => Array.from(weights, (weight, k) => headCell(weight, { differs: differsAt(view, l, h, q, k), hidden: isHidden(view, l, h, q, k) })));
  const rows = cells.map((own, q) =>
    make("tr", {}, make("th", { scope: "row", class: q ? null : "bos" }, view.labels[q]), ...own));
  const table = make("table", {}, patternCaption(view, l, h),
    make("thead", {}, make("tr", {}, make("th", {}, ""), ...columns)), make("tbody", {}, ...rows));
  const panel = { view, table, cells, columns, pattern, name: headName(l, h), l, h, rows };
  roving(table, cells, (q, k) => pointAt(panel, q, k), (key, q, k) => keyInHead(key, panel, q, k));
  panels.push(panel);
  return panel;
}

function patternCaption(view, l, h) {
  const { line } = data.layers[l].heads[h];
  const first = view === views[0];
  return make("caption", {}, views.length > 1 ? make("span", {}, among(view)) : null,
    make("b", {}, headName(l, h)), first ? lineLink(line, ", ") : null, make("span", {}, ` — ${aboutPattern(view, l, h)}`));
}

function aboutPattern(view, l, h) {
  if (state.off.size && !data.live) return "as in the whole model";
  if (state.off.has(headKey(l, h))) return "off: what it would attend to";
  if (state.off.size) {
    const whole = view.whole.attention[l][h];
    const off = Math.max(...view.trace.attention[l][h].flatMap((row, q) => row.map((x, k) => Math.abs(x - whole[q][k]))));
    return off < 1e-6 ? "as in the whole model" : `off the whole model by ${brief(off)}`;
  }
  const off = view.given.off ? view.given.off[l][h] : null;
  if (off === null) return "on your own input";
  return off < 1e-6 ? "as its selector says" : `off its selector by ${number(off)}`;
}

function differsAt(view, l, h, q, k) {
  if (view === views[0]) return false;
  const weight = views[0].trace.attention[l][h][q]?.[k];
  return weight !== undefined && Math.abs(weight - view.trace.attention[l][h][q][k]) > 1e-6;
}

// Black or white text, whichever is told from the cell's colour in both schemes.
const shade = (share) => (share > 0.63 ? "on strong" : share > 0.38 ? "on middle" : "on");

// Attention is shaded by its square root, so that an even share of many positions is told from none.
function headCell(weight, { differs, hidden }) {
  const cell = make("td", { tabindex: -1, class: [differs ? "differs" : "", hidden ? "hidden" : ""].join(" ").trim() || null });
  if (weight > 1e-6) {
    cell.classList.add(...shade(Math.sqrt(weight)).split(" "));
    cell.style.setProperty("--w", Math.sqrt(weight).toFixed(3));
    cell.textContent = brief(weight).length > 4 ? brief(Number(weight.toPrecision(2))) : brief(weight);
  }
  return cell;
}

const others = (panel, q, k) => panels.filter((other) => other.cells[q]?.[k]);

function pointAt(panel, q, k, said = headText(panel, q, k)) {
  if (cursor) light(cursor, false);
  cursor = { panel, q, k };
  light(cursor, true);
  at("status").textContent = said;
}

function light({ panel, q, k }, on) {
  for (const other of others(panel, q, k)) {
    other.rows[q].classList.toggle("lit", on);
    other.columns[k].classList.toggle("lit", on);
    other.cells.forEach((own) => own[k].classList.toggle("lit", on));
  }
  panel.cells?.[q][k].classList.toggle("at", on);
  lightDrawings({ q, k }, on);
}

const place = (view, i) => (i ? `${i - 1} “${view.labels[i]}”` : "BOS");

function headText(panel, q, k) {
  const { view } = panel, weight = panel.pattern[q][k];
  const text = `${among(view)}Layer ${panel.l + 1}, ${panel.name}: query ${place(view, q)}, key ${place(view, k)}: attention ${exactly(weight)}${whyNone(panel, q, k)}`;
  const read = weight > 1e-6 && view.trace.before ? brought(panel, k) : "";
  return read ? `${text}; brings ${read}` : text;
}

// Why a query does not look at a key, where a head has a mask.
function whyNone({ view, l, h, pattern }, q, k) {
  if (!hasMask(l, h) || pattern[q][k] > 0) return "";
  return isHidden(view, l, h, q, k) ? ", as the mask hides the key" : ", though the key is in sight";
}

function brought(panel, k) {
  if (state.off.has(headKey(panel.l, panel.h))) return "nothing: it is off";
  const head = model.layers[panel.l].heads[panel.h];
  const [moved] = times(times([panel.view.trace.before[panel.l][k]], head.W_V), head.W_O);
  return shorten(directionsOf(moved), 160) || "nothing (0)";
}

// A vector by the names of its directions.
function directionsOf(vector) {
  const parts = [];
  vector.forEach((x, row) => {
    if (Math.abs(x) > ZERO) parts.push(label(Math.abs(x - 1) < ZERO ? data.directions[row] : `${data.directions[row]}: ${number(x)}`));
  });
  return parts.join(", ");
}

function keyInHead(key, panel, q, k) {
  const step = { n: 1, p: panels.length - 1 }[key.toLowerCase()];
  if (step) {
    const target = panels[(panels.indexOf(panel) + step) % panels.length];
    const last = target.cells.length - 1;
    return target.cells[Math.min(q, last)][Math.min(k, last)];
  }
  const own = headKey(panel.l, panel.h);
  if (key === "o" || key === "O") { toggleHead(own); return true; }
  if (key === "w" || key === "W") { toggleWeights(own); return true; }
  return null;
}

// ---- a table whose cells are reached by the mouse and by one stop of the tab key, from where the arrow keys lead on

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function roving(table, cells, point, press = () => null) {
  const placeOfCell = (event) => {
    const cell = event.target.closest("td");
    const q = cell ? cells.findIndex((own) => own.includes(cell)) : -1;
    return q < 0 ? null : [q, cells[q].indexOf(cell)];
  };
  const reached = (event) => { const found = placeOfCell(event); if (found) point(...found); };
  table.addEventListener("pointerover", reached);
  table.addEventListener("focusin", reached);
  table.addEventListener("keydown", (event) => {
    const found = event.ctrlKey || event.metaKey || event.altKey ? null : placeOfCell(event);
    const target = found && (moved(cells, event.key, ...found) ?? press(event.key, ...found));
    if (!target) return;
    event.preventDefault();
    if (target === true) return;
    event.target.tabIndex = -1;
    target.tabIndex = 0;
    target.focus();
  });
}

function moved(cells, key, q, k) {
  const last = cells[q].length - 1;
  if (key === "Home") return cells[q][0];
  if (key === "End") return cells[q][last];
  if (!(key in MOVES)) return null;
  const [down, right] = MOVES[key];
  return cells[Math.min(cells.length - 1, Math.max(0, q + down))][Math.min(last, Math.max(0, k + right))];
}
