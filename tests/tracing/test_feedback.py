"""Feedback from a front end: scores by the public key alone, which every visitor of the page holds."""

from __future__ import annotations

import json
import logging

import pytest
import redis
from django.test import Client

from accounts.access import scope_for_task
from tests.factories import basic, make_key, make_project
from tracing.ingest import doorbell, drain, pace
from tracing.queries import scores as score_queries
from tracing.queries.scores import ScoreFilters

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker", "analytics_server", "own_inbox")]
THUMB = {"traceId": "t", "name": "thumbs", "value": 1}


@pytest.fixture
def key(db):
    return make_key(make_project()).key


def send(key, body, path="scores", address="203.0.113.7", **headers):
    return Client(REMOTE_ADDR=address).post(
        f"/api/public/{path}",
        body if isinstance(body, bytes) else json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {key.public_key}", **headers},
    )


def batch(count):
    event = {"type": "score-create", "timestamp": "2026-01-01T00:00:00Z"}
    return {"batch": [{**event, "id": f"e{n}", "body": {**THUMB, "id": f"s{n}"}} for n in range(count)]}


def stored(key):
    return score_queries.page_scores(scope_for_task(key.project_id), ScoreFilters(), limit=50).items


def test_the_same_thumb_twice_is_one_score_and_the_other_thumb_replaces_it(key):
    for value in (1, 1, 0):
        assert send(key, {**THUMB, "id": "thumb-1", "value": value}).status_code == 200
        drain.drain()
    (score,) = stored(key)
    assert (score.id, score.trace_id, score.value, score.source) == ("thumb-1", "t", 0.0, "API")


def test_what_is_wrong_is_said(key):
    answer = send(key, {"name": "thumbs", "value": 1})
    assert answer.status_code == 400
    assert "traceId" in json.dumps(answer.json())
    assert send(key, b"{").status_code == 400


@pytest.mark.parametrize("path", ["scores", "ingestion"])
def test_any_page_may_ask_before_it_sends(path):
    answer = Client().options(
        f"/api/public/{path}",
        headers={"Origin": "https://shop.example", "Access-Control-Request-Headers": "authorization,content-type"},
    )
    assert answer.status_code == 204
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert "POST" in answer["Access-Control-Allow-Methods"]
    assert answer["Access-Control-Allow-Headers"] == "authorization,content-type"
    assert "Access-Control-Allow-Credentials" not in answer


def refused(answer):
    assert answer.status_code == 429
    assert answer.json()["error"] == "RateLimitError"
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert answer["Access-Control-Expose-Headers"] == "Retry-After"
    return True


def one_minute(monkeypatch, at=1_000_000_000):
    monkeypatch.setattr(pace.time, "time", lambda: at)


def test_one_address_is_held_to_its_share_and_leaves_the_others_theirs(key, settings, monkeypatch):
    settings.FEEDBACK_PER_MINUTE_OF_ADDRESS = 3
    one_minute(monkeypatch)
    assert [send(key, THUMB).status_code for _ in range(3)] == [200, 200, 200]
    assert refused(send(key, THUMB))
    assert refused(send(key, batch(1), path="ingestion"))
    assert send(key, THUMB, address="203.0.113.8").status_code == 200
    assert send(make_key(make_project()).key, THUMB).status_code == 200
    one_minute(monkeypatch, at=1_000_000_060)
    assert send(key, THUMB).status_code == 200
    drain.drain()
    assert len(stored(key)) == 5


@pytest.mark.parametrize(("path", "body"), [("scores", [THUMB] * 4), ("ingestion", batch(4))])
def test_many_scores_in_one_request_are_many(key, settings, path, body):
    settings.FEEDBACK_PER_MINUTE_OF_ADDRESS = 3
    assert refused(send(key, body, path=path))
    drain.drain()
    assert not stored(key)


def test_a_key_is_held_to_its_share_from_wherever_it_is_used(key, settings, monkeypatch):
    settings.FEEDBACK_PER_MINUTE_OF_KEY = 3
    one_minute(monkeypatch)
    answers = [send(key, THUMB, address=f"203.0.113.{n}") for n in range(4)]
    assert [answer.status_code for answer in answers[:3]] == [200, 200, 200]
    assert refused(answers[3])


@pytest.mark.parametrize("is_away", [False, True], ids=["broker", "no broker"])
def test_one_visitor_does_not_use_up_the_share_of_the_others(key, settings, monkeypatch, is_away):
    settings.FEEDBACK_PER_MINUTE_OF_ADDRESS, settings.FEEDBACK_PER_MINUTE_OF_KEY = 3, 10
    one_minute(monkeypatch)
    if is_away:
        away = redis.Redis.from_url("redis://127.0.0.1:1")
        monkeypatch.setattr(doorbell, "broker", lambda: away)
        logging.getLogger("tracing.ingest.doorbell").setLevel(logging.ERROR)
    assert refused(send(key, batch(50), path="ingestion"))
    assert refused(send(key, [THUMB] * 50))
    assert send(key, THUMB, address="203.0.113.8").status_code == 200


def test_without_a_broker_each_process_counts(key, settings, monkeypatch):
    settings.FEEDBACK_PER_MINUTE_OF_ADDRESS = 2
    one_minute(monkeypatch)
    away = redis.Redis.from_url("redis://127.0.0.1:1")
    monkeypatch.setattr(doorbell, "broker", lambda: away)
    logging.getLogger("tracing.ingest.doorbell").setLevel(logging.ERROR)
    assert [send(key, THUMB).status_code for _ in range(3)] == [200, 200, 429]


def test_the_secret_key_is_not_held_back(key, settings):
    settings.FEEDBACK_PER_MINUTE_OF_ADDRESS = settings.FEEDBACK_PER_MINUTE_OF_KEY = 1
    whole = basic(make_key(make_project()))
    sent = [
        Client().post("/api/public/scores", THUMB, content_type="application/json", headers={"Authorization": whole})
        for _ in range(3)
    ]
    assert {answer.status_code for answer in sent} == {200}


def test_zero_is_without_bound(key, settings):
    settings.FEEDBACK_PER_MINUTE_OF_ADDRESS = settings.FEEDBACK_PER_MINUTE_OF_KEY = settings.FEEDBACK_MAX_BYTES = 0
    assert send(key, [{**THUMB, "comment": "x" * 4_000}] * 200).status_code == 202


def test_a_public_key_sends_no_megabytes(key):
    answer = send(key, {**THUMB, "comment": "x" * 300_000})
    assert (answer.status_code, answer.json()["error"]) == (413, "PayloadTooLargeError")


@pytest.mark.parametrize(
    ("proxies", "remote", "forwarded", "expected"),
    [
        # Visitors behind a proxy that nobody vouched for are not mistaken for one another.
        (0, "10.0.0.2", ("198.51.100.1", "198.51.100.2"), [200, 200]),
        (1, "10.0.0.2", ("198.51.100.1", "198.51.100.2"), [200, 200]),
        (1, "10.0.0.2", ("198.51.100.1", "198.51.100.1"), [200, 429]),
        # Nobody gets a new share by making up an address.
        (1, "10.0.0.2", ("1.1.1.1, 198.51.100.1", "2.2.2.2, 198.51.100.1"), [200, 429]),
        (1, "10.0.0.2", ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2"), [200, 429]),
        (1, "10.0.0.2", ("2001:db8:0:1::1", "2001:db8:0:2::1"), [200, 200]),
        (0, "8.8.8.8", ("198.51.100.1", "198.51.100.2"), [200, 429]),
    ],
    ids=["unknown proxy", "two visitors", "one visitor", "made up in front", "one of many", "two of many", "made up"],
)
def test_visitors_behind_a_proxy(key, settings, monkeypatch, proxies, remote, forwarded, expected):
    settings.FEEDBACK_PER_MINUTE_OF_ADDRESS = 1
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    one_minute(monkeypatch)
    headers = ({"X-Forwarded-For": address} for address in forwarded)
    assert [send(key, THUMB, address=remote, **header).status_code for header in headers] == expected
