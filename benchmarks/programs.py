"""docs/programs.md: what every program in programs/ does, and the size of its compiled model."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from compiler.ir import ModelWeights
from compiler.pipeline import compile_sop
from compiler.tensors import parameter_counts
from rasp.language.program import load_program
from rasp.vocabulary import parse_vocabulary

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "programs.md"
MAX_LENGTH = 40

INTRODUCTION = f"""# The programs

What is in `programs/`, and what each program needs once it is compiled for inputs of up to {MAX_LENGTH} tokens over
the vocabulary in its header. *Layers* and *heads* (of each layer) are those of the compiled model; they are what `rasp
analyse` predicts, or the prediction stands in brackets: two narrow heads stand for a wide one where that makes a large
model a quarter as large, unless `--prefer depth` asks for the one. *Alone* counts the feed-forwards that stand alone,
without attention before them: where a function of several measured numbers needs more than one hidden layer. *d_model*
is the width of the residual stream.

Each file says how its program works. `python benchmarks/programs.py --write` makes this page anew.
"""
HEADINGS = ("program", "what it does", "tokens", "layers", "heads", "alone", "d_model", "parameters")


def row(path: Path) -> tuple[str, ...]:
    """The line of a program."""
    program = load_program(path)
    header = "".join(re.findall(r"\A(?:#.*\n)+", program.source.text))
    vocabulary = parse_vocabulary(re.findall(r"^# vocab: +(.*)$", header, re.MULTILINE)[0])
    weights = compile_sop(program.sop(), vocabulary, MAX_LENGTH, names=program.names).weights
    sizes = (len(vocabulary), weights.depth, _heads(weights), _alone(weights), weights.d_model)
    return (
        f"[{path.stem}](../programs/{path.name})",
        _summary(header).replace("|", "\\|"),
        *map(str, sizes),
        f"{parameter_counts(weights)['total']:,}",
    )


def _summary(header: str) -> str:
    """What the header says before its fields."""
    lines = header.partition("\n#\n")[0].splitlines()
    return " ".join(line.removeprefix("#").strip() for line in lines).rstrip(".:")


def _heads(weights: ModelWeights) -> str:
    """Heads of each layer, and those predicted where they are others."""
    found, predicted = (", ".join(map(str, heads)) for heads in (weights.heads, weights.predicted_heads))
    return found if found == predicted else f"{found} ({predicted})"


def _alone(weights: ModelWeights) -> int:
    return len(weights.feed_forwards) - sum(bool(layer.feed_forwards) for layer in weights.layers)


def page(paths: list[Path]) -> Iterator[str]:
    """The page, line by line."""
    yield INTRODUCTION
    yield f"| {' | '.join(HEADINGS)} |"
    yield "| --- | --- |" + " ---: |" * (len(HEADINGS) - 2)
    for path in paths:
        yield f"| {' | '.join(row(path))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)} instead of printing it")
    lines = page(sorted((ROOT / "programs").glob("*.rasp")))
    if parser.parse_args().write:
        PAGE.write_text("\n".join([*lines, ""]), encoding="utf-8")
    else:
        for line in lines:
            print(line)
            sys.stdout.flush()


if __name__ == "__main__":
    main()
