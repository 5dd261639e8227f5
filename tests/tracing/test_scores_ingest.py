from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from django.db import OperationalError

from config.errors import Unavailable
from tests.tracing.score_rules import Rules
from tracing.ingest import score_rules, scores
from tracing.ingest.merge import merge_score
from tracing.ingest.model import Envelope, PayloadRejected

RECEIVED = datetime(2026, 5, 1, tzinfo=UTC)
ENVELOPE = Envelope(project_id="p", kind="scores", received_at=RECEIVED)
VALID = {"id": "s", "traceId": "t", "name": "quality", "value": 0.5}


@pytest.fixture
def rules(monkeypatch):
    known: dict[str, Rules] = {}
    monkeypatch.setattr(score_rules, "_rules_lookups", [lambda *_, is_fresh: known])
    return known


def parse_many(payload):
    return scores.parse_many(payload, ENVELOPE.project_id)


def decoded(payload):
    """Through the door and the inbox, as in life."""
    return scores.decode_body(orjson.dumps(parse_many(payload).accepted), ENVELOPE)


def stored(payload):
    (score,) = decoded(payload).scores
    return score


def issues_of(payload):
    with pytest.raises(PayloadRejected) as caught:
        parse_many(payload)
    assert caught.value.status == 400
    assert caught.value.body["message"] == "Invalid request data"
    return orjson.loads(orjson.dumps(caught.value.body["error"]))


def test_one_score_is_answered_with_its_id():
    receipt = parse_many(VALID)
    assert (receipt.status, receipt.response) == (200, {"id": "s"})


def test_score_without_id_gets_one():
    payload = {key: value for key, value in VALID.items() if key != "id"}
    receipt = parse_many(payload)
    assert receipt.response["id"] == receipt.accepted[0]["id"] != ""


def test_all_of_an_array_accepted():
    receipt = parse_many([VALID, VALID | {"id": "s2"}])
    assert (receipt.status, receipt.response, len(receipt.accepted)) == (202, {"message": "Accepted"}, 2)


def test_some_of_an_array_rejected():
    bad = [VALID | {"name": "broken", "value": None}, 5, VALID | {"timestamp": "now"}]
    receipt = parse_many([VALID, *bad])
    assert (receipt.status, len(receipt.accepted)) == (207, 1)
    assert (receipt.response["accepted"], receipt.response["rejected"]) == (1, 3)
    first, second, third = (error["message"] for error in receipt.response["errors"])
    assert "'broken'" in first
    assert "number 3" in second
    assert "Invalid ISO datetime" in third


@pytest.mark.parametrize(("payload", "kind"), [(None, "null"), ("x", "string"), (5, "number")])
def test_what_is_no_score_is_refused(payload, kind):
    assert issues_of(payload)[0]["message"] == f"Invalid input: expected object, received {kind}"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"name": ""}, ["name"]),
        ({"name": None}, ["name"]),
        ({"value": None}, ["value"]),
        ({"value": True}, ["value"]),
        ({"value": [1]}, ["value"]),
        ({"value": "x", "dataType": "NUMERIC"}, ["value"]),
        ({"value": 2, "dataType": "BOOLEAN"}, ["value"]),
        ({"value": 1, "dataType": "CATEGORICAL"}, ["value"]),
        ({"value": "", "dataType": "TEXT"}, ["value"]),
        ({"value": "x" * 501, "dataType": "TEXT"}, ["value"]),
        ({"dataType": "STARS"}, ["dataType"]),
        ({"dataType": {}}, ["dataType"]),
        ({"source": "EVAL"}, ["source"]),
        ({"source": "ANNOTATION"}, ["configId"]),
        ({"traceId": "t" * 801}, ["traceId"]),
        ({"comment": 5}, ["comment"]),
        ({"traceId": None}, ["traceId", "sessionId", "datasetRunId", "observationId"]),
        ({"sessionId": "x"}, ["traceId", "sessionId", "datasetRunId", "observationId"]),
        (
            {"traceId": None, "sessionId": "x", "observationId": "o"},
            ["traceId", "sessionId", "datasetRunId", "observationId"],
        ),
        ({"value": "x", "dataType": "CORRECTION", "configId": "c"}, ["configId"]),
        ({"value": "x", "dataType": "CORRECTION", "traceId": None, "sessionId": "s"}, ["traceId"]),
    ],
)
def test_bad_score_is_told_what_is_wrong(changes, path):
    assert [issue["path"] for issue in issues_of(VALID | changes)] == [path]


@pytest.mark.parametrize(
    ("sent", "data_type", "value", "string_value"),
    [
        ({"value": 3}, "NUMERIC", 3.0, ""),
        ({"value": "5"}, "CATEGORICAL", 0.0, "5"),
        ({"value": 1.0, "dataType": "BOOLEAN"}, "BOOLEAN", 1.0, "True"),
        ({"value": 0, "dataType": "BOOLEAN"}, "BOOLEAN", 0.0, "False"),
        ({"value": "good", "dataType": "CATEGORICAL"}, "CATEGORICAL", 0.0, "good"),
        ({"value": "long words", "dataType": "TEXT"}, "TEXT", None, "long words"),
        ({"value": "better", "dataType": "CORRECTION"}, "CORRECTION", 0.0, "better"),
    ],
)
def test_each_type_has_its_stored_form(sent, data_type, value, string_value):
    score = stored(VALID | sent)
    assert (score.data_type, score.value, score.string_value) == (data_type, value, string_value)


def test_correction_is_named_output():
    assert stored({"traceId": "t", "value": "better", "dataType": "CORRECTION"}).name == "output"


def test_all_fields_are_kept(rules):
    rules["cfg"] = Rules(name="n")
    sent = {"observationId": "o", "comment": "c", "metadata": {"a": [1]}, "environment": "Prod", "queueId": "q"}
    score = stored(VALID | sent | {"configId": "cfg", "source": "ANNOTATION"})
    assert (score.trace_id, score.observation_id, score.comment, score.metadata) == ("t", "o", "c", '{"a":[1]}')
    assert (score.environment, score.queue_id, score.config_id, score.source) == ("prod", "q", "cfg", "ANNOTATION")


def test_time_is_the_servers_for_one_and_the_clients_for_many():
    dated = VALID | {"timestamp": "2026-04-01T00:00:00+00:00"}
    assert stored(dated).timestamp == RECEIVED
    assert stored([dated]).timestamp == datetime(2026, 4, 1, tzinfo=UTC)
    assert stored([VALID]).timestamp == RECEIVED


@pytest.mark.parametrize(
    ("config", "sent", "field"),
    [
        (None, {}, "configId"),
        (Rules(is_archived=True), {}, "configId"),
        (Rules(max_value=0.4), {}, "value"),
        (Rules(min_value=0.6), {}, "value"),
        (Rules(data_type="BOOLEAN"), {"dataType": "NUMERIC"}, "dataType"),
        (Rules(data_type="BOOLEAN"), {}, "value"),
        (Rules(data_type="CATEGORICAL", labels={"good": 1}), {"value": "bad"}, "value"),
        (Rules(data_type="CATEGORICAL", labels={"good": 1}), {}, "value"),
    ],
)
def test_score_that_breaks_its_config_is_refused_and_set_aside(rules, config, sent, field):
    score = VALID | {"configId": "c"} | sent
    fitting = "CATEGORICAL" if isinstance(score["value"], str) else "NUMERIC"
    rules["c"] = Rules(data_type=fitting, labels={"bad": 1})
    accepted = orjson.dumps(parse_many(score).accepted)

    rules["c"] = config
    assert [issue["path"] for issue in issues_of(score)] == [[field]]
    # What was accepted before the config became so waits for people.
    result = scores.decode_body(accepted, ENVELOPE)
    assert result.scores == []
    assert [(item.item_id, bool(item.reason)) for item in result.set_aside] == [("s", True)]


def test_a_config_that_changed_elsewhere_is_looked_at_again(monkeypatch):
    known = {False: Rules(max_value=0.1), True: Rules(max_value=1)}
    monkeypatch.setattr(score_rules, "_rules_lookups", [lambda *_, is_fresh: {"c": known[is_fresh]}])
    assert stored(VALID | {"configId": "c"}).value == 0.5
    known[True] = known[False]
    assert [issue["path"] for issue in issues_of(VALID | {"configId": "c"})] == [["value"]]


def test_nothing_is_refused_while_the_configs_cannot_be_read(monkeypatch):
    def fail(*_, is_fresh):
        raise OperationalError("away")

    monkeypatch.setattr(score_rules, "_rules_lookups", [fail])
    accepted = parse_many(VALID | {"configId": "c"}).accepted
    with pytest.raises(Unavailable):
        scores.decode_body(orjson.dumps(accepted), ENVELOPE)


@pytest.mark.parametrize(
    ("config", "sent", "data_type", "value", "string_value"),
    [
        (Rules(min_value=0, max_value=1), 0.5, "NUMERIC", 0.5, ""),
        (Rules(data_type="BOOLEAN"), 1, "BOOLEAN", 1.0, "True"),
        (Rules(data_type="CATEGORICAL", labels={"good": 7}), "good", "CATEGORICAL", 7, "good"),
        (Rules(data_type="TEXT"), "words", "TEXT", None, "words"),
    ],
)
def test_config_gives_name_type_and_number(rules, config, sent, data_type, value, string_value):
    rules["c"] = config
    score = stored(VALID | {"configId": "c", "value": sent})
    assert (score.name, score.data_type, score.value) == ("configured", data_type, value)
    assert score.string_value == string_value


def test_first_write_decides_time_and_target():
    first = stored(VALID | {"comment": "old"})
    later = RECEIVED + timedelta(seconds=5)
    second = replace(first, timestamp=later, created_at=later, updated_at=later, trace_id="x", value=0.9, comment="new")
    merged = merge_score(first, second)
    assert (merged.timestamp, merged.trace_id, merged.created_at) == (RECEIVED, "t", RECEIVED)
    assert (merged.value, merged.comment, merged.updated_at) == (0.9, "new", later)
    assert merged.row_version > first.row_version


def test_older_score_delivered_late_changes_no_value():
    first = stored(VALID)
    second = replace(first, updated_at=RECEIVED + timedelta(seconds=5), value=0.9)
    assert merge_score(merge_score(first, second), first).value == 0.9


def test_first_score_is_taken_as_it_is():
    score = stored(VALID)
    assert merge_score(None, score) is score
