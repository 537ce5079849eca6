// The residual stream at the stage that is shown.

function liveGroups(stages) {
  const nonzero = (row) => stages.some((x) => x.some((vector) => Math.abs(vector[row]) > ZERO));
  const found = data.groups.map((group) => ({ ...group, live: group.members.filter(nonzero) })).filter((group) => group.live.length);
  const first = (group) => stages.findIndex((x) => x.some((vector) => group.members.some((row) => Math.abs(vector[row]) > ZERO)));
  return found.map((group) => [first(group), group]).sort((a, b) => a[0] - b[0]).map(([, group]) => group);
}

function drawResidual() {
  at("residual").replaceChildren(...views.map(residualTable));
}

function residualTable(view) {
  const { stages } = view.trace, x = stages[state.stage];
  const before = state.stage ? stages[state.stage - 1] : null;
  const found = liveGroups(stages);
  const total = found.reduce((sum, group) => sum + group.live.length, 0);
  const left = data.directions.length - total;
  const whole = state.off.size && !data.live ? "Of the whole model. " : "";
  const caption = `${among(view)}Stage “${data.stages[state.stage]}”: directions by name, one column a position. ${whole}${before ? "A framed cell was changed by this step. " : ""}`
    + (left ? `Of ${data.directions.length} directions ${left} are 0 throughout and left out.` : "");
  const head = make("tr", {}, make("th", { scope: "col" }, "direction"), ...view.labels.map((text) => make("th", { scope: "col" }, text)));
  const table = make("table", {}, make("caption", {}, caption), make("thead", {}, head));
  found.forEach((group) => table.append(residualGroup(group, { x, before, total, stages, view: views.indexOf(view) })));
  return table;
}

function residualGroup(group, moment) {
  const { x, total, view } = moment;
  const body = make("tbody", { "data-line": group.line });
  const values = new Map(group.members.map((row, i) => [row, group.values[i]]));
  if (!group.values.length || group.members.length === 1) {
    const name = group.values.length ? `${group.name} = ${label(group.values[0])}` : group.name;
    const head = make("th", { scope: "row" }, name, lineLink(group.line, ", "));
    body.append(residualRow(head, group.live[0], moment, !group.values.length && !ALWAYS.has(group.name)));
    return body;
  }
  const folded = state.folded.get(group.name) ?? (total > OPEN_LINES && group.live.length > OPEN_MEMBERS);
  const button = make("button", { type: "button", class: "fold", "data-key": `fold-${view}-${group.name}`, "aria-expanded": String(!folded) }, `${folded ? "▸" : "▾"} ${group.name}`);
  button.addEventListener("click", () => { state.folded.set(group.name, !folded); update({ stage: state.stage }); });
  const decoded = x.map((vector) => make("td", {}, decodedIn(group, vector) ?? ""));
  body.append(make("tr", { class: "group" }, make("th", { scope: "rowgroup" }, button, lineLink(group.line, ", ")), ...decoded));
  if (!folded) group.live.forEach((row) => body.append(residualRow(make("th", { scope: "row", class: "member" }, `= ${label(values.get(row))}`), row, moment)));
  return body;
}

// A number's zeros are written from the stage on at which the number is.
function residualRow(head, row, { x, before, stages }, isNumber = false) {
  const there = isNumber && stages.slice(0, state.stage + 1).some((moment) => moment.some((vector) => Math.abs(vector[row]) > ZERO));
  const largest = Math.max(...stages.map((moment) => Math.max(...moment.map((vector) => Math.abs(vector[row])))));
  const cells = x.map((vector, i) => {
    const value = vector[row], on = Math.abs(value) > ZERO;
    const changed = before && Math.abs(value - before[i][row]) > ZERO;
    const cell = make("td", { class: `${on ? (value < 0 ? "minus" : "on") : ""}${changed ? " changed" : ""}`.trim() || null, title: on ? exactly(value) : null }, on ? brief(value) : changed || (there && i) ? "0" : "");
    if (on) cell.style.setProperty("--w", (Math.abs(value) / largest).toFixed(3));
    return cell;
  });
  return make("tr", {}, head, ...cells);
}

// The value that a vector clearly says the s-op of a group has, or null.
function decodedIn(group, vector) {
  const parts = group.members.map((row) => vector[row]);
  const code = parts.findIndex((x) => Math.abs(x - 1) < 1e-3);
  return code >= 0 && parts.every((x, i) => i === code || Math.abs(x) < 1e-3) ? group.values[code] : null;
}
