"""The subcommand infer: a saved model on inputs. What compiles is not imported for it, so that it starts at once."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable

from compiler.run.batches import Answer, answers
from compiler.run.model import ENGINES, CompiledModel
from rasp.arguments import examples
from rasp.console.show import given_text, values
from rasp.errors import RaspError
from rasp.inputs import Input, given_inputs, input_arguments, json_of, positional_inputs, sequence_of
from rasp.language.header import header_of
from rasp.operations import column
from rasp.progress import Bar
from rasp.source import Source
from rasp.streams import say, warn
from rasp.visible import visible


def infer_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `rasp infer`."""
    examples(
        parser,
        "rasp compile programs/reverse.rasp -o reverse.safetensors",
        "rasp infer reverse.safetensors -i hello",
        "echo hello | rasp infer reverse.safetensors --inputs - --json",
    )
    parser.add_argument(
        "model", metavar="MODEL", help="a compiled model: a .safetensors file, or an exported .onnx file"
    )
    positional_inputs(parser)
    input_arguments(parser)
    parser.add_argument(
        "--engine",
        choices=(*ENGINES, "sparse"),
        help="what runs the weights: reference (default), which is numpy and starts at once; torch, the network, which "
        "starts later and takes all cores; sparse, torch without most of the zeros (default for an .onnx file: ONNX "
        "Runtime)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line: input and output")


def infer_run(args: argparse.Namespace, load: Callable[[str], CompiledModel]) -> int:
    """Runs a saved model on every input; results come in the order of the inputs, as soon as they are there."""
    model = load(args.model)
    engine = args.engine or next(iter(model.runtimes), "reference")
    inputs = header_of(Source(args.model, model.weights.program)).said_inputs(given_inputs(args))
    if not inputs:
        args.parser.error("an input is needed: -i or --inputs")
    failed = False
    # At a terminal the results themselves show how far it is.
    with Bar("inputs", shown=not sys.stdout.isatty()) as bar:
        for given, answer in zip(inputs, answers(model, list(map(sequence_of, inputs)), engine, bar.tell), strict=True):
            if isinstance(answer, RaspError):
                bar.hide()
                failed = True
            _write(given, answer, args.json)
    return int(failed)


def _write(given: Input, answer: Answer, as_json: bool) -> None:
    """Prints the values on an input, or why there are none."""
    if isinstance(answer, RaspError):
        warn(str(answer))
    if as_json:
        say(json.dumps({"input": json_of(sequence_of(given))} | _fields(answer)))
    elif not isinstance(answer, RaspError):
        for name, output in answer.items():
            say(f"{visible(name)}({given_text(given)}) = {values(column(output))}")


def _fields(answer: Answer) -> dict[str, object]:
    if isinstance(answer, RaspError):
        return {"error": answer.message}
    return {"output": next(iter(answer.values())) if len(answer) == 1 else answer}
