"""Score configs: every rule of creating and changing one, reading them, and whose they are."""

from __future__ import annotations

import base64
from unittest.mock import ANY

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import signals
from accounts.models import AuditLog
from evals.models import ScoreConfig
from tests.contract.harness import Case, check
from tests.tracing.api_data import make_api
from tests.tracing.conftest import own_inbox  # noqa: F401 - a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

NOT_FOUND = {"message": "Score config not found within authorized project", "error": "LangfuseNotFoundError"}
INVALID = "Invalid request data"
NUL = {"message": "Text must not hold the character U+0000.", "error": "InvalidRequestError"}
TRUE_FALSE = [{"label": "True", "value": 1}, {"label": "False", "value": 0}]
GOOD_BAD = [{"label": "good", "value": 1}, {"label": "bad", "value": 0}]
TYPES = ["NUMERIC", "BOOLEAN", "CATEGORICAL", "TEXT"]


@pytest.fixture
def api():
    return make_api()


def shown(**fields):
    """A config in full."""
    return {
        "id": ANY,
        "name": "quality",
        "createdAt": ANY,
        "updatedAt": ANY,
        "projectId": ANY,
        "dataType": "NUMERIC",
        "isArchived": False,
        "minValue": None,
        "maxValue": None,
        "categories": None,
        "description": None,
        **fields,
    }


def broken(*path, message):
    """The answer to one broken rule."""
    return {"message": INVALID, "error": [{"code": "custom", "path": list(path), "message": message}]}


def wrong_type(expected, received, *path):
    message = f"Invalid input: expected {expected}, received {received}"
    issue = {"expected": expected, "code": "invalid_type", "path": list(path), "message": message}
    return {"message": INVALID, "error": [issue]}


def too_small(*path):
    message = "Too small: expected string to have >=1 characters"
    issue = {"origin": "string", "code": "too_small", "minimum": 1, "inclusive": True, "path": list(path)}
    return {"message": INVALID, "error": [{**issue, "message": message}]}


def created(_case, body, **answer):
    body = {"name": "quality", "dataType": "NUMERIC", **body}
    return Case(_case, "POST score-configs", 200, shown(**answer), body=body)


def refused(name, body, answer):
    return Case(name, "POST score-configs", 400, answer, body={"name": "quality", "dataType": "NUMERIC", **body})


ODD_NAME = "The name may hold letters, digits, spaces and _ . ( ) - only"
NAME_LENGTH = "The name has 1 to 35 characters"
NO_TYPE = {
    "code": "invalid_value",
    "values": TYPES,
    "path": ["dataType"],
    "message": 'Invalid option: expected one of "NUMERIC"|"BOOLEAN"|"CATEGORICAL"|"TEXT"',
}


def categorical(*categories):
    return {"dataType": "CATEGORICAL", "categories": list(categories)}


def category(label, value):
    return {"label": label, "value": value}


@pytest.mark.parametrize(
    "case",
    [
        created("numeric", {}),
        created("numeric with bounds", {"minValue": 0, "maxValue": 1.5}, minValue=0, maxValue=1.5),
        created("only a minimum", {"minValue": -1e3}, minValue=-1000),
        created("nulls are absent", {"minValue": None, "maxValue": None, "categories": None, "description": None}),
        created("description", {"description": "How good"}, description="How good"),
        created("unknown fields are ignored", {"id": "mine", "isArchived": False, "projectId": "other"}),
        created("letters of any script", {"name": "Güte (v1.0) - 质量_2"}, name="Güte (v1.0) - 质量_2"),
        created("longest name", {"name": "n" * 35}, name="n" * 35),
        created("boolean", {"dataType": "BOOLEAN"}, dataType="BOOLEAN", categories=TRUE_FALSE),
        created("text", {"dataType": "TEXT"}, dataType="TEXT"),
        created("categorical", categorical(*GOOD_BAD), dataType="CATEGORICAL", categories=GOOD_BAD),
        created(
            "numbers of categories",
            categorical(category("half", 0.5), {"label": "two", "value": 2.0, "color": "red"}),
            dataType="CATEGORICAL",
            categories=[category("half", 0.5), category("two", 2)],
        ),
        refused("empty name", {"name": ""}, broken("name", message=NAME_LENGTH)),
        refused("name too long", {"name": "n" * 36}, broken("name", message=NAME_LENGTH)),
        refused("name with a slash", {"name": "a/b"}, broken("name", message=ODD_NAME)),
        refused("name with a newline", {"name": "a\n"}, broken("name", message=ODD_NAME)),
        refused("name with NUL", {"name": "a\x00"}, NUL),
        refused("name null", {"name": None}, wrong_type("string", "null", "name")),
        refused("name a number", {"name": 5}, wrong_type("string", "number", "name")),
        refused("unknown type", {"dataType": "STARS"}, {"message": INVALID, "error": [NO_TYPE]}),
        refused("type in lower case", {"dataType": "numeric"}, {"message": INVALID, "error": [NO_TYPE]}),
        refused("type null", {"dataType": None}, {"message": INVALID, "error": [NO_TYPE]}),
        refused("no correction", {"dataType": "CORRECTION"}, {"message": INVALID, "error": [NO_TYPE]}),
        refused(
            "maximum equals minimum",
            {"minValue": 1, "maxValue": 1},
            broken("maxValue", message="The maximum value must be greater than the minimum value"),
        ),
        refused(
            "maximum below minimum",
            {"minValue": 1, "maxValue": 0},
            broken("maxValue", message="The maximum value must be greater than the minimum value"),
        ),
        refused("bound of text", {"minValue": "1"}, wrong_type("number", "string", "minValue")),
        refused("bound a boolean", {"maxValue": True}, wrong_type("number", "boolean", "maxValue")),
        refused(
            "numeric with categories",
            {"categories": GOOD_BAD},
            broken("categories", message="A NUMERIC config has no categories"),
        ),
        refused(
            "text with no categories at all",
            {"dataType": "TEXT", "categories": []},
            broken("categories", message="A TEXT config has no categories"),
        ),
        refused(
            "text with a bound",
            {"dataType": "TEXT", "maxValue": 500},
            broken("maxValue", message="Only a NUMERIC config has bounds, this one is TEXT"),
        ),
        refused(
            "boolean with categories",
            {"dataType": "BOOLEAN", "categories": TRUE_FALSE},
            broken("categories", message="Custom categories are not allowed for data type BOOLEAN"),
        ),
        refused(
            "boolean with a bound",
            {"dataType": "BOOLEAN", "minValue": 0},
            broken("minValue", message="Only a NUMERIC config has bounds, this one is BOOLEAN"),
        ),
        refused(
            "categorical without categories",
            {"dataType": "CATEGORICAL"},
            broken("categories", message="A CATEGORICAL config needs at least one category"),
        ),
        refused(
            "categorical with none",
            categorical(),
            broken("categories", message="A CATEGORICAL config needs at least one category"),
        ),
        refused(
            "categorical with a bound",
            {**categorical(*GOOD_BAD), "minValue": 0},
            broken("minValue", message="Only a NUMERIC config has bounds, this one is CATEGORICAL"),
        ),
        refused(
            "a label twice",
            categorical(category("a", 1), category("a", 2)),
            broken("categories", message="Duplicate category label: 'a'"),
        ),
        refused(
            "a value twice",
            categorical(category("a", 1), category("b", 1.0)),
            broken("categories", message="Duplicate category value: 1"),
        ),
        refused("categories an object", {"categories": {}}, wrong_type("array", "object", "categories")),
        refused("category a text", categorical("good"), wrong_type("object", "string", "categories", 0)),
        refused("empty label", categorical(category("", 1)), too_small("categories", 0, "label")),
        refused(
            "label a number", categorical(category(1, 1)), wrong_type("string", "number", "categories", 0, "label")
        ),
        refused(
            "value a text", categorical(category("a", "1")), wrong_type("number", "string", "categories", 0, "value")
        ),
        refused("no value", categorical({"label": "a"}), wrong_type("number", "undefined", "categories", 0, "value")),
        refused(
            "label with NUL",
            categorical(category("a\x00", 1)),
            NUL,
        ),
        refused("description an object", {"description": {}}, wrong_type("string", "object", "description")),
        refused(
            "description with NUL",
            {"description": "a\x00"},
            NUL,
        ),
        Case("no object", "POST score-configs", 400, wrong_type("object", "array"), body=[]),
        Case(
            "no JSON",
            "POST score-configs",
            400,
            {"message": ANY, "error": "InvalidRequestError"},
            body=b"{",
        ),
        Case(
            "nothing",
            "POST score-configs",
            400,
            {"message": INVALID, "error": [wrong_type("string", "undefined", "name")["error"][0], NO_TYPE]},
            body={},
        ),
        Case("another verb", "PUT score-configs", 405, {"message": ANY, "error": "MethodNotAllowedError"}),
    ],
    ids=str,
)
def test_creating(api, case):
    answer = check(api, case)
    listed = api.get("score-configs")["data"]
    if case.status == 200:
        assert answer["projectId"] == api.project_id
        assert answer["createdAt"] <= answer["updatedAt"]
        assert listed == [answer]
        check(api, Case("read back", f"GET score-configs/{answer['id']}", 200, answer))
    else:
        assert listed == []


def make(api, **fields):
    response = api("POST", "score-configs", {"name": "quality", "dataType": "NUMERIC", **fields})
    assert response.status_code == 200, response.content
    return response.json()


@pytest.mark.parametrize(
    ("of", "changes", "expected"),
    [
        ({}, {"isArchived": True}, {"isArchived": True}),
        ({}, {"name": "other"}, {"name": "other"}),
        ({}, {"description": "why"}, {"description": "why"}),
        ({"description": "why"}, {"description": None}, {"description": None}),
        ({"description": "why"}, {"name": "n"}, {"name": "n", "description": "why"}),
        ({}, {"minValue": 1, "maxValue": 2}, {"minValue": 1, "maxValue": 2}),
        ({"minValue": 1}, {"maxValue": 2}, {"minValue": 1, "maxValue": 2}),
        ({"minValue": 1, "maxValue": 2}, {"minValue": None}, {"maxValue": 2}),
        ({}, {"name": "n", "isArchived": None}, {"name": "n"}),
        ({}, {"name": None, "isArchived": True}, {"isArchived": True}),
        ({}, {"dataType": "TEXT", "name": "n"}, {"name": "n"}),
        (categorical(*GOOD_BAD), {"categories": [category("so-so", 5)]}, {"categories": [category("so-so", 5)]}),
        ({"dataType": "BOOLEAN"}, {"categories": TRUE_FALSE}, {"categories": TRUE_FALSE}),
        ({"dataType": "BOOLEAN"}, {"isArchived": True}, {"isArchived": True, "categories": TRUE_FALSE}),
        ({"dataType": "TEXT"}, {"categories": None, "minValue": None, "name": "n"}, {"name": "n"}),
    ],
)
def test_changing(api, of, changes, expected):
    config = make(api, **of)
    merged = shown(dataType=of.get("dataType", "NUMERIC"), **expected)
    answer = check(api, Case("", f"PATCH score-configs/{config['id']}", 200, merged, body=changes))
    assert (answer["id"], answer["createdAt"]) == (config["id"], config["createdAt"])
    assert answer["updatedAt"] >= config["updatedAt"]
    assert api.get(f"score-configs/{config['id']}") == answer


EMPTY = broken(message="Request body cannot be empty")


@pytest.mark.parametrize(
    ("of", "changes", "answer"),
    [
        ({}, {}, EMPTY),
        ({}, {"isArchived": None}, EMPTY),
        ({}, {"dataType": "TEXT"}, EMPTY),
        ({}, [], wrong_type("object", "array")),
        ({}, {"isArchived": "yes"}, wrong_type("boolean", "string", "isArchived")),
        ({}, {"name": ""}, broken("name", message=NAME_LENGTH)),
        ({}, {"name": "a?"}, broken("name", message=ODD_NAME)),
        ({"minValue": 5}, {"maxValue": 4}, broken("maxValue", message=ANY)),
        ({}, {"categories": GOOD_BAD}, broken("categories", message="A NUMERIC config has no categories")),
        (categorical(*GOOD_BAD), {"minValue": 4}, broken("minValue", message=ANY)),
        (categorical(*GOOD_BAD), {"categories": None}, EMPTY),
        (categorical(*GOOD_BAD), {"categories": []}, broken("categories", message=ANY)),
        (
            {"dataType": "BOOLEAN"},
            {"categories": GOOD_BAD},
            broken("categories", message="The categories of a BOOLEAN config cannot be changed"),
        ),
        ({"dataType": "TEXT"}, {"maxValue": 4}, broken("maxValue", message=ANY)),
    ],
)
def test_changes_that_break_a_rule(api, of, changes, answer):
    config = make(api, **of)
    check(api, Case("", f"PATCH score-configs/{config['id']}", 400, answer, body=changes))
    assert api.get(f"score-configs/{config['id']}") == config


def test_the_list_is_newest_first_in_pages(api):
    names = [make(api, name=f"n{number}")["name"] for number in range(5)]
    make(make_api(name="Other"), name="foreign")

    def page(**params):
        answer = api.get("score-configs", **params)
        return [config["name"] for config in answer["data"]], answer["meta"]

    assert page() == (names[::-1], {"page": 1, "limit": 50, "totalItems": 5, "totalPages": 1})
    assert page(limit=2, page=2) == (["n2", "n1"], {"page": 2, "limit": 2, "totalItems": 5, "totalPages": 3})
    assert page(limit=2, page=3) == (["n0"], {"page": 3, "limit": 2, "totalItems": 5, "totalPages": 3})
    assert page(limit=100, page=2) == ([], {"page": 2, "limit": 100, "totalItems": 5, "totalPages": 1})
    assert page(limit="", page="") == (names[::-1], {"page": 1, "limit": 50, "totalItems": 5, "totalPages": 1})
    assert page(other="ignored")[1]["totalItems"] == 5


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=1.5", "page=0", "page=-1", "page=x"])
def test_a_page_that_cannot_be(api, query):
    (issue,) = api.get(f"score-configs?{query}", 400)["error"]
    assert issue["path"] == [query.split("=")[0]]


@pytest.mark.parametrize("config_id", ["nope", "a/b", "%25", "x" * 3000])
@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_unknown_config(api, method, config_id):
    check(api, Case("", f"{method} score-configs/{config_id}", 404, NOT_FOUND, body={"name": "n"}))


def test_configs_of_another_project_do_not_exist(api):
    config, stranger = make(api), make_api(name="Other")
    for method in ("GET", "PATCH"):
        check(stranger, Case("", f"{method} score-configs/{config['id']}", 404, NOT_FOUND, body={"name": "n"}))
    assert stranger.get("score-configs")["data"] == []
    assert api.get(f"score-configs/{config['id']}") == config


@pytest.mark.usefixtures("broker")
def test_configs_go_with_their_project(api):
    other = make_api(name="Other")
    make(api)
    kept = make(other)
    signals.project_deleted.send(None, project_id=api.project_id)
    assert [config.id for config in ScoreConfig.objects.all()] == [kept["id"]]


@pytest.mark.usefixtures("broker", "own_inbox")
@pytest.mark.parametrize("path", ["scores", "ingestion"])
def test_scores_of_a_thousand_configs_that_are_not_there_are_looked_up_together(api, path):
    """Whoever holds the public key may send them: a query for each would keep the door busy for minutes."""
    scores = [{"traceId": "t", "name": "n", "value": 1, "configId": f"c{number}"} for number in range(1000)]
    event = {"type": "score-create", "timestamp": "2026-05-01T00:00:00Z"}
    events = [{**event, "id": each["configId"], "body": each} for each in scores]
    with CaptureQueriesContext(connection) as queries:
        answer = api("POST", path, scores if path == "scores" else {"batch": events})
    assert (answer.status_code, len(answer.json()["errors"])) == (207, 1000)
    assert len([query for query in queries if "evals_scoreconfig" in query["sql"]]) == 4


def test_changes_are_in_the_audit_log_with_the_key_that_made_them(api):
    config = api("POST", "score-configs", {"name": "quality", "dataType": "NUMERIC", "maxValue": 1}).json()
    api("PATCH", f"score-configs/{config['id']}", {"maxValue": 5})
    api("PATCH", f"score-configs/{config['id']}", {"maxValue": 5, "categories": []})  # refused
    made, changed = AuditLog.objects.filter(object_id=config["id"]).order_by("pk")
    public_key = base64.b64decode(api.authorization.split()[1]).decode().partition(":")[0]
    assert {(one.project_id, one.actor) for one in (made, changed)} == {(api.project_id, public_key)}
    assert (made.action, made.after["name"]) == ("score_config.create", "quality")
    assert (changed.action, changed.before, changed.after) == (
        "score_config.update",
        {"max_value": 1},
        {"max_value": 5},
    )
