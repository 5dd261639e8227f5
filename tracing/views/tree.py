"""The rows of the trace page: every observation in tree order with its place on the time axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tracing.queries.trace_page import Node

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Row:
    """A node of the tree and a bar on the timeline. Times are microseconds from the first start."""

    id: str
    depth: int
    type: str
    name: str
    level: str
    start_us: int
    #: None while it runs
    duration_us: int | None
    time_to_first_token_us: int | None
    #: of the observation and all below it
    tokens: int
    is_parent: bool
    #: what a search found, as opposed to what leads to it
    is_hit: bool = False
    #: stands for a parent that never came; not an observation itself
    is_missing: bool = False


@dataclass(frozen=True, slots=True)
class Tree:
    rows: list[Row]
    total_us: int
    is_running: bool
    orphans: int

    @property
    def depth_class(self) -> str:
        """Deep trees indent less, so that names keep their room."""
        deepest = max((row.depth for row in self.rows), default=0)
        return "abyss" if deepest > 20 else "deep" if deepest > 8 else ""

    @property
    def ticks(self) -> list[tuple[float, int]]:
        """Share of the width and time of each line of the axis: three to six, at round times."""
        step = _nice_step(self.total_us)
        return [(at / self.total_us * 100, at) for at in range(0, self.total_us + 1, step)] if self.total_us else []


#: of the axis, in seconds, once it is longer than a minute
_LONG_STEPS = (15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)


def _nice_step(total: int) -> int:
    if total > 60_000_000:
        long = (seconds * 1_000_000 for seconds in _LONG_STEPS)
        return next((step for step in long if total / step <= 5), (total // 86_400_000_000 // 4 + 1) * 86_400_000_000)
    size = 1
    while size * 10 * 4 <= total:
        size *= 10
    return next((size * factor for factor in (1, 2, 5, 10) if total / (size * factor) <= 5), size * 10)


def grow(nodes: Sequence[Node], *, only: set[str] | None = None, missing_name: str = "") -> Tree:
    """Rows in depth-first order, children by start time. `only` keeps these nodes and the way to them.

    No recursion: agents nest thousands deep. Observations whose parent is not here stand under a marked row, unless
    the application called them its root; so does a circle of parents, which no well-behaved client sends.
    """
    if not nodes:
        return Tree([], 0, False, 0)
    by_id = {node.id: node for node in nodes}
    kept = _with_ancestors(by_id, only) if only is not None else set(by_id)
    children: dict[str, list[Node]] = {}
    tops: list[Node] = []
    orphans: dict[str, list[Node]] = {}
    for node in nodes:
        if node.id not in kept:
            continue
        if node.parent_id in by_id and node.parent_id != node.id:
            children.setdefault(node.parent_id, []).append(node)
        elif node.parent_id and not node.is_root:
            orphans.setdefault(node.parent_id, []).append(node)
        else:
            tops.append(node)
    first = min(node.start_time for node in nodes)
    walk = _Walk(children, first, only or set())
    for top in tops:
        walk.down(top, 0)
    for parent_id, left in orphans.items():
        walk.missing(parent_id, left, missing_name)
    circles = [node for node in nodes if node.id in kept and node.id not in walk.seen]
    if circles:
        walk.missing(circles[0].parent_id, circles, missing_name)
    ends = [node.end_time or node.start_time for node in nodes]
    rows = _added_up(walk.rows)
    total = max(max(0, _since(first, end)) for end in ends)
    running = any(node.end_time is None and node.type != "EVENT" for node in nodes)
    return Tree(rows, total, running, sum(len(left) for left in orphans.values()) + len(circles))


def _with_ancestors(by_id: dict[str, Node], wanted: set[str]) -> set[str]:
    kept: set[str] = set()
    for found in wanted:
        at: str = found
        while at in by_id and at not in kept:
            kept.add(at)
            at = by_id[at].parent_id
    return kept


def _added_up(rows: list[Row]) -> list[Row]:
    """Each row with the tokens of those below it."""
    below: dict[int, int] = {}
    added = []
    for row in reversed(rows):
        tokens = row.tokens + below.pop(row.depth + 1, 0)
        below[row.depth] = below.get(row.depth, 0) + tokens
        added.append(replace(row, tokens=tokens) if row.is_parent else row)
    return added[::-1]


class _Walk:
    def __init__(self, children: dict[str, list[Node]], first: datetime, hits: set[str]) -> None:
        self._hits = hits
        self._children = children
        self._first = first
        self.rows: list[Row] = []
        self.seen: set[str] = set()

    def down(self, top: Node, depth: int) -> None:
        waiting = [(top, depth)]
        while waiting:
            node, depth = waiting.pop()
            if node.id in self.seen:
                continue
            self.seen.add(node.id)
            below = self._children.get(node.id, [])
            self.rows.append(self._row(node, depth, bool(below)))
            waiting.extend((child, depth + 1) for child in reversed(below))

    def missing(self, parent_id: str, left: Sequence[Node], name: str) -> None:
        start = min(_since(self._first, node.start_time) for node in left)
        self.rows.append(Row(parent_id, 0, "MISSING", name, "", start, 0, None, 0, is_parent=True, is_missing=True))
        for node in left:
            self.down(node, 1)

    def _row(self, node: Node, depth: int, is_parent: bool) -> Row:
        if node.end_time is not None:
            length: int | None = max(0, _since(node.start_time, node.end_time))
        else:
            length = 0 if node.type == "EVENT" else None
        first_token = node.time_to_first_token_us
        return Row(
            id=node.id,
            depth=depth,
            type=node.type,
            name=node.name or node.model,
            level=node.level,
            start_us=_since(self._first, node.start_time),
            duration_us=length,
            # Clocks of two machines disagree: a first token before the start is no fact.
            time_to_first_token_us=first_token if first_token and first_token > 0 else None,
            tokens=node.total_tokens,
            is_parent=is_parent,
            is_hit=node.id in self._hits,
        )


def _since(first: datetime, at: datetime) -> int:
    return (at - first) // _MICROSECOND


def beginning(nodes: Sequence[Node], *, end: datetime | None) -> Tree:
    """The first rows of a tree of which only the first nodes by start are known: no sums, and no word on orphans.

    `end` is that of the whole.
    """
    known = {node.id for node in nodes}
    tree = grow([node for node in nodes if not node.parent_id or node.is_root or node.parent_id in known])
    rows = [replace(row, tokens=0 if row.is_parent else row.tokens) for row in tree.rows]
    total = max(tree.total_us, _since(nodes[0].start_time, end)) if nodes and end else tree.total_us
    return Tree(rows, total, tree.is_running, 0)
