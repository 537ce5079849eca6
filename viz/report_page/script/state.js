// What the page shows, and the link that says so.

const model = data.live ? unpack(data) : null;
const LAST = data.stages.length - 1;
const inputs = [...data.inputs];
// `input` and `other` are places in `inputs`; `off` has the keys of heads, and `weights` is one, as "2.1".
const state = { input: 0, other: null, stage: LAST, off: new Set(), weights: null, line: null, folded: new Map() };
let views = [];

const headKey = (l, h) => `${l + 1}.${h + 1}`;
const allHeads = () => data.layers.flatMap((layer, l) => layer.heads.map((_, h) => [l, h]));
const headName = (l, h) => {
  const head = data.layers[l].heads[h];
  return head.kind === "width" ? `${head.name} (width)` : head.name;
};
const namesOf = (keys) => allHeads().filter(([l, h]) => keys.has(headKey(l, h))).map(([l, h]) => `${headName(l, h)} (layer ${l + 1})`).join(", ");

// The stage to which the attention of each layer leads.
const attentionStages = (() => {
  let stage = data.inputMlps.length;
  return data.layers.map((layer) => { stage += 1; const own = stage; stage += layer.mlps.length; return own; });
})();

function traceOf(given, off) {
  const key = [...off].sort().join();
  given.traces ??= new Map();
  if (!given.traces.has(key)) given.traces.set(key, data.live ? forward(model, given, off) : stored(given, key));
  return given.traces.get(key);
}

// A model that is not in the page has its patterns, and its answers without one head, for the examples.
function stored(given, key) {
  const { attention, stages } = given.trace;
  const whole = { attention: attention.map((layer) => layer.map(dense)), stages: stages.map(dense), steps: null, before: null };
  return { ...whole, ...(key ? given.without[key] : { ...given.trace.answers, remarks: [] }) };
}

function viewOf(given) {
  const whole = traceOf(given, new Set());
  return { given, whole, trace: state.off.size ? traceOf(given, state.off) : whole, labels: ["BOS", ...given.ids.map(tokenText)] };
}

// Shows what has changed; what had the focus keeps it.
function update(changes) {
  Object.assign(state, changes);
  const focused = document.activeElement?.dataset.key;
  if (["input", "other", "off"].some((name) => name in changes)) drawRun();
  else if ("stage" in changes) drawStep();
  if ("weights" in changes) drawWeights();
  mark();
  writeLink();
  if (focused) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function drawRun() {
  views = [state.input, state.other].filter((place) => place !== null).map((place) => viewOf(inputs[place]));
  at("examples").value = state.input;
  at("others").value = state.other ?? "";
  drawOutput();
  drawHeads();
  drawGraphs();
  drawValues();
  drawStep();
}

function drawStep() {
  drawStages();
  drawResidual();
}

// ---- the link

// A text that gives these ids where it is typed; null where none does, as of tokens that JSON does not tell apart.
function textOf(ids) {
  const values = ids.map((id) => data.vocabulary[id - 1]);
  const texts = values.every((value) => typeof value === "string") ? [values.join(""), JSON.stringify(values)] : [JSON.stringify(values)];
  return texts.find((text) => { try { return String(idsOf(text)) === String(ids); } catch { return false; } }) ?? null;
}

// Graphs with the same tokens differ by their edges, so that one is told by its place among the examples.
function inputWord(place) {
  const { ids, graph } = inputs[place], text = textOf(ids);
  if (graph) return `example:${place + 1}`;
  return text === null ? `ids:${ids.join(".")}` : `text:${text}`;
}

function placeOf(word) {
  if (word.startsWith("example:")) return placeOfExample(Number(word.slice(8)) - 1);
  const ids = word.startsWith("ids:") ? word.slice(4).split(".").map(Number) : idsOf(word.replace(/^text:/, ""));
  if (!ids.every((id) => Number.isInteger(id) && id > 0 && id <= data.tokens.length)) throw new BadInput("The link has tokens that are not in the vocabulary.");
  return placeOfIds(ids);
}

function placeOfExample(place) {
  if (!data.inputs[place]) throw new BadInput("The link asks for an example that this page does not have.");
  return place;
}

function writeLink() {
  if (location.protocol === "about:") return;
  const words = new URLSearchParams();
  const say = (name, value, usual) => { if (value !== usual) words.set(name, value); };
  if (state.input !== 0) words.set("input", inputWord(state.input));
  if (state.other !== null) words.set("with", inputWord(state.other));
  say("step", state.stage + 1, LAST + 1);
  say("off", [...state.off].sort().join(), "");
  say("weights", state.weights, null);
  say("line", state.line, null);
  if (String(words) !== location.hash.slice(1)) history.replaceState(null, "", `#${words}`);
}

// What each word of a link stands for; nothing where this page does not have that.
const READERS = {
  input: (word) => ({ input: placeOf(word) }),
  with: (word) => ({ other: placeOf(word) }),
  step: (word) => data.stages[Number(word) - 1] !== undefined && { stage: Number(word) - 1 },
  off: (word) => word.split(",").every(isHead) && canBeOff(word.split(",").length) && { off: new Set(word.split(",")) },
  weights: (word) => isHead(word) && { weights: word },
  line: (word) => at("lines").querySelector(`button[data-line="${CSS.escape(word)}"]`) !== null && { line: Number(word) },
};

function readLink() {
  const changes = { input: 0, other: null, stage: LAST, off: new Set(), weights: null, line: null }, problems = [];
  for (const [name, word] of new URLSearchParams(location.hash.slice(1))) {
    try {
      const found = Object.hasOwn(READERS, name) && READERS[name](word);
      if (found) Object.assign(changes, found);
      else problems.push(`The link asks for ${name} “${word}”, which this page does not have.`);
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
      problems.push(error.message);
    }
  }
  update(changes);
  at("problem").textContent = problems.join(" ");
}

const isHead = (key) => allHeads().some(([l, h]) => headKey(l, h) === key);

// A model that is in the page runs without any heads; of another one, what it does without each one is known, or nothing.
const canBeOff = (count) => data.live || (count === 1 && inputs[0].without !== null);
