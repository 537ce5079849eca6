// From logits to values.

// What every output says. Of a model that was `edited`, the nearest values, `unsure` where the logits are not those of
// one, and `remarks`: what would have been errors. Otherwise a fault where the program has no value.
function readOut(model, x, edited) {
  const remarks = [];
  const tried = (check) => {
    try { return check(); } catch (error) {
      if (!(error instanceof NoValue)) throw error;
      remarks.push(error.message);
      return null;
    }
  };
  for (const guard of model.guards) tried(() => checkGuard(guard, times(x, guard.W_U)));
  const outputs = model.outputs.map((output) => tried(() => answers(model, output, x, edited)));
  if (edited) return { outputs, fault: null, remarks };
  return remarks.length ? { outputs: null, fault: remarks[0], remarks: [] } : { outputs, fault: null, remarks };
}

function answers(model, output, x, edited) {
  const logits = times(x, output.W_U), kinds = kindsOf(model, output, x);
  const codes = edited ? logits.map((row) => codeOf(output, row)) : decode(output, logits);
  return { texts: codes.map((code, position) => typed(code, kinds(position, code.place))), unsure: codes.map((code) => !code.clear) };
}

// The kind of the number at a position that is the output's value at `place`; undefined where it has but one.
function kindsOf(model, output, x) {
  const kinds = output.kinds;
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
  const found = logits.map((row) => codeOf(readout, row));
  const position = found.findIndex((code) => !code.clear);
  if (position >= 0) throw new NoValue(unclear(readout, logits[position], position));
  const strings = found.filter((code) => typeof code.value === "string").length;
  if (strings > 0 && strings < found.length) throw new NoValue(`${readout.name}: strings and numbers stand together`);
  return found;
}

const unclear = (readout, row, position) => (readout.kind === "number"
  ? `${readout.name} is ${number(row[0])} at position ${position}, which is none of its values`
  : `${readout.name} has no value at position ${position}: the program has none on this input`);

// The value nearest to the logits, and whether they are clearly those of it.
const codeOf = (readout, row) => (readout.kind === "number" ? nearest(readout, row[0]) : clearest(readout, row));

function clearest(readout, row) {
  const code = row.indexOf(Math.max(...row));
  const off = (x, i) => (i === code ? Math.abs(x - 1) : readout.kind === "coded" ? x : Math.abs(x));  // coded: 0 or less
  const clear = row.every((x, i) => off(x, i) <= CLEAN);
  return { value: readout.values[code], text: readout.texts[code], place: code, clear };
}

function nearest(readout, x) {
  if (!readout.values.length) return { value: x, text: floating(x), place: 0, clear: true };
  const levels = readout.values.map(Number);
  const off = levels.map((level) => Math.abs(level - x));
  const code = off.indexOf(Math.min(...off));
  const gaps = levels.flatMap((level, i) => (Math.abs(i - code) === 1 ? [Math.abs(level - levels[code])] : []));
  const clear = off[code] <= CLEAN * (gaps.length ? Math.min(...gaps) : 1);
  return { value: readout.values[code], text: readout.texts[code], place: code, clear };
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
