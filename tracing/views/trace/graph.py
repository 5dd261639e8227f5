"""The trace as a graph of steps: what called what and what came after what, once for each kind of step or each call.

LangGraph says itself which node a step belongs to and when it came. Everything else is read from parents and times:
a step leads to the first of what it calls, and what begins after its siblings have ended follows from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import groupby, pairwise
from typing import Any

from tracing.analytics.records import ZERO
from tracing.queries.trace_page import Step

KINDS = ("aggregated", "expanded")
#: observations that are looked at, the first ones of the trace
MOST_STEPS = 20_000
#: nodes that anybody can still read; and as many arrows
_MOST_NODES = 120
_MOST_EDGES = 300
#: observations that a click on a node steps through
_MOST_MEMBERS = 500

Key = tuple[str, str]
Link = tuple[str, str]


@dataclass(slots=True)
class GraphNode:
    """A kind of step, or one call. `members` are ids of observations, the first one first."""

    key: str
    name: str
    type: str
    members: list[str] = field(default_factory=list)
    count: int = 0
    errors: int = 0
    is_running: bool = False
    #: of all its calls together
    duration_us: int = 0
    tokens: int = 0
    cost: Decimal = ZERO

    def add(self, step: Step) -> None:
        self.count += 1
        if len(self.members) < _MOST_MEMBERS:
            self.members.append(step.id)
        self.errors += step.level == "ERROR"
        self.is_running = self.is_running or step.end_time is None
        if step.end_time is not None:
            self.duration_us += max(0, round((step.end_time - step.start_time).total_seconds() * 1_000_000))
        self.tokens += step.total_tokens
        self.cost += step.total_cost


@dataclass(frozen=True, slots=True)
class GraphEdge:
    source: GraphNode
    target: GraphNode
    count: int


@dataclass(frozen=True, slots=True)
class Graph:
    nodes: list[GraphNode]
    edges: list[GraphEdge]
    #: observations that were not looked at, nodes and arrows that were not drawn
    steps_left_out: int = 0
    nodes_left_out: int = 0
    edges_left_out: int = 0

    @property
    def is_cut(self) -> bool:
        return bool(self.steps_left_out or self.nodes_left_out or self.edges_left_out)

    def data(self) -> dict[str, Any]:
        """For the browser. Arrows name nodes by their place."""
        place = {node.key: at for at, node in enumerate(self.nodes)}
        return {
            "nodes": [
                {
                    "name": node.name, "type": node.type, "members": node.members, "count": node.count,
                    "errors": node.errors, "running": node.is_running, "duration": node.duration_us,
                    "tokens": node.tokens, "cost": float(node.cost),
                }
                for node in self.nodes
            ],
            "edges": [[place[edge.source.key], place[edge.target.key], edge.count] for edge in self.edges],
        }  # fmt: skip


def draw(steps: Sequence[Step], kind: str, *, left_out: int = 0) -> Graph:
    """`steps` by start time; `kind` is one of KINDS. Events do not count as left out: they are no steps."""
    chosen = _of_langgraph(steps)
    links = list(_langgraph_links(chosen, steps)) if chosen else list(_links(steps))
    drawn = chosen or list(steps)
    names = {step.id: _key_of(step, kind) for step in drawn}
    nodes: dict[str, GraphNode] = {}
    for step in drawn:
        key = names[step.id]
        if key not in nodes:
            nodes[key] = GraphNode(key, step.node or step.name or step.type.capitalize(), step.type)
        nodes[key].add(step)
    counts: dict[Link, int] = {}
    for source, target in links:
        link = names[source], names[target]
        counts[link] = counts.get(link, 0) + 1
    left_out = left_out if len(steps) >= MOST_STEPS else 0
    return _bounded(nodes, counts, kind, left_out)


def _key_of(step: Step, kind: str) -> str:
    if kind == "expanded":
        return step.id
    return f"{step.type}\n{step.name}" if not step.node else f"langgraph\n{step.node}"


def _bounded(nodes: dict[str, GraphNode], counts: dict[Link, int], kind: str, steps_left_out: int) -> Graph:
    """What is met most often is kept, of single calls the first ones; both stay in the order of their first call."""
    order = list(nodes)
    if len(order) > _MOST_NODES:
        often = order if kind == "expanded" else sorted(order, key=lambda key: -nodes[key].count)
        kept = set(often[:_MOST_NODES])
        order = [key for key in order if key in kept]
    kept = set(order)
    inside = [link for link in counts if link[0] in kept and link[1] in kept]
    most = set(sorted(inside, key=lambda link: -counts[link])[:_MOST_EDGES])
    edges = [GraphEdge(nodes[a], nodes[b], counts[a, b]) for a, b in inside if (a, b) in most]
    return Graph(
        [nodes[key] for key in order], edges, steps_left_out, len(nodes) - len(order), len(inside) - len(edges)
    )


# --- By parents and times -----------------------------------------------------------------------------------
def _links(steps: Sequence[Step]) -> Iterator[Link]:
    known = {step.id for step in steps}
    children: dict[str, list[Step]] = {}
    for step in steps:
        parent = step.parent_id if step.parent_id in known and step.parent_id != step.id else ""
        children.setdefault(parent, []).append(step)
    for parent_id, called in children.items():
        rounds = list(_rounds(called))
        if parent_id:
            yield from ((parent_id, step.id) for step in rounds[0])
        for before, after in pairwise(rounds):
            yield from _from_all_to_all(before, after)


def _rounds(siblings: Iterable[Step]) -> Iterator[list[Step]]:
    """Siblings that run beside each other are one round; who begins after all of a round ended begins the next."""
    current: list[Step] = []
    end: datetime | None = None
    for step in siblings:
        if current and end is not None and step.start_time >= end:
            yield current
            current, end = [], None
        if not current:
            current, end = [step], step.end_time
        else:
            current.append(step)
            end = max(end, step.end_time) if end is not None and step.end_time is not None else None
    yield current


def _from_all_to_all(before: Sequence[Step], after: Sequence[Step]) -> Iterator[Link]:
    """Each of both rounds has an arrow. Between fifty and fifty these are 99, and not 2,500."""
    last = max(before, key=lambda step: step.end_time or step.start_time)
    yield from ((step.id, after[0].id) for step in before)
    yield from ((last.id, step.id) for step in after[1:])


# --- By what LangGraph says ---------------------------------------------------------------------------------
def _of_langgraph(steps: Sequence[Step]) -> list[Step]:
    """The observation that is a node's run. What runs inside of it inherits its metadata, and is not one."""
    by_id = {step.id: step for step in steps}
    return [
        step
        for step in steps
        if _unquoted(step.node)
        and ((parent := by_id.get(step.parent_id)) is None or (parent.node, parent.step) != (step.node, step.step))
    ]


def _langgraph_links(runs: Sequence[Step], steps: Sequence[Step]) -> Iterator[Link]:
    """Within one run of a graph, which is what its nodes have as their parent: from each step's nodes to the next's.
    A graph inside of a node follows from that node."""
    by_id = {step.id: step for step in steps}
    is_run = {step.id for step in runs}
    graphs: dict[str, list[Step]] = {}
    for run in runs:
        graphs.setdefault(run.parent_id, []).append(run)
    for parent_id, members in graphs.items():
        ordered = sorted(members, key=lambda run: (_number(run.step), run.start_time))
        rounds = [list(each) for _, each in groupby(ordered, key=lambda run: _number(run.step))]
        outer = _nearest(parent_id, by_id, is_run)
        if outer:
            yield from ((outer, run.id) for run in rounds[0])
        for before, after in pairwise(rounds):
            yield from _from_all_to_all(before, after)


def _nearest(at: str, by_id: dict[str, Step], wanted: set[str]) -> str:
    seen: set[str] = set()
    while at in by_id and at not in seen:
        if at in wanted:
            return at
        seen.add(at)
        at = by_id[at].parent_id
    return ""


def _number(text: str) -> int:
    digits = _unquoted(text)
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0


def _unquoted(text: str) -> str:
    return text.strip('"')
