"""Where everything of a flow picture stands, in inches from its top left corner.

Each layer is a band: its heads side by side, and under them a table of the rows that the layer adds. Every row has its
own colour. What reads a row is reached by a lane of that colour down the left margin; what a head writes goes down from
its result to the row's right end. Edges run only across and down, so they cross at right angles and never meet text.

Tables have every value: on many positions they go on in further blocks of positions. Along a pattern the values are set
smaller or upright; only where not even that leaves room, they are thinned out there, and a note says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from rasp.graph import SOp, Tokens
from rasp.operations import Atom
from viz.flow_chart.content import Flow, HeadView, Read, Row, Stage, columns
from viz.flow_chart.elements import SIZE, Band, Cells, Edge, Grid, Layout, Point, Words
from viz.flow_chart.lanes import colours, lanes
from viz.fonts import drawable, unwritten
from viz.labels import NOTHING_SELECTED, OUT_OF_SIGHT, label
from viz.style import INK, QUIET, fit, text_height, text_width, wrap

_ROW = 0.2
_LINE = text_height(SIZE)
_LANE = 0.08
_BOLD = 1.12
_MARGIN = 0.15
_ARROW = 0.14
_TITLE = 0.24
_WIDEST_NAME = 2.8
_WIDEST_READ = 2.2
_WIDEST_WRITE = 2.2
_SMALLEST_CELL, _LARGEST_CELL = 0.2, 0.6
_SMALLEST_VALUE = 0.12
_SIDE, _WIDEST_SIDE, _WIDEST_TABLE = 6.5, 13.0, 8.0
_SIZES = (SIZE, 6.5, 6.0, 5.5)
_SMALLEST = 5.0
_WIDEST_LAYER = 13.0
_FEWEST_TO_SPLIT = 3
_TALLEST, _COLUMN = 22.0, 20.0
_APART = 0.3


def lay_out(flow: Flow) -> list[Layout]:
    """The places of everything in a flow: one layout, or where that is too tall, several to stand side by side."""
    whole = _Page(flow, colours(flow))
    layout = whole.layout()
    if layout.height <= _TALLEST or len(layout.bands) < _FEWEST_TO_SPLIT:
        return [layout]
    parts = columns(flow, [band.height for band in layout.bands], _COLUMN)
    return [_Page(part, whole.colour).layout() for part in parts]


def cell_width(flow: Flow) -> float:
    """Inches of a pattern's cell: as wide as the widest value needs, within limits; less where positions are many.

    No less than a line of the smallest letters takes, as far as that keeps the pattern within its widest side.
    """
    size = max(1, len(flow.tokens))
    fair = min(_LARGEST_CELL, max(_SMALLEST_CELL, _widest(flow) + 0.08))
    return max(min(fair, _SIDE / size), min(_SMALLEST / 72, _WIDEST_SIDE / size))


def table_blocks(flow: Flow, cell: float) -> tuple[float, int]:
    """Inches of a table's cell, and how many positions stand in a block: all of them where there is room."""
    size = len(flow.tokens)
    if cell >= min(_LARGEST_CELL, max(_SMALLEST_CELL, _widest(flow) + 0.08)):
        return cell, size
    own = min(_LARGEST_CELL, max(_SMALLEST_VALUE, _widest(flow) + 0.06))
    return own, ceil(size / ceil(size * own / _WIDEST_TABLE))


def _widest(flow: Flow) -> float:
    """Inches that the widest value of any row takes."""
    return _breadth([*flow.tokens, *(value for row in flow.rows.values() for value in row.values)], SIZE)


def _breadth(values: Sequence[Atom], size: float) -> float:
    """Inches that the widest of some values takes."""
    return max((text_width(_text(value), size) for value in values), default=0.0)


def _text(value: Atom) -> str:
    return drawable(label(value))


@dataclass(frozen=True)
class _Lettering:
    """Values as they stand along a pattern: their texts, the size of these, whether upright, and what room they take.

    Where not every position has room for its own, the others are empty, and `step` is above 1.
    """

    texts: tuple[str, ...]
    size: float
    upright: bool
    height: float
    step: int


def _across(values: Sequence[Atom], cell: float) -> _Lettering:
    """How values stand side by side over a pattern: in one line, smaller, or upright; cut where too long even so."""
    size = next((size for size in _SIZES if _breadth(values, size) + 0.02 <= cell), None)
    if size is None and cell >= _LARGEST_CELL:
        size = SIZE
    if size is not None:
        return _Lettering(_every(values, 1, cell - 0.02, size), size, False, _ROW, 1)
    size, step = _in_lines(cell)
    texts = _every(values, step, _LARGEST_CELL, size)
    return _Lettering(texts, size, True, max(_ROW, min(_LARGEST_CELL, _breadth(values, size)) + 0.06), step)


def _down(values: Sequence[Atom], width: float, line: float) -> _Lettering:
    """How values stand one below the other beside a pattern, in a column of a `width`."""
    size, step = _in_lines(line)
    return _Lettering(_every(values, step, width - 0.02, size), size, False, 0.0, step)


def _in_lines(line: float) -> tuple[float, int]:
    """The size of letters in lines of so many inches, and at every how many of them they have room."""
    size = min(SIZE, max(_SMALLEST, line * 72))
    return size, next((step for step in (1, 2, 5, 10, 20, 50) if step * line * 72 >= size - 0.1), 100)


def _every(values: Sequence[Atom], step: int, room: float, size: float) -> tuple[str, ...]:
    return tuple("" if i % step else fit(_text(value), room, size) for i, value in enumerate(values))


@dataclass(frozen=True, eq=False)
class _Block:
    """A head with its sizes: everything about it but its place."""

    head: HeadView
    title: tuple[str, ...]
    formula: tuple[str, ...]
    sources: tuple[SOp, ...]
    above: tuple[Read, ...]
    beside: tuple[Read, ...]
    labels: dict[Read, str]
    results: tuple[str, ...]
    left: float
    width: float
    pattern: tuple[float, float]
    above_height: float
    height: float
    tokens: _Lettering | None


@dataclass(frozen=True, eq=False)
class _Written:
    """A result that has yet to reach its row: where it begins, its track below the heads, and whether it is near."""

    head: str
    node: SOp
    start: Point
    track: float
    near: bool


def _chunks(blocks: Sequence[_Block]) -> list[list[_Block]]:
    """The heads of a layer in rows that are not too wide."""
    chunks: list[list[_Block]] = [[]]
    room = _WIDEST_LAYER
    for block in blocks:
        if chunks[-1] and block.width > room:
            chunks.append([])
            room = _WIDEST_LAYER
        chunks[-1].append(block)
        room -= block.width + _APART
    return chunks


@dataclass(eq=False)
class _Page:
    """Collects what is drawn, from top to bottom."""

    flow: Flow
    colour: Mapping[SOp, str]
    bands: list[Band] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)
    cells: list[Cells] = field(default_factory=list)
    grids: list[Grid] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rows = self.flow.rows
        self.cell = cell_width(self.flow)
        self.line = min(self.cell, _ROW)
        self.lane = lanes(self.flow)
        self.left = _MARGIN + _LANE * (1 + max(self.lane.values(), default=0)) + 0.08
        self.start = self.left + _ARROW
        self.table = self.start + 0.08 + max((self._name_width(row) for row in self.rows.values()), default=0.0)
        self.value, self.block = table_blocks(self.flow, self.cell)
        self.table_end = self.table + self.value * self.block
        self.out: dict[SOp, Point] = {}
        self.right = self.table_end
        self.step = 1

    def layout(self) -> Layout:
        top = _MARGIN
        for stage in self.flow.stages:
            top = self._stage(stage, top) + 0.1
        for note in self._notes():
            self.words.append(Words(self.start, top + _LINE / 2, note, colour=QUIET))
            top += _LINE
        return Layout(
            self.right + 2 * _MARGIN,
            top - 0.1 + _MARGIN,
            tuple(self.bands),
            tuple(self.words),
            tuple(self.cells),
            tuple(self.grids),
            tuple(self.edges),
        )

    def _notes(self) -> list[str]:
        """What is said below the last layer."""
        values = [value for row in self.rows.values() for value in row.values]
        texts = [*map(label, [*values, *self.flow.tokens]), *(row.name for row in self.rows.values())]
        notes = [
            NOTHING_SELECTED if any(grid.empty for grid in self.grids) else "",
            OUT_OF_SIGHT if any(grid.hidden.any() for grid in self.grids) else "",
            unwritten(texts),
        ]
        if self.step > 1:
            notes.append(f"along patterns one value in {self.step} is written; the tables have them all")
        width = self.right - self.start
        return [line for note in notes for line in wrap(note, width, SIZE, 3)]

    def _name_width(self, row: Row) -> float:
        formula = f"  = {row.formula}" if row.formula else ""
        return min(_WIDEST_NAME, text_width(drawable(row.name), SIZE) * _BOLD + text_width(drawable(formula), SIZE))

    def _stage(self, stage: Stage, top: float) -> float:
        """Places a layer from `top` on; the bottom of its band."""
        self.words.append(
            Words(self.start, top + _TITLE / 2 + 0.03, stage.title, colour=QUIET, bold=True, size=SIZE + 1)
        )
        y = top + _TITLE + 0.05
        if stage.heads:
            y = self._heads(stage, y)
        bottom = self._rows(stage.rows, y) + 0.08
        self.bands.append(Band(top, bottom - top))
        return bottom

    def _rows(self, rows: Sequence[Row], top: float) -> float:
        """Places a table from `top` on, block by block of positions; its bottom. Edges meet the first block."""
        size = len(self.flow.tokens)
        for start in range(0, size if rows else 0, self.block):
            stop = min(start + self.block, size)
            if self.block < size:
                top += 0.06 if start else 0.0
                span = f"positions {start} to {stop - 1}" if stop - start > 1 else f"position {start}"
                self.words.append(Words(self.table, top + _LINE / 2, span, colour=QUIET, size=SIZE - 1))
                top += _LINE
            for row in rows:
                self._row(row, top, start, stop)
                top += _ROW
        return top

    def _row(self, row: Row, top: float, start: int, stop: int) -> None:
        """Places the values of a row at some of its positions."""
        middle = top + _ROW / 2
        colour = self.colour[row.node]
        room = max(self.value - 0.02, min(self.value, _LARGEST_CELL))
        texts = tuple(fit(_text(value), room, SIZE) for value in row.values[start:stop])
        self.cells.append(Cells(self.table, top, self.value, _ROW, texts, colour))
        self._named(row, middle, colour, formula=start == 0)
        if start:
            return
        for index, source in enumerate(row.reads):
            y = middle - 0.06 + 0.09 * index / max(1, len(row.reads) - 1)
            self._edge(source, row.name, [(self._lane(source), y), (self.start - 0.03, y)])
        self.out[row.node] = (self.start - 0.03, middle + 0.06)

    def _named(self, row: Row, middle: float, colour: str, *, formula: bool) -> None:
        room = self.table - self.start - 0.06
        name = fit(drawable(row.name), room / _BOLD, SIZE)
        self.words.append(Words(self.start, middle, name, colour=colour, bold=True))
        used = text_width(name, SIZE) * _BOLD + text_width("  ", SIZE)
        if formula and row.formula and room - used > 0.3:
            text = fit(drawable(f"= {row.formula}"), room - used, SIZE)
            self.words.append(Words(self.start + used, middle, text, colour=QUIET))

    def _lane(self, source: SOp) -> float:
        return self.left - 0.08 - _LANE * self.lane[source]

    def _edge(self, source: SOp, target: str, rest: list[Point]) -> None:
        """An edge from a row's left end along its lane; `rest` begins on the lane."""
        x, y = self.out[source]
        points = ((x, y), (self._lane(source), y), *rest)
        self.edges.append(Edge(self.rows[source].name, target, points, self.colour[source]))

    def _heads(self, stage: Stage, top: float) -> float:
        """Places the heads of a layer, side by side while they fit; the top of the table that follows."""
        written: list[_Written] = []
        chunks = _chunks([self._block(head) for head in stage.heads])
        for chunk in chunks:
            top = self._chunk(chunk, top, written, last=chunk is chunks[-1])
        table = top + 0.08
        first = table + (_LINE if self.block < len(self.flow.tokens) else 0.0)
        middle = {row.node: first + _ROW * (index + 0.5) for index, row in enumerate(stage.rows)}
        near = [result for result in written if result.near]
        far = [result for result in written if not result.near]
        beyond = self.right + 0.15
        for results, edge in ((near, self.table_end + 0.12), (far, beyond)):
            for index, result in enumerate(reversed(results), 1):
                self._write(result, edge + _LANE * index, middle[result.node])
        return table

    def _chunk(self, blocks: Sequence[_Block], top: float, written: list[_Written], *, last: bool) -> float:
        """Places heads side by side under their tracks, and notes what they write; the end of the tracks below them."""
        sources = list(dict.fromkeys(source for block in blocks for source in block.sources))
        track = {source: top + _LANE * index for index, source in enumerate(sources)}
        y = top + _LANE * len(sources) + 0.06
        below = y + max(block.height for block in blocks)
        x = self.start
        for block in blocks:
            self._place(block, x, y, track)
            for index, node in enumerate(block.head.writes):
                start = (self._result_x(block, x, index), y + block.above_height + block.pattern[1])
                written.append(_Written(block.head.title, node, start, below, last))
                below += _LANE
            x += block.width + _APART
            self.right = max(self.right, x - _APART)
        return below

    def _write(self, result: _Written, x: float, row: float) -> None:
        """The edge from a head's result to its row, down the lane at x."""
        (start, top), track = result.start, result.track
        points = ((start, top), (start, track), (x, track), (x, row), (self.table_end + 0.02, row))
        self.edges.append(Edge(result.head, self.rows[result.node].name, points, self.colour[result.node]))
        self.right = max(self.right, x)

    def _block(self, head: HeadView) -> _Block:
        sources = tuple(dict.fromkeys(read.node for read in head.reads))
        above = tuple(read for read in head.reads if read.role != "query")
        beside = tuple(read for read in head.reads if read.role == "query")
        labels = {read: self._read_label(read) for read in head.reads}
        results = tuple(fit(drawable(name), _WIDEST_WRITE, SIZE) for name in head.results)
        columns = sum(self._column(read.node) for read in beside) + self._token_column(beside)
        gutter = _LANE * len(sources) + 0.04 + _ARROW
        left = gutter + max([columns, *(text_width(text, SIZE) for text in labels.values())], default=0.0) + 0.06
        across, down = self.cell * len(self.flow.tokens), self.line * len(self.flow.tokens)
        ends = [
            left + across + 0.1 + self._before(head, i) + text_width(t, SIZE) * _BOLD for i, t in enumerate(results)
        ]
        width = max(left + across + 0.1 + self._before(head, len(results)), *ends)
        title = wrap(drawable(head.title), (width - gutter) / _BOLD, SIZE, 2)
        formula = wrap(drawable(f"= {head.formula}"), width - gutter, SIZE, 2) if head.formula else ()
        tokens = None if _has_tokens(above) else _across(self.flow.tokens, self.cell)
        rows = sum(self._over(read).height for read in above) + (tokens.height if tokens else 0.0)
        above_height = _LINE * (len(title) + len(formula)) + 0.06 + max(rows, _LINE * len(results)) + 0.04
        height = above_height + down + 0.06 + _LINE * len(beside) + 0.04
        return _Block(
            head,
            title,
            formula,
            sources,
            above,
            beside,
            labels,
            results,
            left,
            width,
            (across, down),
            above_height,
            height,
            tokens,
        )

    def _over(self, read: Read) -> _Lettering:
        """How the values of a row stand over a pattern."""
        return _across(self.rows[read.node].values, self.cell)

    def _read_label(self, read: Read) -> str:
        return fit(drawable(f"{read.role}: {self.rows[read.node].name}"), _WIDEST_READ, SIZE)

    def _column(self, node: SOp) -> float:
        widest = max((text_width(_text(value), SIZE) for value in self.rows[node].values), default=0.0)
        return min(_LARGEST_CELL, max(_SMALLEST_CELL, widest + 0.08))

    def _token_column(self, beside: Sequence[Read]) -> float:
        if _has_tokens(beside):
            return 0.0
        widest = max((text_width(_text(token), SIZE) for token in self.flow.tokens), default=0.0)
        return min(_LARGEST_CELL, max(_SMALLEST_CELL, widest + 0.06))

    def _before(self, head: HeadView, index: int) -> float:
        """The width of the result columns left of one."""
        return sum(self._column(node) for node in head.writes[:index])

    def _result_x(self, block: _Block, x: float, index: int) -> float:
        return (
            x
            + block.left
            + block.pattern[0]
            + 0.1
            + self._before(block.head, index)
            + self._column(block.head.writes[index]) / 2
        )

    def _place(self, block: _Block, x: float, y: float, track: dict[SOp, float]) -> None:
        """Draws a head with its top left corner at a point."""
        lane = {source: x + _LANE * index for index, source in enumerate(block.sources)}
        grid = Grid(x + block.left, y + block.above_height, self.cell, self.line, block.head.marked, block.head.sight)
        self.grids.append(grid)
        left = x + _LANE * len(block.sources) + 0.04
        for index, line in enumerate([*block.title, *block.formula]):
            own = index < len(block.title)
            self.words.append(Words(left, y + _LINE * (index + 0.5), line, colour=INK if own else QUIET, bold=own))
        self._above(block, grid)
        self._beside(block, grid)
        self._results(block, grid)
        for read, (end, middle) in self._entries(block, grid):
            turn = [(self._lane(read.node), track[read.node]), (lane[read.node], track[read.node])]
            self._edge(read.node, block.head.title, [*turn, (lane[read.node], middle), (end, middle)])

    def _entries(self, block: _Block, grid: Grid) -> Iterator[tuple[Read, Point]]:
        """Where the edge of each read ends: left of its label."""
        for read, middle in [*self._above_lines(block, grid), *self._beside_lines(block, grid)]:
            yield read, (grid.x - 0.06 - text_width(block.labels[read], SIZE) - 0.03, middle)

    def _above_lines(self, block: _Block, grid: Grid) -> list[tuple[Read, float]]:
        """The rows over a pattern, each with its middle line; the tokens alone stand below them."""
        bottom = grid.y - 0.04 - (block.tokens.height if block.tokens else 0.0)
        lines: list[tuple[Read, float]] = []
        for read in reversed(block.above):
            height = self._over(read).height
            lines.insert(0, (read, bottom - height / 2))
            bottom -= height
        return lines

    def _beside_lines(self, block: _Block, grid: Grid) -> list[tuple[Read, float]]:
        first = grid.bottom + 0.06
        return [(read, first + _LINE * (index + 0.5)) for index, read in enumerate(block.beside)]

    def _above(self, block: _Block, grid: Grid) -> None:
        for read, middle in self._above_lines(block, grid):
            self._label(block, read, grid, middle)
            self._along(self._over(read), grid.x, middle, self.colour[read.node])
        if block.tokens:
            self._along(block.tokens, grid.x, grid.y - 0.02 - block.tokens.height / 2, None)

    def _along(self, values: _Lettering, x: float, middle: float, colour: str | None) -> None:
        """Places values over a pattern."""
        top, height = middle - values.height / 2, values.height
        cells = Cells(x, top, self.cell, height, values.texts, colour, size=values.size, upright=values.upright)
        self.cells.append(cells)
        self.step = max(self.step, values.step)

    def _column_at(self, x: float, top: float, width: float, values: Sequence[Atom], colour: str | None) -> None:
        """Places values beside a pattern, in a column."""
        found = _down(values, width, self.line)
        self.cells.append(Cells(x, top, width, self.line, found.texts, colour, across=False, size=found.size))
        self.step = max(self.step, found.step)

    def _beside(self, block: _Block, grid: Grid) -> None:
        x = grid.x - 0.02
        if not _has_tokens(block.beside):
            width = self._token_column(block.beside)
            x -= width
            self._column_at(x, grid.y, width, self.flow.tokens, None)
        for read, middle in self._beside_lines(block, grid):
            width = self._column(read.node)
            x -= width
            self._column_at(x, grid.y, width, self.rows[read.node].values, self.colour[read.node])
            self._label(block, read, grid, middle)

    def _label(self, block: _Block, read: Read, grid: Grid, middle: float) -> None:
        self.words.append(Words(grid.x - 0.06, middle, block.labels[read], "right", self.colour[read.node]))

    def _results(self, block: _Block, grid: Grid) -> None:
        for index, node in enumerate(block.head.writes):
            width = self._column(node)
            x = grid.right + 0.1 + self._before(block.head, index)
            self._column_at(x, grid.y, width, self.rows[node].values, self.colour[node])
            y = grid.y - 0.05 - _LINE * (len(block.results) - index - 0.5)
            self.words.append(Words(x, y, block.results[index], colour=self.colour[node], bold=True))


def _has_tokens(reads: Sequence[Read]) -> bool:
    return any(isinstance(read.node, Tokens) for read in reads)
