"""What `rasp train` takes unless an option says otherwise: sizes, inputs, and how long is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.training import TrainingConfig


@dataclass(frozen=True)
class Preset:
    """Longest inputs, width, inputs for training, models of each size, and how they are trained.

    With a `grid` of (learning rate, decay of each epoch) each model in turn is trained with one of its pairs.
    """

    max_length: int
    d_model: int
    count: int
    seeds: int
    training: TrainingConfig
    grid: tuple[tuple[float, float], ...] = ()

    def __str__(self) -> str:
        models = "one model" if self.seeds == 1 else f"{self.seeds} models"
        return f"lengths to {self.max_length}, d_model {self.d_model}, {self.training.steps:,} steps, {models}"


_GRID = ((3e-4, 0.98), (3e-4, 0.99), (1e-4, 0.98), (1e-4, 0.99))

# `paper` is how Weiss, Goldberg and Yahav (2021) trained: 100 epochs of 50,000 inputs, with Adam; a thing for GPUs.
PRESETS: Mapping[str, Preset] = {
    "tiny": Preset(10, 32, 20_000, 1, TrainingConfig(steps=1_500)),
    "small": Preset(20, 64, 50_000, 3, TrainingConfig(steps=6_000)),
    "paper": Preset(
        *(100, 256, 50_000, 4),
        TrainingConfig(steps=100_000, batch=50, betas=(0.9, 0.999), weight_decay=0.0, every=1_000),
        _GRID,
    ),
}
