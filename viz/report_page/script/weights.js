// W_QK and W_OV of one head, over the directions that they read and write.

const MOST_DIRECTIONS = 200;

function drawWeights() {
  for (const button of document.querySelectorAll('[data-key*="weights-"]')) {
    button.setAttribute("aria-pressed", String(button.dataset.key.endsWith(`weights-${state.weights}`)));
  }
  at("weights-section").hidden = state.weights === null;
  if (state.weights === null) { at("weights").replaceChildren(); return; }
  const [l, h] = state.weights.split(".").map((part) => Number(part) - 1);
  const head = data.layers[l].heads[h];
  at("weights-title").textContent = `Weights of ${headName(l, h)}, layer ${l + 1}`;
  if (!head.W_Q) { at("weights").replaceChildren(quiet(`They are not part of the page: the model has more than ${data.liveLimit} weights that are not 0.`)); return; }
  const [W_Q, W_K, W_V, W_O] = ["W_Q", "W_K", "W_V", "W_O"].map((name) => matrix(head[name]));
  at("weights").replaceChildren(
    quiet(`d_head ${head.dHead}. Directions without a weight are left out. Move with the arrow keys.`),
    weightTable("W_QK", "W_QK = W_Q W_Kᵀ: what a direction at the query (row) and one at the key (column) add to the score", timesTransposed(W_Q, W_K)),
    weightTable("W_OV", "W_OV = W_V W_O: what a direction at the key (row) writes to one at the query (column)", times(denseRows(W_V), W_O)));
}

function weightTable(name, about, product) {
  const used = (numbers) => numbers.some((x) => Math.abs(x) > 0);
  const rows = [...product.keys()].filter((row) => used(product[row]));
  const columns = data.directions.map((_, column) => column).filter((column) => rows.some((row) => product[row][column] !== 0));
  if (!rows.length) return quiet(`${about}: all of it is 0.`);
  const shownRows = rows.slice(0, MOST_DIRECTIONS), shownColumns = columns.slice(0, MOST_DIRECTIONS);
  const cut = rows.length > MOST_DIRECTIONS || columns.length > MOST_DIRECTIONS ? ` Of ${rows.length} rows and ${columns.length} columns the first ${MOST_DIRECTIONS} are shown.` : "";
  const largest = Math.max(...rows.map((row) => Math.max(...columns.map((column) => Math.abs(product[row][column])))));
  const cells = shownRows.map((row) => shownColumns.map((column) => weightCell(product[row][column], largest)));
  const heading = (column) => make("th", { scope: "col" }, make("span", {}, label(data.directions[column])));
  const table = make("table", { class: "product" }, make("caption", {}, name),
    make("thead", {}, make("tr", {}, make("th", {}, ""), ...shownColumns.map(heading))),
    make("tbody", {}, ...shownRows.map((row, i) => make("tr", {}, make("th", { scope: "row" }, label(data.directions[row])), ...cells[i]))));
  cells[0][0].tabIndex = 0;
  roving(table, cells, (i, j) => {
    at("status").textContent = `${name}: from ${label(data.directions[shownRows[i]])} to ${label(data.directions[shownColumns[j]])}: ${number(product[shownRows[i]][shownColumns[j]])}`;
  });
  return make("div", {}, quiet(`${about}.${cut}`), make("div", { class: "wide" }, table));
}

function weightCell(x, largest) {
  const cell = make("td", { tabindex: -1, class: x === 0 ? null : x < 0 ? "minus" : "on" }, x === 0 ? "" : brief(x));
  if (x > 0) cell.style.setProperty("--w", (x / largest).toFixed(3));
  return cell;
}
