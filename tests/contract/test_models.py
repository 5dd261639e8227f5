"""Models and their prices: listed, created, put, deleted, refused; and who else may do so."""

from __future__ import annotations

import json
from decimal import Decimal
from unittest.mock import ANY

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditLog, Project
from tests.contract.harness import Case, check
from tests.tracing.api_data import make_api
from tracing.models import Model, PricingTier
from tracing.pricing import catalogue_for, forget_catalogues
from tracing.pricing.builtin import sync_builtin_models
from tracing.pricing.rates import Call

pytestmark = pytest.mark.django_db
BUILTIN = "built-in-model"
GIVEN = {"modelName": "m", "matchPattern": "(?i)^m$", "unit": "TOKENS", "inputPrice": 0.000001, "outputPrice": 2}
STANDARD = {"name": "Standard", "isDefault": True, "priority": 0, "conditions": [], "prices": {"input": 1, "output": 2}}
LARGE = {
    "name": "Large",
    "isDefault": False,
    "priority": 1,
    "conditions": [{"usageDetailPattern": "^input", "operator": "gt", "value": 200000}],
    "prices": {"output": 4.5, "input": 3},
}
FAST = {
    "name": "Fast",
    "isDefault": False,
    "priority": 2,
    "conditions": [{"source": "model_parameters", "key": "service_tier", "operator": "in", "values": ["priority"]}],
    "prices": {"input": 10, "output": 20},
}
NOT_FOUND = {"message": "No model with this id found.", "error": "LangfuseNotFoundError"}
NOT_ALLOWED = {"message": "Method not allowed", "error": "MethodNotAllowedError"}
EITHER = "Must provide either flat prices (inputPrice/outputPrice/totalPrice) OR pricingTiers"


@pytest.fixture(autouse=True)
def _fresh_catalogues():
    forget_catalogues()
    yield
    forget_catalogues()


@pytest.fixture
def api():
    model = Model.objects.create(id=BUILTIN, name="built-in", match_pattern="(?i)^built-in$", provider="x")
    tier = {"name": "Standard", "is_default": True, "prices": {"input": "0.0000025", "output": "0.00001"}}
    PricingTier.objects.create(id="built-in-tier", model=model, **tier)
    return make_api()


def given(**values):
    return {**GIVEN, **values}


def tiered(*tiers, **values):
    return {"modelName": "m", "matchPattern": "m", "unit": "TOKENS", "pricingTiers": list(tiers), **values}


def answered(**values):
    """The answer to GIVEN."""
    return {
        "id": ANY,
        "modelName": "m",
        "matchPattern": "(?i)^m$",
        "startDate": None,
        "unit": "TOKENS",
        "inputPrice": 0.000001,
        "outputPrice": 2,
        "totalPrice": None,
        "tokenizerId": None,
        "tokenizerConfig": None,
        "isLangfuseManaged": False,
        "createdAt": ANY,
        "prices": {"input": {"price": 0.000001}, "output": {"price": 2}},
        "pricingTiers": [{**STANDARD, "id": ANY, "prices": {"input": 0.000001, "output": 2}}],
        **values,
    }


BUILTIN_ANSWER = answered(
    id=BUILTIN,
    modelName="built-in",
    matchPattern="(?i)^built-in$",
    inputPrice=0.0000025,
    outputPrice=0.00001,
    isLangfuseManaged=True,
    prices={"input": {"price": 0.0000025}, "output": {"price": 0.00001}},
    pricingTiers=[{**STANDARD, "id": "built-in-tier", "prices": {"input": 0.0000025, "output": 0.00001}}],
)


def page(*items, number=1, limit=50, total=None):
    total = len(items) if total is None else total
    meta = {"page": number, "limit": limit, "totalItems": total, "totalPages": -(-total // limit)}
    return {"data": list(items), "meta": meta}


def refused(*issues):
    return {"message": "Invalid request data", "error": list(issues)}


def invalid(message):
    return {"message": message, "error": "InvalidRequestError"}


def custom(message, *path):
    return {"code": "custom", "path": list(path), "message": message}


def wrong_type(expected, received, *path):
    message = f"Invalid input: expected {expected}, received {received}"
    return {"expected": expected, "code": "invalid_type", "path": list(path), "message": message}


def no_option(options, *path):
    expected = "|".join(f'"{option}"' for option in options)
    message = f"Invalid option: expected one of {expected}"
    return {"code": "invalid_value", "values": options, "path": list(path), "message": message}


def out_of_bounds(size, limit, expected, *path, origin="string"):
    bound = {"small": "minimum", "big": "maximum"}[size]
    message = f"Too {size}: expected {expected}"
    return {
        "origin": origin,
        "code": f"too_{size}",
        bound: limit,
        "inclusive": True,
        "path": list(path),
        "message": message,
    }


def limit_issue(name, size, limit):
    bound = {"small": "minimum", "big": "maximum"}[size]
    sign = {"small": ">=", "big": "<="}[size]
    message = f"Too {size}: expected number to be {sign}{limit}"
    return {
        "code": f"too_{size}",
        "path": [name],
        "message": message,
        bound: limit,
        "origin": "number",
        "inclusive": True,
    }


READS = [
    Case("the list", "GET models", 200, page(BUILTIN_ANSWER)),
    Case("a page beyond the last", "GET models", 200, page(number=3, limit=1, total=1), {"page": 3, "limit": 1}),
    Case("limit zero", "GET models", 400, refused(limit_issue("limit", "small", 1)), {"limit": 0}),
    Case("limit too large", "GET models", 400, refused(limit_issue("limit", "big", 100)), {"limit": 101}),
    Case("page zero", "GET models", 400, refused(limit_issue("page", "small", 1)), {"page": 0}),
    Case("empty page and limit", "GET models", 200, page(BUILTIN_ANSWER), {"page": "", "limit": ""}),
    Case("unknown parameters", "GET models", 200, page(BUILTIN_ANSWER), {"nothing": "x"}),
    Case("a built-in model", f"GET models/{BUILTIN}", 200, BUILTIN_ANSWER),
    Case("an unknown model", "GET models/nobody", 404, NOT_FOUND),
    Case("an id with NUL", "GET models/a%00b", 404, {"message": "Not Found", "error": "LangfuseNotFoundError"}),
    Case("an id with a slash", "GET models/a%2Fb", 404, NOT_FOUND),
    Case("PATCH", "PATCH models/x", 405, NOT_ALLOWED, body=GIVEN),
    Case("DELETE of the list", "DELETE models", 405, NOT_ALLOWED),
    Case(
        "deleting a built-in model",
        f"DELETE models/{BUILTIN}",
        404,
        {
            "message": "No model with this id found. Note: You cannot delete built-in models, override them with a "
            "model with the same name.",
            "error": "LangfuseNotFoundError",
        },
    ),
]
TOTAL = {"inputPrice": None, "outputPrice": None}
ACCEPTED = [
    ("flat prices", given(), answered()),
    ("unknown fields", given(extra={"a": 1}), answered()),
    ("no unit", {key: value for key, value in GIVEN.items() if key != "unit"}, answered(unit=None)),
    ("null for what is absent", given(startDate=None, tokenizerId=None, pricingTiers=None), answered()),
    ("an empty list of tiers", given(pricingTiers=[]), answered()),
    ("a start date", given(startDate="2026-01-02T03:04:05+01:00"), answered(startDate="2026-01-02T02:04:05.000Z")),
    ("a start day", given(startDate="2026-01-02"), answered(startDate="2026-01-02T00:00:00.000Z")),
    (
        "a tokenizer",
        given(tokenizerId="openai", tokenizerConfig={"tokenizerModel": "gpt-4o", "tokensPerName": 1}),
        answered(tokenizerId="openai", tokenizerConfig={"tokenizerModel": "gpt-4o", "tokensPerName": 1}),
    ),
    ("any JSON as the tokenizer's settings", given(tokenizerConfig=[1, "a"]), answered(tokenizerConfig=[1, "a"])),
    (
        "a total price",
        given(**TOTAL, totalPrice=0.5, unit="IMAGES"),
        answered(
            **TOTAL,
            totalPrice=0.5,
            unit="IMAGES",
            prices={"total": {"price": 0.5}},
            pricingTiers=[{**STANDARD, "id": ANY, "prices": {"total": 0.5}}],
        ),
    ),
    (
        "a price of nothing",
        given(inputPrice=0, outputPrice=None),
        answered(
            inputPrice=0,
            outputPrice=None,
            prices={"input": {"price": 0}},
            pricingTiers=[{**STANDARD, "id": ANY, "prices": {"input": 0}}],
        ),
    ),
    (
        "tiers in any order",
        tiered(FAST, LARGE, STANDARD),
        answered(
            matchPattern="m",
            inputPrice=1,
            prices={"input": {"price": 1}, "output": {"price": 2}},
            pricingTiers=[
                {**STANDARD, "id": ANY},
                {**LARGE, "id": ANY, "conditions": [{**LARGE["conditions"][0], "caseSensitive": False}]},
                {**FAST, "id": ANY},
            ],
        ),
    ),
    (
        "kinds of usage of one's own",
        tiered({**STANDARD, "prices": {"search/calls": 0.01}}),
        answered(
            matchPattern="m",
            inputPrice=None,
            outputPrice=None,
            prices={"search/calls": {"price": 0.01}},
            pricingTiers=[{**STANDARD, "id": ANY, "prices": {"search/calls": 0.01}}],
        ),
    ),
    ("a name of any script", given(modelName="模型/𝔪 %"), answered(modelName="模型/𝔪 %")),
]
TIER = ("pricingTiers", 0)
CONDITION = ("pricingTiers", 1, "conditions", 0)
UNITS = ["TOKENS", "CHARACTERS", "MILLISECONDS", "SECONDS", "REQUESTS", "IMAGES"]


def without(source, *names):
    return {key: value for key, value in source.items() if key not in names}


def with_condition(**values):
    """Tiers whose first condition differs; `...` takes a field away."""
    condition = {**LARGE["conditions"][0], **values}
    kept = {key: value for key, value in condition.items() if value is not ...}
    return tiered(STANDARD, {**LARGE, "conditions": [kept]})


def with_attribute(**values):
    condition = {**FAST["conditions"][0], **values}
    return tiered(STANDARD, {**FAST, "conditions": [{k: v for k, v in condition.items() if v is not ...}]})


REFUSED = [
    ("no object", [], refused(wrong_type("object", "array"))),
    ("no JSON", b"{", {"message": "Invalid JSON", "error": "InvalidRequestError"}),
    (
        "nothing at all",
        {},
        refused(wrong_type("string", "undefined", "modelName"), wrong_type("string", "undefined", "matchPattern")),
    ),
    ("a null name", given(modelName=None), refused(wrong_type("string", "null", "modelName"))),
    ("a number for a name", given(modelName=3), refused(wrong_type("string", "number", "modelName"))),
    (
        "an empty name",
        given(modelName=""),
        refused(out_of_bounds("small", 1, "string to have >=1 characters", "modelName")),
    ),
    (
        "a name too long",
        given(modelName="n" * 256),
        refused(out_of_bounds("big", 255, "string to have <=255 characters", "modelName")),
    ),
    ("NUL in the name", given(modelName="a\x00"), invalid("Text must not hold the character U+0000.")),
    (
        "NUL deep inside",
        given(tokenizerConfig={"a": ["\x00"]}),
        invalid("Text must not hold the character U+0000."),
    ),
    (
        "NUL in a key",
        given(tokenizerConfig={"\x00": 1}),
        invalid("Text must not hold the character U+0000."),
    ),
    (
        "endless nesting",
        given(tokenizerConfig=json.loads("[" * 60 + "]" * 60)),
        refused(custom("Nested deeper than 50 levels", "tokenizerConfig")),
    ),
    ("an unknown unit", given(unit="PAGES"), refused(no_option(UNITS, "unit"))),
    ("an unknown tokenizer", given(tokenizerId="x"), refused(no_option(["openai", "claude"], "tokenizerId"))),
    (
        "a start date that is none",
        given(startDate="yesterday"),
        refused(wrong_type("date", "string", "startDate")),
    ),
    ("a price as text", given(inputPrice="1"), refused(wrong_type("number", "string", "inputPrice"))),
    ("a truth value as price", given(inputPrice=True), refused(wrong_type("number", "boolean", "inputPrice"))),
    (
        "a price below zero",
        given(outputPrice=-1),
        refused(out_of_bounds("small", 0, "number to be >=0", "outputPrice", origin="number")),
    ),
    ("no price at all", given(inputPrice=None, outputPrice=None), refused(custom(EITHER))),
    ("flat prices and tiers", given(pricingTiers=[STANDARD]), refused(custom(f"{EITHER}, not both"))),
    (
        "a total price beside others",
        given(totalPrice=1),
        refused(custom("If input and/or output price is set, total price must be null", "totalPrice")),
    ),
    ("tiers that are no list", given(pricingTiers={}), refused(wrong_type("array", "object", "pricingTiers"))),
    ("a tier that is no object", tiered("x"), refused(wrong_type("object", "string", *TIER))),
    (
        "an empty tier",
        tiered({}),
        refused(
            wrong_type("string", "undefined", *TIER, "name"),
            wrong_type("boolean", "undefined", *TIER, "isDefault"),
            wrong_type("number", "undefined", *TIER, "priority"),
            wrong_type("array", "undefined", *TIER, "conditions"),
            wrong_type("record", "undefined", *TIER, "prices"),
        ),
    ),
    (
        "a tier's name too long",
        tiered({**STANDARD, "name": "n" * 101}),
        refused(out_of_bounds("big", 100, "string to have <=100 characters", *TIER, "name")),
    ),
    (
        "a priority too high",
        tiered(STANDARD, {**LARGE, "priority": 1000}),
        refused(out_of_bounds("big", 999, "number to be <=999", "pricingTiers", 1, "priority", origin="number")),
    ),
    (
        "half a priority",
        tiered(STANDARD, {**LARGE, "priority": 1.5}),
        refused(wrong_type("int", "number", "pricingTiers", 1, "priority")),
    ),
    (
        "a tier's price below zero",
        tiered({**STANDARD, "prices": {"input": -1}}),
        refused(out_of_bounds("small", 0, "number to be >=0", *TIER, "prices", "input", origin="number")),
    ),
    (
        "a tier's null price",
        tiered({**STANDARD, "prices": {"input": None}}),
        refused(wrong_type("number", "null", *TIER, "prices", "input")),
    ),
    (
        "no default tier",
        tiered(LARGE),
        refused(custom("Exactly one tier must be the default one (isDefault), not 0", "pricingTiers")),
    ),
    (
        "two default tiers",
        tiered(STANDARD, {**STANDARD, "name": "Other"}),
        refused(custom("Exactly one tier must be the default one (isDefault), not 2", "pricingTiers")),
    ),
    (
        "a default tier with a priority",
        tiered({**STANDARD, "priority": 1}),
        refused(custom("The default tier must have priority 0", "pricingTiers")),
    ),
    (
        "a default tier with a condition",
        tiered({**STANDARD, "conditions": LARGE["conditions"]}),
        refused(custom("The default tier must not have conditions", "pricingTiers")),
    ),
    (
        "another tier without conditions",
        tiered(STANDARD, {**LARGE, "conditions": []}),
        refused(custom("Tier 'Large' needs at least one condition, as it is not the default one", "pricingTiers")),
    ),
    (
        "two tiers of a name",
        tiered(STANDARD, LARGE, {**FAST, "name": "Large"}),
        refused(custom("Names of tiers must be unique: 'Large' is there twice", "pricingTiers")),
    ),
    (
        "two tiers of a priority",
        tiered(STANDARD, LARGE, {**FAST, "priority": 1}),
        refused(custom("Priorities of tiers must be unique: 1 is there twice", "pricingTiers")),
    ),
    (
        "the priority of the default tier",
        tiered(STANDARD, {**LARGE, "priority": 0}),
        refused(custom("Priorities of tiers must be unique: 0 is there twice", "pricingTiers")),
    ),
    (
        "other kinds of usage",
        tiered(STANDARD, {**LARGE, "prices": {"input": 1}}),
        refused(
            custom(
                "Tier 'Large' must price the same kinds of usage as the default tier: "
                "expected input, output, got input",
                "pricingTiers",
            )
        ),
    ),
    (
        "a tier without prices",
        tiered({**STANDARD, "prices": {}}),
        refused(custom("Every tier needs at least one price", "pricingTiers")),
    ),
    (
        "a condition that is no object",
        tiered(STANDARD, {**LARGE, "conditions": ["x"]}),
        refused(wrong_type("object", "string", *CONDITION)),
    ),
    (
        "a condition's pattern missing",
        with_condition(usageDetailPattern=...),
        refused(wrong_type("string", "undefined", *CONDITION, "usageDetailPattern")),
    ),
    (
        "a condition's pattern too long",
        with_condition(usageDetailPattern="x" * 201),
        refused(out_of_bounds("big", 200, "string to have <=200 characters", *CONDITION, "usageDetailPattern")),
    ),
    (
        "a condition's pattern broken",
        with_condition(usageDetailPattern="("),
        refused(custom("Not a valid regular expression: unclosed group", *CONDITION, "usageDetailPattern")),
    ),
    (
        "an unknown comparison",
        with_condition(operator=">"),
        refused(no_option(["gt", "gte", "lt", "lte", "eq", "neq"], *CONDITION, "operator")),
    ),
    (
        "a comparison with less than nothing",
        with_condition(value=-1),
        refused(out_of_bounds("small", 0, "number to be >=0", *CONDITION, "value", origin="number")),
    ),
    (
        "a case that is no truth value",
        with_condition(caseSensitive="no"),
        refused(wrong_type("boolean", "string", *CONDITION, "caseSensitive")),
    ),
    (
        "an unknown source",
        with_attribute(source="input"),
        refused(no_option(["model_parameters", "metadata"], *CONDITION, "source")),
    ),
    ("no key", with_attribute(key=...), refused(wrong_type("string", "undefined", *CONDITION, "key"))),
    ("another operator", with_attribute(operator="eq"), refused(no_option(["in"], *CONDITION, "operator"))),
    (
        "no values",
        with_attribute(values=[]),
        refused(out_of_bounds("small", 1, "array to have >=1 items", *CONDITION, "values", origin="array")),
    ),
    (
        "a value that is no text",
        with_attribute(values=["a", 1]),
        refused(wrong_type("string", "number", *CONDITION, "values", 1)),
    ),
    (
        "a broken pattern",
        given(matchPattern="("),
        invalid("matchPattern is not a valid regex pattern. Not a valid regular expression: unclosed group"),
    ),
    (
        "a pattern that looks ahead",
        given(matchPattern="(?=m)"),
        invalid(
            "matchPattern is not a valid regex pattern. Not a valid regular expression: look-around, including "
            "look-ahead and look-behind, is not supported"
        ),
    ),
    (
        "a pattern that refers back",
        given(matchPattern=r"(m)\1"),
        invalid(
            "matchPattern is not a valid regex pattern. "
            "Not a valid regular expression: backreferences are not supported"
        ),
    ),
]


@pytest.mark.parametrize("case", READS, ids=str)
def test_reads(api, case):
    check(api, case)


@pytest.mark.parametrize(("body", "answer"), [case[1:] for case in ACCEPTED], ids=[case[0] for case in ACCEPTED])
def test_accepted(api, body, answer):
    made = check(api, Case("post", "POST models", 200, answer, body=body))
    check(api, Case("read", f"GET models/{made['id']}", 200, made))


@pytest.mark.parametrize(("body", "answer"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused(api, body, answer):
    check(api, Case("post", "POST models", 400, answer, body=body))
    check(api, Case("put", "PUT models/mine", 400, answer, body=body))
    assert not Model.objects.filter(project_id=api.project_id).exists()


def test_order_of_the_list(api):
    for name, unit, start in [
        ("zeta", "TOKENS", None),
        ("alpha", "TOKENS", None),
        ("alpha2", "REQUESTS", "2026-01-01T00:00:00Z"),
    ]:
        api("POST", "models", given(modelName=name, unit=unit, startDate=start))
    assert [item["modelName"] for item in api.get("models")["data"]] == ["alpha", "alpha2", "built-in", "zeta"]
    second = api.get("models", page=2, limit=2)
    assert [item["modelName"] for item in second["data"]] == ["built-in", "zeta"]
    assert second["meta"] == {"page": 2, "limit": 2, "totalItems": 4, "totalPages": 2}


def test_a_name_is_there_once(api):
    check(api, Case("first", "POST models", 200, answered(), body=GIVEN))
    taken = invalid("Model name 'm' already exists in project")
    check(api, Case("again", "POST models", 400, taken, body=GIVEN))
    check(api, Case("put beside it", "PUT models/other", 400, taken, body=GIVEN))
    check(make_api(name="Other"), Case("elsewhere", "POST models", 200, answered(), body=GIVEN))
    check(
        api,
        Case("over a built-in", "POST models", 200, answered(modelName="built-in"), body=given(modelName="built-in")),
    )


def test_put_creates_and_replaces(api):
    path = "models/our%2Fmodel%20%C3%A9"
    made = check(api, Case("create", f"PUT {path}", 200, answered(id="our/model é"), body=GIVEN))
    body = tiered({**STANDARD, "prices": {"input": 7}}, modelName="renamed", matchPattern="r", unit="SECONDS")
    replaced = answered(
        id="our/model é",
        modelName="renamed",
        matchPattern="r",
        unit="SECONDS",
        inputPrice=7,
        outputPrice=None,
        createdAt=made["createdAt"],
        prices={"input": {"price": 7}},
        pricingTiers=[{**STANDARD, "id": made["pricingTiers"][0]["id"], "prices": {"input": 7}}],
    )
    check(api, Case("replace", f"PUT {path}", 200, replaced, body=body))
    check(api, Case("again", f"PUT {path}", 200, replaced, body=body))
    check(api, Case("read", f"GET {path}", 200, replaced))
    assert Model.objects.filter(project_id=api.project_id).count() == 1
    check(api, Case("delete", f"DELETE {path}", 200, {"message": "Model successfully deleted"}))
    check(api, Case("gone", f"GET {path}", 404, NOT_FOUND))


def test_put_replaces_what_was_posted(api):
    made = api("POST", "models", GIVEN).json()
    check(
        api,
        Case("put", f"PUT models/{made['id']}", 200, answered(id=made["id"], unit="IMAGES"), body=given(unit="IMAGES")),
    )
    assert len(api.get("models")["data"]) == 2


def test_put_leaves_built_in_models_alone(api):
    answer = invalid("This model is built in and cannot be changed. Create one of the same name to override it.")
    check(api, Case("put", f"PUT models/{BUILTIN}", 400, answer, body=GIVEN))
    check(api, Case("as before", f"GET models/{BUILTIN}", 200, BUILTIN_ANSWER))


def test_put_refuses_ids_that_cannot_be_kept(api):
    answer = invalid("The id of a model has 1 to 255 characters.")
    check(api, Case("put", f"PUT models/{'x' * 256}", 400, answer, body=GIVEN))


def test_another_projects_model_is_neither_seen_nor_touched(api):
    stranger = make_api(name="Other")
    made = stranger("PUT", "models/shared", given(matchPattern="secret")).json()
    posted = stranger("POST", "models", given(modelName="posted")).json()
    missing = Case("delete", "DELETE models/shared", 404, {**NOT_FOUND, "message": ANY})
    check(api, Case("read", "GET models/shared", 404, NOT_FOUND))
    check(api, missing)
    check(api, Case("read", f"GET models/{posted['id']}", 404, NOT_FOUND))
    for own_id in ("shared", posted["id"]):
        check(api, Case("put", f"PUT models/{own_id}", 200, answered(id=own_id, modelName=own_id),
                        body=given(modelName=own_id)))  # fmt: skip
    check(stranger, Case("still there", "GET models/shared", 200, made))
    check(stranger, Case("still there", f"GET models/{posted['id']}", 200, posted))
    assert "secret" not in json.dumps(api.get("models"))


def test_a_model_counts_at_once(api, django_capture_on_commit_callbacks):
    def price():
        model = catalogue_for(api.project_id).match("m")
        return model and (model.id, model.tier_for(Call({"input": 300_000})).prices["input"])

    assert price() is None
    for body, expected in ((given(), "0.000001"), (tiered(STANDARD, LARGE), "3")):
        with django_capture_on_commit_callbacks(execute=True):
            api("PUT", "models/mine", body)
        assert price() == ("mine", Decimal(expected))
    with django_capture_on_commit_callbacks(execute=True):
        api("DELETE", "models/mine")
    assert price() is None


def test_changes_are_in_the_audit_log(api):
    api("PUT", "models/mine", GIVEN)
    api("PUT", "models/mine", given(unit="IMAGES"))
    api("DELETE", "models/mine")
    entries = list(AuditLog.objects.filter(object_type="model").order_by("id").values_list("action", "project_id"))
    assert entries == [(f"model.{verb}", api.project_id) for verb in ("create", "update", "delete")]
    assert AuditLog.objects.get(action="model.update").before["unit"] == "TOKENS"


def test_every_built_in_model_can_be_answered(api):
    sync_builtin_models()
    pages = [api.get("models", page=number, limit=100) for number in (1, 2)]
    items = [item for one in pages for item in one["data"]]
    assert len(items) == pages[0]["meta"]["totalItems"] == Model.objects.filter(project=None).count()
    assert all(item["isLangfuseManaged"] and item["pricingTiers"][0]["isDefault"] for item in items)


class TestAdminKey:
    """The instance's own key."""

    HEADERS = {"Authorization": "Bearer admin-secret", "x-langfuse-admin-api-key": "admin-secret"}

    @pytest.fixture(autouse=True)
    def _admin_key(self, settings):
        settings.ADMIN_API_KEY = "admin-secret"

    def ask(self, method="GET", path="models", body=None, **headers):
        sent = {key: value for key, value in {**self.HEADERS, **headers}.items() if value is not None}
        data = json.dumps(body).encode() if body is not None else b""
        response = Client().generic(method, f"/api/public/{path}", data, content_type="application/json", headers=sent)
        return response.status_code, response.json()

    def test_it_acts_on_the_project_it_names(self, api):
        named = {"x-langfuse-project-id": api.project_id}
        assert self.ask("PUT", "models/mine", GIVEN, **named) == (200, answered(id="mine"))
        assert self.ask(**named) == (200, page(BUILTIN_ANSWER, answered(id="mine")))
        assert api.get("models/mine")["modelName"] == "m"
        assert AuditLog.objects.get(action="model.create").actor == "ADMIN_API_KEY"

    @pytest.mark.parametrize(
        ("headers", "status", "answer"),
        [
            ({}, 400, invalid("The header x-langfuse-project-id is missing.")),
            (
                {"x-langfuse-project-id": "nobody"},
                404,
                {"message": "Project not found", "error": "LangfuseNotFoundError"},
            ),
            ({"Authorization": "Bearer wrong"}, 401, ANY),
            ({"Authorization": "Basic admin-secret"}, 401, ANY),
            ({"Authorization": None}, 401, ANY),
            ({"x-langfuse-admin-api-key": "wrong"}, 401, ANY),
            ({"x-langfuse-admin-api-key": ""}, 401, ANY),
            ({"x-langfuse-admin-api-key": None}, 401, ANY),
        ],
        ids=["no project", "unknown project", "wrong bearer", "basic", "no bearer", "wrong key", "empty key", "no key"],
    )
    def test_what_is_refused(self, api, headers, status, answer):
        message = {"message": "Invalid credentials. Confirm that you've configured the correct host."}
        named = {} if status in (400, 404) else {"x-langfuse-project-id": api.project_id}
        assert self.ask(**{**named, **headers}) == (status, message if answer is ANY else answer)

    def test_an_instance_without_one_says_so(self, api, settings):
        settings.ADMIN_API_KEY = ""
        named = {"x-langfuse-project-id": api.project_id}
        assert self.ask(**named) == (500, {"message": "This instance has no ADMIN_API_KEY."})
        empty = {"Authorization": "Bearer ", "x-langfuse-admin-api-key": ""}
        assert self.ask(**named, **empty)[0] == 500

    def test_deleted_projects_are_closed(self, api):

        Project.objects.filter(pk=api.project_id).update(deleted_at=timezone.now())
        assert self.ask(**{"x-langfuse-project-id": api.project_id})[0] == 404

    def test_it_opens_nothing_else(self, api):
        assert self.ask(path="traces", **{"x-langfuse-project-id": api.project_id})[0] == 401


def test_conditions_of_built_in_models_say_whether_letters_count(api):
    """Clients demand it of every condition on usage; the catalogue leaves it out."""
    PricingTier.objects.create(
        id="built-in-large", model_id=BUILTIN, name="Large", priority=1, prices={}, conditions=LARGE["conditions"]
    )
    [condition] = api.get(f"models/{BUILTIN}")["pricingTiers"][1]["conditions"]
    assert condition == {**LARGE["conditions"][0], "caseSensitive": False}


@pytest.mark.parametrize(
    ("client", "names"),
    [
        ({"X-Langfuse-Sdk-Name": "python", "X-Langfuse-Sdk-Version": "3.15.0"}, ["Standard"]),
        ({"X-Langfuse-Sdk-Name": "python", "X-Langfuse-Sdk-Version": "4.18.0"}, ["Standard", "Fast"]),
        ({"X-Langfuse-Sdk-Name": "javascript", "X-Langfuse-Sdk-Version": "3.39.2"}, ["Standard", "Fast"]),
        ({}, ["Standard", "Fast"]),
    ],
    ids=["python 3", "python 4", "javascript 3", "nobody"],
)
def test_clients_that_fail_on_conditions_on_attributes_see_the_other_tiers(api, client, names):
    PricingTier.objects.create(
        id="built-in-fast", model_id=BUILTIN, name="Fast", priority=2, prices={}, conditions=FAST["conditions"]
    )
    headers = {"Authorization": api.authorization, **client}
    answer = Client().get(f"/api/public/models/{BUILTIN}", headers=headers).json()
    assert [tier["name"] for tier in answer["pricingTiers"]] == names
