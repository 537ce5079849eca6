"""The lab: a program as a task for transformers that learn, and what they learn beside what the program does."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.comparison import Comparison, HeadComparison, compare
    from lab.distillation import distil, task_of
    from lab.masks import Relational, causal, stride, window
    from lab.model import Encoder, EncoderConfig
    from lab.noise import noise_curve, without_rounding
    from lab.patterns import HeadTarget, targets
    from lab.task import Examples, Task
    from lab.training import Trained, TrainingConfig, load_model, train

__all__ = [
    "Comparison",
    "Encoder",
    "EncoderConfig",
    "Examples",
    "HeadComparison",
    "HeadTarget",
    "Relational",
    "Task",
    "Trained",
    "TrainingConfig",
    "causal",
    "compare",
    "distil",
    "load_model",
    "noise_curve",
    "stride",
    "targets",
    "task_of",
    "train",
    "window",
    "without_rounding",
]

# Where each public name is found; what needs torch is imported when it is first used.
_HOMES = {
    "Comparison": "lab.comparison",
    "HeadComparison": "lab.comparison",
    "compare": "lab.comparison",
    "Encoder": "lab.model",
    "EncoderConfig": "lab.model",
    "distil": "lab.distillation",
    "task_of": "lab.distillation",
    "noise_curve": "lab.noise",
    "without_rounding": "lab.noise",
    "Examples": "lab.task",
    "HeadTarget": "lab.patterns",
    "Task": "lab.task",
    "Relational": "lab.masks",
    "causal": "lab.masks",
    "stride": "lab.masks",
    "targets": "lab.patterns",
    "Trained": "lab.training",
    "TrainingConfig": "lab.training",
    "load_model": "lab.training",
    "train": "lab.training",
    "window": "lab.masks",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value
