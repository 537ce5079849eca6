// Matrices: of each row, the columns and numbers that are not 0.

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

// The rows of left · rightᵀ.
function timesTransposed(left, right) {
  return denseRows(left).map((own) => right.rows.map(([columns, numbers]) =>
    columns.reduce((sum, column, i) => sum + own[column] * numbers[i], 0)));
}

function denseRows(found) {
  return found.rows.map((row) => {
    const result = new Float64Array(found.columns);
    addRow(result, row, 1);
    return result;
  });
}

const dense = (packed) => denseRows(matrix(packed));

function unpack(model) {
  const parts = (part) => Object.fromEntries(
    Object.entries(part).map(([name, value]) => [name, value && value.cells ? matrix(value) : value]));
  return {
    embedding: model.embedding.map(matrix),
    inputMlps: model.inputMlps.map(parts),
    layers: model.layers.map((layer) => ({ heads: layer.heads.map(parts), mlps: layer.mlps.map(parts) })),
    outputs: model.outputs.map(parts),
    guards: model.guards.map(parts),
  };
}
