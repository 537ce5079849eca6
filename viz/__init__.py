"""Pictures of RASP programs and their models. Importing this room also gives notebooks pictures of their values."""

from viz.notebook import install, show_on

__all__ = ["show_on"]

install()
