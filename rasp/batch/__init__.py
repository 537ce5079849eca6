"""Many inputs at once, or one long one: s-ops as columns over all positions, selectors as runs in sorted keys."""
