"""Compiled models as Hugging Face models: a class of our own, with configuration and tokenizer in one folder.

The model runs the torch module of the compiler, so it is exact wherever that is, and refuses other dtypes as that does.
Importing this file registers the classes, so that `AutoModel`, `AutoConfig` and `AutoTokenizer` find them without code
from elsewhere (`trust_remote_code`).

A stock class is not as good. LayerNorm, of BERT and most others, subtracts a mean, which moves every direction by a
rounded number, and the rounding constants of feed-forwards multiply that: its outputs are wrong. RMSNorm with a huge
eps does nothing to a vector, bit for bit; `export.stock_t5` builds on that, for models in float32 that are not causal.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForTokenClassification,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizer,
)
from transformers.modeling_outputs import TokenClassifierOutput

from compiler.artifact import description, model_of
from compiler.fields import atom, plain
from compiler.run.graph_inputs import NOTHING, GraphInputs
from compiler.run.model import CompiledModel, Runtime
from compiler.run.network import FeedForward, Head, Layer, Transformer
from compiler.run.reference import Trace
from compiler.tensors import named_tensors
from export.folders import write_folder
from rasp.errors import DataFault
from rasp.operations import Atom

_TOKENS = "tokens.json"


class RaspConfig(PretrainedConfig):  # type: ignore[misc]
    """The description of a model, as its file has it, and the shapes of its weights."""

    model_type = "rasp"

    def __init__(
        self, rasp: Mapping[str, Any] | None = None, shapes: Mapping[str, Sequence[int]] | None = None, **more: Any
    ) -> None:
        self.rasp = dict(rasp or {})
        self.shapes = {name: list(shape) for name, shape in (shapes or {}).items()}
        super().__init__(**more)

    def compiled(self) -> CompiledModel:
        """The model without its weights, which are 0: for its vocabulary and its decoding."""
        zeros = {name: np.zeros(shape, dtype=self.rasp["dtype"]) for name, shape in self.shapes.items()}
        return model_of(json.dumps(self.rasp), zeros, "the configuration")


@dataclass
class RaspOutput(TokenClassifierOutput):  # type: ignore[misc]
    """Logits of the first output [B, T, O], of further outputs and of guards; attention [B, H, T, T] of each layer and
    the stages of the residual stream where they were asked for."""

    outputs: tuple[Tensor, ...] | None = None
    guards: tuple[Tensor, ...] | None = None


class RaspModel(PreTrainedModel):  # type: ignore[misc]
    """A compiled model. Input ids begin with BOS, as the tokenizer has them; padding is on the right."""

    config_class = RaspConfig
    base_model_prefix = ""
    main_input_name = "input_ids"

    def __init__(self, config: RaspConfig) -> None:
        super().__init__(config)
        self._compiled = config.compiled()
        self.network = Transformer(self._compiled.weights)
        self.post_init()

    def _init_weights(self, module: Any) -> None:
        """Nothing: weights come from a file, and there are no others."""

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        masks: Sequence[Tensor] = (),
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> RaspOutput:
        """Logits on input ids [B, T]; `attention_mask` [B, T] is 0 at padding.

        `masks` [B or 1, T, T], in the order of the model's, are true where queries of heads that have them may look.
        """
        network = self.network
        if input_ids.shape[1] > len(network.W_pos):
            raise DataFault(f"the input has {input_ids.shape[1] - 1} tokens, the model takes {len(network.W_pos) - 1}")
        stages = [network.W_E[input_ids] + network.W_pos[: input_ids.shape[1]]]
        patterns: list[list[Tensor]] = [[] for _ in network.layers]
        with ExitStack() as hooks:
            _keep(network, stages, patterns, hooks)
            padding = None if attention_mask is None else attention_mask == 0
            x = network.residual(input_ids, padding, dict(zip(self._compiled.weights.masks, masks, strict=True)))
        return RaspOutput(
            logits=x @ network.W_U,
            outputs=tuple(x @ output for output in network.more),
            guards=tuple(x @ guard for guard in network.guards),
            attentions=tuple(torch.stack(layer, dim=1) for layer in patterns) if output_attentions else None,
            hidden_states=tuple(stages) if output_hidden_states else None,
        )

    def values(self, output: RaspOutput, index: int = 0, length: int | None = None) -> list[Atom]:
        """The values of the first output on one input of a batch, `length` tokens long without BOS and padding.

        ValueFault where the program has none on it.
        """
        size = None if length is None else length + 1
        trace = Trace(
            tuple(part[index, :size].detach().cpu().numpy() for part in (output.logits, *(output.outputs or ()))),
            tuple(part[index, :size].detach().cpu().numpy() for part in output.guards or ()),
            (),
            (),
        )
        return next(iter(self._compiled.decode(trace).values()))


def _keep(network: Transformer, stages: list[Tensor], patterns: list[list[Tensor]], hooks: ExitStack) -> None:
    """Has a forward pass put the stream after each step, and the attention of each layer's heads, into lists."""
    for part in network.modules():
        if isinstance(part, (Layer, FeedForward)):
            hooks.enter_context(part.resid.register_forward_hook(lambda module, given, out: stages.append(out)))
    for layer, found in zip(network.layers, patterns, strict=True):
        assert isinstance(layer, Layer)
        for head in layer.heads:
            assert isinstance(head, Head)
            hooks.enter_context(
                head.pattern.register_forward_hook(lambda module, given, out, found=found: found.append(out))
            )


class RaspTokenizer(PreTrainedTokenizer):  # type: ignore[misc]
    """The vocabulary of a model: BOS is 0 and comes first, then tokens from 1 on, and padding is BOS that is masked.

    A text is its characters where every token is one, else words with blanks between them. Tokens that are no strings
    are written as JSON has them (`3`, `true`); where there are some, strings are as well (`"a"`). With a `stride`, ids
    say the position too: position · stride + token.
    """

    vocab_files_names = {"tokens_file": _TOKENS}  # noqa: RUF012
    model_input_names = ["input_ids", "attention_mask"]  # noqa: RUF012
    padding_side = "right"

    def __init__(
        self, tokens_file: str | None = None, tokens: Sequence[Atom] | None = None, stride: int = 0, **more: Any
    ) -> None:
        read = json.loads(Path(tokens_file).read_text(encoding="utf-8")) if tokens_file is not None else []
        self.atoms = tuple(map(atom, read)) if tokens is None else tuple(tokens)
        self.words = token_words(self.atoms)
        self.bos = bos_word(self.words)
        self._ids = {word: number for number, word in enumerate([self.bos, *self.words])}
        self.stride = stride
        super().__init__(**{**more, "bos_token": self.bos, "pad_token": self.bos, "stride": stride})

    @property
    def vocab_size(self) -> int:
        return len(self._ids)

    def get_vocab(self) -> dict[str, int]:
        return dict(self._ids)

    def _tokenize(self, text: str, **more: Any) -> list[str]:
        return list(text) if all(len(word) == 1 for word in self.words) else text.split()

    def _convert_token_to_id(self, token: str) -> int:
        if token not in self._ids:
            raise DataFault(f"{token!r} is not in the vocabulary")
        return self._ids[token]

    def _convert_id_to_token(self, index: int) -> str:
        token = index % self.stride if self.stride else index
        return self.words[token - 1] if token else self.bos

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return ("" if all(len(word) == 1 for word in self.words) else " ").join(tokens)

    def build_inputs_with_special_tokens(self, token_ids_0: list[int], token_ids_1: Any = None) -> list[int]:
        return [position * self.stride + token for position, token in enumerate([0, *token_ids_0])]

    def get_special_tokens_mask(
        self, token_ids_0: list[int], token_ids_1: Any = None, already_has_special_tokens: bool = False
    ) -> list[int]:
        return (
            [int(found == 0) for found in token_ids_0] if already_has_special_tokens else [1, *(0 for _ in token_ids_0)]
        )

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str]:
        path = Path(save_directory) / f"{filename_prefix + '-' if filename_prefix else ''}{_TOKENS}"
        path.write_text(json.dumps(plain(self.atoms)), encoding="utf-8")
        return (str(path),)


def token_words(atoms: Sequence[Atom]) -> tuple[str, ...]:
    """Each token as a word: strings as they are, or where some are none, all as JSON."""
    if all(isinstance(token, str) for token in atoms):
        return tuple(map(str, atoms))
    return tuple(json.dumps(plain(token), ensure_ascii=False) for token in atoms)


def bos_word(words: Sequence[str]) -> str:
    """The word for BOS: `<bos>`, in more brackets while that is a token."""
    found = "<bos>"
    while found in words:
        found = f"<{found}>"
    return found


AutoConfig.register("rasp", RaspConfig)
AutoModel.register(RaspConfig, RaspModel)
AutoModelForTokenClassification.register(RaspConfig, RaspModel)
AutoTokenizer.register(RaspConfig, slow_tokenizer_class=RaspTokenizer)


def to_huggingface(model: CompiledModel) -> tuple[RaspModel, RaspTokenizer]:
    """The model and its tokenizer."""
    weights = model.weights
    tensors = named_tensors(weights)
    labels = dict(enumerate(map(str, weights.output.values))) if weights.output.kind != "number" else {}
    config = RaspConfig(
        rasp=json.loads(json.dumps(description(weights))),
        shapes={name: array.shape for name, array in tensors.items()},
        dtype=weights.dtype,
        **({"id2label": labels, "label2id": {label: at for at, label in labels.items()}} if labels else {}),
    )
    found = RaspModel(config)
    found.network = Transformer(weights)
    return found.eval(), RaspTokenizer(tokens=weights.vocabulary, model_max_length=weights.max_length + 1)


def save_huggingface(model: CompiledModel, folder: Path) -> None:
    """Writes configuration, weights and tokenizer into one folder. DataFault where that cannot be written."""
    with tempfile.TemporaryDirectory() as place:
        for part in to_huggingface(model):
            part.save_pretrained(place)
        write_folder(folder, {path.name: path.read_bytes() for path in Path(place).iterdir()})


def load_huggingface(folder: str | Path) -> tuple[Any, Any]:
    """The model and the tokenizer in an exported folder, also those of a stock T5. DataFault where there are none."""
    if not (Path(folder) / _TOKENS).is_file():
        raise DataFault(f"{folder} is no folder of a model for Hugging Face")
    found = AutoModelForTokenClassification.from_pretrained(str(folder)).eval()
    return found, AutoTokenizer.from_pretrained(str(folder))


def huggingface_runtime(model: CompiledModel) -> Runtime:
    """What runs a model after it has been saved as a Hugging Face model and loaded again."""
    with tempfile.TemporaryDirectory() as place:
        to_huggingface(model)[0].save_pretrained(place)
        loaded = AutoModel.from_pretrained(place).eval()

    def run(token_ids: np.ndarray[Any, np.dtype[np.int64]], whole: bool, graphs: GraphInputs = NOTHING) -> Trace:
        masks = [torch.from_numpy(graphs.masks[mask]) for mask in model.weights.masks]
        with torch.no_grad():
            found = loaded(torch.from_numpy(np.atleast_2d(token_ids)), masks=masks, output_attentions=whole)
        alone: Any = slice(None) if token_ids.ndim == 2 else 0
        attention = tuple(tuple(layer.unbind(1)) for layer in found.attentions) if whole else ()
        return Trace(
            tuple(part[alone].numpy() for part in (found.logits, *found.outputs)),
            tuple(part[alone].numpy() for part in found.guards),
            tuple(tuple(pattern[alone].numpy() for pattern in layer) for layer in attention),
            (),
        )

    return run
