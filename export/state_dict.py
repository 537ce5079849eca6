"""The weights alone, as a dictionary of arrays under their stable names, for whoever writes the forward pass anew."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from safetensors.numpy import save as safetensors_bytes

from compiler.ir import Array, ModelWeights
from compiler.tensors import named_tensors
from rasp.errors import DataFault

Tensors: TypeAlias = "dict[str, Array]"


def state_dict_bytes(weights: ModelWeights, suffix: str) -> bytes:
    """A file of every weight by name, in the format of the suffix: `.safetensors`, `.npz` or `.pt`.

    DataFault for another suffix.
    """
    if suffix not in _WRITERS:
        raise DataFault(
            f"a state dict is not written as {suffix or 'a file without a suffix'}",
            hint=f"the name of the file ends in one of {', '.join(_WRITERS)}",
        )
    return _WRITERS[suffix]({name: np.ascontiguousarray(array) for name, array in named_tensors(weights).items()})


def _npz(tensors: Tensors) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **tensors)
    return buffer.getvalue()


def _pt(tensors: Tensors) -> bytes:
    import torch

    buffer = io.BytesIO()
    torch.save({name: torch.from_numpy(np.array(array)) for name, array in tensors.items()}, buffer)
    return buffer.getvalue()


_WRITERS: Mapping[str, Callable[[Tensors], bytes]] = {".safetensors": safetensors_bytes, ".npz": _npz, ".pt": _pt}
