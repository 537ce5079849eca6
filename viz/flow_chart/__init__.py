"""The computation of an s-op on an input, layer by layer, as a picture."""

from viz.flow_chart.draw import flow

__all__ = ["flow"]
