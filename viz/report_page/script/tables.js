// The neurons, and the values of the s-ops that have names.

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
  at("values").replaceChildren(...views.map(valuesTable));
}

function valuesTable(view) {
  const { rows } = view.given;
  const whole = state.off.size && !data.live ? "whole " : "";
  const without = state.off.size && data.live ? ` without ${namesOf(state.off)}` : "";
  const table = positions(view, `${among(view)}${rows ? "What the interpreter computes, line by line; and what" : "What"} the ${whole}model’s residual stream says at the end`);
  data.named.forEach((one, i) => {
    const held = heldIn(one.group, view.trace);
    if (rows) {
      row(table, one.name, rows[i], () => null, one.line);
      if (held) row(table, `↳ in the model${without}`, held, (at) => (sameText(rows[i][at], held[at]) ? null : "wrong"));
    } else if (held) {
      row(table, `${one.name}, in the model${without}`, held, () => null, one.line);
    } else {
      absent(table, one.name, "not in the stream by this name, and the interpreter is not part of this page");
    }
  });
  return table;
}

// What the stream says of an s-op at each token, at the end; null where no directions hold it.
function heldIn(index, { stages }) {
  if (index === null) return null;
  const group = data.groups[index], vectors = stages[LAST].slice(1);
  if (!group.values.length) return vectors.map((vector) => number(vector[group.members[0]]));
  return vectors.map((vector) => {
    const value = decodedIn(group, vector);
    return value === null ? "(none)" : { True: "T", False: "F" }[value] ?? value;
  });
}

// The stream has no kinds: 1 there may be 1.0 or T.
const sameText = (left, right) => short(left) === short(right) || same({ T: "1", F: "0" }[left] ?? left, { T: "1", F: "0" }[right] ?? right);
