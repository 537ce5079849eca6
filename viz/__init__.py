"""Pictures of RASP programs and their models, in files and in notebooks."""

from viz.notebook import show_on

__all__ = ["show_on"]
