"""What share of tokens is right when every weight is multiplied by 1 + level·z, z normal.

Of compiled weights, of the same without their rounding, and of a model distilled from them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from compiler.pipeline import compile
from compiler.run.model import CompiledModel
from lab.ablation import markdown
from lab.distillation import distil, task_of
from lab.model import Encoder
from lab.noise import LEVELS, noise_curve, without_rounding
from lab.training import use_threads
from rasp.language.program import load_program


def rows(path: Path, vocabulary: str, longest: int) -> Iterator[list[str]]:
    """The lines of a program, at a maximum length."""
    model = compile(load_program(path).sop(), vocabulary, longest)
    task = task_of(model)
    found: dict[str, CompiledModel | Encoder] = {
        "compiled": model,
        "compiled, without rounding": without_rounding(model),
        "distilled": distil(model, task=task).model,
    }
    for name, weights in found.items():
        shares = noise_curve(weights, task).values()
        yield [path.stem, str(longest), name, *(f"{share:.1%}" for share in shares)]


def table(files: list[str], vocabulary: str, lengths: list[int]) -> str:
    """All programs at all lengths, as a Markdown table."""
    found = [row for file in files for longest in lengths for row in rows(Path(file), vocabulary, longest)]
    return markdown(("program", "N", "weights", *(f"{level:g}" for level in LEVELS)), found)


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__)
    found.add_argument("files", nargs="+", metavar="FILE", help=".rasp programs")
    found.add_argument("--vocab", required=True)
    found.add_argument("--max-length", type=int, nargs="+", required=True)
    return found


def main() -> None:
    use_threads(1)
    args = parser().parse_args()
    print(table(args.files, args.vocab, args.max_length))


if __name__ == "__main__":
    main()
