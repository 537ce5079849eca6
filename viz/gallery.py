"""The gallery: pictures of every bundled program, and the page that shows them. `python -m viz.gallery` builds it.

Pillow, which makes the files small, comes with Matplotlib.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from compiler.pipeline import compile
from rasp.files import write_whole
from rasp.inputs import parse_input, tokens_of
from rasp.language.program import Program, load_program
from rasp.operations import Atom
from rasp.vocabulary import vocabulary_of
from viz.comparison import head_masks, head_titles, own_source
from viz.flow_chart import flow
from viz.head_grid import heads
from viz.saving import rendered

_COLOURS = 160
_WIDEST = 2000


@dataclass(frozen=True, eq=False)
class Exhibit:
    """A program with the words of its header: what it does, and an input with its output."""

    name: str
    program: Program
    title: str
    output: str
    tokens: list[Atom]
    given: str


def exhibits(folder: Path) -> list[Exhibit]:
    """The programs of a folder whose header says an input, in order of name."""
    return [found for path in sorted(folder.glob("*.rasp")) if (found := exhibit_of(path)) is not None]


def exhibit_of(path: Path) -> Exhibit | None:
    """The program of a file with its header, or None where that says no input."""
    program = load_program(path)
    comment = re.match(r"(?:#.*\n)*", program.source.text)
    lines = [line.removeprefix("#").strip() for line in comment[0].splitlines()] if comment else []
    said = _header(lines)
    if "input" not in said:
        return None
    title = " ".join(lines[: lines.index("")] if "" in lines else lines[:1])
    tokens = tokens_of(parse_input(said["input"]))
    return Exhibit(path.stem, program, title, said.get("output", ""), tokens, said["input"])


def _header(lines: Sequence[str]) -> Mapping[str, str]:
    return {found[1]: found[2] for line in lines if (found := re.fullmatch(r"([\w-]+): +(.*)", line))}


def pictures(exhibit: Exhibit) -> Iterator[tuple[str, Figure]]:
    """The kind of each picture of a program on its input, and the picture."""
    program = exhibit.program
    sop = program.sop()
    model = compile(sop, vocabulary_of([exhibit.tokens]), len(exhibit.tokens), source_map=own_source(program))
    attention, masks = model.run(exhibit.tokens).attention, head_masks(model, exhibit.tokens)
    yield "heads", heads(attention, exhibit.tokens, titles=head_titles(model), masks=masks)
    yield "flow", flow(sop, exhibit.tokens, names=program.names)


def small_png(figure: Figure) -> bytes:
    """A picture as a PNG file of few colours, no wider than a page needs."""
    image = Image.open(BytesIO(rendered(figure, ".png"))).convert("RGB")
    if image.width > _WIDEST:
        image = image.resize((_WIDEST, round(image.height * _WIDEST / image.width)), Image.Resampling.LANCZOS)
    stream = BytesIO()
    image.quantize(_COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
        stream, "PNG", optimize=True
    )
    return stream.getvalue()


def page(shown: Sequence[Exhibit]) -> str:
    """The text of the gallery's page."""
    parts = [
        "# Gallery",
        "Every bundled program on the input of its header: what each head of the compiled model attends to, and how "
        "the value of each position comes about, layer by layer. `make gallery` draws all of it again.",
        "In a picture of heads a row is a query and a column is a key. A hatched row selects nothing: such a head "
        "attends to BOS, the token that every compiled model has in front. The head of a width attends to BOS and "
        "to all it counts. Shades follow the square root of the attention, so that an even share of many shows.",
        "`rasp draw` has further kinds: `--kind compare` (each selector beside the softmax), `graph` ([vertices and "
        "edges](graphs.md#pictures)), `residual` (the residual stream after each layer), `weights` (the matrices by "
        "name) and `selector`, and draws saved models too. An input may stand behind the name, without `-i`. On "
        "long inputs the tables go on in blocks of positions, so that every value is there. `--layer` and `--head` "
        "choose heads, `--numbers` writes their weights in the cells, `--dark` and `--colors` change the look. "
        "`rasp report` puts all of it on one HTML page in which the model runs on inputs that you type:",
        "    rasp report programs/reverse.rasp -i hello --vocab a-z -o reverse.html",
        "A button plays the forward pass: at every step the page says what each head brings to each position. Any "
        "head can be switched off, alone or with others, and the page computes what the output becomes, as "
        "`model.ablate` does in Python (a head that is off adds nothing to the stream). A second input can stand "
        "beside the first, what differs is framed, and W_QK and W_OV of a head are shown by the names of directions. "
        "The address holds all that is shown, so that a link shows the same. Several s-ops make one page (`rasp "
        "report programs/reverse.rasp opposite reverse -i hello -o both.html`), and so do saved models; `--causal` "
        "masks every head. Models whose heads have masks run there on the inputs given, and inputs that are graphs "
        "are drawn as [vertices and edges](graphs.md#pictures). Of a model that is too large to run in the page, or "
        "made for float32, the page has what it does on the inputs given, and what it answers there without each "
        "head.",
        *map(_section, shown),
    ]
    return "\n\n".join(parts) + "\n"


def _section(exhibit: Exhibit) -> str:
    name, given = exhibit.name, exhibit.given
    draw = f"rasp draw programs/{name}.rasp -i '{given.strip(chr(34)) if given.startswith(chr(34)) else given}'"
    return "\n\n".join(
        [
            f"## {name}",
            f"{exhibit.title} `{given}` gives `{exhibit.output}`.",
            f"![Attention of every head of {name}](gallery/{name}-heads.png)",
            f"![Flow of {name}](gallery/{name}-flow.png)",
            f"    {draw} -o {name}.svg\n    {draw} --kind flow -o {name}-flow.svg",
        ]
    )


def build(programs: Path, docs: Path) -> None:
    """Writes docs/gallery.md and the pictures it shows into docs/gallery; pictures of programs gone are removed."""
    shown = exhibits(programs)
    folder = docs / "gallery"
    folder.mkdir(parents=True, exist_ok=True)
    written = set()
    for exhibit in shown:
        for kind, figure in pictures(exhibit):
            target = folder / f"{exhibit.name}-{kind}.png"
            write_whole(target, small_png(figure))
            written.add(target)
    for stale in set(folder.glob("*.png")) - written:
        stale.unlink()
    write_whole(docs / "gallery.md", page(shown))


if __name__ == "__main__":
    build(Path("programs"), Path("docs"))
    sys.exit(0)
