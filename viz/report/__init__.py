"""One HTML file that explains a program: its heads, its residual stream, and the model running in the page."""

from viz.report.page import report

__all__ = ["report"]
