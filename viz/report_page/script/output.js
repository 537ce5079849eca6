// The outputs, position by position.

function positions(view, caption, corner = "position") {
  const table = make("table", { class: "plain" }, make("caption", {}, caption));
  const numbers = view.given.ids.map((_, i) => make("th", { scope: "col" }, String(i)));
  const tokens = view.given.ids.map((id) => make("td", {}, tokenText(id)));
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
  const width = table.tHead.rows[0].cells.length - 1;
  table.tBodies[0].append(make("tr", {}, make("th", { scope: "row" }, name), make("td", { class: "quiet why", colspan: width }, make("span", {}, why))));
}

// In front of what belongs to one of two inputs.
const among = (view) => (views.length > 1 ? `“${inputTitle(view.given.ids)}”: ` : "");
const quiet = (text) => make("p", { class: "quiet" }, text);
const count = (number, thing) => `${number} ${thing}${number === 1 ? "" : "s"}`;

function drawOutput() {
  const parts = data.outputs.flatMap((output, o) => views.map((view) => outputTable(view, output, o)));
  const notes = [...views.flatMap(outputNotes), ...(views.length > 1 ? data.outputs.map(comparison) : [])];
  at("output").replaceChildren(...parts, ...notes.filter(Boolean).map(quiet));
}

function outputTable(view, output, o) {
  const { given, whole, trace } = view;
  const table = positions(view, `${among(view)}${output.name}, position by position`);
  const expected = given.values?.[o], said = whole.outputs?.[o].texts;
  if (expected) row(table, "interpreter", expected);
  else absent(table, "interpreter", given.fault ? "no value on this input" : "not known: it ran on the examples only, and is not part of this page");
  if (said) row(table, "model", said, (i) => (expected && !same(expected[i], said[i]) ? "wrong" : null));
  if (expected && said) row(table, "difference", expected.map((value, i) => differ(value, said[i])));
  if (state.off.size) {
    const { texts, unsure } = trace.outputs[o];
    row(table, `without ${namesOf(state.off)}`, texts, (i) => [said && !same(said[i], texts[i]) ? "wrong" : "", unsure[i] ? "unsure" : ""].join(" ").trim() || null);
  }
  return table;
}

function outputNotes(view) {
  const { given, whole, trace } = view, notes = [];
  if (given.fault) notes.push(`The interpreter has no value on this input: ${given.fault}.`);
  if (whole.fault) notes.push(`The model has no value on this input: ${whole.fault}.`);
  if (!given.values && !given.fault) notes.push("Your own input: the model runs in this page, in float64.");
  if (state.off.size) notes.push(...data.outputs.map((output, o) => lost(view, output, o)), ...trace.remarks.map((text) => `It would have been an error: ${text}.`));
  return notes.map((note) => among(view) + note);
}

// What changes in an output where heads are off.
function lost({ whole, trace, given }, output, o) {
  const { texts, unsure } = trace.outputs[o], before = whole.outputs?.[o].texts;
  const changed = before ? texts.filter((text, i) => !same(text, before[i])).length : null;
  const doubtful = unsure.filter(Boolean).length;
  return `Without ${namesOf(state.off)}, ${output.name} `
    + (changed === null ? "is as shown; the whole model has no value here."
      : changed ? `changes at ${count(changed, "position")} of ${given.ids.length}.` : "does not change on this input.")
    + (doubtful ? ` At ${count(doubtful, "position")} (in italics) the logits are not those of any value: the nearest one is shown.` : "");
}

function comparison(output, o) {
  const [left, right] = views.map((view) => view.trace.outputs?.[o].texts);
  if (!left || !right) return null;
  const places = left.flatMap((text, i) => (i < right.length && !same(text, right[i]) ? [i] : []));
  const lengths = left.length === right.length ? "" : ` Their lengths are ${left.length} and ${right.length}; what both have is compared.`;
  return `${output.name} of the two inputs ${places.length ? `differs at position${places.length === 1 ? "" : "s"} ${places.join(", ")}` : "is the same at every position"}.${lengths}`;
}

const numeric = (text) => (text.trim() === "" ? NaN : Number(text));
const same = (left, right) => left === right || Math.abs(numeric(left) - numeric(right)) <= 1e-9 * Math.max(1, Math.abs(numeric(left)));

function differ(left, right) {
  if (left === right) return "0";
  const off = numeric(left) - numeric(right);
  return Number.isNaN(off) ? "differs" : number(off);
}
