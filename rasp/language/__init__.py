"""The language: text to a syntax tree, to values, s-ops and selectors among them; and what else reads its text."""
