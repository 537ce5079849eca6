// The program, and what belongs to its lines.

function lineLink(line, lead) {
  if (line === null || line === undefined) return null;
  const button = make("button", { type: "button", class: "line-link" }, `line ${line}`);
  button.addEventListener("click", () => { update({ line }); scrollToLine(line); });
  return make("span", {}, lead, button);
}

function scrollToLine(line) {
  at("lines").querySelector(`button[data-line="${line}"]`)?.scrollIntoView({ block: "nearest" });
}

function mark() {
  const buttons = at("lines").querySelectorAll("button");
  buttons.forEach((button) => button.setAttribute("aria-pressed", String(Number(button.dataset.line) === state.line)));
  at("parts").querySelectorAll("[data-line]").forEach((part) => {
    const hit = state.line !== null && Number(part.dataset.line) === state.line;
    (part.tagName === "TBODY" ? [...part.rows] : [part]).forEach((one) => one.classList.toggle("linked", hit));
  });
}

function lineText(line) {
  const heads = data.layers.flatMap((layer) => layer.heads.filter((head) => head.line === line).map((head) => head.name));
  const neurons = allMlps().flatMap(([, mlp]) => mlp.neurons).filter((part) => part.line === line);
  const count = neurons.reduce((sum, part) => sum + part.count, 0);
  const own = data.groups.filter((group) => group.line === line).map((group) => group.name);
  const rows = data.named.filter((one) => one.line === line).map((one) => one.name);
  const parts = [
    heads.length ? `heads ${heads.join(", ")}` : "", count ? `${count} neurons` : "",
    own.length ? `directions of ${own.join(", ")}` : "", rows.length ? `values of ${rows.join(", ")}` : "",
  ];
  return `Line ${line}: ${parts.filter(Boolean).join("; ") || "no part of the model"}`;
}

at("lines").addEventListener("click", (event) => {
  const button = event.target.closest("button[data-line]");
  if (!button) return;
  const line = Number(button.dataset.line);
  update({ line: state.line === line ? null : line });
  if (state.line !== null) at("status").textContent = lineText(line);
});

// Comments of several lines can be folded, and are at first; the style says that only narrow screens do that.
function foldComments() {
  for (const first of at("lines").querySelectorAll("li.comment:not(li.comment + li.comment)")) {
    const run = [first];
    while (run.at(-1).nextElementSibling?.matches("li.comment")) run.push(run.at(-1).nextElementSibling);
    if (run.length > 1) first.before(commentFold(run));
  }
}

function commentFold(run) {
  const button = make("button", { type: "button", "aria-expanded": "false" });
  const fold = (folded) => {
    run.forEach((line) => line.classList.toggle("folded", folded));
    button.setAttribute("aria-expanded", String(!folded));
    button.textContent = `${folded ? "▸" : "▾"} ${run.length} lines of comments`;
  };
  button.addEventListener("click", () => fold(button.getAttribute("aria-expanded") === "true"));
  fold(true);
  return make("li", { class: "comment-fold" }, button);
}
