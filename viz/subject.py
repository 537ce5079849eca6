"""What draw and report are about: a program or a compiled model, by the file that it is in."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, TypeAlias

from rasp.inputs import names_among
from rasp.language.header import Header, header_of
from rasp.language.parameters import given_parameters
from rasp.language.program import Program, load_program
from rasp.source import Source

if TYPE_CHECKING:
    from compiler.run.model import CompiledModel

Subject: TypeAlias = "CompiledModel | Program"


def opened(args: argparse.Namespace) -> Subject:
    """The program or the model in the file of a command line."""
    if args.file.endswith(".safetensors"):
        from compiler.artifact import load

        return load(args.file)
    return load_program(args.file, budget=args.budget, **given_parameters(args))


def names_of(args: argparse.Namespace, subject: Subject) -> list[str]:
    """The names that stand behind the file; what follows them are inputs. A model is what it is, and has none."""
    return names_among(args, subject.known if isinstance(subject, Program) else ())


def own_header(subject: Subject) -> Header:
    """The header of the program, or of that which a model was compiled from."""
    if isinstance(subject, Program):
        return subject.header
    return header_of(Source(subject.weights.name, subject.weights.program))
