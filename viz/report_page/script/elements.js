const data = JSON.parse(document.getElementById("data").textContent);
const ZERO = 1e-9, CLEAN = 0.25, WRITTEN_CELLS = 14, OPEN_LINES = 80, OPEN_MEMBERS = 12;
const ALWAYS = new Set(["one", "bos"]);

const at = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const INVISIBLE = { " ": "␣", "\n": "↵", "\t": "⇥", "\r": "␍", "": "∅" };
const label = (text) => INVISIBLE[text] ?? text.replace(/[\n\t\r]/g, (char) => INVISIBLE[char]);
const shorten = (text, limit = 12) => (text.length > limit ? text.slice(0, limit - 1) + "…" : text);
const short = (text) => shorten(label(text));
const number = (x) => String(Number(x.toPrecision(12)));

// A float as Python writes it with 12 digits, and always with a point or an exponent.
function floating(x) {
  const [digits, power] = x.toExponential(11).split("e");
  const exponent = Number(power), trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (exponent < -4 || exponent >= 12) {
    return `${trimmed(digits)}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  const text = trimmed(x.toFixed(11 - exponent));
  return text.includes(".") ? text : `${Object.is(x, -0) ? "-0" : text}.0`;
}
const brief = (x) => String(Number(x.toPrecision(3))).replace(/^(-?)0\./, "$1.");

function fraction(x) {
  for (let below = 1; below <= 1000; below++) {
    const above = Math.round(x * below);
    if (Math.abs(x - above / below) < 1e-9) return below === 1 ? String(above) : `${above}/${below}`;
  }
  return null;
}

const exactly = (x) => {
  const parts = fraction(x);
  return parts !== null && parts.includes("/") ? `${parts} = ${brief(x)}` : number(x);
};
