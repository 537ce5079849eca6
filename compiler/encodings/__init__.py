"""How s-ops are stored in the residual stream: one class a kind, in the order of who writes it.

`table.py` has them all; `writers.py` says what planning and lowering ask of one that the embedding, a head or a
feed-forward writes. What every kind knows is `Encoding` in `compiler/storage.py`.
"""
