// What stands at the top, and the beginning.

function size() {
  const { layers } = data;
  const heads = layers.map((layer) => layer.heads.length).join(", ");
  const words = [
    `${layers.length} attention layer${layers.length === 1 ? "" : "s"}`, heads ? `heads ${heads}` : "",
    `d_model ${data.directions.length}`, `${data.tokens.length} tokens`, `up to ${data.maxLength} positions`, data.causal ? "causal" : "",
  ];
  return words.filter(Boolean).join(" · ");
}

// An input as one of those to choose from.
function listInput(place) {
  const { ids, graph } = inputs[place];
  const text = graph ? `${inputTitle(ids)}, ${graph.relations.map(({ name, edges }) => `${name}: ${edges.length}`).join(", ")}` : inputTitle(ids);
  at("examples").append(make("option", { value: place }, text));
  at("others").append(make("option", { value: place }, text));
}

function choose(changes) {
  at("problem").textContent = "";
  update(changes);
}

function runTyped() {
  try {
    choose({ input: placeOfIds(idsOf(at("typed").value)) });
  } catch (error) {
    if (!(error instanceof BadInput)) throw error;
    at("problem").textContent = error.message;
  }
}

function typedHelp() {
  if (!data.live) return `This model is not part of the page, as ${data.whyNot}: only the examples are shown.`;
  if (!canType) return `This model runs in the page in float64, but only on the examples, as ${data.whyNotTyped}.`;
  return `Tokens: ${shorten(data.tokens.map(label).join(" "), 120)}. Runs in this page in float64, on at most ${data.maxLength} tokens; a JSON list works too.`;
}

function begin() {
  at("size").textContent = size();
  at("typed-help").textContent = typedHelp();
  if (!canType) for (const id of ["typed-label", "run"]) at(id).hidden = true;
  inputs.forEach((_, place) => listInput(place));
  at("examples").addEventListener("change", () => choose({ input: Number(at("examples").value) }));
  at("others").addEventListener("change", () => choose({ other: at("others").value === "" ? null : Number(at("others").value) }));
  at("form").addEventListener("submit", (event) => { event.preventDefault(); runTyped(); });
  window.addEventListener("hashchange", readLink);
  foldComments();
  drawNeurons();
  readLink();
}

begin();
