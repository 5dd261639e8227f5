from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from django.test import Client

from accounts import key_usage
from tests.factories import basic, make_key, make_organization
from tests.tracing.api_data import at, fill, make_api, observation, score, trace
from tracing.analytics import store
from tracing.ingest import drain, readiness

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]


IMPOSSIBLE_TIMES = ("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "1899-12-31T23:59:59Z")


@pytest.fixture
def api():
    api = make_api()
    fill(api.project_id)
    return api


def test_trace_list_in_full(api):
    page = api.get("traces")
    assert page["meta"] == {"page": 1, "limit": 50, "totalItems": 3, "totalPages": 1}
    assert [item["id"] for item in page["data"]] == ["folder/t 3%", "t2", "t1"]
    first = page["data"][2]
    assert first.pop("observations") == ["root", "gen", "error"] or sorted(first["observations"])
    assert first == {
        "id": "t1",
        "projectId": api.project_id,
        "externalId": None,
        "timestamp": "2026-03-02T10:00:00.000Z",
        "name": "chat",
        "userId": "alice",
        "sessionId": "s1",
        "release": "r1",
        "version": "v1",
        "environment": "prod",
        "public": True,
        "bookmarked": False,
        "tags": ["a", "b"],
        "createdAt": "2026-03-02T10:00:00.000Z",
        "updatedAt": "2026-03-02T10:00:00.000Z",
        "input": {"q": "Wieviel?"},
        "output": "plain text",
        "metadata": {
            "k": "v",
            "attributes": {"gen_ai.system": "openai", "n": "11"},
            "scope": {"name": "sdk", "version": "1.10", "attributes": {}},
            "resourceAttributes": {"service.name": "golden"},
            "long": "x" * 300,
            "team": "x",
            "n": {"deep": [1, 2]},
        },
        "scores": ["b", "c", "n"],
        "totalCost": 0.00075,
        "latency": 60,
        "htmlPath": f"/project/{api.project_id}/traces/t1",
    }
    own, empty = page["data"][1], page["data"][0]
    assert (own["input"], own["output"], own["totalCost"], own["latency"]) == ("own", 42, 0, 0)
    assert (empty["input"], empty["metadata"], empty["name"], empty["tags"]) == (None, {}, "empty", [])


def test_field_groups_of_traces(api):
    item = api.get("traces", fields="core", userId="alice")["data"][0]
    assert not {"input", "output", "metadata"} & item.keys()
    assert (item["observations"], item["scores"], item["totalCost"], item["latency"]) == ([], [], -1, -1)
    item = api.get("traces/t1", fields="core,nonsense")
    assert (item["observations"], item["scores"], item["metadata"], item["totalCost"]) == ([], [], {}, -1)
    assert api.get("traces/t1", fields="core,metrics")["latency"] == 60


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"userId": "alice"}, ["t1"]),
        ({"name": "search"}, ["t2"]),
        ({"sessionId": "s1"}, ["t2", "t1"]),
        ({"tags": "b"}, ["t2", "t1"]),
        ({"tags": "a,b"}, ["t1"]),
        ({"environment": "prod,staging"}, ["t1"]),
        ({"release": "r1", "version": "v1"}, ["t1"]),
        ({"fromTimestamp": "2026-03-02T10:01:40Z"}, ["folder/t 3%", "t2"]),
        ({"toTimestamp": "2026-03-02T11:01:40.000+01:00"}, ["t1"]),
        ({"orderBy": "name.asc"}, ["t1", "folder/t 3%", "t2"]),
        ({"orderBy": "timestamp.asc", "limit": 1}, ["t1"]),
        ({"orderBy": "timestamp.asc", "limit": 1, "page": 2}, ["t2"]),
        ({"page": 9}, []),
        ({"unknown": "ignored", "limit": "", "userId": ""}, ["folder/t 3%", "t2", "t1"]),
    ],
)
def test_simple_parameters_of_traces(api, params, found):
    assert api.ids("traces", **params) == found


@pytest.mark.parametrize(
    ("item", "found"),
    [
        ({"type": "string", "column": "name", "operator": "contains", "value": "ea"}, ["t2"]),
        ({"type": "string", "column": "traceName", "operator": "does not contain", "value": "e"}, ["t1"]),
        ({"type": "stringOptions", "column": "userId", "operator": "none of", "value": ["bob", ""]}, ["t1"]),
        ({"type": "arrayOptions", "column": "tags", "operator": "any of", "value": ["a", "z"]}, ["t1"]),
        ({"type": "arrayOptions", "column": "tags", "operator": "none of", "value": ["a"]}, ["folder/t 3%", "t2"]),
        ({"type": "stringObject", "column": "metadata", "key": "team", "operator": "=", "value": "x"}, ["t1"]),
        (
            {"type": "stringObject", "column": "metadata", "key": "team", "operator": "does not contain", "value": "y"},
            ["t1"],
        ),
        ({"type": "null", "column": "userId", "operator": "is null", "value": ""}, ["folder/t 3%"]),
        ({"type": "boolean", "column": "bookmarked", "operator": "=", "value": True}, []),
        (
            {"type": "datetime", "column": "timestamp", "operator": ">=", "value": "2026-03-02T10:01:40Z"},
            ["folder/t 3%", "t2"],
        ),
        ({"type": "stringOptions", "column": "level", "operator": "any of", "value": ["ERROR"]}, ["t1"]),
        ({"type": "number", "column": "errorCount", "operator": ">", "value": 0}, ["t1"]),
        ({"type": "number", "column": "totalCost", "operator": ">", "value": 0.0005}, ["t1"]),
        ({"type": "number", "column": "latency", "operator": "<", "value": 59.5}, ["folder/t 3%", "t2"]),
        ({"type": "number", "column": "tokens", "operator": "=", "value": 170}, ["t1"]),
        ({"type": "numberObject", "column": "scores_avg", "key": "quality", "operator": ">=", "value": 0.75}, ["t1"]),
        (
            {
                "type": "categoryOptions",
                "column": "score_categories",
                "key": "kind",
                "operator": "any of",
                "value": ["good"],
            },
            ["t1"],
        ),
        (
            {"type": "booleanObject", "column": "score_booleans", "key": "ok", "operator": "<>", "value": True},
            ["folder/t 3%", "t2"],
        ),
        ({"type": "positionInTrace", "column": "x", "operator": "y", "value": 1}, ["folder/t 3%", "t2", "t1"]),
    ],
)
def test_filters_of_traces(api, item, found):
    page = api.get("traces", filter=[item])
    assert [one["id"] for one in page["data"]] == found
    assert page["meta"]["totalItems"] == len(found)


def test_a_filter_replaces_the_parameter_of_its_field(api):
    by_name = [{"type": "string", "column": "userId", "operator": "=", "value": "bob"}]
    assert api.ids("traces", userId="alice", filter=by_name) == ["t2"]
    assert api.ids("traces", name="chat", filter=by_name) == []


@pytest.mark.parametrize(
    ("path", "params", "item"),
    [
        ("traces", {"name": "nobody"}, {"type": "string", "column": "traceName", "operator": "=", "value": "chat"}),
        (
            "traces",
            {"tags": "no"},
            {"type": "arrayOptions", "column": "traceTags", "operator": "any of", "value": ["a"]},
        ),
        (
            "traces",
            {"toTimestamp": "2020-01-01T00:00:00Z"},
            {"type": "datetime", "column": "timestamp", "operator": ">", "value": "2020-01-01T00:00:00Z"},
        ),
        (
            "observations",
            {"toStartTime": "2020-01-01T00:00:00Z"},
            {"type": "datetime", "column": "startTime", "operator": ">", "value": "2020-01-01T00:00:00Z"},
        ),
    ],
)
def test_a_filter_replaces_the_parameter_of_its_field_by_any_name(api, path, params, item):
    assert api.ids(path, **params) == []
    assert api.ids(path, **params, filter=[item]) != []


def test_one_trace(api):
    item = api.get("traces/t1")
    assert item["latency"] == 60
    assert item["totalCost"] == 0.00075
    assert [one["id"] for one in item["observations"]] == ["root", "gen", "error"]
    assert [one["id"] for one in item["scores"]] == ["c", "b", "n"]  # a correction is none of them
    assert item["scores"][2]["metadata"] == {"metadata": "text"}
    assert item["metadata"]["n"] == {"deep": [1, 2]}


@pytest.mark.parametrize("path", ["traces/folder%2Ft%203%25", "traces/folder/t%203%25"])
def test_ids_with_slash_space_and_percent(api, path):
    assert api.get(path)["id"] == "folder/t 3%"


def test_ids_of_several_lines():
    api, odd = make_api(), "one\r\ntwo/three"
    store.insert(
        traces=[trace(api.project_id, odd, 0, session_id=odd)],
        observations=[observation(api.project_id, odd, odd, 0)],
        scores=[score(api.project_id, odd, 0, trace_id=odd, value=1.0)],
    )
    for path in ("traces", "observations", "sessions", "scores", "v2/scores"):
        assert api.get(f"{path}/{quote(odd, safe='')}")["id"] == odd
    assert api("DELETE", f"traces/{quote(odd, safe='')}").status_code == 200
    assert api.ids("traces") == []
    answer = Client().get("/api/nope%0A")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")


def test_unknown_ids(api):
    assert api.get("traces/nope", 404) == {
        "message": "Trace nope not found within authorized project",
        "error": "LangfuseNotFoundError",
    }
    for path, message in [
        ("observations/nope", "Observation not found within authorized project"),
        ("sessions/nope", "Session not found within authorized project"),
        ("scores/nope", "Score not found"),
        ("v2/scores/nope", "Score not found"),
        ("media/nope", "Media asset not found"),
    ]:
        assert api.get(path, 404) == {"message": message, "error": "LangfuseNotFoundError"}


def test_observation_v1(api):
    page = api.get("observations")
    assert page["meta"]["totalItems"] == 4
    assert [item["id"] for item in page["data"]] == ["event", "error", "gen", "root"]
    assert api.get("observations/gen") == page["data"][2]
    assert page["data"][2] == {
        "id": "gen",
        "traceId": "t1",
        "projectId": api.project_id,
        "startTime": "2026-03-02T10:00:01.000Z",
        "endTime": "2026-03-02T10:00:02.000Z",
        "parentObservationId": "root",
        "type": "GENERATION",
        "environment": "default",
        "name": "llm",
        "level": "WARNING",
        "statusMessage": None,
        "version": None,
        "createdAt": "2026-03-02T10:00:01.000Z",
        "updatedAt": "2026-03-02T10:00:01.000Z",
        "input": [],
        "output": {"role": "assistant", "content": "Zebra crossing"},
        "metadata": {},
        "model": "gpt-4o",
        "modelParameters": {"temperature": 0.2},
        "completionStartTime": "2026-03-02T10:00:01.300Z",
        "promptId": None,
        "promptName": "p",
        "promptVersion": 3,
        "latency": 1,
        "timeToFirstToken": 0.3,
        "usageDetails": {"input": 100, "input_cached_tokens": 20, "output": 50, "total": 170},
        "costDetails": {"input": 0.00025, "output": 0.0005, "total": 0.00075},
        "usage": {"unit": "TOKENS", "input": 120, "output": 50, "total": 170},
        "unit": "TOKENS",
        "promptTokens": 120,
        "completionTokens": 50,
        "totalTokens": 170,
        "usagePricingTierId": None,
        "usagePricingTierName": None,
        "modelId": None,
        "inputPrice": None,
        "outputPrice": None,
        "totalPrice": None,
        "calculatedInputCost": 0.00025,
        "calculatedOutputCost": 0.0005,
        "calculatedTotalCost": 0.00075,
    }


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"traceId": "t1", "type": "GENERATION"}, ["gen"]),
        ({"level": "ERROR"}, ["error"]),
        ({"parentObservationId": "root"}, ["error", "gen"]),
        ({"parentObservationId": ""}, ["event", "error", "gen", "root"]),
        ({"name": "event"}, ["event"]),
        ({"userId": "bob"}, ["event"]),  # told by the trace only
        ({"userId": "alice"}, ["error", "gen", "root"]),
        ({"environment": "prod"}, ["root"]),
        ({"fromStartTime": "2026-03-02T10:00:01Z", "toStartTime": "2026-03-02T10:01:00Z"}, ["gen"]),
        ({"filter": [{"type": "number", "column": "totalCost", "operator": ">", "value": 0}]}, ["gen"]),
        ({"filter": [{"type": "string", "column": "traceName", "operator": "=", "value": "search"}]}, ["event"]),
        (
            {"filter": [{"type": "arrayOptions", "column": "traceTags", "operator": "none of", "value": ["a"]}]},
            ["event"],
        ),
        (
            {"filter": [{"type": "numberObject", "column": "scores_avg", "key": "q", "operator": ">", "value": 1}]},
            ["event", "error", "gen", "root"],
        ),
    ],
)
def test_parameters_of_observations_v1(api, params, found):
    assert api.ids("observations", **params) == found


def test_observation_v2_groups(api):
    page = api.get("v2/observations", traceId="t1", type="GENERATION")
    assert page == {
        "data": [
            {
                "id": "gen",
                "traceId": "t1",
                "startTime": "2026-03-02T10:00:01.000Z",
                "endTime": "2026-03-02T10:00:02.000Z",
                "projectId": api.project_id,
                "parentObservationId": "root",
                "type": "GENERATION",
                "modelId": None,
                "inputPrice": None,
                "outputPrice": None,
                "totalPrice": None,
                "latency": None,
                "timeToFirstToken": None,
                "name": "llm",
                "level": "WARNING",
                "statusMessage": "",
                "version": "",
                "environment": "default",
                "bookmarked": False,
                "public": False,
                "userId": "",
                "sessionId": "",
                "isRootObservation": False,
            }
        ],
        "meta": {},
    }
    full = api.get("v2/observations", fields="time,io,metadata,model,usage,prompt,metrics,trace_context", name="llm")[
        "data"
    ][0]
    assert full["output"] == '{"role":"assistant","content":"Zebra crossing"}'
    assert (full["model"], full["providedModelName"], full["latency"]) == ("gpt-4o", "gpt-4o", 1)
    assert (full["totalCost"], full["promptVersion"], full["tags"], full["traceName"]) == (0.00075, 3, [], None)
    assert "name" not in full


def test_metadata_v2_is_cut_unless_expanded(api):
    def metadata(**params):
        return api.get("v2/observations", name="root", **params)["data"][0]["metadata"]

    assert metadata(fields="metadata")["long"] == "x" * 200
    assert metadata(fields="metadata", expandMetadata="k,long")["long"] == "x" * 300
    assert metadata(fields="metadata,io")["long"] == "x" * 300
    assert metadata(fields="metadata")["attributes.gen_ai.system"] == "openai"


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"filter": [{"type": "string", "column": "output", "operator": "matches", "value": "zebra"}]}, ["gen"]),
        ({"filter": [{"type": "string", "column": "input", "operator": "matches", "value": "wieviel"}]}, ["root"]),
        (
            {
                "filter": [
                    {"type": "stringObject", "column": "metadata", "key": "k", "operator": "matches", "value": "v"}
                ]
            },
            ["root"],
        ),
        ({"filter": [{"type": "boolean", "column": "hasInput", "operator": "=", "value": True}]}, ["gen", "root"]),
        ({"isRootObservation": "true"}, ["event", "root"]),
        ({"parentObservationId": ""}, ["event", "root"]),
        ({"userId": "alice"}, ["root"]),
        ({"sessionId": "s1"}, ["root"]),
        ({"limit": 0}, []),
        ({"limit": ""}, []),
    ],
)
def test_parameters_of_observations_v2(api, params, found):
    assert api.ids("v2/observations", **params) == found


def test_sessions(api):
    assert api.get("sessions")["data"] == [
        {"id": "s1", "createdAt": "2026-03-02T10:00:00.000Z", "projectId": api.project_id, "environment": "prod"}
    ]
    assert api.get("sessions", fromTimestamp="2026-03-02T10:00:01Z")["meta"]["totalItems"] == 0
    session = api.get("sessions/s1")
    assert [item["id"] for item in session["traces"]] == ["t1", "t2"]
    assert session["traces"][0]["externalId"] is None
    assert session["traces"][0]["input"] == {"q": "Wieviel?"}


def test_keyset_paging_is_complete_and_without_repeats():
    api = make_api()
    store.insert(
        observations=[observation(api.project_id, f"t{n % 3}", f"o{n:02d}", n // 10, name="x") for n in range(47)]
    )
    seen, cursor = [], ""
    while True:
        page = api.get("v2/observations", limit=5, **({"cursor": cursor} if cursor else {}))
        seen += [item["id"] for item in page["data"]]
        if not (cursor := page["meta"].get("cursor", "")):
            break
    assert len(seen) == 47
    assert len(set(seen)) == 47
    assert seen == api.ids("v2/observations", limit=1000)


def test_numbered_paging_is_complete():
    api = make_api()
    store.insert(traces=[trace(api.project_id, f"t{n:02d}", 5) for n in range(23)])
    pages = [api.get("traces", limit=10, page=number) for number in (1, 2, 3, 4)]
    assert [len(page["data"]) for page in pages] == [10, 10, 3, 0]
    assert len({item["id"] for page in pages for item in page["data"]}) == 23
    assert pages[3]["meta"] == {"page": 4, "limit": 10, "totalItems": 23, "totalPages": 3}


def test_traces_far_apart_get_their_sums():
    api = make_api()
    store.insert(
        traces=[trace(api.project_id, f"t{n}", n * 86_400, root_id=f"o{n}") for n in range(3)],
        observations=[
            observation(api.project_id, f"t{n}", f"o{n}", n * 86_400, end_time=at(n * 86_400 + n), input=f"in {n}")
            for n in range(3)
        ],
    )
    items = api.get("traces", orderBy="timestamp.asc")["data"]
    assert [(item["latency"], item["input"], item["observations"]) for item in items] == [
        (n, f"in {n}", [f"o{n}"]) for n in range(3)
    ]


def test_deletes_show_at_once(api):
    response = api("DELETE", "traces/t1")
    assert (response.status_code, response.json()) == (200, {"message": "Trace deleted successfully"})
    assert api.ids("traces") == ["folder/t 3%", "t2"]
    assert api.ids("observations") == ["event"]
    assert not {"n", "b", "c"} & set(api.ids("v2/scores"))
    response = api("DELETE", "traces", {"traceIds": ["t2", "folder/t 3%", "nope"]})
    assert (response.status_code, response.json()) == (200, {"message": "Traces deleted successfully"})
    assert api.ids("traces") == []
    response = api("DELETE", "scores/s")
    assert (response.status_code, response.json()) == (202, {"message": "Score deletion queued successfully"})
    assert "s" not in api.ids("v2/scores")
    assert api("DELETE", "traces/nope").status_code == 200


@pytest.mark.parametrize(
    "body", [{}, [], {"traceIds": []}, {"traceIds": "t1"}, {"traceIds": [1]}, {"traceIds": ["x"] * 1001}]
)
def test_bad_bodies_of_deletes(api, body):
    response = api("DELETE", "traces", body)
    assert response.status_code == 400
    assert response.json()["message"] == "Invalid request data"


def test_body_that_is_not_json(api):
    response = api("DELETE", "traces", b"{not json")
    assert (response.status_code, response.json()["message"]) == (400, "Invalid JSON")


@pytest.mark.parametrize(
    ("path", "params"),
    [
        *(
            (path, params)
            for path in ("traces", "observations", "sessions", "scores", "v2/scores", "v3/scores")
            for params in ({"limit": 0}, {"limit": 101}, {"limit": "abc"}, {"limit": "1.5"})
        ),
        ("v2/observations", {"limit": 1001}),
        ("v2/observations", {"limit": "abc"}),
        ("traces", {"page": 0}),
        ("traces", {"fromTimestamp": "yesterday"}),
        ("traces", {"toTimestamp": "2026-03-02"}),
        ("observations", {"fromStartTime": "2026-13-02T00:00:00Z"}),
        ("observations", {"level": "LOUD"}),
        ("traces", {"orderBy": "input.desc"}),
        ("traces", {"orderBy": "name"}),
        ("traces", {"filter": [{"type": "wish", "column": "name", "operator": "=", "value": "x"}]}),
        ("traces", {"filter": [{"type": "string", "column": "name", "operator": "like", "value": "x"}]}),
        ("traces", {"filter": [{"type": "string", "column": "name", "operator": "=", "value": 3}]}),
        ("traces", {"filter": [{"type": "datetime", "column": "timestamp", "operator": ">", "value": "x"}]}),
        ("traces", {"filter": [{"type": "stringObject", "column": "metadata", "operator": "=", "value": "x"}]}),
        ("traces", {"filter": {"type": "string"}}),
        ("traces", {"filter": ["x"]}),
        *(("traces", {"filter": [{"type": kind}]}) for kind in ([], {}, None, 1)),
        *(
            ("traces", {"filter": [{"type": "number", "column": "latency", "operator": ">", "value": value}]})
            for value in (1e40, -1e19, 2**63, 10**30)
        ),
        *(
            ("traces", {"filter": [{"type": "datetime", "column": "timestamp", "operator": ">", "value": time}]})
            for time in IMPOSSIBLE_TIMES
        ),
        *(("traces", {"fromTimestamp": time}) for time in IMPOSSIBLE_TIMES),
        *(("v2/observations", {"toStartTime": time}) for time in IMPOSSIBLE_TIMES),
        ("v2/observations", {"isRootObservation": "maybe"}),
        ("v2/scores", {"source": "WIND"}),
        ("v2/scores", {"operator": "~", "value": 1}),
        ("v2/scores", {"value": "x"}),
        ("v3/scores", {"userId": "alice"}),
        ("v3/scores", {"fields": "core,all"}),
        ("v3/scores", {"value": 1}),
        ("v3/scores", {"valueMin": 1}),
        ("v3/scores", {"observationId": "gen"}),
        ("v3/scores", {"traceId": "t1", "sessionId": "s1"}),
        ("v3/scores", {"dataType": "HAIKU"}),
    ],
)
def test_bad_parameters_name_the_field(api, path, params):
    body = api.get(path, 400, **params)
    assert body["message"] == "Invalid request data"
    assert body["error"][0]["message"]
    assert isinstance(body["error"][0]["path"], list)


@pytest.mark.parametrize(
    ("path", "params", "message"),
    [
        ("traces", {"filter": "{"}, "Invalid JSON in filter parameter"),
        (
            "traces",
            {"filter": [{"type": "string", "column": "Nope", "operator": "=", "value": "x"}]},
            "Column Nope does not match a UI / CH table mapping.",
        ),
        (
            "traces",
            {"filter": [{"type": "number", "column": "name", "operator": "=", "value": 1}]},
            "Filter type number does not fit column name. Use one of: null, string, stringOptions.",
        ),
        (
            "v2/observations",
            {"parseIoAsJson": "true"},
            "parseIoAsJson is not supported: input and output are always returned as text.",
        ),
        ("v2/observations", {"cursor": "%%%"}, "Invalid cursor format"),
        ("v2/observations", {"cursor": "WyJ4Il0"}, "Invalid cursor format"),
        ("v3/scores", {"cursor": "abc"}, "Invalid cursor format"),
        (
            "v2/observations",
            {"filter": [{"type": "string", "column": "input", "operator": "contains", "value": "x"}]},
            'Filters on input and output need at least one with operator "=" or "matches".',
        ),
        (
            "v2/observations",
            {"filter": [{"type": "string", "column": "input", "operator": "matches", "value": "?!"}]},
            "A text search needs at least one letter or digit.",
        ),
        (
            "v2/observations",
            {"filter": [{"type": "string", "column": "name", "operator": "matches", "value": "x"}]},
            "Operator matches is not supported on column name.",
        ),
        ("v2/scores", {"fields": "trace"}, "The fields parameter must include score."),
        ("v2/scores", {"fields": "score", "userId": "a"}, "Filters on the trace need trace among the fields."),
    ],
)
def test_what_cannot_be_answered(api, path, params, message):
    assert api.get(path, 400, **params) == {"message": message, "error": "InvalidRequestError"}


def test_score_versions(api):
    assert api.ids("scores") == ["x", "c", "b", "n"]
    assert api.ids("v2/scores") == ["r", "s", "k", "x", "c", "b", "n"]
    item = api.get("v2/scores/c")
    assert (item["value"], item["stringValue"], item["sessionId"]) == (0, "good", None)
    assert "value" not in api.get("v2/scores/x")
    assert api.get("scores/n")["stringValue"] is None
    assert api.get("scores/s", 404)["message"] == "Score not found"  # not of a trace
    trace_of = api.get("v2/scores", scoreIds="n,s")["data"]
    assert trace_of[0]["trace"] is None
    assert trace_of[1]["trace"] == {"userId": "alice", "tags": ["a", "b"], "environment": "prod", "sessionId": "s1"}
    assert "trace" not in api.get("v2/scores", fields="score")["data"][0]


@pytest.mark.parametrize(
    ("path", "params", "found"),
    [
        ("v2/scores", {"userId": "alice"}, ["k", "c", "b", "n"]),
        ("v2/scores", {"traceTags": "a"}, ["k", "c", "b", "n"]),
        ("v2/scores", {"operator": ">=", "value": 1.5}, ["r", "s"]),
        ("v2/scores", {"operator": "!=", "value": 0, "dataType": "NUMERIC"}, ["r", "s", "n"]),
        ("v2/scores", {"name": "quality", "source": "API", "configId": "cfg"}, ["n"]),
        ("v2/scores", {"observationId": "gen,x"}, ["c"]),
        ("v2/scores", {"sessionId": "s1"}, ["s"]),
        ("v2/scores", {"datasetRunId": "run"}, ["r"]),
        ("v2/scores", {"queueId": "q"}, ["s"]),
        (
            "v2/scores",
            {"filter": [{"type": "string", "column": "traceName", "operator": "=", "value": "search"}]},
            ["x"],
        ),
        ("v3/scores", {"dataType": "numeric", "valueMin": 1, "valueMax": 2}, ["r"]),
        ("v3/scores", {"dataType": "BOOLEAN", "value": "true"}, ["b"]),
        ("v3/scores", {"dataType": "CATEGORICAL", "value": "good,bad"}, ["c"]),
        ("v3/scores", {"traceId": "t1", "observationId": "gen"}, ["c"]),
        ("v3/scores", {"experimentId": "run"}, ["r"]),
        ("v3/scores", {"id": "n,b", "source": "api"}, ["b", "n"]),
        ("v3/scores", {"authorUserId": "u"}, ["s"]),
    ],
)
def test_parameters_of_scores(api, path, params, found):
    assert api.ids(path, **params) == found


@pytest.mark.parametrize(("most_looked_up", "few"), [(50_000, 500), (50_000, 0), (0, 500)])
def test_scores_of_missing_traces_are_hidden_until_v3(api, monkeypatch, most_looked_up, few):
    """Above the limit they are left out of the pages only."""
    monkeypatch.setattr("tracing.queries.scores.MOST_LOOKED_UP", most_looked_up)
    monkeypatch.setattr("tracing.queries.scores.FEW", few)
    lost = [score(api.project_id, f"lost{n}", 10 + n, trace_id=f"no-such-trace-{n}", value=1.0) for n in range(2)]
    store.insert(scores=lost)
    visible = {"scores": ["x", "c", "b", "n"], "v2/scores": ["r", "s", "k", "x", "c", "b", "n"]}
    for path, ids in visible.items():
        pages = [api.get(path, limit=2, page=number) for number in range(1, 6)]
        assert [item["id"] for page in pages for item in page["data"]] == ids
        assert pages[0]["meta"]["totalItems"] == len(ids) + (0 if most_looked_up else len(lost))
        assert api.ids(path, name="quality") == ["n"]
        assert api.ids(path, traceId="no-such-trace-1") == []
    assert api.ids("v2/scores", fields="score") == visible["v2/scores"]
    assert api.ids("v3/scores") == ["lost1", "lost0", *visible["v2/scores"]]
    assert api.get("v2/scores/lost0")["id"] == "lost0"
    store.insert(traces=[trace(api.project_id, "no-such-trace-1", -400 * 86_400)])
    assert api.ids("v2/scores", name="quality") == ["lost1", "n"]


def test_scores_of_a_deleted_trace_stay_hidden(api):
    api("DELETE", "traces/t1")
    store.insert(scores=[score(api.project_id, "afterwards", 10, trace_id="t1", value=1.0)])
    assert api.get("scores")["meta"]["totalItems"] == 1
    assert api.ids("scores") == ["x"]


@pytest.mark.parametrize(
    ("params", "item", "found"),
    [
        ({"name": "ok"}, {"column": "name", "operator": "=", "value": "kind"}, ["c"]),
        ({"source": "API"}, {"column": "source", "operator": "=", "value": "ANNOTATION"}, ["s"]),
        ({"dataType": "TEXT"}, {"column": "dataType", "operator": "=", "value": "BOOLEAN"}, ["b"]),
        ({"traceId": "t2"}, {"column": "traceId", "operator": "=", "value": "t1"}, ["k", "c", "b", "n"]),
        ({"observationId": "x"}, {"column": "observationId", "operator": "=", "value": "gen"}, ["c"]),
        ({"sessionId": "x"}, {"column": "sessionId", "operator": "=", "value": "s1"}, ["s"]),
        ({"scoreIds": "c,b"}, {"column": "id", "operator": "=", "value": "n"}, ["n"]),
        ({"environment": "x"}, {"column": "environment", "operator": "=", "value": "default"}, "rskxcbn"),
        ({"userId": "alice"}, {"column": "userId", "operator": "=", "value": "bob"}, ["x"]),
        ({"userId": "alice"}, {"column": "name", "operator": "=", "value": "note"}, []),
        (
            {"traceTags": "a"},
            {"type": "arrayOptions", "column": "tags", "operator": "none of", "value": ["a"]},
            ["x"],
        ),
        (
            {"operator": ">", "value": 2},
            {"type": "number", "column": "value", "operator": "<", "value": 0.8},
            ["k", "c", "n"],
        ),
        (
            {"fromTimestamp": "2030-01-01T00:00:00Z", "toTimestamp": "2030-01-02T00:00:00Z"},
            {"type": "datetime", "column": "timestamp", "operator": ">=", "value": "2026-03-02T10:00:05Z"},
            ["r", "s"],
        ),
    ],
)
def test_a_filter_replaces_the_parameter_of_its_field_on_scores(api, params, item, found):
    assert api.ids("v2/scores", **params, filter=[{"type": "string", **item}]) == list(found)


@pytest.mark.parametrize(
    ("path", "item", "found"),
    [
        ("v2/scores", {"type": "string", "column": "Name", "operator": "=", "value": "kind"}, ["c"]),
        ("v2/scores", {"type": "string", "column": "User ID", "operator": "=", "value": "bob"}, ["x"]),
        ("v2/scores", {"type": "string", "column": "Trace Name", "operator": "=", "value": "search"}, ["x"]),
        ("v2/scores", {"type": "arrayOptions", "column": "Trace Tags", "operator": "none of", "value": ["a"]}, ["x"]),
        ("v2/scores", {"type": "string", "column": "Author User ID", "operator": "=", "value": "u"}, ["s"]),
        ("traces", {"type": "string", "column": "User ID", "operator": "=", "value": "bob"}, ["t2"]),
        ("traces", {"type": "number", "column": "Latency (s)", "operator": ">", "value": 59}, ["t1"]),
        ("observations", {"type": "number", "column": "Total Cost ($)", "operator": ">", "value": 0}, ["gen"]),
        (
            "observations",
            {"type": "numberObject", "column": "Scores (numeric)", "key": "q", "operator": ">", "value": 1},
            ["event", "error", "gen", "root"],
        ),
        ("v2/observations", {"type": "string", "column": "Output", "operator": "matches", "value": "zebra"}, ["gen"]),
    ],
)
def test_columns_by_the_labels_of_their_tables(api, path, item, found):
    assert api.ids(path, filter=[item]) == found


@pytest.mark.parametrize(
    ("key", "operator", "value", "found"),
    [
        ("why", "=", "too long", ["m1"]),
        ("why", "contains", "long", ["m1"]),
        ("why", "does not contain", "long", ["m2"]),
        ("why", "is set", "", ["m2", "m1"]),
        ("why", "is not set", "", ["m3"]),
        ("tries", "=", "3", ["m1"]),
        ("tries", "=", "30", ["m2"]),
        ("final", "=", "true", ["m2"]),
        ('a "key"', "starts with", "x", ["m2"]),
        ("metadata", "=", "a word", ["m3"]),
        ("metadata", "is set", "", ["m3"]),
    ],
)
def test_metadata_of_scores(key, operator, value, found):
    api = make_api()
    texts = {
        "m1": '{"why":"too long","tries":3}',
        "m2": '{"tries":30,"why":"short","a \\"key\\"":"xyz","final":true}',
        "m3": "a word",
    }
    store.insert(
        scores=[
            score(api.project_id, score_id, second, session_id="s", value=1.0, metadata=text)
            for second, (score_id, text) in enumerate(texts.items())
        ]
    )
    item = {"type": "stringObject", "column": "metadata", "key": key, "operator": operator, "value": value}
    assert api.ids("v2/scores", filter=[item]) == found


def test_scores_of_an_evaluator(api):
    metadata = '{"evaluator_id":"judge"}'
    store.insert(scores=[score(api.project_id, "e", 10, trace_id="t1", value=1.0, metadata=metadata)])
    by_judge = {"type": "stringOptions", "column": "evaluatorId", "operator": "any of", "value": ["judge", "x"]}
    assert api.ids("v2/scores", filter=[by_judge]) == ["e"]
    by_nobody = {"type": "null", "column": "Evaluator ID", "operator": "is null", "value": ""}
    assert "e" not in api.ids("v2/scores", filter=[by_nobody])


def test_scores_v3_items_and_paging(api):
    page = api.get("v3/scores", limit=2, fields="details,subject,annotation")
    assert page["meta"]["limit"] == 2
    first, second = page["data"]
    assert first["subject"] == {"kind": "experiment", "id": "run"}
    assert second["subject"] == {"kind": "session", "id": "s1"}
    assert (second["authorUserId"], second["queueId"]) == ("u", "q")
    rest = api.get("v3/scores", limit=100, cursor=page["meta"]["cursor"], fields="subject")
    assert [item["id"] for item in rest["data"]] == ["k", "x", "c", "b", "n"]
    assert rest["meta"] == {"limit": 100}
    assert [item["value"] for item in rest["data"]] == ["better", "hello", "good", True, 0.75]
    assert rest["data"][2]["subject"] == {"kind": "observation", "id": "gen", "traceId": "t1"}
    assert "comment" not in rest["data"][0]


def test_project_of_the_key(api):
    assert api.get("projects") == {
        "data": [
            {
                "id": api.project_id,
                "name": "Chatbot",
                "organization": {"id": api.organization.id, "name": "Acme"},
                "metadata": {},
            }
        ]
    }


@pytest.fixture
def worker(broker, own_inbox):
    """One that has just looked at the inbox."""
    drain.sweep(older_than_seconds=0)


@pytest.fixture(autouse=True)
def monitors_look_anew(monkeypatch):
    monkeypatch.setattr(readiness, "_VALID_SECONDS", -1.0)


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("path", ["health", "ready", "health?failIfDatabaseUnavailable=true"])
def test_health_needs_no_key(method, path):
    response = Client().generic(method, f"/api/public/{path}")
    assert response.status_code == 200
    if method == "GET":
        assert response.json() == {"status": "OK", "version": "4.35.0"}


def test_health_tells_of_a_store_that_is_away(settings):
    settings.CLICKHOUSE_URL = "http://127.0.0.1:9"
    assert Client().get("/api/public/health").status_code == 200
    assert Client().get("/api/public/health?failIfDatabaseUnavailable=true").status_code == 503


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("table", ["observations", "traces"])
@pytest.mark.parametrize("path", ["health", "ready"])
def test_health_tells_when_nothing_arrives(api, path, table):
    def ask():
        answer = Client().get(f"/api/public/{path}?failIfNoRecentEvents=true")
        return answer.status_code, answer.json()["status"]

    quiet = (503, "No events within the last 3 minutes")
    seconds_now = (datetime.now(UTC) - at(0)).total_seconds()
    record = {
        "observations": lambda seconds: observation(api.project_id, "late", "late", seconds),
        "traces": lambda seconds: trace(api.project_id, "late", seconds),
    }[table]
    assert ask() == quiet  # no key was ever used
    api.get("projects")
    key_usage.write()
    store.insert(**{table: [record(seconds_now - 200)]})
    assert ask() == quiet
    store.insert(**{table: [record(seconds_now - 20)]})
    assert ask() == (200, "OK")


def test_health_without_a_store_knows_of_no_events(api, settings, monkeypatch):
    api.get("projects")
    key_usage.write()
    monkeypatch.setattr("tracing.analytics.client.RETRY_PAUSES_SECONDS", ())
    settings.CLICKHOUSE_URL = "http://127.0.0.1:9"
    answer = Client().get("/api/public/health?failIfNoRecentEvents=true")
    assert (answer.status_code, answer.json()["status"]) == (503, "Database not available")


def test_store_away_is_503_with_retry_after(api, settings, monkeypatch):
    monkeypatch.setattr("tracing.analytics.client.RETRY_PAUSES_SECONDS", ())
    settings.CLICKHOUSE_URL = "http://127.0.0.1:9"
    response = api("GET", "traces")
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert response.json()["error"] == "ServiceUnavailableError"


@pytest.mark.parametrize(
    ("authorization", "status", "message"),
    [
        (None, 401, "No authorization header"),
        ("Basic !!!", 401, "Invalid credentials. Confirm that you've configured the correct host."),
        ("Basic cGs6c2s=", 401, "Invalid credentials. Confirm that you've configured the correct host."),
        ("Bearer pk-lf-unknown", 401, "Invalid credentials. Confirm that you've configured the correct host."),
    ],
)
def test_wrong_credentials(authorization, status, message):
    headers = {"Authorization": authorization} if authorization else {}
    for path in ("traces", "projects", "v2/metrics", "media/x"):
        response = Client().get(f"/api/public/{path}", headers=headers)
        assert (response.status_code, response.json()) == (status, {"message": message})
        assert response["Access-Control-Allow-Origin"] == "*"


def test_keys_of_the_wrong_kind(api):
    organization = basic(make_key(make_organization()))
    response = Client().get("/api/public/traces", headers={"Authorization": organization})
    assert response.status_code == 403
    assert response.json() == {"message": "Project ID not found for API token. Are you using an organization key?"}
    response = Client().get("/api/public/projects", headers={"Authorization": organization})
    assert response.json() == {"message": "Invalid API key. Are you using an organization key?"}
    import base64

    public_key = base64.b64decode(api.authorization.split()[1]).decode().split(":")[0]
    response = Client().get("/api/public/traces", headers={"Authorization": f"Bearer {public_key}"})
    assert response.status_code == 403
    assert response.json() == {"message": "Access denied - insufficient permissions for this endpoint"}


def test_unknown_paths_and_verbs_answer_json(api):
    for path in ("nope", "nope/", "v2/nope", "otel/v1/logs"):
        response = Client().get(f"/api/public/{path}")
        assert response["Content-Type"] == "application/json"
        assert (response.status_code, response.json()["error"]) == (404, "LangfuseNotFoundError")
    assert Client().get("/api/nope").json()["message"] == "Not Found"
    for method, path in (("PUT", "traces"), ("PATCH", "observations"), ("GET", "ingestion"), ("POST", "sessions")):
        response = api(method, path)
        assert (response.status_code, response.json()["error"]) == (405, "MethodNotAllowedError")


@pytest.mark.parametrize("path", ["traces", "traces/x", "scores", "ingestion", "otel/v1/traces", "health", "nope"])
def test_preflight_from_any_origin(path):
    response = Client().options(
        f"/api/public/{path}",
        headers={
            "Origin": "https://app.example",
            "Access-Control-Request-Headers": "authorization,x-langfuse-sdk-name",
        },
    )
    assert response["Access-Control-Allow-Origin"] == "*"
    if path != "nope":
        assert response.status_code == 204
        assert response["Access-Control-Allow-Headers"] == "authorization,x-langfuse-sdk-name"


@pytest.mark.parametrize("accept", ["text/html", "text/plain", "application/xml", "image/*;q=0.1", "nonsense", ""])
def test_the_answer_is_json_whatever_is_accepted(api, accept):
    headers = {"Authorization": api.authorization, "Accept": accept}
    for path, status in (("traces?format=html", 200), ("traces/t1?format=x", 200), ("traces/nope", 404)):
        response = Client().get(f"/api/public/{path}", headers=headers)
        assert (response.status_code, response["Content-Type"]) == (status, "application/json")
    health = Client().get("/api/public/health?format=x", headers={"Accept": accept})
    assert (health.status_code, health.json()["status"]) == (200, "OK")


def test_head_is_get_without_a_body(api):
    response = api("HEAD", "traces")
    assert (response.status_code, response.content) == (200, b"")


PATHS = [
    "traces",
    "traces/t1",
    "observations",
    "observations/gen",
    "v2/observations?fields=core,basic,io,metadata,model",
    "sessions",
    "sessions/s1",
    "scores",
    "scores/n",
    "v2/scores",
    "v2/scores/n",
    "v3/scores?fields=details",
    "traces?sessionId=s1",
    "observations?userId=alice",
    "v2/scores?userId=alice",
    "projects",
]


def test_look_alike_projects_see_nothing_of_each_other():
    one, other = make_api(name="One"), make_api(name="Two")
    fill(one.project_id, "OFONE")
    fill(other.project_id, "OFTWO")
    for path in PATHS:
        for api, foreign in ((one, "OFTWO"), (other, "OFONE")):
            body = json.dumps(api.get(path))
            assert foreign not in body, path
            assert (other if api is one else one).project_id not in body, path
    stranger = make_api(name="Three")
    assert stranger.ids("traces") == []
    stranger.get("traces/t1", 404)
    stranger.get("sessions/s1", 404)
    stranger("DELETE", "traces", {"traceIds": ["t1", "t2"]})
    stranger("DELETE", "scores/n")
    assert len(one.ids("traces")) == 3
    one.get("scores/n")
