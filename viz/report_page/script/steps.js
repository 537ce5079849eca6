// The forward pass step by step: its stages, what each part brings on the way to one, and the button that plays them.

const PAUSE = 1800;
let timer = null;

function drawStages() {
  at("stages").replaceChildren(...data.stages.map((title, i) =>
    tool(`stage-${i}`, i === state.stage, title, () => { stop(); goTo(i); })));
  at("brings").replaceChildren(...views.map(bringsTable));
  for (const section of ["heads", "graph"]) markActive([...at(section).querySelectorAll(".layer[data-layer]")]);
}

// Marks the layers whose attention this step is.
function markActive(layers) {
  layers.forEach((layer) => layer.classList.toggle("active", attentionStages[layer.dataset.layer] === state.stage));
}

at("stages").addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const target = step && at("stages").children[state.stage + step];
  if (target) { event.preventDefault(); target.focus(); target.click(); }
});

function goTo(stage) {
  update({ stage });
  at("status").textContent = `Step ${stage + 1} of ${LAST + 1}, ${data.stages[stage]}${summary(stage)}`;
}

// What the parts of a step write, in a sentence.
function summary(stage) {
  const parts = views[0].trace.steps?.[stage] ?? [];
  const said = parts.map((part) => `${part.name} ${part.off ? "is off" : `brings ${touched(part.vectors) || "nothing"}`}`);
  return said.length ? `: ${shorten(said.join("; "), 200)}.` : ".";
}

const touches = (group, vectors) => group.members.some((row) => vectors.some((vector) => Math.abs(vector[row]) > ZERO));
const groupsOf = (vectors) => data.groups.filter((group) => touches(group, vectors));
const touched = (vectors) => groupsOf(vectors).map((group) => group.name).join(", ");

function bringsTable(view) {
  const table = make("table", { class: "plain brings" },
    make("caption", {}, `${among(view)}${data.stages[state.stage]}`),
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "position"), ...view.labels.map((text) => make("th", { scope: "col" }, text)))),
    make("tbody"));
  for (const part of partsOf(view)) {
    const found = groupsOf(part.vectors);
    if (part.off) absent(table, part.name, "is off: it adds nothing");
    else if (!found.length) absent(table, part.name, "adds nothing on this input");
    else found.forEach((group) => bringsRow(table, part, group));
  }
  return table;
}

function bringsRow(table, { name, line, vectors }, group) {
  const cells = vectors.map((vector) => addedText(group, vector)).map((text) => make("td", { title: text }, shorten(text, 40)));
  const head = make("th", { scope: "row" }, `${name} → ${group.name}`, lineLink(line, " "));
  table.tBodies[0].append(make("tr", { "data-line": line }, head, ...cells));
}

const share = (x) => fraction(x) ?? brief(x);

// What a vector adds to the directions of an s-op: the value alone, or each with its share.
function addedText(group, vector) {
  return group.members.flatMap((row, i) => {
    const x = vector[row];
    if (Math.abs(x) <= ZERO) return [];
    if (!group.values.length) return [share(x)];
    return [Math.abs(x - 1) < ZERO ? group.values[i] : `${group.values[i]}: ${share(x)}`];
  }).join(", ");
}

// Of a model that is not in the page, only what all parts of a step bring together is known.
function partsOf({ trace }) {
  if (trace.steps) return trace.steps[state.stage];
  const [x, before] = [trace.stages[state.stage], trace.stages[state.stage - 1]];
  const vectors = x.map((vector, i) => (before ? vector.map((value, row) => value - before[i][row]) : vector));
  return [{ name: state.stage ? "all parts together" : "token and position", vectors }];
}

function play() {
  if (timer !== null) { stop(); return; }
  const next = () => {
    if (state.stage === LAST) { stop(); return; }
    goTo(state.stage + 1);
    timer = setTimeout(next, PAUSE);
  };
  goTo(state.stage === LAST ? 0 : state.stage);
  timer = setTimeout(next, PAUSE);
  drawPlay();
}

function stop() {
  clearTimeout(timer);
  timer = null;
  drawPlay();
}

function drawPlay() {
  at("play").textContent = timer === null ? "▶ Play" : "❚❚ Pause";
}

at("play").addEventListener("click", play);
