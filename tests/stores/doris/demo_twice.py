"""Pages and public API over the demo's traces and over records that are hard to write down, for `test_same_answers`.

Not collected by itself: what matters is what both databases answer, which only the plugin `asked_twice` looks at.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import quote, urlencode

import orjson
import pytest
from django.test import Client

from accounts.roles import Role
from tests.factories import make_user
from tests.tracing.conftest import own_inbox  # noqa: F401 - a fixture
from tests.tracing.sender import OTLP, Sender
from tracing.analytics import store
from tracing.analytics.records import Observation, Score, Trace
from tracing.demo import drafts, wire
from tracing.demo.draft import LEGACY
from tracing.ingest import drain
from tracing.pricing.builtin import sync_builtin_models
from tracing.queries.metrics import VIEWS_V2

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("broker", "analytics_server", "own_inbox"),
]

UNTIL = datetime(2026, 11, 20, 12, tzinfo=UTC)
TRACES = 30
#: One of the demo has thousands, and MariaDB's stand-ins take a while for each row.
MOST_STEPS = 60
#: Texts that have been trouble to some database.
NASTY = (
    "it's", 'say "hi"', "back\\slash", "\\' OR 1=1 -- ", "100%", "a_b", "%s %(x)s", "{p0:String}", "line\nend\ttab",
    "🦉 owl", "申请退款", "ÀÉÎ ß", "  blanks  ", "NULL", "null", "[]", '{"a": "b\\"c"}', "`tick`",
    "x" * 5000, ":name",
)  # fmt: skip
#: What is asked of lists of traces and of observations.
QUERIES = (
    "", "refund", '"order status"', "latency:>1s", "cost:>0.001", "level:error", "tokens:>100 -level:error",
    "name:*chat*", "env:production", "tag:*", "has:user", "metadata.region:eu", "model:*gpt*", "user:*", "scores:*",
    "ttft:<2s",
    *(orjson.dumps(text).decode() for text in NASTY[:11]),
)  # fmt: skip


@pytest.fixture(scope="module")
def kept():
    """The project of the first test that asks; storing it takes seconds."""
    return []


@pytest.fixture
def demo(kept):
    sender = Sender(id=kept[0]) if kept else Sender()
    if not kept:
        kept.append(sender.project.id)
        _send(sender)
        _write_nasty(sender.project.id)
    user = make_user(organization=sender.project.organization, role=Role.OWNER)
    sender.client = Client()
    sender.client.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
    return sender


def _send(sender):
    sync_builtin_models()
    made = [draft for draft in drafts(TRACES, seed=7, until=UNTIL) if len(draft.steps) <= MOST_STEPS]
    spans = [(draft, step) for draft in made if draft.wire != LEGACY for step in draft.steps]
    sender.post(OTLP, wire.protobuf(spans), "application/x-protobuf")
    sender.post("/api/public/ingestion", wire.legacy([draft for draft in made if draft.wire == LEGACY]))
    sender.post("/api/public/scores", wire.scores(made))
    drain.drain()


def _write_nasty(project_id):
    """A trace for each text, which stands wherever a text may stand; and extremes of numbers and times."""
    observations, traces, scores = [], [], []
    for number, text in enumerate(NASTY):
        at = UNTIL - timedelta(minutes=number, microseconds=number)
        trace_id, said = f"nasty {number} {text[:20]}", {_key(text): text, 'region.of."all"': text, "empty": ""}
        common = {"project_id": project_id, "tags": [text, "every"], "user_id": text[:100], "session_id": text[:90]}
        trace = Trace(**common, id=trace_id, timestamp=at, name=text, metadata=said, input=text, output=text)
        traces.append(replace(trace, first_start=at, last_start=at, row_version=1, root_id=f"s{number}"))
        span = Observation(**common, trace_id=trace_id, id=f"s{number}", start_time=at, name=text, metadata=said)
        took = number if number % 3 else None
        observations.append(replace(
            span, input=text, output=text, model=text[:50], is_root=True, row_version=1, type="GENERATION",
            end_time=None if took is None else at + timedelta(microseconds=took), latency_us=took,
            usage={"input": 10**15 + number}, cost={"input": Decimal("0.000000000001")}, input_tokens=10**15 + number,
            total_tokens=10**15 + number, total_cost=Decimal("0.000000000001"), level=("DEBUG", "ERROR")[number % 2],
        ))  # fmt: skip
        scores.append(Score(
            project_id=project_id, id=f"score {number}", timestamp=at, name=text[:60], trace_id=trace_id, value=None,
            string_value=text[:80], data_type="CATEGORICAL", row_version=1,
            metadata=orjson.dumps({"said": text}).decode(),
        ))  # fmt: skip
        scores.append(Score(
            project_id=project_id, id=f"number {number}", timestamp=at, name="hard", trace_id=trace_id,
            observation_id=f"s{number}", value=(1e300, -1e-300, 0.1, -2.5)[number % 4], row_version=1,
        ))  # fmt: skip
    empty = UNTIL - timedelta(days=3)
    traces.append(Trace(project_id=project_id, id="bare", timestamp=empty, row_version=1))
    store.insert(observations=observations, traces=traces, scores=scores)


def _key(text):
    """Of metadata. MariaDB compares paths with keys as JSON writes them, in which control characters are escaped."""
    return " ".join(text.split())[:200]


def _get(demo, page, **parameters):
    address = f"/projects/{demo.project.id}/{page}?{urlencode(parameters)}"
    answer = demo.client.get(address)
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    assert answer.status_code in (200, 302), (address, body[:500])
    return body


def _api(demo, path, **parameters):
    answer = demo.client.get(f"/api/public/{path}", parameters, headers=demo.headers)
    assert answer.status_code == 200, (path, parameters, answer.content[:500])
    return answer.json()


@pytest.mark.parametrize("page", ["traces", "observations", "sessions", "users"])
def test_lists(demo, page):
    for query in QUERIES:
        _get(demo, f"{page}/", range="all", q=query)
    for sort in ("cost", "-latency", "tokens", "name", "time", "-errors"):
        _get(demo, f"{page}/", range="all", sort=sort)


def test_exports(demo):
    for noun in ("traces", "observations"):
        for format in ("csv", "jsonl"):
            _get(demo, f"export/{noun}/{format}/", range="all")


def test_each_trace(demo):
    found = demo.traces()
    for trace in (*found[:6], *found[-8:]):
        place = quote(trace.id, safe="")
        _get(demo, f"traces/{place}/")
        for page in ("trace-skeleton", "trace-log", "trace-cost"):
            _get(demo, f"{page}/", trace=trace.id)
        _get(demo, "trace-find/", trace=trace.id, q="it's")


def test_people(demo):
    for trace in demo.traces()[-16:]:
        if trace.session_id:
            _get(demo, f"sessions/{quote(trace.session_id, safe='')}/")
        if trace.user_id:
            _get(demo, f"users/{quote(trace.user_id, safe='')}/", range="all")


def test_scores(demo):
    for query in ({}, {"name": "hard"}, {"type": "NUMERIC"}, {"kind": "trace"}):
        _get(demo, "scores/", range="all", **query)
    _get(demo, "scores/analytics/", range="all", score1="API:NUMERIC:hard")
    for path in ("v2/scores", "v3/scores", "scores"):
        _api(demo, path, limit=50)
    _api(demo, "v2/scores", operator=">", value="0.05")


def test_public_lists(demo):
    assert _api(demo, "traces", limit=100)["data"]
    for text in NASTY[:11]:
        _api(demo, "traces", limit=10, name=text)
        _api(demo, "traces", limit=10, tags=text)
        where = [{"type": "stringObject", "column": "metadata", "key": _key(text), "operator": "=", "value": text}]
        _api(demo, "traces", limit=10, filter=orjson.dumps(where).decode())
        for operator in ("=", "contains", "does not contain", "starts with", "ends with"):
            where = [{"type": "string", "column": "name", "operator": operator, "value": text}]
            _api(demo, "observations", limit=10, filter=orjson.dumps(where).decode())
            _api(demo, "v2/observations", limit=10, filter=orjson.dumps(where).decode())
    for order in ("name.asc", "userId.desc", "timestamp.asc"):
        _api(demo, "traces", limit=100, orderBy=order)
    _api(demo, "sessions", limit=50)
    _api(demo, "metrics/daily", limit=20)


@pytest.mark.parametrize("view", sorted(VIEWS_V2))
def test_metrics_by_every_dimension(demo, view):
    """Each with a few measures; `test_metrics_recomputed` asks for all that go together."""
    dimensions, measures = [*VIEWS_V2[view].dimensions, None], list(VIEWS_V2[view].measures)
    for number in range(max(len(dimensions), len(measures))):
        name, measure = dimensions[number % len(dimensions)], measures[number % len(measures)]
        aggregation = ("sum", "avg", "p95", "max", "count", "uniq")[number % 6]
        query = {
            "view": view, "dimensions": [{"field": name}] if name else [], "filters": [],
            "metrics": [{"measure": measure, "aggregation": aggregation}], "config": {"row_limit": 100},
            "fromTimestamp": (UNTIL - timedelta(days=15)).isoformat(), "toTimestamp": UNTIL.isoformat(),
        }  # fmt: skip
        parameters = {"query": orjson.dumps(query).decode()}
        answer = demo.client.get("/api/public/v2/metrics", parameters, headers=demo.headers)
        assert answer.status_code in (200, 400), answer.content[:500]  # some do not go together
