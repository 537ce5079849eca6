// The forward pass, in float64. A head that is off adds nothing to the stream.

const plus = (left, right) => left.map((vector, i) => vector.map((x, j) => x + right[i][j]));

function softmax(scores) {
  const most = Math.max(...scores);
  const weights = scores.map((x) => Math.exp(x - most));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((x) => x / sum);
}

// The attention of a head, whose mask (if it has one) is 0 where a query may not look.
function attend(x, head, mask) {
  const queries = times(x, head.W_Q), keys = times(x, head.W_K);
  return queries.map((query, q) => softmax(keys.map((key, k) =>
    (data.causal && k > q) || (mask && !mask[q][k]) ? -Infinity : key.reduce((sum, value, i) => sum + query[i] * value, 0))));
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

// The masks of an input, 0 where a query may not look, and whether a head has one and hides a key by it.
const masksOf = (given) => (given.seen ??= (given.masks ?? []).map(dense));
const hasMask = (l, h) => data.causal || data.layers[l].heads[h].mask !== null;

function isHidden({ given }, l, h, q, k) {
  const { mask } = data.layers[l].heads[h];
  return (data.causal && k > q) || (mask !== null && !masksOf(given)[mask][q][k]);
}

// Attention, the stream at every stage, and `steps`: what each part adds to it on the way to a stage.
function forward(model, given, off) {
  const [tokens, positions] = model.embedding;
  const looked = (rows, places) => places.map((place) => {
    const vector = new Float64Array(data.directions.length);
    addRow(vector, rows[place], 1);
    return vector;
  });
  const seen = masksOf(given);
  const all = [0, ...given.ids], steps = [], stages = [], before = [];
  let x = all.map(() => new Float64Array(data.directions.length));
  const step = (...parts) => {
    x = parts.reduce((sum, part) => (part.off ? sum : plus(sum, part.vectors)), x);
    steps.push(parts);
    stages.push(x);
  };
  const through = (mlp) => step({ name: "feed-forward", vectors: feedForward(x, mlp) });
  step({ name: "token", vectors: looked(tokens.rows, all) }, { name: "position", vectors: looked(positions.rows, all.map((_, i) => i)) });
  model.inputMlps.forEach(through);
  const attention = model.layers.map((layer, l) => {
    const patterns = layer.heads.map((head) => attend(x, head, seen[head.mask]));
    before.push(x);
    step(...layer.heads.map((head, h) => ({
      name: headName(l, h), line: data.layers[l].heads[h].line, off: off.has(headKey(l, h)), vectors: headOutput(x, patterns[h], head),
    })));
    layer.mlps.forEach(through);
    return patterns;
  });
  return { attention, stages, steps, before, ...readOut(model, x.slice(1), off.size > 0) };
}
