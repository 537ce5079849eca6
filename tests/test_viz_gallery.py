"""The gallery: complete, small, and made from the programs' own headers."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

from PIL import Image

from viz.gallery import exhibit_of, exhibits, page, pictures, small_png

ROOT = Path(__file__).parent.parent


def test_every_bundled_program_is_in_the_gallery() -> None:
    text = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    shown = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert shown == [exhibit.name for exhibit in exhibits(ROOT / "programs")], "run `make gallery`"
    linked = set(re.findall(r"\((gallery/.*?\.png)\)", text))
    assert linked == {f"gallery/{path.name}" for path in (ROOT / "docs" / "gallery").glob("*.png")}


def test_the_page_is_as_it_is_made() -> None:
    assert page(exhibits(ROOT / "programs")) == (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")


def test_the_gallery_is_small() -> None:
    assert sum(path.stat().st_size for path in (ROOT / "docs" / "gallery").glob("*.png")) < 3_000_000


def test_a_program_is_shown_on_the_input_of_its_header() -> None:
    exhibit = exhibit_of(ROOT / "programs" / "reverse.rasp")
    assert exhibit is not None
    assert (exhibit.title, exhibit.tokens, exhibit.output) == ("Reverses the input.", list("hello"), "[o, l, l, e, h]")
    assert [kind for kind, _ in pictures(exhibit)] == ["heads", "flow"]
    assert 'Reverses the input. `"hello"` gives `[o, l, l, e, h]`.' in page([exhibit])


def test_pictures_are_the_same_bytes_each_time() -> None:
    exhibit = exhibit_of(ROOT / "programs" / "histogram.rasp")
    assert exhibit is not None
    first, again = ([small_png(figure) for _, figure in pictures(exhibit)] for _ in range(2))
    assert first == again
    assert Image.open(BytesIO(first[0])).mode == "P"
