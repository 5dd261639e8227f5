"""Evaluators and rules of evaluation: every verb of both forms, what is wrong with bodies, and whose they are."""

from __future__ import annotations

from unittest.mock import ANY

import pytest

from evals.models import Evaluator, EvaluatorStatus, Rule
from tests.contract.harness import Case, check
from tests.tracing.api_data import make_api
from tests.tracing.conftest import own_inbox  # noqa: F401 - a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

PROMPT = [{"role": "system", "content": "Judge."}, {"role": "user", "content": "{{question}} {{answer}}"}]
MAPPING = [{"variable": "question", "source": "input"}, {"variable": "answer", "source": "output", "jsonPath": "$.a"}]
JUDGE = {
    "type": "llm_as_judge",
    "name": "quality",
    "prompt": PROMPT,
    "outputDefinition": {"dataType": "NUMERIC", "minValue": 0, "maxValue": 1},
    "modelConfig": {"provider": "stub", "model": "judge"},
    "variableMapping": MAPPING,
}
CODE = {
    "type": "code",
    "name": "long",
    "sourceCode": "def evaluate(output): return True",
    "sourceCodeLanguage": "PYTHON",
}


@pytest.fixture
def api():
    return make_api()


def shown(**fields):
    return {
        "id": ANY, "name": "quality", "description": None, "createdBy": None, "status": "active", "pausedAt": None,
        "pausedReason": None, "pausedMessage": None, "evaluationRuleAssignments": [], "createdAt": ANY,
        "updatedAt": ANY, "versionId": ANY, "version": 1, "versionCreatedAt": ANY, "versionCreatedBy": None,
        "type": "llm_as_judge", "prompt": PROMPT, "variables": ["question", "answer"], "variableMapping": MAPPING,
        "modelConfig": {"provider": "stub", "model": "judge"},
        "outputDefinition": {"dataType": "NUMERIC", "minValue": 0, "maxValue": 1},
        **fields,
    }  # fmt: skip


def rule_shown(*assigned, **fields):
    return {
        "id": ANY, "name": "all", "createdBy": None, "enabled": True, "sampling": 1, "filter": [], "createdAt": ANY,
        "evaluatorAssignments": [{"evaluatorId": id_, "variableMapping": None} for id_ in assigned],
        "target": "observation", "updatedAt": ANY, **fields,
    }  # fmt: skip


def create(api, **fields):
    return check(api, Case("new", "POST v2/evaluators", 200, ANY, body={**JUDGE, **fields}))["id"]


def create_rule(api, *ids, **fields):
    body = {"name": "all", "enabled": True, "evaluatorAssignments": [{"evaluatorId": id_} for id_ in ids], **fields}
    return check(api, Case("rule", "POST v2/evaluation-rules", 200, ANY, body=body))["id"]


# --- The new form ------------------------------------------------------------------------------------------
def test_an_evaluator_from_its_first_version_to_its_end(api):
    id_ = check(api, Case("new", "POST v2/evaluators", 200, shown(), body=JUDGE))["id"]
    one = f"v2/evaluators/{id_}"
    check(api, Case("read", f"GET {one}", 200, shown(id=id_)))
    body = {"name": "better", "description": "Is it good?"}
    named = {"name": "better", "description": "Is it good?"}
    check(api, Case("named", f"PATCH {one}", 200, shown(**named), body=body))
    output = {"dataType": "CATEGORICAL", "categories": ["good", "bad"], "shouldAllowMultipleMatches": False}
    body = {"type": "llm_as_judge", "prompt": "Rate {{x}}", "outputDefinition": output}
    second = {
        "version": 2, "prompt": [{"role": "user", "content": "Rate {{x}}"}], "variables": ["x"],
        "variableMapping": None, "modelConfig": None, "outputDefinition": output, **named,
    }  # fmt: skip
    check(api, Case("version", f"PATCH {one}", 200, shown(**second), body=body))
    versions = check(api, Case("versions", f"GET {one}/versions?limit=1", 200, ANY))
    assert [row["version"] for row in versions["data"]] == [2]
    rest = check(api, Case("older", f"GET {one}/versions?cursor={versions['meta']['cursor']}", 200, ANY))
    assert [(row["version"], row["prompt"]) for row in rest["data"]] == [(1, PROMPT)]
    assert rest["meta"] == {}
    check(api, Case("gone", f"DELETE {one}", 200, {"id": id_}))
    gone = {"message": "There is no such evaluator.", "code": "resource_not_found"}
    check(api, Case("not there", f"GET {one}", 404, gone))


def test_names_need_not_be_unique_and_lists_go_by_cursor(api):
    ids = [create(api), create(api), check(api, Case("code", "POST v2/evaluators", 200, ANY, body=CODE))["id"]]
    first = check(api, Case("list", "GET v2/evaluators?limit=2", 200, ANY))
    second = check(api, Case("rest", f"GET v2/evaluators?limit=2&cursor={first['meta']['cursor']}", 200, ANY))
    assert [row["id"] for row in [*first["data"], *second["data"]]] == ids[::-1]
    assert first["data"][0]["sourceCode"] == CODE["sourceCode"]
    # Clients do not know this type: a list with it would break them.
    text = create(api, outputDefinition={"dataType": "TEXT"})
    assert text not in [row["id"] for row in check(api, Case("list", "GET v2/evaluators", 200, ANY))["data"]]
    assert api.get(f"v2/evaluators/{text}")["outputDefinition"] == {"dataType": "TEXT"}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"type": "human"}, ["type"]),
        ({"name": ""}, ["name"]),
        ({"prompt": []}, ["prompt"]),
        ({"prompt": 5}, ["prompt"]),
        ({"prompt": [{"role": "robot", "content": "x"}]}, ["prompt", 0, "role"]),
        ({"outputDefinition": None}, ["outputDefinition"]),
        ({"outputDefinition": [1]}, ["outputDefinition"]),
        ({"outputDefinition": {"dataType": "CATEGORICAL", "categories": ["a"]}}, ["outputDefinition", "categories"]),
        ({"modelConfig": {"provider": "x"}}, ["modelConfig", "model"]),
        ({"variableMapping": "x"}, ["variableMapping"]),
        ({"variableMapping": MAPPING[:1]}, ["variableMapping"]),
        ({"variableMapping": [MAPPING[0], {**MAPPING[1], "jsonPath": "a"}]}, ["variableMapping", 1, "jsonPath"]),
        ({"type": "code", "sourceCode": "x", "sourceCodeLanguage": "TYPESCRIPT"}, ["sourceCodeLanguage"]),
        ({"type": "code", "sourceCode": 7, "sourceCodeLanguage": "PYTHON"}, ["sourceCode"]),
    ],
)
def test_wrong_evaluators_say_where(api, changes, path):
    body = check(api, Case("wrong", "POST v2/evaluators", 400, ANY, body={**JUDGE, **changes}))
    assert body["code"] == "invalid_body"
    assert body["details"]["issues"][0]["path"] == path


def test_changes_name_all_of_a_definition_or_nothing_of_it(api):
    one = f"v2/evaluators/{create(api)}"
    for body in ({}, {"prompt": "x"}, {"name": "x", "outputDefinition": {}}, [], {"type": "llm_as_judge"}):
        assert check(api, Case("wrong", f"PATCH {one}", 400, ANY, body=body))["code"] == "invalid_body"
    body = {**CODE, "name": "other kind"}
    assert check(api, Case("kind", f"PATCH {one}", 409, ANY, body=body))["code"] == "conflict"
    assert check(api, Case("limit", "GET v2/evaluators?limit=0", 400, ANY))["code"] == "invalid_query"
    assert check(api, Case("cursor", "GET v2/evaluators?cursor=x", 400, ANY))["code"] == "invalid_query"


def test_a_rule_from_its_beginning_to_its_end(api):
    judge, other = create(api), create(api, name="other")
    condition = {"type": "string", "column": "name", "operator": "=", "value": "answer"}
    body = {"name": "all", "enabled": True, "filter": [condition], "evaluatorAssignments": [{"evaluatorId": judge}]}
    made = rule_shown(judge, filter=[condition])
    id_ = check(api, Case("new", "POST v2/evaluation-rules", 200, made, body=body))["id"]
    one = f"v2/evaluation-rules/{id_}"
    check(api, Case("read", f"GET {one}", 200, made))
    assert api.get(f"v2/evaluators/{judge}")["evaluationRuleAssignments"] == [{"evaluationRuleId": id_}]
    in_use = check(api, Case("used", f"DELETE v2/evaluators/{judge}", 409, ANY))
    assert in_use["code"] == "conflict"
    mapping = [{"variable": "question", "source": "metadata"}, {"variable": "answer", "source": "tool_calls"}]
    body = {"sampling": 0.25, "evaluatorAssignments": [{"evaluatorId": other, "variableMapping": mapping}]}
    changed = check(api, Case("change", f"PATCH {one}", 200, ANY, body=body))
    assert (changed["sampling"], changed["evaluatorAssignments"]) == (
        0.25, [{"evaluatorId": other, "variableMapping": mapping}],
    )  # fmt: skip
    off = check(api, Case("none", f"PATCH {one}", 200, ANY, body={"evaluatorAssignments": []}))
    assert (off["enabled"], off["evaluatorAssignments"]) == (False, [])
    traces = create_rule(api, target="trace", enabled=False)
    listed = check(api, Case("list", "GET v2/evaluation-rules", 200, ANY))["data"]
    assert [(row["id"], row["target"]) for row in listed] == [(traces, "trace"), (id_, "observation")]
    check(api, Case("gone", f"DELETE {one}", 200, {"id": id_}))
    assert Rule.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"name": None}, ["name"]),
        ({"enabled": None}, ["enabled"]),
        ({"enabled": "yes"}, ["enabled"]),
        ({"sampling": 0}, ["sampling"]),
        ({"sampling": "all"}, ["sampling"]),
        ({"filter": {}}, ["filter"]),
        ({"filter": [{"type": "string"}]}, [0, "column"]),
        ({"filter": [{"type": "string", "column": "nope", "operator": "=", "value": ""}]}, ["filter"]),
        ({"target": "planet"}, ["target"]),
        ({"evaluatorAssignments": []}, ["evaluatorAssignments"]),
        ({"evaluatorAssignments": None}, ["evaluatorAssignments"]),
        ({"evaluatorAssignments": [7]}, ["evaluatorAssignments", 0]),
        ({"evaluatorAssignments": [{"evaluatorId": "nobody"}]}, ["evaluatorAssignments", 0, "evaluatorId"]),
    ],
)
def test_wrong_rules_say_where(api, changes, path):
    body = {"name": "all", "enabled": True, "evaluatorAssignments": [{"evaluatorId": create(api)}], **changes}
    answer = check(api, Case("wrong", "POST v2/evaluation-rules", 400, ANY, body=body))
    assert answer["code"] == "invalid_body"
    assert answer["details"]["issues"][0]["path"] == path


def test_a_rule_that_is_on_needs_mappings_that_fit_its_target(api):
    unmapped = create(api, variableMapping=None)
    body = {"name": "all", "enabled": True, "evaluatorAssignments": [{"evaluatorId": unmapped}]}
    answer = check(api, Case("unmapped", "POST v2/evaluation-rules", 400, ANY, body=body))
    assert answer["details"]["issues"][0]["code"] == "missing_variable_mapping"
    conversation = [{"variable": "question", "source": "conversation"}, MAPPING[1]]
    body["evaluatorAssignments"] = [{"evaluatorId": unmapped, "variableMapping": conversation}]
    answer = check(api, Case("elsewhere", "POST v2/evaluation-rules", 400, ANY, body=body))
    assert answer["details"]["issues"][0]["code"] == "invalid_variable_mapping"


def test_nobody_reaches_what_others_have(api):
    mine, rule = create(api), None
    rule = create_rule(api, mine)
    other = make_api()
    theirs = create(other)
    for request in (
        f"GET v2/evaluators/{mine}", f"DELETE v2/evaluators/{mine}", f"GET v2/evaluators/{mine}/versions",
        f"GET v2/evaluation-rules/{rule}", f"DELETE v2/evaluation-rules/{rule}", f"GET unstable/evaluators/{mine}",
        f"GET unstable/evaluation-rules/{rule}", f"DELETE unstable/evaluation-rules/{rule}",
        f"DELETE unstable/evaluators/{mine}",
    ):  # fmt: skip
        assert check(other, Case("theirs", request, 404, ANY))["code"] == "resource_not_found"
    body = {"name": "all", "enabled": True, "evaluatorAssignments": [{"evaluatorId": theirs}]}
    check(api, Case("theirs", "POST v2/evaluation-rules", 400, ANY, body=body))
    assert [row["id"] for row in other.get("v2/evaluators")["data"]] == [theirs]
    assert Evaluator.objects.count() == 2


# --- The old form ------------------------------------------------------------------------------------------
OLD = {
    "name": "quality",
    "prompt": "Rate {{question}}",
    "outputDefinition": {
        "dataType": "NUMERIC",
        "reasoning": {"description": "Why?"},
        "score": {"description": "How good?", "minValue": 0, "maxValue": 1},
    },
    "modelConfig": {"provider": "stub", "model": "judge"},
    "mapping": [{"variable": "question", "source": "input"}],
}


def old_shown(**fields):
    return {
        "id": ANY, "name": "quality", "version": 1, "scope": "project", "type": "llm_as_judge",
        "variables": ["question"], "mapping": OLD["mapping"], "evaluationRuleCount": 0, "createdAt": ANY,
        "updatedAt": ANY, "prompt": OLD["prompt"], "outputDefinition": OLD["outputDefinition"],
        "modelConfig": OLD["modelConfig"], **fields,
    }  # fmt: skip


def test_the_old_form_knows_a_family_by_its_name(api):
    id_ = check(api, Case("new", "POST unstable/evaluators", 200, old_shown(), body=OLD))["id"]
    again = {**OLD, "prompt": "Rate {{question}}!"}
    changed = old_shown(id=id_, version=2, prompt=again["prompt"])
    check(api, Case("again", "POST unstable/evaluators", 200, changed, body=again))
    page = {"page": 1, "limit": 50, "totalItems": 1, "totalPages": 1}
    check(api, Case("list", "GET unstable/evaluators", 200, {"data": [changed], "meta": page}))
    check(api, Case("read", f"GET unstable/evaluators/{id_}", 200, changed))
    body = {"name": "all", "enabled": True, "evaluator": {"name": "quality"}, "target": "observation"}
    named = {"id": id_, "name": "quality", "type": "llm_as_judge", "scope": "project"}
    rule = {
        "id": ANY, "name": "all", "evaluator": named, "evaluators": [{"evaluator": named, "mapping": None}],
        "enabled": True, "status": "active", "pausedReason": None, "pausedMessage": None, "sampling": 1,
        "target": "observation", "filter": [], "mapping": [], "createdAt": ANY, "updatedAt": ANY,
    }  # fmt: skip
    rule_id = check(api, Case("rule", "POST unstable/evaluation-rules", 200, rule, body=body))["id"]
    one = f"unstable/evaluation-rules/{rule_id}"
    Evaluator.objects.update(status=EvaluatorStatus.PAUSED, paused_reason="key_refused", paused_message="No.")
    paused = {**rule, "status": "paused", "pausedReason": "key_refused", "pausedMessage": "No."}
    check(api, Case("paused", f"GET {one}", 200, paused))
    check(api, Case("list", "GET unstable/evaluation-rules", 200, {"data": [paused], "meta": page}))
    used = check(api, Case("used", f"DELETE unstable/evaluators/{id_}", 409, ANY))
    assert used["code"] == "evaluator_in_use"
    off = {**rule, "enabled": False, "status": "inactive"}
    check(api, Case("off", f"PATCH {one}", 200, off, body={"enabled": False}))
    gone = {"message": "Evaluation rule successfully deleted"}
    check(api, Case("gone", f"DELETE {one}", 200, gone))
    check(api, Case("gone", f"DELETE unstable/evaluators/{id_}", 200, {"message": "Evaluator successfully deleted"}))


def test_the_old_form_tells_more_by_its_codes(api):
    def code(body, request="POST unstable/evaluators"):
        return check(api, Case("wrong", request, 400, ANY, body=body))["code"]

    assert code({**OLD, "mapping": []}) == "missing_variable_mapping"
    assert code({**OLD, "mapping": OLD["mapping"] * 2}) == "duplicate_variable_mapping"
    assert code({**OLD, "mapping": [{"variable": "question", "source": "x"}]}) == "invalid_variable_mapping"
    assert code({**OLD, "mapping": [{**OLD["mapping"][0], "jsonPath": "x"}]}) == "invalid_json_path"
    assert code({**OLD, "outputDefinition": "x"}) == "invalid_body"
    rules = "POST unstable/evaluation-rules"
    assert code({"name": "x", "enabled": True}, rules) == "invalid_body"
    assert code({"name": "x", "enabled": True, "evaluators": [7]}, rules) == "invalid_body"
    assert (
        code({"name": "x", "enabled": True, "evaluator": {"id": "nobody"}, "target": "trace"}, rules) == "invalid_body"
    )
