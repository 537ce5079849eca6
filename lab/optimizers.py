"""The optimizers of the lab: AdamW for everything, or Muon for the matrices of the blocks and AdamW for the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rasp.errors import DataFault

OPTIMIZERS = ("adamw", "muon")


class Optimizers:
    """One or two optimizers that step together, whose state is tensors by name.

    Muon (Jordan et al. 2024) makes the step of a matrix orthogonal; scaled to the size of AdamW's steps, it takes the
    same learning rate. Embeddings, W_U, biases, layer norms and edges are AdamW's, as they should be.
    """

    def __init__(self, kind: str, model: nn.Module, *, betas: tuple[float, float], weight_decay: float) -> None:
        """DataFault where torch has no Muon."""
        matrices = [tensor for name, tensor in model.named_parameters() if kind == "muon" and _is_matrix(name, tensor)]
        taken = set(map(id, matrices))
        others = [tensor for tensor in model.parameters() if id(tensor) not in taken]
        self._all: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(others, betas=betas, weight_decay=weight_decay),
        ]
        if matrices:
            self._all.append(_muon(matrices, weight_decay))

    def step(self, rate: float) -> None:
        """Takes a step at a learning rate, along the gradients that there are."""
        for optimizer in self._all:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()

    def clear(self) -> None:
        """Forgets the gradients."""
        for optimizer in self._all:
            optimizer.zero_grad(set_to_none=True)

    def state(self) -> dict[str, np.ndarray[Any, Any]]:
        """The moments by name."""
        return {
            f"{number}.{place}.{name}": value.cpu().numpy()
            for number, optimizer in enumerate(self._all)
            for place, moments in optimizer.state_dict()["state"].items()
            for name, value in moments.items()
        }

    def restore(self, found: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Takes over a state. ValueError or LookupError where it is none."""
        states: list[dict[int, dict[str, Tensor]]] = [{} for _ in self._all]
        for key, tensor in found.items():
            number, place, name = key.split(".")
            states[int(number)].setdefault(int(place), {})[name] = torch.from_numpy(tensor)
        for optimizer, state in zip(self._all, states, strict=True):
            optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _is_matrix(name: str, tensor: Tensor) -> bool:
    return name.startswith("blocks.") and tensor.ndim == 2


def _muon(matrices: Sequence[Tensor], weight_decay: float) -> torch.optim.Optimizer:
    if not hasattr(torch.optim, "Muon"):
        raise DataFault(f"torch {torch.__version__} has no Muon, which is there from 2.9 on", hint="take adamw")
    return torch.optim.Muon(matrices, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
