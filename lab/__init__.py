"""The lab: a program as a task for transformers that learn, and what they learn beside what the program does."""

from typing import TYPE_CHECKING

from rasp.late import late

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

# Where each public name is found, when it is first used: as in the imports for types above.
_HOMES = {
    "lab.comparison": "Comparison, HeadComparison, compare",
    "lab.distillation": "distil, task_of",
    "lab.masks": "Relational, causal, stride, window",
    "lab.model": "Encoder, EncoderConfig",
    "lab.noise": "noise_curve, without_rounding",
    "lab.patterns": "HeadTarget, targets",
    "lab.task": "Examples, Task",
    "lab.training": "Trained, TrainingConfig, load_model, train",
}
__getattr__, __dir__ = late(__name__, _HOMES)
