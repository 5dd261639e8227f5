"""What a read costs grows with what is looked at, and not with what is stored: counted in rows that the store read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from accounts.access import ProjectScope
from accounts.roles import Role
from tests.factories import basic, make_key, make_project
from tests.rows_read import RowsRead, rows_read
from tests.tracing.api_data import Api
from tracing.analytics import client, store
from tracing.analytics.backends import clickhouse
from tracing.analytics.records import Observation, Score, Trace
from tracing.queries import explorer, groups, people, prompts
from tracing.queries.explorer import Noun
from tracing.queries.periods import Period

pytestmark = pytest.mark.django_db

#: A year that no other test writes to, so that its partitions hold these rows only.
START = datetime(2019, 4, 1, tzinfo=UTC)
DAYS, TRACES_A_DAY, SPANS_A_TRACE = 50, 160, 5
TRACES = DAYS * TRACES_A_DAY
SPANS = TRACES * SPANS_A_TRACE
#: The store reads this many rows or none.
GRANULE = 1024
#: Of small parts that other tests wrote, in which the project might be: their keys begin before it and end behind it.
STRANGERS = GRANULE


def _started(number: int) -> datetime:
    return START + timedelta(seconds=number * 86_400 // TRACES_A_DAY)


def _trace(project_id: str, number: int) -> Trace:
    at = _started(number)
    return Trace(
        project_id=project_id,
        id=f"t{number}",
        timestamp=at,
        name="chat",
        user_id=f"user {number // 10}",
        session_id=f"session {number // 4}",
        root_id=f"t{number}.0",
        first_start=at,
        last_start=at + timedelta(seconds=SPANS_A_TRACE - 1),
        row_version=1,
    )


def _spans(project_id: str, number: int) -> list[Observation]:
    at, trace_id = _started(number), f"t{number}"
    return [
        Observation(
            project_id=project_id,
            trace_id=trace_id,
            id=f"{trace_id}.{place}",
            start_time=at + timedelta(seconds=place),
            parent_id=f"{trace_id}.0" if place else "",
            is_root=not place,
            type="GENERATION" if place else "SPAN",
            name="step",
            model=f"model {place}" if place else "",
            prompt_name="answer" if place == 1 else "",
            prompt_version=number // 1000 if place == 1 else None,
            total_tokens=10,
            total_cost=Decimal("0.001"),
            user_id="" if place else f"user {number // 10}",
            output=f"the xylophone of {number}" if (number, place) == (777, 2) else f"an answer to {number}",
            row_version=1,
        )
        for place in range(SPANS_A_TRACE)
    ]


def _score(project_id: str, number: int) -> Score:
    return Score(
        project_id=project_id,
        id=f"s{number}",
        timestamp=_started(number),
        name="quality",
        trace_id=f"t{number}",
        value=0.5,
        row_version=1,
    )


def _fill(project_id: str, count: int) -> None:
    numbers = range(count)
    store.insert(
        traces=[_trace(project_id, number) for number in numbers],
        observations=[span for number in numbers for span in _spans(project_id, number)],
        scores=[_score(project_id, number) for number in numbers],
    )


@pytest.fixture(scope="module")
def full_project_id(analytics_server) -> str:
    """A project with spans of fifty days, between two others; merged, as a store is that had a minute of rest."""
    name = uuid4().hex
    _fill(f"a-{name}", TRACES // 10)
    _fill(f"m-{name}", TRACES)
    _fill(f"z-{name}", TRACES // 10)
    for table in ("observations", "traces", "scores"):
        for month in ("201904", "201905"):
            client.call(lambda one, sql=f"OPTIMIZE TABLE {table} PARTITION {month} FINAL": one.command(sql))
    return f"m-{name}"


@pytest.fixture
def api(db, full_project_id) -> Api:
    project = make_project(id=full_project_id)
    return Api(project.id, basic(make_key(project)))


TEN_DAYS_IN = {"fromTimestamp": "2019-04-11T00:00:00Z", "toTimestamp": "2019-04-12T00:00:00Z"}
COST_BY_MODEL_AND_DAY = {
    "view": "observations",
    "metrics": [{"measure": "totalCost", "aggregation": "sum"}],
    "dimensions": [{"field": "providedModelName"}],
    "timeDimension": {"granularity": "day"},
    "fromTimestamp": "2019-04-11T00:00:00Z",
    "toTimestamp": "2019-04-16T00:00:00Z",
}
SCORES_BY_TRACE = {
    "view": "traces",
    "metrics": [{"measure": "scoresCount", "aggregation": "sum"}],
    "dimensions": [{"field": "id"}],
    "fromTimestamp": "2019-04-11T00:00:00Z",
    "toTimestamp": "2019-04-11T00:59:59Z",
}


def _matching(word: str) -> list[dict[str, str]]:
    return [{"type": "string", "column": "output", "operator": "matches", "value": word}]


def _number(column: str, operator: str, value: int) -> list[dict[str, Any]]:
    return [{"type": "number", "column": column, "operator": operator, "value": value}]


#: What is asked, how many things are found, and the most granules that each query may read, or all in one.
#: Bloom filters are wrong for one granule of a hundred and id, hence more than one where ids are looked up.
BOUNDS: dict[str, tuple[str, dict[str, Any], int, dict[str, int] | int]] = {
    "newest traces": ("traces", {}, 50, {"trace-list": 4, "trace-sums": 2, "trace-root-contents": 2}),
    "next page of traces": ("traces", {"page": 2}, 50, {"trace-list": 6, "trace-sums": 2, "trace-root-contents": 2}),
    "traces of a day": ("traces", TEN_DAYS_IN, 50, {"trace-list": 3, "trace-count": 3, "trace-sums": 2}),
    "traces of a user": ("traces", {"userId": "user 500"}, 10, {"trace-list": 6, "trace-count": 4, "trace-sums": 2}),
    "traces of a session": (
        "traces",
        {"sessionId": "session 500", "fields": "core,io,metrics"},
        4,
        {"trace-list": 6, "trace-count": 4, "trace-sums": 2, "trace-root-contents": 2},
    ),
    "traces of a day by a sum": (
        "traces",
        {**TEN_DAYS_IN, "filter": _number("errorCount", "=", 0)},
        50,
        {"trace-list": 10, "trace-count": 10},
    ),
    "newest observations": ("observations", {}, 50, {"observation-list": 4}),
    "newest observations v2": ("v2/observations", {"fields": "core,basic,io,metadata,model,usage"}, 50, 4),
    "observations v2 of a user": ("v2/observations", {"userId": "user 500"}, 10, 12),
    "observations v2 of a trace": ("v2/observations", {"traceId": "t5000"}, 5, 8),
    "a rare word": ("v2/observations", {"filter": _matching("xylophone")}, 1, 6),
    "a word that is nowhere": ("v2/observations", {"filter": _matching("nowhere at all")}, 0, 4),
    "cost by model and day, five of fifty": ("metrics", {"query": COST_BY_MODEL_AND_DAY}, 26, 7),
    "cost by model and day, v2": ("v2/metrics", {"query": COST_BY_MODEL_AND_DAY}, 26, 7),
    "scores by trace, an hour of fifty days": ("metrics", {"query": SCORES_BY_TRACE}, 7, 8),
    "newest scores": ("v3/scores", {}, 50, 4),
    "newest scores v2": ("v2/scores", {}, 50, {"score-list": 4}),
    "newest scores v1": ("scores", {}, 50, {"score-list": 4}),
    "scores of a trace": ("v3/scores", {"traceId": "t5000"}, 1, 6),
}


@pytest.mark.parametrize("asked", BOUNDS)
def test_rows_read_by_a_list(api, asked):
    path, params, count, most = BOUNDS[asked]

    with rows_read() as read:
        found = api.get(path, **params)["data"]

    assert len(found) == count
    _check(read, most)


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("traces/t5000", {"trace": 4, "observations-of-trace": 2, "trace-scores": 6}),
        ("traces/t5000?fields=core", 4),
        ("traces/t5000?fields=io", 6),
        ("observations/t5000.3", 6),
        ("sessions/session%20500", 8),
        ("v2/scores/s500", 4),
    ],
)
def test_rows_read_for_one_thing(api, path, most):
    with rows_read() as read:
        api.get(path)

    _check(read, most)


@pytest.mark.parametrize("page_of", ["v2/observations", "v3/scores"])
def test_a_page_far_down_costs_what_the_first_costs(api, page_of):
    cursor = ""
    for _ in range(10):
        with rows_read() as read:
            page = api.get(page_of, limit=100, cursor=cursor)
        cursor = page["meta"]["cursor"]
        assert len(page["data"]) == 100
        _check(read, 7)


@pytest.mark.parametrize(("path", "stored"), [("traces", TRACES), ("observations", SPANS), ("scores", TRACES)])
def test_totals_of_a_project_read_its_rows_and_not_those_of_others(full_project_id, db, path, stored):
    small_id = full_project_id.replace("m-", "z-")
    small = Api(small_id, basic(make_key(make_project(id=small_id))))
    own = stored // 10

    with rows_read() as read:
        total = small.get(path, limit=1)["meta"]["totalItems"]

    assert total == own
    assert max(read.by_tag.values()) <= 3 * own + 4 * GRANULE


def _check(read: RowsRead, most: dict[str, int] | int) -> None:
    if isinstance(most, int):
        assert 0 <= read.total <= most * GRANULE + STRANGERS, read.by_tag
        return
    assert most.keys() <= read.by_tag.keys()
    over = {
        tag: read.by_tag[tag] for tag, granules in most.items() if read.by_tag[tag] > granules * GRANULE + STRANGERS
    }
    assert not over, read.by_tag


#: A query of the explorer, how many rows its first page has, and the most granules that each question may read.
EXPLORED: dict[str, tuple[Noun, str, int, dict[str, int]]] = {
    "newest": (Noun.TRACES, "", 50, {"explorer-traces": 3, "explorer-sums": 3}),
    "own field": (Noun.TRACES, "name:chat", 50, {"explorer-traces": 4, "explorer-sums": 3}),
    "figure": (Noun.TRACES, "cost:>0.001", 50, {"explorer-look": 6, "explorer-traces": 8, "explorer-sums": 3}),
    "observations": (Noun.OBSERVATIONS, "", 50, {"explorer-observations": 3}),
    "rare word": (Noun.OBSERVATIONS, "xylophone", 1, {"explorer-observations": 8, "explorer-snippets": 4}),
    "traces with a rare word": (Noun.TRACES, "xylophone", 1, {"explorer-occurrences": 12, "explorer-traces": 4}),
}


@pytest.mark.parametrize("name", EXPLORED)
def test_pages_of_the_explorer_read_what_they_show(full_project_id, name):
    noun, text, rows, granules = EXPLORED[name]
    scope = ProjectScope(full_project_id, Role.VIEWER)
    with rows_read() as read:
        page = explorer.list_page(scope, explorer.Wanted(noun, explorer.parse(text, noun), Period.named("all")))
    assert len(page.rows) == rows
    for tag, most in granules.items():
        assert read.by_tag[tag] <= most * GRANULE + STRANGERS, dict(read.by_tag)


def test_facets_of_a_rare_word_look_for_it_once(full_project_id):
    scope = ProjectScope(full_project_id, Role.VIEWER)
    wanted = explorer.Wanted(Noun.TRACES, explorer.parse("xylophone", Noun.TRACES), Period.named("all"))
    with rows_read() as read:
        by_name = {facet.name: facet for facet in explorer.facets(scope, wanted)}
    assert [(one.value, one.count) for one in by_name["name"].values] == [("chat", 1)]
    assert read.by_tag["explorer-words"] <= TRACES + 8 * GRANULE + STRANGERS
    assert read.by_tag["explorer-facets-env"] <= TRACES + GRANULE + STRANGERS, dict(read.by_tag)


def test_a_rare_word_is_found_by_the_index_in_parts_that_lie_across_each_other(analytics_server, monkeypatch):
    """As they do in a store that is written to by many: where versions have to be merged before the words are looked
    for, everything between the keys of what the index leaves is read."""
    monkeypatch.delitem(clickhouse.WRITE_SETTINGS, "exclude_materialize_skip_indexes_on_insert")  # and not at a merge
    project_id = f"across-{uuid4().hex}"
    at = datetime(2018, 4, 1, tzinfo=UTC)
    for numbers in (range(20_000), range(0, 20_000, 20)):
        spans = [
            Observation(
                project_id=project_id,
                trace_id=f"t{number}",
                id="1",
                start_time=at + timedelta(seconds=number),
                input="a xylophone" if number == 5000 and len(numbers) < 5000 else "words " * 20,
                is_root=True,
                row_version=20_000 - len(numbers),
            )
            for number in numbers
        ]
        store.insert(observations=spans)
    found = Trace(
        project_id=project_id,
        id="t5000",
        timestamp=at,
        first_start=at,
        last_start=at + timedelta(days=1),
        row_version=1,
    )
    store.insert(traces=[found])
    scope = ProjectScope(project_id, Role.VIEWER)
    for noun in (Noun.TRACES, Noun.OBSERVATIONS):
        wanted = explorer.Wanted(noun, explorer.parse("xylophone", noun), Period.named("all"))
        with rows_read() as read:
            assert explorer.count(scope, wanted).number == 1
        assert read.total <= 8 * GRANULE + STRANGERS, (noun, read.by_tag)


A_DAY = Period.between(datetime(2019, 4, 11, tzinfo=UTC), datetime(2019, 4, 12, tzinfo=UTC))
#: A list of groups, how many rows its first page has, and the most granules that each question may read. Which groups
#: there are in a time range, and in what order, only its traces can tell; what is shown is read of those shown.
GROUPED: dict[str, tuple[Noun, str, str, Period, int, dict[str, int]]] = {
    "sessions of a day": (Noun.SESSIONS, "", "-time", A_DAY, 40, {"sessions-list": 3, "sessions-shown": 12}),
    "users of a day": (Noun.USERS, "", "-time", A_DAY, 16, {"users-list": 3, "users-shown": 12}),
    "sessions of a day by cost": (Noun.SESSIONS, "", "-cost", A_DAY, 40, {"sessions-list": 20, "sessions-sums": 12}),
    "one user of a day": (Noun.USERS, 'id:"user 165"', "-time", A_DAY, 1, {"users-list": 3, "users-sums": 6}),
}


@pytest.mark.parametrize("name", GROUPED)
def test_lists_of_groups_read_what_they_show(full_project_id, name):
    noun, text, sort, period, count, granules = GROUPED[name]
    scope = ProjectScope(full_project_id, Role.VIEWER)
    wanted = explorer.Wanted(noun, explorer.parse(text, noun), period, sort=explorer.Sort.parse(sort))
    with rows_read() as read:
        page = groups.list_groups(scope, wanted)
    assert len(page.rows) == count
    _check(read, granules)


def test_one_session_reads_its_turns(full_project_id):
    scope = ProjectScope(full_project_id, Role.VIEWER)
    with rows_read() as read:
        group = groups.get_group(scope, Noun.SESSIONS, "session 500")
        page = people.read_turns(scope, "session 500", step_types=("GENERATION",))
    assert (group.traces, len(page.turns), len(page.turns[0].steps)) == (4, 4, SPANS_A_TRACE - 1)
    _check(read, {"sessions-shown": 6, "sessions-sums": 8, "session-turns": 6, "session-steps": 4})


def test_figures_of_a_prompt_are_read_in_their_time_range(full_project_id):
    scope = ProjectScope(full_project_id, Role.VIEWER)
    day = Period.between(START + timedelta(days=10), START + timedelta(days=11))
    with rows_read() as read:
        used = prompts.uses_by_version(scope, "answer", day)
        counted = prompts.uses_by_prompt(scope, ["answer", "other"], day)
    assert counted == {"answer": TRACES_A_DAY}
    assert {version: use.uses for version, use in used.items()} == {1: TRACES_A_DAY}
    assert used[1].trace_scores["quality"].mean == 0.5
    for tag in ("prompt-versions", "prompt-uses"):
        assert 0 < read.by_tag[tag] <= 4 * GRANULE + STRANGERS, read.by_tag
    # The spans of one day twice, for generations and for traces, and the scores since it began.
    assert read.by_tag["prompt-scores"] <= 2 * (TRACES + 8 * GRANULE), read.by_tag
