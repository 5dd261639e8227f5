from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tracing.queries.trace_page import Node
from tracing.views.tree import beginning, grow

START = datetime(2026, 11, 21, 12, tzinfo=UTC)


def _node(id, parent="", offset=0.0, seconds=1.0, *, type="SPAN", is_root=None, first=None, tokens=0):
    start = START + timedelta(seconds=offset)
    end = None if seconds is None else start + timedelta(seconds=seconds)
    root = not parent if is_root is None else is_root
    return Node(id, parent, type, id, start, end, first, "DEFAULT", "", tokens, Decimal(0), root)


def _shape(tree):
    return [(row.id, row.depth) for row in tree.rows]


def test_children_follow_their_parent_by_start():
    tree = grow([_node("r"), _node("a", "r", 0.1), _node("b", "r", 0.2), _node("a1", "a", 0.3)])
    assert _shape(tree) == [("r", 0), ("a", 1), ("a1", 2), ("b", 1)]
    assert [row.is_parent for row in tree.rows] == [True, True, False, False]
    assert tree.total_us == 1_300_000


def test_orphans_stand_under_a_marked_row():
    tree = grow([_node("r"), _node("x", "gone", 0.5)], missing_name="?")
    assert _shape(tree) == [("r", 0), ("gone", 0), ("x", 1)]
    assert tree.rows[1].is_missing
    assert tree.orphans == 1


def test_application_root_with_a_remote_parent_is_no_orphan():
    assert grow([_node("r", "elsewhere", is_root=True)]).orphans == 0


def test_circles_end():
    tree = grow([_node("a", "b"), _node("b", "a"), _node("me", "me", is_root=False)])
    assert {row.id for row in tree.rows if not row.is_missing} == {"a", "b", "me"}


def test_deep_trees_need_no_stack():
    nodes = [_node("0"), *(_node(str(n), str(n - 1), n / 1000) for n in range(1, 5000))]
    assert grow(nodes).rows[-1].depth == 4999


def test_running_has_no_length_and_an_event_has_none_to_have():
    tree = grow([_node("r", seconds=None), _node("e", "r", 0.1, None, type="EVENT")])
    assert [row.duration_us for row in tree.rows] == [None, 0]
    assert tree.is_running


def test_clock_skew_is_no_negative_length():
    tree = grow([_node("r", seconds=-5, first=-100)])
    assert (tree.rows[0].duration_us, tree.rows[0].time_to_first_token_us, tree.total_us) == (0, None, 0)
    assert tree.ticks == []


def test_search_keeps_the_way_to_what_it_found():
    nodes = [_node("r"), _node("a", "r", 0.1), _node("a1", "a", 0.2), _node("b", "r", 0.3)]
    tree = grow(nodes, only={"a1"})
    assert [(row.id, row.is_hit) for row in tree.rows] == [("r", False), ("a", False), ("a1", True)]


def test_axis_has_few_round_lines():
    for seconds in (0.0004, 0.7, 3, 10.5, 59, 61, 300, 7000, 90_000, 2_000_000):
        ticks = grow([_node("r", seconds=seconds)]).ticks
        assert 2 <= len(ticks) <= 7, seconds


def test_nothing_gives_nothing():
    tree = grow([])
    assert (tree.rows, tree.total_us, tree.ticks) == ([], 0, [])
    assert beginning([], end=None).rows == []


def test_parents_have_the_tokens_of_all_below():
    nodes = [
        _node("r", tokens=1), _node("a", "r", 0.1, tokens=10), _node("a1", "a", 0.2, tokens=100),
        _node("b", "r", 0.3, tokens=1000),
    ]  # fmt: skip
    assert [(row.id, row.tokens) for row in grow(nodes).rows] == [("r", 1111), ("a", 110), ("a1", 100), ("b", 1000)]


def test_the_beginning_of_a_long_trace_accuses_nobody():
    nodes = [_node("r", tokens=5), _node("a", "r", 0.1), _node("late", "not read yet", 0.2)]
    tree = beginning(nodes, end=START + timedelta(seconds=100))
    assert _shape(tree) == [("r", 0), ("a", 1)]
    assert (tree.total_us, tree.orphans, tree.rows[0].tokens) == (100_000_000, 0, 0)
