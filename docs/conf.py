"""The site: the pages of this project, written in plain Markdown, as HTML. `make docs` builds it.

Its sources are those of the whole folder, so that links between pages, programs and pictures are the same here and there.
"""

import sys
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

project = "RASP, compiled"
author = "The maintainers of RASP, compiled"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "docs/index"
include_patterns = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/*.md", "docs/editors/*.md"]
html_theme = "alabaster"
html_theme_options = {"description": "Programs for transformers", "page_width": "1080px", "fixed_sidebar": True}
html_show_copyright = False
myst_heading_anchors = 4
autodoc_member_order = "bysource"
default_role = "literal"
# Blocks of RASP without a language are no Python; the pages list each other where that helps readers, not in one tree.
highlight_language = "none"
suppress_warnings = ["toc.not_included", "toc.not_readable"]

# The pages at the side, in the order of reading; what is not named here comes after them.
SIDE = ["tutorial", "puzzles", "language", "console", "python", "api", "porting", "graphs", "programs", "gallery", "formats"]
OUTSIDE = ["../CHANGELOG", "../CONTRIBUTING"]


def pages_at_side() -> list[str]:
    """The pages of this folder in the order of reading, then those outside."""
    there = sorted(page.stem for page in (ROOT / "docs").glob("*.md") if page.stem != "index")
    return [*(name for name in SIDE if name in there), *(name for name in there if name not in SIDE), *OUTSIDE]


def add_side(app: Sphinx, docname: str, source: list[str]) -> None:
    """Lists the pages at the side: the sources stay plain Markdown."""
    if docname == root_doc:
        lines = "\n".join(["```{toctree}", ":hidden:", *pages_at_side(), "```"])
        source[0] += f"\n\n{lines}\n"


def add_entrance(app: Sphinx, error: Exception | None) -> None:
    """Makes the folder itself lead to the first page."""
    page = f'<meta http-equiv="refresh" content="0; url={root_doc}.html">'
    Path(app.outdir, "index.html").write_text(f"<!doctype html><title>{project}</title>{page}", encoding="utf-8")


def setup(app: Sphinx) -> None:
    app.connect("source-read", add_side)
    app.connect("build-finished", add_entrance)
