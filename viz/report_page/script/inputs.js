// Inputs: those of the page, and those that are typed.

class BadInput extends Error {}

function tokensOf(text) {
  if (/^[["]/.test(text)) {
    try {
      const found = JSON.parse(text);
      if (Array.isArray(found)) return found;
      if (typeof found === "string") return [...found];
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return [...text];
}

function idsOf(text) {
  const tokens = tokensOf(text);
  if (!tokens.length) throw new BadInput("An input needs at least one token.");
  if (tokens.length > data.maxLength) {
    throw new BadInput(`The input has ${tokens.length} tokens; the model takes at most ${data.maxLength}.`);
  }
  return tokens.map((token, position) => {
    const id = data.vocabulary.findIndex((known) => known === token);
    if (id < 0) throw new BadInput(`“${label(String(token))}” at position ${position} is not in the vocabulary.`);
    return id + 1;
  });
}

const tokenText = (id) => short(data.tokens[id - 1]);

function inputTitle(ids) {
  const text = ids.map((id) => data.tokens[id - 1]);
  return shorten(text.every((token) => token.length === 1) ? text.join("") : text.join(" "), 40);
}

const canType = data.live && data.whyNotTyped === null;

// The place of an input among those of the page; one that is new is added to them, if the model runs here.
function placeOfIds(ids) {
  const found = inputs.findIndex((given) => String(given.ids) === String(ids));
  if (found >= 0) return found;
  if (!canType) throw new BadInput("The input is none of the examples, and this model runs on those alone.");
  inputs.push({ ids, values: null, fault: null, rows: null, off: null });
  listInput(inputs.length - 1);
  return inputs.length - 1;
}
