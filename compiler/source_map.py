"""Where nodes come from: what the program calls them, and the lines that built them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from rasp.errors import Refusal
from rasp.graph import Node, topological
from rasp.printing import expression
from rasp.source import CONSOLE, Span


@dataclass(frozen=True, eq=False)
class SourceMap:
    """What nodes are called, and the place in the source that built them; either may be unknown."""

    names: Mapping[Node, str] = field(default_factory=dict)
    origins: Mapping[Node, Span] = field(default_factory=dict)

    def text(self, node: Node) -> str:
        """The node's name, or its expression."""
        return expression(node, self.names)

    def line(self, node: Node) -> int | None:
        """The line of the file that built the node; None where no file did, as at the console."""
        span = self.origins.get(node)
        return None if span is None or span.source.name == CONSOLE else span.line

    @property
    def lines(self) -> dict[Node, int]:
        """The line of every node that a file built."""
        found = {node: self.line(node) for node in self.origins}
        return {node: line for node, line in found.items() if line is not None}

    def with_names(self, names: Mapping[Node, str]) -> SourceMap:
        """The same with names for more nodes."""
        return SourceMap({**self.names, **names}, self.origins)

    def of_graph(self, roots: Iterable[Node]) -> SourceMap:
        """What is known of these nodes and of all that they read."""
        nodes = list(topological(roots))
        names = {node: self.names[node] for node in nodes if node in self.names}
        return SourceMap(names, {node: self.origins[node] for node in nodes if node in self.origins})

    def moved(self, new: Callable[[Node], Node]) -> SourceMap:
        """What is known of nodes as known of what they become."""
        names = {new(node): name for node, name in self.names.items()}
        return SourceMap(names, {new(node): origin for node, origin in self.origins.items()})

    @contextmanager
    def placed(self, node: Node) -> Iterator[None]:
        """Places a Refusal without a place at what built the node, or a node that it was made of.

        The node is its subject, if it has none.
        """
        try:
            yield
        except Refusal as error:
            error.about(node)
            known = [part for part in topological([node]) if part in self.origins]
            raise error.at(self.origins[known[-1]] if known else None) from None
