"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const ZERO = 1e-9, CLEAN = 0.25, WRITTEN_CELLS = 14, OPEN_LINES = 80, OPEN_MEMBERS = 12;
const ALWAYS = new Set(["one", "bos"]);

// ---- small pieces of page

const at = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const INVISIBLE = { " ": "␣", "\n": "↵", "\t": "⇥", "\r": "␍", "": "∅" };
const label = (text) => INVISIBLE[text] ?? text.replace(/[\n\t\r]/g, (char) => INVISIBLE[char]);
const shorten = (text, limit = 12) => (text.length > limit ? text.slice(0, limit - 1) + "…" : text);
const short = (text) => shorten(label(text));
const number = (x) => String(Number(x.toPrecision(12)));

// A float as Python writes it with 12 digits, and always with a point or an exponent.
function floating(x) {
  const [digits, power] = x.toExponential(11).split("e");
  const exponent = Number(power), trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (exponent < -4 || exponent >= 12) {
    return `${trimmed(digits)}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  const text = trimmed(x.toFixed(11 - exponent));
  return text.includes(".") ? text : `${Object.is(x, -0) ? "-0" : text}.0`;
}
const brief = (x) => String(Number(x.toPrecision(3))).replace(/^(-?)0\./, "$1.");

function fraction(x) {
  for (let below = 1; below <= 1000; below++) {
    const above = Math.round(x * below);
    if (Math.abs(x - above / below) < 1e-9) return below === 1 ? String(above) : `${above}/${below}`;
  }
  return null;
}

const exactly = (x) => {
  const parts = fraction(x);
  return parts !== null && parts.includes("/") ? `${parts} = ${brief(x)}` : number(x);
};

// ---- matrices: of each row, the columns and numbers that are not 0

function matrix(packed) {
  const [rows, columns] = packed.shape.length === 1 ? [1, packed.shape[0]] : packed.shape;
  const found = Array.from({ length: rows }, () => [[], []]);
  let place = -1;
  for (let i = 0; i < packed.cells.length; i += 2) {
    place += packed.cells[i];
    const row = found[Math.floor(place / columns)];
    row[0].push(place % columns);
    row[1].push(packed.values[packed.cells[i + 1]]);
  }
  return { rows: found, columns };
}

function addRow(target, source, factor) {
  const [columns, numbers] = source;
  for (let i = 0; i < columns.length; i++) target[columns[i]] += factor * numbers[i];
}

function times(vectors, by) {
  return vectors.map((vector) => {
    const result = new Float64Array(by.columns);
    vector.forEach((x, row) => { if (x !== 0) addRow(result, by.rows[row], x); });
    return result;
  });
}

function dense(packed) {
  return matrix(packed).rows.map((row) => {
    const result = new Float64Array(packed.shape[1]);
    addRow(result, row, 1);
    return result;
  });
}

function unpack(model) {
  const parts = (part) => Object.fromEntries(
    Object.entries(part).map(([name, value]) => [name, value && value.cells ? matrix(value) : value]));
  return {
    embedding: model.embedding.map(matrix),
    inputMlps: model.inputMlps.map(parts),
    layers: model.layers.map((layer) => ({ heads: layer.heads.map(parts), mlps: layer.mlps.map(parts) })),
    output: parts(model.output),
    guards: model.guards.map(parts),
  };
}

// ---- the forward pass, in float64

const plus = (left, right) => left.map((vector, i) => vector.map((x, j) => x + right[i][j]));

function softmax(scores) {
  const most = Math.max(...scores);
  const weights = scores.map((x) => Math.exp(x - most));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((x) => x / sum);
}

function attend(x, head) {
  const queries = times(x, head.W_Q), keys = times(x, head.W_K);
  return queries.map((query, q) => softmax(keys.map((key, k) =>
    data.causal && k > q ? -Infinity : key.reduce((sum, value, i) => sum + query[i] * value, 0))));
}

function headOutput(x, pattern, head) {
  const values = times(x, head.W_V);
  const mixed = pattern.map((row) => {
    const result = new Float64Array(head.W_V.columns);
    row.forEach((weight, k) => { if (weight) values[k].forEach((v, i) => { result[i] += weight * v; }); });
    return result;
  });
  return times(mixed, head.W_O);
}

function feedForward(x, mlp) {
  const bias = new Float64Array(mlp.b_in.columns);
  addRow(bias, mlp.b_in.rows[0], 1);
  const hidden = times(x, mlp.W_in).map((vector) => vector.map((value, i) => Math.max(0, value + bias[i])));
  return times(hidden, mlp.W_out);
}

function forward(model, ids) {
  const [tokens, positions] = model.embedding;
  let x = [0, ...ids].map((id, position) => {
    const vector = new Float64Array(data.directions.length);
    addRow(vector, tokens.rows[id], 1);
    addRow(vector, positions.rows[position], 1);
    return vector;
  });
  const stages = [x], attention = [], before = [];
  const through = (mlp) => { x = plus(x, feedForward(x, mlp)); stages.push(x); };
  model.inputMlps.forEach(through);
  for (const layer of model.layers) {
    const patterns = layer.heads.map((head) => attend(x, head));
    attention.push(patterns);
    before.push(x);
    const start = x;
    layer.heads.forEach((head, i) => { x = plus(x, headOutput(start, patterns[i], head)); });
    stages.push(x);
    layer.mlps.forEach(through);
  }
  return { attention, stages, before, ...readOut(model, x.slice(1)) };
}

// ---- from logits to values

function readOut(model, x) {
  try {
    model.guards.forEach((guard) => checkGuard(guard, times(x, guard.W_U)));
    const codes = decode(model.output, times(x, model.output.W_U));
    const kinds = kindsOf(model, x);
    return { output: codes.map((code, position) => typed(code, kinds(position, code.place))), fault: null };
  } catch (error) {
    if (!(error instanceof NoValue)) throw error;
    return { output: null, fault: error.message };
  }
}

// The kind of the number at a position that is the output's value at `place`; undefined where it has but one.
function kindsOf(model, x) {
  const kinds = model.output.kinds;
  if (!kinds) return () => undefined;
  const marks = kinds.guards.map((at) => times(x, model.guards[at].W_U).map((row) => keysMarked(model.guards[at], row)));
  const first = x.length * (x.length - 1) / 2;
  return (position, place) => {
    let cell = first + position;
    const [, table] = kinds.runs.find(([count]) => (cell -= count) < 0);
    const [usual, others] = kinds.tables[table][marks.map((states) => states[position]).join("")] ?? [undefined, {}];
    return others[place] ?? usual;
  };
}

const several = (row) => row[1] - row[0] ** 2 > CLEAN / 2;
const keysMarked = (guard, row) => several(row) ? 2 : Math.abs(row[0] - guard.values[0]) < CLEAN ? 0 : 1;

function typed(code, kind) {
  if (kind === "bool") return code.value ? "T" : "F";
  if (kind === undefined || typeof code.value === "string") return code.text;
  if (kind === "float") return floating(Number(code.value));
  return /^-?\d+$/.test(code.text) ? code.text : String(BigInt(Math.round(Number(code.value))));
}

class NoValue extends Error {}

function decode(readout, logits) {
  const found = logits.map((row, position) =>
    readout.kind === "number" ? nearest(readout, row[0], position) : clearest(readout, row, position));
  const strings = found.filter((code) => typeof code.value === "string").length;
  if (strings > 0 && strings < found.length) throw new NoValue(`${readout.name}: strings and numbers stand together`);
  return found;
}

function clearest(readout, row, position) {
  const code = row.indexOf(Math.max(...row));
  if (row.some((x, i) => Math.abs(x - (i === code ? 1 : 0)) > CLEAN)) {
    throw new NoValue(`${readout.name} has no value at position ${position}: the program has none on this input`);
  }
  return { value: readout.values[code], text: readout.texts[code], place: code };
}

function nearest(readout, x, position) {
  if (!readout.values.length) return { value: x, text: floating(x), place: 0 };
  const levels = readout.values.map(Number);
  const off = levels.map((level) => Math.abs(level - x));
  const code = off.indexOf(Math.min(...off));
  const gap = levels.slice(1).reduce((least, level, i) => Math.min(least, level - levels[i]), levels.length > 1 ? Infinity : 1);
  if (off[code] > CLEAN * gap) {
    throw new NoValue(`${readout.name} is ${number(x)} at position ${position}, which is none of its values`);
  }
  return { value: readout.values[code], text: readout.texts[code], place: code };
}

function checkGuard(guard, logits) {
  if (guard.check === "marks") return;
  if (guard.check === "single" || guard.check === "mean") {
    const position = logits.findIndex(several);
    if (guard.check === "mean" && logits.some((row) => row[2] < 0.5)) return;
    if (position >= 0) throw new NoValue(`not so at position ${position}: ${guard.name}`);
    return;
  }
  const found = decode(guard, logits).map((code) => code.value);
  if (guard.check === "defined" && !found.every(Boolean)) {
    throw new NoValue(`not so at position ${found.findIndex((value) => !value)}: ${guard.name}`);
  }
  if (guard.check === "uniform" && new Set(found).size > 1) throw new NoValue(`not so on this input: ${guard.name}`);
}

// ---- inputs

class BadInput extends Error {}

function tokensOf(text) {
  if (/^[["]/.test(text)) {
    try {
      const found = JSON.parse(text);
      if (Array.isArray(found)) return found;
      if (typeof found === "string") return [...found];
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return [...text];
}

function idsOf(text) {
  const tokens = tokensOf(text);
  if (!tokens.length) throw new BadInput("An input needs at least one token.");
  if (tokens.length > data.maxLength) {
    throw new BadInput(`The input has ${tokens.length} tokens; the model takes at most ${data.maxLength}.`);
  }
  return tokens.map((token, position) => {
    const id = data.vocabulary.findIndex((known) => known === token);
    if (id < 0) throw new BadInput(`“${label(String(token))}” at position ${position} is not in the vocabulary.`);
    return id + 1;
  });
}

const tokenText = (id) => short(data.tokens[id - 1]);
const written = (ids) => ids.map((id) => data.tokens[id - 1]);

// ---- state

const model = data.live ? unpack(data) : null;
let now = null;

function show(given) {
  const trace = data.live ? forward(model, given.ids) : {
    ...given.trace,
    attention: given.trace.attention.map((layer) => layer.map(dense)),
    stages: given.trace.stages.map(dense),
    before: null,
  };
  const stage = now ? Math.min(now.stage, trace.stages.length - 1) : trace.stages.length - 1;
  now = { given, trace, labels: ["BOS", ...given.ids.map(tokenText)], stage, folded: now?.folded ?? new Map() };
  drawOutput();
  drawHeads();
  drawStages();
  drawResidual();
  drawValues();
  mark();
}

// ---- output

function positions(caption, corner) {
  const table = make("table", { class: "plain" }, make("caption", {}, caption));
  const numbers = now.given.ids.map((_, i) => make("th", { scope: "col" }, String(i)));
  const tokens = now.given.ids.map((id) => make("td", {}, tokenText(id)));
  table.append(
    make("thead", {}, make("tr", {}, make("th", { scope: "row" }, corner), ...numbers)),
    make("tbody", {}, make("tr", {}, make("th", { scope: "row" }, "token"), ...tokens)));
  return table;
}

function row(table, name, values, classes = () => null, line = null) {
  const cells = values.map((value, i) => make("td", { class: classes(i), title: value }, short(value)));
  const head = make("th", { scope: "row" }, name, lineLink(line, " "));
  table.tBodies[0].append(make("tr", { "data-line": line }, head, ...cells));
}

// A row without values, which says why.
function absent(table, name, why) {
  table.tBodies[0].append(make("tr", {}, make("th", { scope: "row" }, name), make("td", { class: "quiet why", colspan: now.given.ids.length }, make("span", {}, why))));
}

function drawOutput() {
  const { given, trace } = now;
  const table = positions(`${data.name}, position by position`, "position");
  const expected = given.values, output = trace.output;
  if (expected) row(table, "interpreter", expected);
  else absent(table, "interpreter", given.fault ? "no value on this input" : "not known: it ran on the examples only, and is not part of this page");
  if (output) row(table, "model", output, (i) => (expected && !same(expected[i], output[i]) ? "wrong" : null));
  if (expected && output) row(table, "difference", expected.map((value, i) => differ(value, output[i])));
  const notes = [];
  if (given.fault) notes.push(`The interpreter has no value on this input: ${given.fault}.`);
  if (trace.fault) notes.push(`The model has no value on this input: ${trace.fault}.`);
  if (!given.values && !given.fault) notes.push("Your own input: the model runs in this page, in float64.");
  at("output").replaceChildren(table, ...notes.map((note) => make("p", { class: "quiet" }, note)));
}

const same = (left, right) => left === right || Math.abs(Number(left) - Number(right)) <= 1e-9 * Math.max(1, Math.abs(Number(left)));

function differ(left, right) {
  if (left === right) return "0";
  const off = Number(left) - Number(right);
  return Number.isNaN(off) ? "differs" : number(off);
}

// ---- heads

let panels = [];
let cursor = null;

function drawHeads() {
  panels = [];
  const size = now.labels.length;
  at("heads").replaceChildren(...data.layers.map((layer, l) => {
    const own = layer.heads.map((head, h) => drawHead(head, l, h, size));
    return make("div", { class: "layer" }, make("h3", {}, `Layer ${l + 1}`), make("div", { class: "row" }, ...own));
  }));
  if (!data.layers.length) at("heads").replaceChildren(make("p", { class: "quiet" }, "This s-op needs no attention."));
  cursor = null;
  if (panels.length) panels[0].cells[Math.min(1, size - 1)][0].tabIndex = 0;
}

function drawHead(head, l, h, size) {
  const pattern = now.trace.attention[l][h];
  const off = now.given.off ? now.given.off[l][h] : null;
  const name = head.kind === "width" ? `${head.name} (width)` : head.name;
  const caption = make("caption", {}, make("b", {}, name), lineLink(head.line, ", "),
    off === null ? null : make("span", {}, off < 1e-6 ? " — as its selector says" : ` — off its selector by ${number(off)}`));
  const cells = pattern.map((weights) => Array.from(weights, headCell));
  const bos = size > WRITTEN_CELLS ? "B" : "BOS";
  const columns = now.labels.map((text, k) => make("th", { scope: "col", class: k ? null : "bos" }, k ? text : bos));
  const body = cells.map((own, q) =>
    make("tr", {}, make("th", { scope: "row", class: q ? null : "bos" }, now.labels[q]), ...own));
  const table = make("table", {}, caption, make("thead", {}, make("tr", {}, make("td", {}), ...columns)), make("tbody", {}, ...body));
  table.tHead.rows[0].cells[0].replaceWith(make("th", {}, ""));
  const panel = { table, cells, columns, pattern, name, l, h, rows: body };
  table.addEventListener("pointerover", (event) => overHead(event, panel));
  table.addEventListener("focusin", (event) => overHead(event, panel));
  table.addEventListener("keydown", (event) => moveInHead(event, panel));
  panels.push(panel);
  const box = make("div", { class: size > WRITTEN_CELLS ? "head small" : "head", "data-line": head.line }, table);
  box.style.setProperty("--cell", `${size > WRITTEN_CELLS ? Math.max(7, Math.min(16, 560 / size)) : 30}px`);
  return box;
}

// Black or white text, whichever is told from the cell's colour in both schemes.
const shade = (share) => (share > 0.63 ? "on strong" : share > 0.38 ? "on middle" : "on");

// Attention is shaded by its square root, so that an even share of many positions is told from none.

function headCell(weight) {
  const cell = make("td", { tabindex: -1 });
  if (weight > 1e-6) {
    cell.className = shade(Math.sqrt(weight));
    cell.style.setProperty("--w", Math.sqrt(weight).toFixed(3));
    cell.textContent = brief(weight).length > 4 ? brief(Number(weight.toPrecision(2))) : brief(weight);
  }
  return cell;
}

function overHead(event, panel) {
  const cell = event.target.closest("td");
  const tr = cell && cell.parentElement;
  const q = tr ? panel.rows.indexOf(tr) : -1;
  if (q >= 0) pointAt(panel, q, cell.cellIndex - 1);
}

function pointAt(panel, q, k) {
  if (cursor) unlight();
  cursor = { panel, q, k };
  for (const other of panels) {
    other.rows[q].classList.add("lit");
    other.columns[k].classList.add("lit");
    other.cells.forEach((own) => own[k].classList.add("lit"));
  }
  panel.cells[q][k].classList.add("at");
  at("status").textContent = headText(panel, q, k);
}

function unlight() {
  const { panel, q, k } = cursor;
  for (const other of panels) {
    other.rows[q].classList.remove("lit");
    other.columns[k].classList.remove("lit");
    other.cells.forEach((own) => own[k].classList.remove("lit"));
  }
  panel.cells[q][k].classList.remove("at");
}

const place = (i) => (i ? `${i - 1} “${now.labels[i]}”` : "BOS");

function headText(panel, q, k) {
  const weight = panel.pattern[q][k];
  const text = `Layer ${panel.l + 1}, ${panel.name}: query ${place(q)}, key ${place(k)}: attention ${exactly(weight)}`;
  const read = weight > 1e-6 && now.trace.before ? brought(panel, k) : "";
  return read ? `${text}; brings ${read}` : text;
}

function brought(panel, k) {
  const head = model.layers[panel.l].heads[panel.h];
  const [moved] = times(times([now.trace.before[panel.l][k]], head.W_V), head.W_O);
  const parts = [];
  moved.forEach((x, row) => { if (Math.abs(x) > ZERO) parts.push(Math.abs(x - 1) < ZERO ? data.directions[row] : `${data.directions[row]}: ${number(x)}`); });
  return parts.length ? shorten(parts.map(label).join(", "), 160) : "nothing (0)";
}

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function moveInHead(event, panel) {
  if (event.ctrlKey || event.metaKey || event.altKey || !cursor || event.target.tagName !== "TD") return;
  const last = panel.cells.length - 1;
  let { q, k } = cursor, target = panel;
  if (event.key in MOVES) {
    q = Math.min(last, Math.max(0, q + MOVES[event.key][0]));
    k = Math.min(last, Math.max(0, k + MOVES[event.key][1]));
  } else if (event.key === "Home") k = 0;
  else if (event.key === "End") k = last;
  else if (event.key === "n" || event.key === "N") target = panels[(panels.indexOf(panel) + 1) % panels.length];
  else if (event.key === "p" || event.key === "P") target = panels[(panels.indexOf(panel) + panels.length - 1) % panels.length];
  else return;
  event.preventDefault();
  event.target.tabIndex = -1;
  const cell = target.cells[q][k];
  cell.tabIndex = 0;
  cell.focus();
}

// ---- residual stream

function drawStages() {
  at("stages").replaceChildren(...data.stages.map((title, i) => {
    const button = make("button", { type: "button", "aria-pressed": String(i === now.stage) }, title);
    button.addEventListener("click", () => { now.stage = i; drawStages(); drawResidual(); mark(); at("stages").children[i].focus(); });
    return button;
  }));
}

at("stages").addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const target = step && at("stages").children[now.stage + step];
  if (target) { event.preventDefault(); target.click(); }
});

function liveGroups() {
  const stages = now.trace.stages;
  const nonzero = (row) => stages.some((x) => x.some((vector) => Math.abs(vector[row]) > ZERO));
  const found = data.groups.map((group) => ({ ...group, live: group.members.filter(nonzero) })).filter((group) => group.live.length);
  const first = (group) => stages.findIndex((x) => x.some((vector) => group.members.some((row) => Math.abs(vector[row]) > ZERO)));
  return found.map((group) => [first(group), group]).sort((a, b) => a[0] - b[0]).map(([, group]) => group);
}

function drawResidual() {
  const x = now.trace.stages[now.stage], before = now.stage ? now.trace.stages[now.stage - 1] : null;
  const found = liveGroups();
  const total = found.reduce((sum, group) => sum + group.live.length, 0);
  const left = data.directions.length - total;
  const caption = `Stage “${data.stages[now.stage]}”: directions by name, one column a position. ${before ? "A framed cell was changed by this step. " : ""}`
    + (left ? `Of ${data.directions.length} directions ${left} are 0 throughout and left out.` : "");
  const head = make("tr", {}, make("th", { scope: "col" }, "direction"), ...now.labels.map((text) => make("th", { scope: "col" }, text)));
  const table = make("table", {}, make("caption", {}, caption), make("thead", {}, head));
  found.forEach((group) => table.append(residualGroup(group, x, before, total)));
  at("residual").replaceChildren(table);
}

function residualGroup(group, x, before, total) {
  const body = make("tbody", { "data-line": group.line });
  const values = new Map(group.members.map((row, i) => [row, group.values[i]]));
  if (!group.values.length || group.members.length === 1) {
    const name = group.values.length ? `${group.name} = ${label(group.values[0])}` : group.name;
    const head = make("th", { scope: "row" }, name, lineLink(group.line, ", "));
    body.append(residualRow(head, group.live[0], x, before, !group.values.length && !ALWAYS.has(group.name)));
    return body;
  }
  const folded = now.folded.get(group.name) ?? (total > OPEN_LINES && group.live.length > OPEN_MEMBERS);
  const button = make("button", { type: "button", class: "fold", "aria-expanded": String(!folded) }, `${folded ? "▸" : "▾"} ${group.name}`);
  button.addEventListener("click", () => { now.folded.set(group.name, !folded); drawResidual(); mark(); });
  const decoded = x.map((vector) => make("td", {}, decodedIn(group, vector)));
  body.append(make("tr", { class: "group" }, make("th", { scope: "rowgroup" }, button, lineLink(group.line, ", ")), ...decoded));
  if (!folded) group.live.forEach((row) => body.append(residualRow(make("th", { scope: "row", class: "member" }, `= ${label(values.get(row))}`), row, x, before)));
  return body;
}

// A number's zeros are written from the stage on at which the number is.
function residualRow(head, row, x, before, isNumber = false) {
  const there = isNumber && now.trace.stages.slice(0, now.stage + 1).some((moment) => moment.some((vector) => Math.abs(vector[row]) > ZERO));
  const largest = Math.max(...now.trace.stages.map((moment) => Math.max(...moment.map((vector) => Math.abs(vector[row])))));
  const cells = x.map((vector, i) => {
    const value = vector[row], on = Math.abs(value) > ZERO;
    const changed = before && Math.abs(value - before[i][row]) > ZERO;
    const cell = make("td", { class: `${on ? (value < 0 ? "minus" : "on") : ""}${changed ? " changed" : ""}`.trim() || null, title: on ? exactly(value) : null }, on ? brief(value) : changed || (there && i) ? "0" : "");
    if (on) cell.style.setProperty("--w", (Math.abs(value) / largest).toFixed(3));
    return cell;
  });
  return make("tr", {}, head, ...cells);
}

function decodedIn(group, vector) {
  const parts = group.members.map((row) => vector[row]);
  const code = parts.findIndex((x) => Math.abs(x - 1) < 1e-3);
  return code >= 0 && parts.every((x, i) => i === code || Math.abs(x) < 1e-3) ? group.values[code] : "";
}

// ---- neurons and values

// Every feed-forward with where it stands.
function allMlps() {
  const several = (where, mlps) => mlps.map((mlp, i) => [i ? `${where}, feed-forward ${i + 1}` : where, mlp]);
  return [...several("input", data.inputMlps), ...data.layers.flatMap((layer, l) => several(`layer ${l + 1}`, layer.mlps))];
}

function drawNeurons() {
  const table = make("table", { class: "plain" }, make("caption", {}, "Neurons by what they write"),
    make("thead", {}, make("tr", {}, ...["layer", "neurons", "read", "write", "line"].map((name) => make("th", { scope: "col" }, name)))));
  const body = make("tbody");
  allMlps().forEach(([where, mlp]) => mlp.neurons.forEach((part) => body.append(
    make("tr", { "data-line": part.line },
      make("th", { scope: "row" }, where),
      make("td", {}, String(part.count)), make("td", { class: "list" }, part.reads.join(", ")),
      make("td", { class: "list" }, part.writes.join(", ")), make("td", {}, lineLink(part.line, "") ?? "")))));
  table.append(body);
  at("neurons").replaceChildren(body.children.length ? table : make("p", { class: "quiet" }, "There are none."));
}

function drawValues() {
  at("values-section").hidden = !data.named.length;
  const { rows } = now.given;
  const table = positions(`${rows ? "What the interpreter computes, line by line; and what" : "What"} the model’s residual stream says at the end`, "position");
  data.named.forEach((one, i) => {
    const held = heldIn(one.group);
    if (rows) {
      row(table, one.name, rows[i], () => null, one.line);
      if (held) row(table, "↳ in the model", held, (at) => (sameText(rows[i][at], held[at]) ? null : "wrong"));
    } else if (held) {
      row(table, `${one.name}, in the model`, held, () => null, one.line);
    } else {
      absent(table, one.name, "not in the stream by this name, and the interpreter is not part of this page");
    }
  });
  at("values").replaceChildren(table);
}

// What the stream says of an s-op at each token, at the end; null where no directions hold it.
function heldIn(index) {
  if (index === null) return null;
  const group = data.groups[index], vectors = now.trace.stages[now.trace.stages.length - 1].slice(1);
  if (!group.values.length) return vectors.map((vector) => number(vector[group.members[0]]));
  return vectors.map((vector) => ({ True: "T", False: "F" })[decodedIn(group, vector)] ?? decodedIn(group, vector));
}

// The stream has no kinds: 1 there may be 1.0 or T.
const sameText = (left, right) => short(left) === short(right) || same({ T: "1", F: "0" }[left] ?? left, { T: "1", F: "0" }[right] ?? right);

// ---- the program and what belongs to its lines

let marked = null;

function lineLink(line, lead) {
  if (line === null || line === undefined) return null;
  const button = make("button", { type: "button", class: "line-link" }, `line ${line}`);
  button.addEventListener("click", () => { marked = line; mark(); scrollToLine(line); });
  return make("span", {}, lead, button);
}

function scrollToLine(line) {
  at("lines").querySelector(`button[data-line="${line}"]`)?.scrollIntoView({ block: "nearest" });
}

function mark() {
  const buttons = at("lines").querySelectorAll("button");
  buttons.forEach((button) => button.setAttribute("aria-pressed", String(Number(button.dataset.line) === marked)));
  at("parts").querySelectorAll("[data-line]").forEach((part) => {
    const hit = marked !== null && Number(part.dataset.line) === marked;
    (part.tagName === "TBODY" ? [...part.rows] : [part]).forEach((one) => one.classList.toggle("linked", hit));
  });
}

function lineText(line) {
  const heads = data.layers.flatMap((layer) => layer.heads.filter((head) => head.line === line).map((head) => head.name));
  const neurons = allMlps().flatMap(([, mlp]) => mlp.neurons).filter((part) => part.line === line);
  const count = neurons.reduce((sum, part) => sum + part.count, 0);
  const own = data.groups.filter((group) => group.line === line).map((group) => group.name);
  const rows = data.named.filter((one) => one.line === line).map((one) => one.name);
  const parts = [
    heads.length ? `heads ${heads.join(", ")}` : "", count ? `${count} neurons` : "",
    own.length ? `directions of ${own.join(", ")}` : "", rows.length ? `values of ${rows.join(", ")}` : "",
  ];
  return `Line ${line}: ${parts.filter(Boolean).join("; ") || "no part of the model"}`;
}

at("lines").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const line = Number(button.dataset.line);
  marked = marked === line ? null : line;
  mark();
  if (marked !== null) at("status").textContent = lineText(line);
});

// ---- start

function size() {
  const { layers } = data;
  const heads = layers.map((layer) => layer.heads.length).join(", ");
  const words = [
    `${layers.length} attention layer${layers.length === 1 ? "" : "s"}`, heads ? `heads ${heads}` : "",
    `d_model ${data.directions.length}`, `${data.tokens.length} tokens`, `up to ${data.maxLength} positions`, data.causal ? "causal" : "",
  ];
  return words.filter(Boolean).join(" · ");
}

function listExamples() {
  data.inputs.forEach((given, i) => {
    const text = written(given.ids);
    const joined = text.every((token) => token.length === 1) ? text.join("") : text.join(" ");
    at("examples").append(make("option", { value: i }, shorten(joined, 40)));
  });
  at("examples").addEventListener("change", () => { at("problem").textContent = ""; show(data.inputs[Number(at("examples").value)]); });
}

function runTyped() {
  try {
    const ids = idsOf(at("typed").value);
    const known = data.inputs.findIndex((given) => given.ids.length === ids.length && given.ids.every((id, i) => id === ids[i]));
    show(known >= 0 ? data.inputs[known] : { ids, values: null, fault: null, rows: null, off: null });
    at("problem").textContent = "";
  } catch (error) {
    if (!(error instanceof BadInput)) throw error;
    at("problem").textContent = error.message;
  }
}

at("size").textContent = size();
listExamples();
at("typed-help").textContent = data.live
  ? `Tokens: ${shorten(data.tokens.map(label).join(" "), 120)}. Runs in this page in float64, on at most ${data.maxLength} tokens; a JSON list works too.`
  : `This model is not part of the page, as ${data.whyNot}: only the examples are shown.`;
if (!data.live) for (const id of ["typed-label", "run"]) at(id).hidden = true;
at("form").addEventListener("submit", (event) => { event.preventDefault(); runTyped(); });
drawNeurons();
show(data.inputs[0]);
})();
