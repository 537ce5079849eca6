"""One HTML file that explains a program: its heads, its residual stream, and the model running in the page."""

from viz.report_page.page import report, report_of

__all__ = ["report", "report_of"]
