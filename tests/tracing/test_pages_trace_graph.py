from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tracing.queries.trace_page import Step
from tracing.views.trace import graph as graphs
from tracing.views.trace.graph import draw

START = datetime(2026, 11, 21, 12, tzinfo=UTC)


def _step(id, parent="", offset=0.0, seconds=1.0, *, name="", type="SPAN", node="", at="", level="DEFAULT"):
    start = START + timedelta(seconds=offset)
    end = None if seconds is None else start + timedelta(seconds=seconds)
    return Step(id, parent, type, name or id, start, end, level, 10, Decimal("0.5"), node, at)


def _edges(graph):
    return {(edge.source.name, edge.target.name): edge.count for edge in graph.edges}


AGENT_LOOP = [
    _step("agent", "", 0, 10, type="AGENT"),
    _step("m1", "agent", 0, 1, name="model", type="GENERATION"),
    _step("t1", "agent", 1, 1, name="search", type="TOOL"),
    _step("m2", "agent", 2, 1, name="model", type="GENERATION"),
    _step("t2", "agent", 3, 1, name="search", type="TOOL", level="ERROR"),
    _step("m3", "agent", 4, 1, name="model", type="GENERATION"),
]


def test_a_loop_is_a_cycle_of_kinds():
    graph = draw(AGENT_LOOP, "aggregated")
    assert [node.name for node in graph.nodes] == ["agent", "model", "search"]
    assert _edges(graph) == {("agent", "model"): 1, ("model", "search"): 2, ("search", "model"): 2}
    model, search = graph.nodes[1:]
    assert (model.count, model.members, model.duration_us) == (3, ["m1", "m2", "m3"], 3_000_000)
    assert (model.tokens, model.cost, search.errors) == (30, Decimal("1.5"), 1)


def test_each_call_is_a_node_in_order():
    graph = draw(AGENT_LOOP, "expanded")
    assert [node.members for node in graph.nodes] == [["agent"], ["m1"], ["t1"], ["m2"], ["t2"], ["m3"]]
    assert graph.data()["edges"] == [[0, 1, 1], [1, 2, 1], [2, 3, 1], [3, 4, 1], [4, 5, 1]]


def test_the_same_name_of_another_type_is_another_node():
    graph = draw([_step("a", name="x", type="TOOL"), _step("b", name="x", offset=2)], "aggregated")
    assert [(node.name, node.type) for node in graph.nodes] == [("x", "TOOL"), ("x", "SPAN")]


def test_what_runs_side_by_side_does_not_follow_from_each_other():
    steps = [
        _step("r", "", 0, 9), _step("a", "r", 0, 2), _step("b", "r", 1, 3), _step("c", "r", 4, 1),
        _step("d", "r", 4.5, 2),
    ]  # fmt: skip
    links = set(_edges(draw(steps, "expanded")))
    assert links == {("r", "a"), ("r", "b"), ("a", "c"), ("b", "c"), ("b", "d")}


def test_a_running_step_is_followed_by_nothing():
    steps = [_step("r", "", 0, None), _step("a", "r", 0, None), _step("b", "r", 5, 1)]
    graph = draw(steps, "expanded")
    assert set(_edges(graph)) == {("r", "a"), ("r", "b")}
    assert [node.is_running for node in graph.nodes] == [True, True, False]


def test_circles_and_lost_parents_end():
    graph = draw([_step("a", "b"), _step("b", "a", 0.1), _step("me", "me", 0.2), _step("x", "gone", 0.3)], "expanded")
    assert len(graph.nodes) == 4


@pytest.mark.parametrize("quote", ["", '"'])
def test_langgraph_says_its_own_nodes_and_steps(quote):
    def run(id, parent, offset, node, at, **more):
        return _step(id, parent, offset, 0.5, node=f"{quote}{node}{quote}", at=f"{quote}{at}{quote}", **more)

    steps = [
        _step("graph", "", 0, 9, name="LangGraph"),
        run("p", "graph", 0, "plan", 1),
        run("llm", "p", 0.1, "plan", 1, type="GENERATION"),  # inside of the node's run: no node
        run("w1", "graph", 1, "work", 2),
        run("w2", "graph", 1, "work", 2),
        run("c", "graph", 2, "check", 3),
        run("w3", "graph", 3, "work", 4),
        run("c2", "graph", 10, "check", 10),  # in the order of steps, not of their digits
    ]
    graph = draw(steps, "aggregated")
    assert [(node.name.strip('"'), node.count) for node in graph.nodes] == [("plan", 1), ("work", 3), ("check", 2)]
    names = {(a.strip('"'), b.strip('"')) for a, b in _edges(graph)}
    assert names == {("plan", "work"), ("work", "check"), ("check", "work")}
    assert len(draw(steps, "expanded").nodes) == 6


def test_a_graph_inside_of_a_node_follows_from_it():
    steps = [
        _step("outer", "", 0, 9, node="team", at="1"),
        _step("inner graph", "outer", 0, 8, node="team", at="1"),
        _step("i1", "inner graph", 1, 1, node="draft", at="1"),
        _step("i2", "inner graph", 2, 1, node="review", at="2"),
    ]
    assert set(_edges(draw(steps, "aggregated"))) == {("team", "draft"), ("draft", "review")}


def test_large_graphs_are_bounded_and_say_so():
    kinds = [_step(f"s{n}", offset=n * 2, name=f"kind {n}") for n in range(400)]
    often = [_step(f"o{n}", offset=1000 + n * 2, name="kind 399") for n in range(5)]
    graph = draw([*kinds, *often], "aggregated")
    assert (len(graph.nodes), graph.nodes_left_out) == (120, 280)
    assert graph.nodes[-1].name == "kind 399", "what is met most often is kept"
    wide = draw([_step("r", "", 0, 99), *(_step(f"c{n}", "r", 0.1, 50) for n in range(50))], "expanded")
    assert (len(wide.edges), wide.is_cut) == (50, False)


def test_fifty_before_fifty_make_few_arrows():
    first = [_step(f"a{n}", "", 0, 1) for n in range(50)]
    second = [_step(f"b{n}", "", 2, 1) for n in range(50)]
    graph = draw([*first, *second], "expanded")
    assert len(graph.edges) == 99


def test_the_rest_of_a_long_trace_is_said_to_be_left_out(monkeypatch):
    monkeypatch.setattr(graphs, "MOST_STEPS", 2)
    assert draw(AGENT_LOOP[:2], "expanded", left_out=7).steps_left_out == 7
    assert draw(AGENT_LOOP[:1], "expanded", left_out=7).steps_left_out == 0, "events are no steps"
