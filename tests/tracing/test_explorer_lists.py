"""The explorer's lists find what a query means: recomputed without the store, beside a project that looks the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest

from accounts.access import ProjectScope
from accounts.roles import Role
from config.errors import Invalid, TooExpensive
from tests.tracing.explorer_data import (
    LEVELS,
    START,
    WORDS,
    World,
    expected,
    figure_of_observation,
    figure_of_trace,
    key_of,
    make_world,
)
from tests.tracing.page_data import put_trace
from tracing.analytics import answers, store, tables
from tracing.analytics.records import Trace
from tracing.queries.explorer import (
    Counted,
    Measure,
    Noun,
    Row,
    Sort,
    Wanted,
    complete,
    completion,
    conditions,
    count,
    each_batch,
    facets,
    list_page,
    listing,
    occurrences,
    parse,
    pulse,
    sortable,
)
from tracing.queries.explorer.writing import quote
from tracing.queries.periods import Period

TRACES, OBSERVATIONS = Noun.TRACES, Noun.OBSERVATIONS
ALL_TIME = Period.named("all")


@pytest.fixture(scope="module")
def world(analytics_server) -> World:
    make_world(2)
    found = make_world(1)
    make_world(3)
    return found


@pytest.fixture(scope="module")
def scope(world) -> ProjectScope:
    return ProjectScope(world.project_id, Role.VIEWER)


def _wanted(text: str, noun: Noun = TRACES, **fields: Any) -> Wanted:
    return Wanted(noun, parse(text, noun), **{"period": ALL_TIME, **fields})


def _key(row: Row) -> tuple[Any, ...]:
    return (row.timestamp, row.id) if hasattr(row, "first_start") else (row.timestamp, row.trace_id, row.id)


def _keys(rows: list[Row]) -> list[tuple[Any, ...]]:
    return [_key(row) for row in rows]


def _found(scope: ProjectScope, wanted: Wanted) -> list[tuple[Any, ...]]:
    page = list_page(scope, wanted, limit=500)
    assert page.older == ""
    return _keys(page.rows)


SHARED = [
    "", *(quote(word) for word in WORDS), "refund 退款", "refund -café", "-refund", "privet", "nothing-like-it",
    "ПРИВет", "level:ERROR", "-level:ERROR", "level:(WARNING OR DEBUG)", "level:DEFAULT", "-level:DEFAULT",
    "level:DEBUG", "name:support", "name:sup*", "-name:sup*", "name:*agent", 'name:"quoted \\"name\\""',
    'name:"-dash"', "name:a:b", 'name:"OR"', "name:检索", "env:prod", "-env:(prod OR dev)", "type:GENERATION",
    "-type:TOOL", "model:gpt-5", "model:gpt*", "-model:gpt*", "has:model", "-has:model", "tag:a",
    "tag:(a OR b)", "-tag:a", 'tag:"-c"', "tag:l*", "has:tag", "-has:tag", "user:ada", "-user:ada",
    'user:"Ada Lovelace"', "user:用户", "has:user", "session:s1", "release:v1", "release:v*", "version:1",
    "-has:version", "prompt:greeting", "-prompt:greeting", "latency:>2", "latency:>=2", "latency:<2",
    "latency:1.5..2", "latency:..2", "-latency:>1", "has:latency", "-has:latency", "ttft:<=0.1", "-ttft:>0.5",
    "cost:>0", "cost:0", "-cost:0", "cost:0.1..2.5", "cost:>0.0000000000001", "cost:<1", "has:cost",
    "tokens:>=1000", "tokens:0", "input_tokens:1..200", "output_tokens:>5", "metadata.region:eu",
    "-metadata.region:eu", "metadata.region:e*", "metadata.region:>3", "metadata.region:3..4",
    "has:metadata.region", "has:metadata.deep", "-has:metadata", 'metadata."deep.key one":refund',
    'metadata:"eu west"', "scores.helpful:>0.5", "-scores.helpful:>0.5", "scores.helpful:0.5..1",
    "scores.tone:nice", "scores.tone:(nice OR rude)", "-scores.tone:nice", "has:scores.tone", "has:scores",
    "input:refund", "-input:refund", "output:退款", "status:xylophone", "has:status", "has:input", "is:public",
    "-is:public", "env:prod level:ERROR tag:a", "(env:prod OR level:ERROR) -tag:a", "refund OR level:ERROR",
    "NOT (refund OR level:ERROR OR latency:>2)", "env:prod (model:gpt-5 OR (type:TOOL -has:user)) cost:<3",
    "(scores.helpful:>0.5 OR metadata.region:eu) (refund OR café)", "-(env:prod -(level:ERROR OR is:public))",
]  # fmt: skip
OWN = {
    TRACES: ["is:bookmarked", "-is:bookmarked", "id:trace-007", "observations:0", "observations:>2", "errors:>0",
             "errors:0", "-errors:0", "trace-011"],
    OBSERVATIONS: ["is:root", "-is:root", "trace:trace-007", "parent:o0", "-has:parent", "id:o1", "has:end"],
}  # fmt: skip


@pytest.mark.parametrize("noun", [TRACES, OBSERVATIONS])
def test_a_list_holds_what_its_query_means(world, scope, noun):
    seen = Counter()
    for text in SHARED + OWN[noun]:
        wanted = _wanted(text, noun)
        assert wanted.query.problems == (), text
        rows = [key_of(row) for row in _meant(world, wanted)]
        assert _found(scope, wanted) == rows, text
        if " " in text:
            assert count(scope, wanted) == Counted(len(rows), is_all=True), text
        seen["all" if len(rows) == len(_meant(world, _wanted("", noun))) else "some" if rows else "none"] += 1
    assert seen["some"] > 80


def _meant(world: World, wanted: Wanted) -> list[Any]:
    if wanted.query.text == "trace-011":
        return [row for row in world.traces if row.id == "trace-011"]
    if wanted.query.text == "has:end":
        return sorted((row for row in world.observations if row.end_time is not None), key=key_of, reverse=True)
    rows = expected(world, wanted.query, environments=wanted.environments)
    since, until = wanted.period.since, wanted.period.until
    return [row for row in rows if (not since or key_of(row)[0] >= since) and (not until or key_of(row)[0] < until)]


@pytest.mark.parametrize("noun", [TRACES, OBSERVATIONS])
def test_random_queries_mean_the_same_to_the_store(world, scope, noun):
    random = Random(5)
    for _ in range(40):
        text = _random_query(random, 3)
        period = random.choice(
            [ALL_TIME, Period.between(START + timedelta(minutes=20), START + timedelta(minutes=100))]
        )
        environments = random.choice([(), (), ("prod",), ("prod", "dev")])
        wanted = _wanted(text, noun, period=period, environments=environments)
        assert _found(scope, wanted) == [key_of(row) for row in _meant(world, wanted)], text


def _random_query(random: Random, depth: int) -> str:
    if depth == 0 or random.random() < 0.3:
        return random.choice([text for text in SHARED if text and " OR " not in text and " -" not in text])
    parts = [_random_query(random, depth - 1) for _ in range(random.randint(1, 3))]
    joined = random.choice([" ", " OR "]).join(f"({part})" for part in parts)
    return random.choice(["", "-"]) + f"({joined})"


def test_conditions_on_what_is_in_traces_look_as_far_back_as_it_takes(world, scope, monkeypatch):
    monkeypatch.setattr(listing, "FIRST_LOOK", 2)
    for text in ("xylophone", "-model:gpt*", "errors:0 env:prod"):
        wanted = _wanted(text)
        rows = [key_of(row) for row in _meant(world, wanted)]
        assert _found(scope, wanted) == rows
        paged, before = [], ""
        while True:
            page = list_page(scope, replace(wanted, before=before), limit=7)
            paged += _keys(page.rows)
            before = page.older
            if not before:
                break
        assert paged == rows


# --- Rows ------------------------------------------------------------------------------------------------
def test_rows_of_traces_hold_what_every_column_shows(world, scope):
    rows = {row.id: row for row in list_page(scope, _wanted(""), limit=500, score_names=("helpful", "tone")).rows}
    for trace in world.traces:
        row, inside = rows[trace.id], world.of(trace)
        assert (row.name, row.user_id, row.session_id) == (trace.name, trace.user_id, trace.session_id)
        assert (row.environment, row.release, row.version) == (trace.environment, trace.release, trace.version)
        assert (row.tags, row.is_public, row.is_bookmarked) == (tuple(trace.tags), trace.public, trace.bookmarked)
        assert row.type == trace.root_type
        for name in ("tokens", "input_tokens", "output_tokens", "errors", "observations"):
            assert getattr(row, name) == figure_of_trace(world, trace, name)
        assert row.cost == sum(one.total_cost for one in inside)
        for name, figure in (("latency", row.latency_us), ("ttft", row.time_to_first_token_us)):
            assert (None if figure is None else figure / 1_000_000) == figure_of_trace(world, trace, name)
        assert row.models == tuple(sorted({one.model for one in inside if one.model}))
        assert row.level == next((level for level in reversed(("DEBUG", "DEFAULT", "WARNING", "ERROR"))
                                  if any(one.level == level for one in inside)), "DEFAULT")  # fmt: skip
        _check_scores(row, [one for one in world.scores if one.trace_id == trace.id])


def _check_scores(row: Row, given: list[Any]) -> None:
    numbers = [one.value for one in given if one.name == "helpful"]
    assert set(row.scores) == {one.name for one in given}
    if numbers:
        assert row.scores["helpful"].value == pytest.approx(sum(numbers) / len(numbers))
        assert row.scores["helpful"].count == len(numbers)


def test_rows_of_observations_hold_what_every_column_shows(world, scope):
    page = list_page(scope, _wanted("", OBSERVATIONS), limit=500, score_names=("helpful",), with_content=True)
    rows = {(row.trace_id, row.id): row for row in page.rows}
    for one in world.observations:
        row, parent = rows[one.trace_id, one.id], world.parent(one)
        assert (row.name, row.type, row.level, row.model) == (one.name, one.type, one.level, one.model)
        assert (row.tokens, row.cost, row.latency_us) == (one.total_tokens, one.total_cost, one.latency_us)
        assert row.user_id == (one.user_id or parent.user_id)
        assert row.release == (one.release or parent.release)
        assert row.tags == tuple(one.tags or parent.tags)
        assert row.trace_name == parent.name
        assert row.content is not None
        assert (row.content.input, row.content.metadata) == (one.input, one.metadata)


@pytest.mark.parametrize("noun", [TRACES, OBSERVATIONS])
def test_a_hit_shows_the_words_where_they_stand(world, scope, noun):
    for text in ("refund", "CAFÉ", "退款", "привет", "xylophone refund", '"two words"', "user:ada ada"):
        wanted = _wanted(text, noun)
        words = [one.text.lower() for one in wanted.query.words]
        for row in list_page(scope, wanted, limit=500).rows:
            assert row.snippet is not None
            marked = [piece.lower() for piece, is_marked in row.snippet.pieces if is_marked]
            assert marked
            assert set(marked) <= set(words)
            assert "".join(piece for piece, _ in row.snippet.pieces) == row.snippet.text


def test_snippets_are_cut_around_the_hit(scope):
    long = "退" * 5000 + "the needle" + "款" * 5000
    at = START - timedelta(days=400)
    store.insert(traces=[Trace(project_id=scope.project_id, id="long", timestamp=at, input=long, row_version=1)])
    period = Period.between(at, at + timedelta(hours=1))
    [row] = list_page(scope, _wanted("NEEDLE", period=period)).rows
    assert row.snippet is not None
    assert row.snippet.is_cut_before
    assert row.snippet.is_cut_after
    assert ("needle", True) in row.snippet.pieces
    assert len(row.snippet.text) < 300
    store.delete(scope, store.tables.traces, store.tables.traces.c.id == "long", tag="test")


# --- Order -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("noun", [TRACES, OBSERVATIONS])
def test_pages_under_every_order_hold_every_row_once(world, scope, noun):
    for name in sortable(noun):
        for sign in ("", "-"):
            wanted = _wanted("-name:检索", noun, sort=Sort.parse(f"{sign}{name}"))
            rows: list[Row] = []
            before = ""
            while True:
                page = list_page(scope, replace(wanted, before=before), limit=45)
                rows += page.rows
                before = page.older
                if not before:
                    break
            by_key = {key_of(row): row for row in _meant(world, wanted)}
            assert sorted(_keys(rows)) == sorted(by_key)
            values = [_sorted_by(world, by_key[_key(row)], name) for row in rows]
            assert values == sorted(values, reverse=sign == "-"), (name, sign)


def _sorted_by(world: World, row: Any, name: str) -> Any:
    if name == "time":
        return key_of(row)
    if name == "name":
        return row.name.encode()
    figure = figure_of_trace(world, row, name) if isinstance(row, Trace) else figure_of_observation(row, name)
    return -1 if figure is None else pytest.approx(figure).expected


@pytest.mark.parametrize("cursor", ["x", "%00", "e30", "WyJhIl0", "=" * 100, "💥", "W10", "A" * 5000])
def test_a_cursor_of_nonsense_is_the_first_page(scope, cursor):
    for sort in ("-time", "-cost", "name"):
        wanted = _wanted("", sort=Sort.parse(sort))
        first = list_page(scope, wanted, limit=3)
        assert list_page(scope, replace(wanted, before=cursor), limit=3) == first
    later = list_page(scope, _wanted("", before=first.older, sort=Sort()), limit=3)
    assert later == list_page(scope, _wanted(""), limit=3)  # a cursor of another order


def test_counting_stops_where_it_is_enough(scope, world):
    assert count(scope, _wanted(""), at_most=10).number == 10
    assert not count(scope, _wanted(""), at_most=10).is_all
    assert count(scope, _wanted(""), at_most=len(world.traces)).is_all


# --- All that matches --------------------------------------------------------------------------------------
@pytest.mark.parametrize("noun", [TRACES, OBSERVATIONS])
def test_a_walk_visits_all_that_matches_once_and_can_be_taken_up_again(world, scope, noun):
    wanted = _wanted("-level:ERROR", noun, sort=Sort.parse("cost"))
    meant = [key_of(row) for row in _meant(world, wanted)]
    batches = list(each_batch(scope, wanted, size=7))
    assert [key for batch in batches for key in _keys(batch.rows)] == meant
    assert all(len(batch.keys) <= 7 for batch in batches)
    again = each_batch(scope, replace(wanted, before=batches[1].cursor), size=7, with_rows=False)
    assert [(key.timestamp, key.trace_id, key.id) for batch in again for key in batch.keys] == [
        (key[0], *(key[1:] if noun is OBSERVATIONS else (key[1], key[1]))) for key in meant[14:]
    ]


def test_a_walk_meets_no_trace_twice_while_rows_arrive(analytics_server):
    world = make_world(9, traces=12)
    scope = ProjectScope(world.project_id, Role.MEMBER)
    visited: list[str] = []
    for number, batch in enumerate(each_batch(scope, _wanted(""), size=4, with_rows=False)):
        visited += [key.id for key in batch.keys]
        fresh = Trace(
            project_id=world.project_id, id=f"new{number}", timestamp=START + timedelta(days=1), row_version=1
        )
        late = Trace(project_id=world.project_id, id=visited[0], timestamp=START - timedelta(days=1), row_version=2)
        store.insert(traces=[fresh, late])
    assert sorted(visited) == sorted(trace.id for trace in world.traces)


def test_nothing_is_done_to_all_that_a_misread_query_matches(scope):
    with pytest.raises(Invalid, match="nmae"):
        list(each_batch(scope, _wanted("nmae:support")))


# --- Facets ------------------------------------------------------------------------------------------------
CONDITIONS = ["", "env:prod", "level:ERROR", "refund", "tag:(a OR b) -env:dev", "model:gpt-5 latency:<2", "name:nobody",
              "scores.helpful:>0.5", "metadata.region:eu"]  # fmt: skip


@pytest.mark.parametrize("noun", [TRACES, OBSERVATIONS])
def test_facets_count_under_all_conditions_but_their_own(world, scope, noun):
    names = ["env", "level", "name", "type", "model", "tag", "release", "version", "user", "session", "prompt",
             "scores", "metadata", "metadata.region", "scores.tone"]  # fmt: skip
    for text in CONDITIONS:
        wanted = _wanted(text, noun)
        for facet in facets(scope, wanted, names=names, limit=50):
            others = _without(wanted, facet.name)
            counts = Counter(value for row in _meant(world, others) for value in _values(world, row, facet.name))
            shown = {one.value: one.count for one in facet.values if one.count}
            assert shown == dict(counts), (text, facet.name)
            assert [one.count for one in facet.values] == sorted((one.count for one in facet.values), reverse=True)
            assert not facet.has_failed


@pytest.mark.parametrize("noun", [TRACES, OBSERVATIONS])
def test_lists_and_facets_are_the_same_where_too_many_rows_hold_the_words(scope, monkeypatch, noun):
    wanted = _wanted("refund env:prod", noun)
    by_name, page = facets(scope, wanted), list_page(scope, wanted)
    assert page.rows
    monkeypatch.setattr(conditions, "MOST_KNOWN", 0)
    monkeypatch.setattr(occurrences, "MOST_KNOWN", 0)
    assert facets(scope, wanted) == by_name
    assert list_page(scope, wanted) == page
    monkeypatch.setattr(occurrences, "_MOST_LOOKED_AT", 1)
    assert list_page(scope, wanted) == page


def _without(wanted: Wanted, name: str) -> Wanted:
    kept = [node for node in wanted.query.terms if getattr(node, "name", "") != name]
    text = " ".join(wanted.query.text[node.start : node.end] for node in kept)
    return _wanted(text, wanted.noun)


def _values(world: World, row: Any, name: str) -> set[str]:
    """The values of a row that a facet counts."""
    is_trace = isinstance(row, Trace)
    inside = world.of(row) if is_trace else [row]
    stem, _, key = name.partition(".")
    if stem == "metadata":
        maps = [one.metadata for one in ((row, *inside) if is_trace else inside)]
        return {one[key] for one in maps if key in one} if key else {found for one in maps for found in one}
    if stem == "scores":
        given = [one for one in world.scores if one.trace_id == (row.id if is_trace else row.trace_id)
                 and (is_trace or one.observation_id == row.id)]  # fmt: skip
        return (
            {one.string_value for one in given if one.name == key and one.string_value}
            if key
            else {one.name for one in given}
        )
    if name == "level" and is_trace:
        levels = {one.level for one in inside}
        return {next((level for level in ("ERROR", "WARNING", "DEFAULT", "DEBUG") if level in levels), LEVELS[0])}
    column = {"env": "environment", "user": "user_id", "session": "session_id", "prompt": "prompt_name"}.get(name, name)
    if name in ("type", "model", "prompt"):
        found = {getattr(one, column) for one in inside}
    elif name == "tag":
        return set(row.tags) if is_trace else set(row.tags or world.parent(row).tags)
    else:
        value = getattr(row, column)
        if not is_trace and name in ("user", "session", "release"):
            value = value or getattr(world.parent(row), column)
        found = {value}
    return found - {""}


@pytest.mark.parametrize("noun", [TRACES, OBSERVATIONS])
def test_ranges_reach_from_the_least_to_the_greatest(world, scope, noun):
    for text in CONDITIONS:
        wanted = _wanted(text, noun)
        for facet in facets(scope, wanted, names=["latency", "cost", "tokens", "ttft"]):
            rows = _meant(world, _without(wanted, facet.name))
            figures = [figure_of_trace(world, row, facet.name) if noun is TRACES
                       else figure_of_observation(row, facet.name) for row in rows]  # fmt: skip
            is_duration = facet.name in ("latency", "ttft")
            known = sorted(one for one in figures if one is not None and (is_duration or one > 0))
            if not known:
                assert facet.range is None or facet.range.count == 0, (text, facet.name)
                continue
            assert facet.range is not None
            assert facet.range.count == len(known)
            assert facet.range.bounds[0] == pytest.approx(known[0])
            assert facet.range.bounds[-1] == pytest.approx(known[-1])
            assert list(facet.range.bounds) == sorted(facet.range.bounds)
            assert facet.range.bounds[2] == pytest.approx((known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2)


def test_chosen_values_are_shown_also_where_nothing_has_them(scope):
    wanted = _wanted("env:prod -env:gone user:nobody latency:1..2", environments=("elsewhere",))
    by_name = {facet.name: facet for facet in facets(scope, wanted)}
    states = {one.value: (one.is_chosen, one.is_excluded) for one in by_name["env"].values}
    assert states["prod"] == (True, False)
    assert states["gone"] == (False, True)
    assert states["elsewhere"] == (True, False)
    assert [(one.value, one.count) for one in by_name["user"].values if one.is_chosen] == [("nobody", 0)]
    assert by_name["latency"].range is not None
    assert (by_name["latency"].range.low, by_name["latency"].range.high) == (1, 2)


def test_a_facet_is_searched_and_says_that_there_is_more(scope, world):
    [facet] = facets(scope, _wanted(""), names=["name"], contains="SUP")
    assert {one.value for one in facet.values} == {
        name for name in {t.name for t in world.traces} if "sup" in name.lower()
    }
    [facet] = facets(scope, _wanted(""), names=["name"], limit=2)
    assert (len(facet.values), facet.has_more) == (2, True)


def test_a_facet_that_cannot_be_read_takes_no_other_with_it(scope, monkeypatch):
    ask = store.rows

    def refuse_sums(scope: ProjectScope, query: Any, *, tag: str, **options: Any) -> list[Any]:
        if tag.startswith("explorer-ranges"):
            raise TooExpensive
        return ask(scope, query, tag=tag, **options)

    monkeypatch.setattr(store, "rows", refuse_sums)
    by_name = {facet.name: facet for facet in facets(scope, _wanted(""))}
    assert by_name["latency"].has_failed
    assert not by_name["env"].has_failed
    assert by_name["env"].values


# --- Histogram ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("noun", [TRACES, OBSERVATIONS])
@pytest.mark.parametrize("measure", list(Measure))
def test_bars_add_up_to_what_is_listed(world, scope, noun, measure):
    period = Period.between(START, START + timedelta(minutes=150))
    for text in ("", "env:prod", "refund", "level:ERROR", "cost:>0 -tag:a"):
        wanted = _wanted(text, noun, period=period)
        found = pulse(scope, wanted, measure=measure)
        rows = _meant(world, wanted)
        assert found.count == len(rows)
        for bar in found.bars:
            inside = [row for row in rows if bar.at <= key_of(row)[0] < bar.until]
            assert bar.count == len(inside)
            assert bar.errors == sum("ERROR" in {one.level for one in _parts(world, row)} for row in inside)
            if measure is Measure.COST and inside:
                costs = sum(one.total_cost for row in inside for one in _parts(world, row))
                assert (bar.cost or 0) == costs
        assert [bar.at for bar in found.bars[1:]] == [bar.until for bar in found.bars[:-1]]


@pytest.mark.parametrize("noun", [TRACES, OBSERVATIONS])
def test_bars_reach_from_any_year_to_now(analytics_server, noun):
    project_id, now = str(uuid4()), datetime(2026, 11, 3, 12, 30, tzinfo=UTC)
    scope = ProjectScope(project_id, Role.OWNER)
    put_trace(project_id, id="lost", at=datetime(1970, 1, 1, tzinfo=UTC))
    put_trace(project_id, id="new", at=now - timedelta(minutes=40))
    found = pulse(scope, _wanted("", noun), now=now)
    # The clock of whoever sent it was wrong; what is new is seen nonetheless.
    assert (found.bars[0].count, found.bars[-1].count, found.count) == (1, 1, 2)
    assert all(bar.at < bar.until == after.at for bar, after in pairwise(found.bars))
    table, key = (tables.traces, "id") if noun is TRACES else (tables.observations, "trace_id")
    store.delete(scope, table, table.c[key] == "lost", tag="test")
    assert pulse(scope, _wanted("", noun), now=now).since == now - timedelta(minutes=40)


@contextmanager
def _questions() -> Iterator[list[str]]:
    """What the store is asked meanwhile, as it is remembered."""
    asked: list[str] = []
    remembered = answers.remembered

    def note(project_id: str, question: str, ask: Any) -> bytes:
        asked.append(question)
        return remembered(project_id, question, ask)

    with mock.patch.object(answers, "remembered", note):
        yield asked


@pytest.mark.parametrize("period", [ALL_TIME, Period.named("7d")])
@pytest.mark.parametrize("noun", [TRACES, OBSERVATIONS])
def test_bars_until_now_ask_nothing_new_a_moment_later(scope, world, noun, period):
    last = []
    for later in range(2):
        with _questions() as asked:
            pulse(scope, _wanted("env:prod", noun, period=period), now=datetime.now(UTC) + timedelta(seconds=later))
        last.append(asked[-1])
    assert last[0] == last[1]


def test_the_past_days_begin_with_a_minute():
    now = datetime(2026, 11, 21, 12, 30, 59, 999, tzinfo=UTC)
    assert Period.named("24h", now).since == datetime(2026, 11, 20, 12, 30, tzinfo=UTC)


def test_values_are_asked_for_once_while_a_word_is_written(scope, world, monkeypatch):
    with _questions() as asked:
        found = [_suggested(scope, f"name:{written}|") for written in ("", "S", "su", "sup")]
    assert len(set(asked)) == 1
    assert set(found[0]) >= set(found[1]) >= set(found[3]) != set()
    # Of very many values those are looked for that hold what is written.
    monkeypatch.setattr(completion, "_MOST_READ", 1)
    assert [_suggested(scope, f"name:{written}|") for written in ("S", "sup")] == [found[1], found[3]]


def _parts(world: World, row: Any) -> list[Any]:
    return world.of(row) if isinstance(row, Trace) else [row]


# --- Completion --------------------------------------------------------------------------------------------
def _suggested(scope: ProjectScope, text: str, noun: Noun = TRACES) -> list[str]:
    caret = text.index("|")
    text = text.replace("|", "")
    found = complete(scope, _wanted(text, noun), text, caret)
    return [text[: found.start] + one.text + text[found.end :] for one in found.suggestions]


def test_fields_operators_and_observed_values_are_suggested(scope, world):
    assert _suggested(scope, "lev|")[0] == "level:"
    assert _suggested(scope, "refund -envi|") == ["refund -env:"]
    assert "refund model:gpt-5" in _suggested(scope, "refund model:|")
    assert set(_suggested(scope, "model:GPT| x")) == {"model:gpt-5 x", "model:gpt-5-mini x"}
    assert _suggested(scope, 'user:"Ada L|')[0] == 'user:"Ada Lovelace"'
    assert 'name:"-dash"' in _suggested(scope, "name:das|")
    assert "level:(ERROR OR WARNING)" in _suggested(scope, "level:(ERROR OR WARN|)")
    assert "(a OR level:ERROR" in _suggested(scope, "(a OR level:E|")
    assert _suggested(scope, "latency:|")[:2] == ["latency:>", "latency:>="]
    assert _suggested(scope, "metadata.reg|") == ["metadata.region:"]
    assert 'metadata."deep.key one":' in _suggested(scope, "metadata.|")
    assert 'metadata.region:"eu west"' in _suggested(scope, "metadata.region:eu|")
    assert set(_suggested(scope, "scores.|")) == {"scores.helpful:", "scores.tone:"}
    assert set(_suggested(scope, "scores.tone:n|")) == {"scores.tone:nice"}
    assert _suggested(scope, "is:b|") == ["is:bookmarked"]
    assert _suggested(scope, "is:|", OBSERVATIONS) == ["is:public", "is:root"]
    assert "has:user" in _suggested(scope, "has:u|")
    assert _suggested(scope, "xyzzy:|") == []


def test_values_are_suggested_under_the_other_conditions(scope, world):
    rows = _meant(world, _wanted("env:prod"))
    counts = Counter(row.user_id for row in rows if row.user_id)
    text = "user: env:prod"
    found = complete(scope, _wanted(text), text, 5)
    assert {one.label: one.count for one in found.suggestions} == dict(counts)


def test_nothing_goes_wrong_wherever_the_caret_is(scope):
    text = r'-env:(a OR "b \" c") metadata."x y":"z' + " (NOT level:ERR"
    for caret in range(0, len(text) + 1, 3):
        found = complete(scope, _wanted(text), text, caret)
        assert 0 <= found.start <= caret <= found.end <= len(text)
