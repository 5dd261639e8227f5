"""Every method of every generated API client: called against the running product, its typed answer holding what was
written. A method that neither is called nor belongs to a later part of the product fails the tests."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx
import pytest

from tests.clients.bridge import ALL, ENVIRONMENT, Refused, Sdk
from tests.clients.conftest import eventually
from tests.clients.wire import ANSWER, COST, MODEL, QUESTION, RELEASE, SECONDS, TAGS, USAGE, USER, VERSION, Written

#: Areas that come with later parts of the product, as JavaScript and Python spell them.
LATER = re.compile(
    r"blob_?storage|feedback|organizations|scim|unstable",
    re.IGNORECASE,
)
EVERYTHING = "core,basic,time,io,metadata,model,usage,prompt,metrics,trace_context"
MISSING = "there-is-no-such-thing"
#: By client; outlives its process, which is another one when a test is run again.
CALLED: dict[str, set[str]] = {name: set() for name in ALL}
OLDEST = ("langfuse-python-2", "langfuse-js-3")


@pytest.fixture(scope="module", params=ALL)
def sdk(request, server):
    client = Sdk(request.param, server, CALLED[request.param])
    yield client
    client.close()


@pytest.fixture(scope="module")
def written(sdk):
    """One trace by each way that this client has, readable."""
    return {way: write(sdk, Written(), way) for way in ways(sdk)}


def ways(sdk):
    return [
        way
        for way, name in (("ingestion", "ingestion.batch"), ("otel", "opentelemetry.export_traces"))
        if sdk.has(name)
    ]


def write(sdk, trace, way):
    if way == "otel":
        sdk("opentelemetry.export_traces", resourceSpans=trace.spans())
    else:
        answer = sdk("ingestion.batch", batch=trace.ingestion(), metadata={"sdk_name": sdk.name})
        assert sorted(each["id"] for each in answer["successes"]) == sorted(each["id"] for each in trace.ingestion())
        assert {each["status"] for each in answer["successes"]} == {201}
        assert answer["errors"] == []
    eventually(partial(is_readable, sdk.server, trace))
    return trace


def is_readable(server, trace):
    with server.client() as api:
        answer = api.get(f"/api/public/traces/{trace.id}")
    assert answer.status_code == 200
    assert len(answer.json()["observations"]) == 2


def moment(text):
    return datetime.fromisoformat(text)


def refused(sdk, name, *args, status, kind="", **more):
    """The body of the error that the client must raise, in the class that its generation has for the status."""
    with pytest.raises(Refused) as caught:
        sdk(name, *args, **more)
    assert caught.value.status == status
    if sdk.name != "langfuse-js-3":  # it throws the answer itself, for every status
        assert kind in caught.value.kinds, caught.value.kinds
    return caught.value.body


def is_gone(sdk, name, *args):
    return refused(sdk, name, *args, status=404, kind="NotFoundError")


# --- health, writing, traces, observations, sessions


def test_health(sdk):
    answer = sdk("health.health")
    assert answer["status"] == "OK"
    assert re.fullmatch(r"4\.\d+\.\d+", answer["version"])


def test_traces(sdk, written):
    if not sdk.has("trace.get"):
        return
    for trace in written.values():
        got = sdk("trace.get", trace.id)
        assert_trace(got, trace)
        assert got["htmlPath"] == f"/project/{sdk.server.project_id}/traces/{trace.id}"
        assert got["latency"] == pytest.approx(SECONDS)
        assert got["totalCost"] == pytest.approx(COST)
        assert {each["id"] for each in got["observations"]} == {trace.root, trace.call}
        assert_call(next(each for each in got["observations"] if each["id"] == trace.call), trace)
        listed = sdk("trace.list", userId=USER, sessionId=trace.session, tags=TAGS, orderBy="timestamp.desc", limit=5)
        assert listed["meta"] == {"page": 1, "limit": 5, "totalItems": 1, "totalPages": 1}
        [item] = listed["data"]
        assert_trace(item, trace)
        assert sorted(item["observations"]) == sorted([trace.root, trace.call])
        assert item["totalCost"] == pytest.approx(COST)


def test_traces_by_fields(sdk, written):
    """Those that can ask for groups get them, those that did not ask for the others are told so."""
    if sdk.name not in ("langfuse-python-4", "langfuse-js-5"):
        return
    for trace in written.values():
        got = sdk("trace.list", sessionId=trace.session, fields="core,metrics")["data"][0]
        assert (got["id"], got["observations"], got["scores"]) == (trace.id, [], [])
        assert got["totalCost"] == pytest.approx(COST)
        assert "input" not in got


def test_pages_of_traces(sdk):
    """The loop that people write: page by page until `totalPages`."""
    if not sdk.has("trace.list"):
        return
    session = f"pages-{uuid.uuid4().hex[:8]}"
    traces = [write(sdk, Written(session=session), ways(sdk)[0]) for _ in range(3)]
    found, page = [], 1
    while True:
        answer = sdk("trace.list", sessionId=session, page=page, limit=2)
        found += [each["id"] for each in answer["data"]]
        if page >= answer["meta"]["totalPages"]:
            break
        page += 1
    assert page == 2
    assert sorted(found) == sorted(trace.id for trace in traces)


def assert_trace(got, trace):
    assert (got["id"], got["name"], got["userId"], got["sessionId"]) == (trace.id, "checkout", USER, trace.session)
    assert (got["tags"], got["release"], got["version"]) == (TAGS, RELEASE, VERSION)
    assert got["metadata"]["tenant"] == "acme"
    assert (got["input"], got["output"]) == (QUESTION, ANSWER)
    assert (got["public"], got["environment"]) == (False, ENVIRONMENT)
    assert abs(moment(got["timestamp"]) - trace.start) < timedelta(milliseconds=1)


def test_observations(sdk, written):
    if not sdk.has("observations_v1.get"):
        return
    for trace in written.values():
        assert_call(sdk("observations_v1.get", trace.call), trace)
        listed = sdk("observations_v1.list", traceId=trace.id, type="GENERATION", environment=[ENVIRONMENT])
        assert listed["meta"]["totalItems"] == 1
        assert_call(listed["data"][0], trace)


def assert_call(got, trace):
    assert (got["id"], got["traceId"], got["parentObservationId"]) == (trace.call, trace.id, trace.root)
    assert (got["name"], got["type"], got["model"], got["level"]) == ("think", "GENERATION", MODEL, "DEFAULT")
    assert got["usageDetails"] == USAGE
    assert (got["usage"]["input"], got["usage"]["output"], got["usage"]["total"]) == (100, 20, 120)
    assert got["calculatedTotalCost"] == pytest.approx(COST)
    assert got["input"] == [{"role": "user", "content": "可以退货吗？"}]
    assert got["output"] == ANSWER
    assert got["latency"] == pytest.approx(SECONDS)
    assert got["environment"] == ENVIRONMENT
    assert abs(moment(got["endTime"]) - trace.end) < timedelta(milliseconds=1)


def test_observations_v2(sdk, written):
    if not sdk.has("observations_v2.list"):
        return
    for trace in written.values():
        first = sdk("observations_v2.list", traceId=trace.id, fields=EVERYTHING, limit=1)
        second = sdk(
            "observations_v2.list", traceId=trace.id, fields=EVERYTHING, limit=1, cursor=first["meta"]["cursor"]
        )
        assert second["meta"].get("cursor") is None
        found = {each["name"]: each for each in first["data"] + second["data"]}
        assert set(found) == {"handle-request", "think"}
        for each in found.values():
            assert (each["traceId"], each["userId"], each["sessionId"]) == (trace.id, USER, trace.session)
            assert (each["traceName"], each["tags"], each["release"]) == ("checkout", TAGS, RELEASE)
        root, call = found["handle-request"], found["think"]
        assert (root["isRootObservation"], root["parentObservationId"]) == (True, None)
        assert json.loads(root["input"]) == QUESTION
        assert (call["isRootObservation"], call["parentObservationId"]) == (False, trace.root)
        assert (call["type"], call["providedModelName"], call["usageDetails"]) == ("GENERATION", MODEL, USAGE)
        assert call["totalCost"] == pytest.approx(COST)
        assert float(call["inputPrice"]) == pytest.approx(1.5e-7)
        assert call["latency"] == pytest.approx(SECONDS)


def test_observations_v2_by_filter(sdk, written):
    if not sdk.has("observations_v2.list"):
        return
    for trace in written.values():
        conditions = [
            {"type": "string", "column": "traceId", "operator": "=", "value": trace.id},
            {"type": "stringOptions", "column": "type", "operator": "any of", "value": ["GENERATION"]},
        ]
        got = sdk("observations_v2.list", filter=json.dumps(conditions))["data"]
        assert [each["id"] for each in got] == [trace.call]


def test_sessions(sdk, written):
    if not sdk.has("sessions.get"):
        return
    for trace in written.values():
        got = sdk("sessions.get", trace.session)
        assert (got["id"], got["projectId"], got["environment"]) == (trace.session, sdk.server.project_id, ENVIRONMENT)
        [inside] = got["traces"]
        assert_trace(inside, trace)
        listed = sdk("sessions.list", limit=100, environment=[ENVIRONMENT])
        assert trace.session in [each["id"] for each in listed["data"]]
        assert listed["meta"]["totalItems"] >= 1


# --- scores and their configs

SCORES = [
    {"name": "relevance", "value": 0.9, "dataType": "NUMERIC", "comment": "高度相关"},
    {"name": "solved", "value": 1, "dataType": "BOOLEAN"},
    {"name": "quality", "value": "good", "dataType": "CATEGORICAL"},
]
NEWER_SCORES = [
    {"name": "remark", "value": "回答很好", "dataType": "TEXT"},
    {"name": "output", "value": "应为 14 天", "dataType": "CORRECTION"},
]


def test_scores(sdk, written):
    trace = next(iter(written.values()))
    known = SCORES if sdk.name in OLDEST else SCORES + NEWER_SCORES
    scores = [{**score, "id": uuid.uuid4().hex, "traceId": trace.id, "environment": ENVIRONMENT} for score in known]
    create_scores(sdk, scores)
    ids = [score["id"] for score in scores]

    def all_there():
        with sdk.server.client() as api:
            answer = api.get("/api/public/v2/scores", params={"scoreIds": ",".join(ids)})
        assert len(answer.json()["data"]) == len(ids), answer.text

    eventually(all_there)
    for score in scores:
        for read in readers(sdk):
            assert_score(sdk, read, score)
    if sdk.has("trace.get"):
        embedded = {score["id"] for score in sdk("trace.get", trace.id)["scores"]}
        assert {score["id"] for score in scores if score["dataType"] != "CORRECTION"} <= embedded
    for score in scores:
        sdk("scores.delete", score["id"])

    def none_there():
        for read in readers(sdk):
            assert not any(read(score) for score in scores)

    eventually(none_there)


def create_scores(sdk, scores):
    if sdk.has("scores.create_many"):
        assert sdk.send("scores.create_many", scores)["message"] == "Accepted"
        return
    for number, score in enumerate(scores):
        name = "scores.create_v1" if number % 2 and sdk.has("scores.create_v1") else "scores.create"
        assert sdk(name, **score) == {"id": score["id"]}


def readers(sdk):
    """Functions that read one score, None when it is not there, in every way that this client has."""

    def one(name):
        def read(score):
            try:
                return sdk(name, score["id"])
            except Refused as answer:
                if answer.status == 404:
                    return None
                raise

        return read

    def listed(name, key):
        def read(score):
            found = sdk(name, limit=10, **{key: score["id"]})["data"]
            return found[0] if found else None

        return read

    def detailed(score):
        found = sdk("scores_v3.list", limit=10, id=score["id"], fields="core,details,subject,annotation")["data"]
        return found[0] if found else None

    names = ("scores_v1.get", "scores_v2.get")
    lists = ("scores_v1.list", "scores_v2.list")
    return [
        *(one(name) for name in names if sdk.has(name)),
        *(listed(name, "scoreIds") for name in lists if sdk.has(name)),
        *([detailed] if sdk.has("scores_v3.list") else []),
    ]


def assert_score(sdk, read, score):
    got = read(score)
    assert got is not None, score
    assert (got["name"], got["dataType"], got["source"]) == (score["name"], score["dataType"], "API")
    assert (got["environment"], got.get("comment")) == (ENVIRONMENT, score.get("comment"))
    if "subject" in got:
        assert (got["subject"]["kind"], got["subject"]["id"]) == ("trace", score["traceId"])
        assert got["value"] == (True if score["dataType"] == "BOOLEAN" else score["value"])
        return
    assert got["traceId"] == score["traceId"]
    if isinstance(score["value"], str):
        assert got["stringValue"] == score["value"]
    else:
        assert got["value"] == score["value"]
    if score["dataType"] == "BOOLEAN":
        assert got["stringValue"] == "True"
    if "trace" in got:
        assert got["trace"]["userId"] == USER


def test_scores_of_sessions_and_observations(sdk, written):
    if sdk.name in OLDEST:
        return
    trace = next(iter(written.values()))
    targets = [{"sessionId": trace.session}, {"traceId": trace.id, "observationId": trace.call}]
    scores = [{"id": uuid.uuid4().hex, "name": "of", "value": 3, "dataType": "NUMERIC", **target} for target in targets]
    create_scores(sdk, scores)
    for score, kind in zip(scores, ("session", "observation"), strict=True):
        for read in readers(sdk):
            got = eventually(lambda read=read, score=score: there(read(score)))
            if "subject" in got:
                assert got["subject"]["kind"] == kind
            else:
                assert got.get("observationId") == score.get("observationId")
                assert got.get("sessionId") == score.get("sessionId")


def there(found):
    assert found is not None
    return found


def test_score_configs(sdk):
    name = f"rating {uuid.uuid4().hex[:8]}"
    made = sdk("score_configs.create", name=name, dataType="NUMERIC", minValue=1, maxValue=5, description="一到五")
    expected = {"name": name, "dataType": "NUMERIC", "minValue": 1, "maxValue": 5, "description": "一到五"}
    assert {key: made[key] for key in expected} == expected
    assert (made["isArchived"], made["projectId"]) == (False, sdk.server.project_id)
    labels = [{"label": "good", "value": 1}, {"label": "bad", "value": 0}]
    choice = sdk(
        "score_configs.create", name=f"choice {uuid.uuid4().hex[:8]}", dataType="CATEGORICAL", categories=labels
    )
    assert choice["categories"] == labels
    got = sdk("score_configs.get_by_id", made["id"])
    assert {key: got[key] for key in expected} == expected
    listed = sdk("score_configs.get", page=1, limit=100)
    assert {made["id"], choice["id"]} <= {each["id"] for each in listed["data"]}
    assert listed["meta"]["page"] == 1
    if sdk.has("score_configs.update"):
        changed = sdk("score_configs.update", made["id"], isArchived=True, maxValue=10, description="一到十")
        assert (changed["isArchived"], changed["maxValue"], changed["description"]) == (True, 10, "一到十")
        assert changed["minValue"] == 1
    assert is_gone(sdk, "score_configs.get_by_id", MISSING)["error"] == "LangfuseNotFoundError"


def test_annotation_queues(sdk):
    if not sdk.has("annotation_queues.list_queues"):
        return
    queue_id = a_queue(sdk)
    got = sdk("annotation_queues.get_queue", queue_id)
    assert (got["id"], len(got["scoreConfigIds"])) == (queue_id, 1)
    assert queue_id in {each["id"] for each in sdk("annotation_queues.list_queues", page=1, limit=100)["data"]}
    thing = {"objectId": uuid.uuid4().hex, "objectType": "TRACE"}
    made = sdk("annotation_queues.create_queue_item", queue_id, **thing)
    assert {**thing, "queueId": queue_id, "status": "PENDING"}.items() <= made.items()
    finished = {"objectId": "s1", "objectType": "OBSERVATION" if sdk.name in OLDEST else "SESSION"}
    other = sdk("annotation_queues.create_queue_item", queue_id, status="COMPLETED", **finished)
    assert {**finished, "status": "COMPLETED"}.items() <= other.items()
    of_queue = {"status": "PENDING", "page": 1, "limit": 10}
    if sdk.name == "langfuse-js-3":  # takes the id of the queue with the query
        listed = sdk("annotation_queues.list_queue_items", queueId=queue_id, **of_queue)
    else:
        listed = sdk("annotation_queues.list_queue_items", queue_id, **of_queue)
    assert [each["id"] for each in listed["data"]] == [made["id"]]
    done = sdk("annotation_queues.update_queue_item", queue_id, made["id"], status="COMPLETED")
    assert (done["status"], moment(done["completedAt"]).tzinfo is not None) == ("COMPLETED", True)
    assert sdk("annotation_queues.get_queue_item", queue_id, made["id"])["status"] == "COMPLETED"
    assert sdk("annotation_queues.delete_queue_item", queue_id, other["id"])["success"] is True
    assert is_gone(sdk, "annotation_queues.get_queue_item", queue_id, other["id"])["error"] == "LangfuseNotFoundError"
    if sdk.has("annotation_queues.create_queue_assignment"):
        body = refused(
            sdk,
            "annotation_queues.create_queue_assignment",
            queue_id,
            userId=MISSING,
            status=404,
            kind="NotFoundError",
        )
        assert body["message"] == "User not found or not authorized for this project"
        taken_off = sdk("annotation_queues.delete_queue_assignment", queue_id, userId=MISSING)
        assert taken_off == {"success": True}


def a_queue(sdk):
    """The oldest client only reads queues that others made."""
    config = sdk("score_configs.create", name=f"tone {uuid.uuid4().hex[:8]}", dataType="BOOLEAN")
    body = {"name": f"队列 {uuid.uuid4().hex[:8]}", "description": "Daily", "scoreConfigIds": [config["id"]]}
    if sdk.has("annotation_queues.create_queue"):
        made = sdk("annotation_queues.create_queue", **body)
        assert {**body}.items() <= made.items()
        return made["id"]
    with sdk.server.client() as api:
        return api.post("/api/public/annotation-queues", json=body).json()["id"]


def test_datasets_and_their_items(sdk):
    name, item_id = f"评测/{uuid.uuid4().hex[:8]}", f"one {uuid.uuid4().hex[:8]}"
    metadata = {"team": "质检"}
    dataset = sdk("datasets.create", name=name, description="Daily", metadata=metadata)
    assert (dataset["name"], dataset["description"], dataset["metadata"]) == (name, "Daily", metadata)
    assert sdk("datasets.create", name=name)["id"] == dataset["id"]
    listed = sdk("datasets.list", page=1, limit=1)
    assert [each["name"] for each in listed["data"]] == [name]
    assert listed["meta"]["totalItems"] >= 1

    body = {"datasetName": name, "input": {"问": 1}, "expectedOutput": ["一"], "metadata": metadata}
    item = sdk("dataset_items.create", id=item_id, sourceTraceId="t", sourceObservationId="o", **body)
    assert body.items() <= item.items()
    assert (item["id"], item["status"], item["sourceTraceId"], item["datasetId"]) == (
        item_id,
        "ACTIVE",
        "t",
        dataset["id"],
    )
    assert item["mediaReferences"] == [] or "mediaReferences" not in item
    found = sdk("dataset_items.list", datasetName=name, sourceTraceId="t", sourceObservationId="o", page=1, limit=5)
    assert [each["id"] for each in found["data"]] == [item_id]
    assert sdk("dataset_items.create", id=item_id, datasetName=name, status="ARCHIVED")["status"] == "ARCHIVED"
    assert sdk("dataset_items.list", datasetName=name)["data"] == []
    assert sdk("dataset_items.get", item_id)["input"] == {"问": 1}
    if sdk.has("dataset_items.delete"):
        assert sdk("dataset_items.delete", item_id)["message"] == "Dataset item successfully deleted"
        assert is_gone(sdk, "dataset_items.get", item_id)["message"] == "Dataset item not found"
    assert sdk("datasets.get", name)["id"] == dataset["id"]
    assert is_gone(sdk, "datasets.get", MISSING)["message"] == "Dataset not found"


def test_experiments_and_dataset_runs(sdk):
    """Newer clients know experiments, older ones runs of datasets; a trace is linked by those that can."""
    name, item_id = f"评测 {uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    with sdk.server.client() as api:
        dataset = api.post("/api/public/v2/datasets", json={"name": name}).json()
        body = {"datasetName": name, "id": item_id, "input": {"问": 1}, "expectedOutput": "一"}
        assert api.post("/api/public/dataset-items", json=body).is_success
        link = {"runName": "第一次", "runDescription": "by hand", "metadata": {"m": 1}, "datasetItemId": item_id}
        link |= {"traceId": uuid.uuid4().hex, "observationId": uuid.uuid4().hex[:16]}
        if sdk.has("dataset_run_items.create"):
            made = sdk("dataset_run_items.create", **link)
        else:
            made = api.post("/api/public/dataset-run-items", json=link).json()
    assert (made["datasetRunName"], made["traceId"]) == ("第一次", link["traceId"])
    run_id = made["datasetRunId"]
    if sdk.has("dataset_run_items.list"):
        listed = sdk("dataset_run_items.list", datasetId=dataset["id"], runName="第一次", page=1, limit=10)
        # Generation 3 of JavaScript does not read what is answered.
        assert (
            listed is None if sdk.name == "langfuse-js-3" else [each["id"] for each in listed["data"]] == [made["id"]]
        )
    if sdk.has("experiments.list"):
        known = {"fromStartTime": "2020-01-01T00:00:00Z", "datasetId": dataset["id"]}
        [experiment] = sdk("experiments.list", fields="core,metadata,scores", limit=10, **known)["data"]
        assert (experiment["id"], experiment["itemCount"], experiment["metadata"]) == (run_id, 1, {"m": 1})
        [item] = sdk("experiments.list_items", fields="core,dataset,io,scores", limit=10, **known)["data"]
        assert (item["id"], item["experimentItemId"], item["experimentDatasetId"]) == (
            link["observationId"],
            item_id,
            dataset["id"],
        )
        assert (item["input"], item["expectedOutput"], item["scores"]) == ('{"问":1}', '"一"', [])
    if sdk.has("datasets.get_run"):
        run = sdk("datasets.get_run", name, "第一次")
        assert (run["id"], run["description"], len(run["datasetRunItems"])) == (run_id, "by hand", 1)
        page = {"page": 1, "limit": 10}
        if sdk.name == "langfuse-js-3":  # takes the name with the query
            runs = sdk("datasets.get_runs", datasetName=name, **page)
        else:
            runs = sdk("datasets.get_runs", name, **page)
        assert [each["id"] for each in runs["data"]] == [run_id]
    if sdk.has("datasets.delete_run"):
        assert sdk("datasets.delete_run", name, "第一次")["message"] == "Dataset run successfully deleted"
        assert is_gone(sdk, "datasets.get_run", name, "第一次")["message"] == "Dataset run not found"


# --- prompts and connections to models


def test_prompts(sdk):
    name = f"客户端/{uuid.uuid4().hex[:8]}"
    text = {
        "type": "text",
        "name": name,
        "prompt": "评价《{{movie}}》",
        "config": {"temperature": 0.7},
        "tags": ["films"],
    }
    made = sdk("prompts.create", labels=["production"], commitMessage="第一版", **text)
    assert {key: made[key] for key in text} == text
    assert (made["version"], made["labels"], made["commitMessage"]) == (1, ["production", "latest"], "第一版")
    second = sdk("prompts.create", labels=[], **{**text, "prompt": "第二版"})
    assert (second["version"], second["labels"]) == (2, ["latest"])
    assert prompt(sdk, name)["prompt"] == text["prompt"]
    assert prompt(sdk, name, version=2)["prompt"] == "第二版"
    assert prompt(sdk, name, label="latest")["version"] == 2
    moved = sdk("prompt_version.update", name, 2, newLabels=["production", "staging"])
    assert sorted(moved["labels"]) == ["latest", "production", "staging"]
    assert prompt(sdk, name)["version"] == 2
    [listed] = sdk("prompts.list", name=name, tag="films", limit=5)["data"]
    assert (listed["name"], listed["versions"], listed["tags"]) == (name, [1, 2], ["films"])
    assert sorted(listed["labels"]) == ["latest", "production", "staging"]
    with pytest.raises(Refused) as missing:
        prompt(sdk, f"{name}/{MISSING}")
    assert missing.value.status == 404
    prompts_end(sdk, name)


def prompt(sdk, name, **query):
    if sdk.name == "langfuse-js-3":  # the one method that takes the name with the query
        return sdk("prompts.get", promptName=name, **query)
    return sdk("prompts.get", name, **query)


def prompts_end(sdk, name):
    if not sdk.has("prompts.delete"):
        return
    sdk("prompts.delete", name, version=1)
    assert sdk("prompts.list", name=name)["data"][0]["versions"] == [2]
    sdk("prompts.delete", name)
    assert sdk("prompts.list", name=name)["data"] == []


def test_chat_prompts(sdk):
    name = f"对话/{uuid.uuid4().hex[:8]}"
    sdk("prompts.create", type="text", name=f"{name}/规则", prompt="请友善。", labels=["production"])
    reference = f"@@@langfusePrompt:name={name}/规则|label=production@@@"
    messages = [{"role": "system", "content": reference}, {"role": "user", "content": "{{question}}"}]
    if sdk.name != "langfuse-python-2":  # it knows no placeholders
        messages.insert(1, {"type": "placeholder", "name": "history"})
    sdk("prompts.create", type="chat", name=name, prompt=messages, labels=["production"])
    got = prompt(sdk, name)
    assert (got["type"], len(got["prompt"])) == ("chat", len(messages))
    assert (got["prompt"][0]["role"], got["prompt"][0]["content"]) == ("system", "请友善。")
    if len(messages) > 2:
        assert (got["prompt"][1]["type"], got["prompt"][1]["name"]) == ("placeholder", "history")
    if sdk.name in ("langfuse-python-4", "langfuse-python-5", "langfuse-js-5"):
        assert prompt(sdk, name, resolve=False)["prompt"][0]["content"] == reference


def test_llm_connections(sdk):
    if not sdk.has("llm_connections.upsert"):
        return
    secret = f"sk-{uuid.uuid4().hex}"
    body = {
        "provider": f"家里的 {uuid.uuid4().hex[:8]}",
        "adapter": "openai",
        "baseURL": "https://models.example/v1",
        "customModels": ["qwen3-32b"],
        "withDefaultModels": False,
    }
    made = sdk("llm_connections.upsert", secretKey=secret, extraHeaders={"x-team": "support"}, **body)
    assert {key: made[key] for key in body} == body
    assert (made["extraHeaderKeys"], secret in json.dumps(made)) == (["x-team"], False)
    assert made["displaySecretKey"].endswith(secret[-4:])
    again = sdk("llm_connections.upsert", secretKey=secret, **{**body, "customModels": []})
    assert (again["id"], again["customModels"]) == (made["id"], [])
    assert made["id"] in [each["id"] for each in pages(sdk, "llm_connections.list")]
    if sdk.has("llm_connections.delete"):
        sdk("llm_connections.delete", made["id"])
        assert made["id"] not in [each["id"] for each in pages(sdk, "llm_connections.list")]


# --- comments, models, media


def test_comments(sdk, written):
    trace = next(iter(written.values()))
    body = {"projectId": sdk.server.project_id, "objectType": "TRACE", "objectId": trace.id}
    made = sdk("comments.create", content=f"谢谢 {sdk.name}", **body)
    got = sdk("comments.get_by_id", made["id"])
    assert {key: got[key] for key in body} == body
    assert got["content"] == f"谢谢 {sdk.name}"
    listed = sdk("comments.get", objectType="TRACE", objectId=trace.id, page=1, limit=10)
    assert [each["id"] for each in listed["data"]] == [made["id"]]
    assert listed["meta"]["totalItems"] == 1
    is_gone(sdk, "comments.get_by_id", MISSING)


def test_models(sdk):
    name = f"house-model-{uuid.uuid4().hex[:8]}"
    body = {"modelName": name, "matchPattern": f"(?i)^{name}$", "unit": "TOKENS"}
    made = sdk("models.create", inputPrice=0.001, outputPrice=0.002, **body)
    assert {key: made[key] for key in body} == body
    assert (made["inputPrice"], made["outputPrice"], made["totalPrice"]) == (0.001, 0.002, None)
    assert made["isLangfuseManaged"] is False
    got = sdk("models.get", made["id"])
    assert got["prices"] == {"input": {"price": 0.001}, "output": {"price": 0.002}}
    assert [(tier["name"], tier["isDefault"]) for tier in got["pricingTiers"]] == [("Standard", True)]
    assert name in [each["modelName"] for each in pages(sdk, "models.list")]
    if sdk.has("models.upsert"):
        upsert(sdk, made["id"], body)
    sdk("models.delete", made["id"])
    is_gone(sdk, "models.get", made["id"])


def upsert(sdk, model_id, body):
    tiers = [
        {"name": "Standard", "isDefault": True, "priority": 0, "conditions": [], "prices": {"input": 0.003}},
        {
            "name": "Large",
            "isDefault": False,
            "priority": 1,
            "conditions": [{"usageDetailPattern": "input", "operator": "gt", "value": 1000, "caseSensitive": False}],
            "prices": {"input": 0.006},
        },
    ]
    changed = sdk("models.upsert", model_id, pricingTiers=tiers, **body)
    assert changed["id"] == model_id
    assert [(tier["name"], tier["prices"]) for tier in changed["pricingTiers"]] == [
        ("Standard", {"input": 0.003}),
        ("Large", {"input": 0.006}),
    ]
    assert sdk("models.get", model_id)["inputPrice"] == 0.003
    own_id = f"own-{uuid.uuid4().hex[:8]}"
    other = {**body, "modelName": f"{body['modelName']}-too"}
    assert sdk("models.upsert", own_id, inputPrice=1, **other)["id"] == own_id
    sdk("models.delete", own_id)


JUDGE = {
    "type": "llm_as_judge",
    "name": "正确性",
    "prompt": [{"role": "system", "content": "Judge."}, {"role": "user", "content": "{{answer}}"}],
    "outputDefinition": {"dataType": "NUMERIC", "minValue": 0, "maxValue": 1, "scoreValueInstructions": "How good?"},
    "modelConfig": {"provider": "house", "model": "judge"},
    "variableMapping": [{"variable": "answer", "source": "output", "jsonPath": "$.text"}],
}
CODE = {"type": "code", "sourceCode": "def evaluate(output): return True", "sourceCodeLanguage": "PYTHON"}


def by_cursor(sdk, name, *args):
    """All that a list has, by pages of one."""
    found, more = [], {}
    while True:
        answer = sdk(name, *args, limit=1, **more)
        found += answer["data"]
        if not answer["meta"].get("cursor"):
            return found
        more = {"cursor": answer["meta"]["cursor"]}


def test_evaluators_and_their_rules(sdk):
    if not sdk.has("evaluators.create"):
        return
    made = sdk("evaluators.create", **JUDGE)
    assert {key: made[key] for key in JUDGE} == JUDGE
    assert (made["version"], made["status"], made["variables"]) == (1, "active", ["answer"])
    code = sdk("evaluators.create", name="long enough", **CODE)
    assert (code["type"], code["sourceCode"]) == ("code", CODE["sourceCode"])
    truth = {**JUDGE, "outputDefinition": {"dataType": "BOOLEAN"}, "prompt": "Is {{answer}} right?"}
    changed = sdk("evaluators.update", made["id"], **truth)
    assert (changed["version"], changed["outputDefinition"]) == (2, truth["outputDefinition"])
    assert changed["prompt"] == [{"role": "user", "content": truth["prompt"]}]
    assert sdk("evaluators.update", made["id"], name="Right?")["name"] == "Right?"
    assert sdk("evaluators.get", made["id"])["version"] == 2
    assert [each["version"] for each in by_cursor(sdk, "evaluators.list_versions", made["id"])] == [2, 1]
    condition = {"type": "stringOptions", "column": "environment", "operator": "any of", "value": [f"none-{sdk.name}"]}
    assigned = [{"evaluatorId": made["id"]}, {"evaluatorId": code["id"]}]
    body = {"name": "新规则", "enabled": True, "sampling": 0.5, "filter": [condition], "evaluatorAssignments": assigned}
    rule = sdk("evaluation_rules.create", **body)
    assert (rule["name"], rule["enabled"], rule["sampling"], rule["filter"]) == ("新规则", True, 0.5, [condition])
    assert [each["evaluatorId"] for each in rule["evaluatorAssignments"]] == [made["id"], code["id"]]
    used = sdk("evaluators.get", made["id"])["evaluationRuleAssignments"]
    assert [each["evaluationRuleId"] for each in used] == [rule["id"]]
    assert "conflict" in refused_with(sdk, "evaluators.delete", made["id"], status=409)
    off = sdk("evaluation_rules.update", rule["id"], enabled=False, evaluatorAssignments=assigned[1:])
    assert (off["enabled"], len(off["evaluatorAssignments"])) == (False, 1)
    assert sdk("evaluation_rules.get", rule["id"])["enabled"] is False
    assert rule["id"] in [each["id"] for each in by_cursor(sdk, "evaluation_rules.list")]
    assert {made["id"], code["id"]} <= {each["id"] for each in by_cursor(sdk, "evaluators.list")}
    assert sdk("evaluation_rules.delete", rule["id"])["id"] == rule["id"]
    for each in (made, code):
        assert sdk("evaluators.delete", each["id"])["id"] == each["id"]
    for name in ("evaluators.get", "evaluators.list_versions", "evaluation_rules.get"):
        assert "resource_not_found" in refused_with(sdk, name, MISSING, status=404)
    wrong = refused_with(sdk, "evaluators.create", status=400, **{**JUDGE, "prompt": "{{other}}"})
    assert "invalid_body" in wrong


def refused_with(sdk, method, /, *args, status, **more):
    """The body of an error as text, in whichever class the client has for it."""
    with pytest.raises(Refused) as caught:
        sdk(method, *args, **more)
    assert caught.value.status == status
    return str(caught.value.body)


def pages(sdk, name):
    found, page = [], 1
    while True:
        answer = sdk(name, page=page, limit=100)
        found += answer["data"]
        if page >= answer["meta"]["totalPages"]:
            assert len(found) == answer["meta"]["totalItems"]
            return found
        page += 1


def test_media(sdk, written):
    trace = next(iter(written.values()))
    content = f"附件 of {sdk.name} {uuid.uuid4().hex}".encode()
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    asked = {"traceId": trace.id, "contentType": "text/plain", "contentLength": len(content), "field": "input"}
    place = sdk("media.get_upload_url", sha256Hash=digest, **asked)
    assert place["mediaId"] == digest.replace("+", "-").replace("/", "_")[:22]
    headers = {"Content-Type": "text/plain", "x-amz-checksum-sha256": digest, "x-ms-blob-type": "BlockBlob"}
    put = httpx.put(place["uploadUrl"], content=content, headers=headers)
    assert put.status_code == 200, put.text
    report = {"uploadedAt": datetime.now(UTC).isoformat(), "uploadHttpStatus": put.status_code, "uploadTimeMs": 12}
    sdk("media.patch", place["mediaId"], **report)
    got = sdk("media.get", place["mediaId"])
    assert (got["mediaId"], got["contentType"], got["contentLength"]) == (place["mediaId"], "text/plain", len(content))
    assert httpx.get(got["url"]).content == content
    assert moment(got["urlExpiry"]) > datetime.now(UTC)
    again = sdk("media.get_upload_url", sha256Hash=digest, **asked)
    assert (again["mediaId"], again.get("uploadUrl")) == (place["mediaId"], None)
    is_gone(sdk, "media.get", MISSING)


# --- metrics


def metric(trace, view, column, **more):
    query = {
        "view": view,
        "metrics": [{"measure": "count", "aggregation": "count"}],
        "filters": [{"type": "string", "column": column, "operator": "=", "value": trace.session}],
        "fromTimestamp": (trace.start - timedelta(hours=1)).isoformat().replace("+00:00", "Z"),
        "toTimestamp": (trace.start + timedelta(hours=1)).isoformat().replace("+00:00", "Z"),
        **more,
    }
    return json.dumps(query)


def number(value):
    """Langfuse writes some numbers as text, and clients take both."""
    return float(value)


def test_metrics(sdk, written):
    measures = [{"measure": "totalTokens", "aggregation": "sum"}, {"measure": "totalCost", "aggregation": "sum"}]
    by_name = {"dimensions": [{"field": "name"}], "metrics": [{"measure": "count", "aggregation": "count"}, *measures]}
    for trace in written.values():
        if sdk.has("metrics_v1"):
            [row] = sdk("metrics_v1", query=metric(trace, "traces", "sessionId", **by_name))["data"]
            assert (row["name"], number(row["count_count"])) == ("checkout", 1)
            assert number(row["sum_totalTokens"]) == 120
            assert number(row["sum_totalCost"]) == pytest.approx(COST)
        if sdk.has("metrics_v2"):
            rows = sdk("metrics_v2", query=metric(trace, "observations", "sessionId", **by_name))["data"]
            assert {row["name"]: number(row["sum_totalTokens"]) for row in rows} == {"handle-request": 0, "think": 120}


def test_daily_metrics(sdk, written):
    if not sdk.has("metrics.daily"):
        return
    name = f"daily-{uuid.uuid4().hex[:8]}"
    write(sdk, Written(name=name), "ingestion")
    answer = sdk("metrics.daily", traceName=name, userId=USER)
    [day] = answer["data"]
    assert (day["countTraces"], day["countObservations"]) == (1, 2)
    assert day["totalCost"] == pytest.approx(COST)
    [usage] = [each for each in day["usage"] if each["model"] == MODEL]
    assert (usage["inputUsage"], usage["outputUsage"], usage["totalUsage"]) == (100, 20, 120)
    assert answer["meta"]["totalItems"] == 1


# --- projects and their keys


@pytest.fixture(scope="module")
def organization_key(server, pages):
    path = "/organizations/demo-org/api-keys/"
    form = {"note": "for the clients", "csrfmiddlewaretoken": pages.cookies["csrftoken"]}
    answer = pages.post(f"{path}create/", data=form, headers={"Referer": f"{server.url}{path}"})
    assert answer.status_code == 200, answer.text
    public, secret = (re.search(rf'id="new-{kind}-key">([^<]+)<', answer.text) for kind in ("public", "secret"))
    return public[1], secret[1]


def test_the_project_of_the_key(sdk):
    [project] = sdk("projects.get")["data"]
    assert (project["id"], project["name"]) == (sdk.server.project_id, sdk.server.project_name)
    assert project["metadata"] == {}
    if sdk.name not in OLDEST:
        assert project["organization"] == {"id": "demo-org", "name": "Nimbus Retail"}


def test_projects_of_an_organization(sdk, organization_key):
    if not sdk.has("projects.create"):
        return
    name = f"{sdk.name} {uuid.uuid4().hex[:8]}"
    made = sdk("projects.create", name=name, retention=30, metadata={"team": "售后"}, keys=organization_key)
    assert (made["name"], made["metadata"], made["retentionDays"]) == (name, {"team": "售后"}, 30)
    with pytest.raises(Refused) as twice:
        sdk("projects.create", name=name, retention=0, keys=organization_key)
    assert twice.value.status == 409  # Python clients try that twice more, and then say so
    assert "already exists" in twice.value.body["message"]
    changed = sdk("projects.update", made["id"], name=f"{name} 2", retention=0, keys=organization_key)
    assert (changed["id"], changed["name"], changed["metadata"]) == (made["id"], f"{name} 2", {"team": "售后"})
    keys_of_a_project(sdk, made, organization_key)
    gone = sdk("projects.delete", made["id"], keys=organization_key)
    assert gone["success"] is True


def keys_of_a_project(sdk, project, organization_key):
    key = sdk("projects.create_api_key", project["id"], note="来自客户端", keys=organization_key)
    assert key["note"] == "来自客户端"
    assert key["secretKey"].startswith("sk-lf-")
    opened = key["publicKey"], key["secretKey"]
    assert [each["id"] for each in sdk("projects.get", keys=opened)["data"]] == [project["id"]]
    listed = sdk("projects.get_api_keys", project["id"], keys=organization_key)["apiKeys"]
    assert [(each["id"], each["displaySecretKey"]) for each in listed] == [(key["id"], key["displaySecretKey"])]
    assert sdk("projects.delete_api_key", project["id"], key["id"], keys=organization_key) == {"success": True}
    assert sdk("projects.get_api_keys", project["id"], keys=organization_key)["apiKeys"] == []
    if sdk.name == "langfuse-python-5":
        expires = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        pair = {"publicKey": f"pk-lf-{uuid.uuid4()}", "secretKey": f"sk-lf-{uuid.uuid4()}"}
        own = sdk(
            "projects.create_api_key", project["id"], name="期限", expiresAt=expires, **pair, keys=organization_key
        )
        assert {key: own[key] for key in pair} == pair
        assert own["name"] == "期限"
        assert abs(moment(own["expiresAt"]) - moment(expires)) < timedelta(seconds=1)


# --- errors, asynchronous clients, deletes


def test_errors(sdk, organization_key):
    wrong = "pk-lf-wrong", "sk-lf-wrong"
    body = refused(sdk, "models.list", keys=wrong, status=401, kind="UnauthorizedError")
    assert body == {"message": "Invalid credentials. Confirm that you've configured the correct host."}
    body = refused(sdk, "models.list", keys=organization_key, status=403, kind="AccessDeniedError")
    assert "organization key" in body["message"]
    assert is_gone(sdk, "models.get", MISSING)["error"] == "LangfuseNotFoundError"
    if sdk.name != "langfuse-js-5":
        # The others put an id into a path as it is, so this is a DELETE of /score-configs.
        body = refused(sdk, "trace.delete", "../score-configs", status=405, kind="MethodNotAllowedError")
        assert body == {"message": "Method not allowed", "error": "MethodNotAllowedError"}
    body = refused(sdk, "models.list", page=0, status=400, kind="Error")
    assert body["message"] == "Invalid request data"
    assert body["error"][0]["path"] == ["page"]


def test_asynchronous_calls(sdk, written):
    if not sdk.is_python:
        return
    trace = next(iter(written.values()))
    assert sdk("health.health", is_async=True)["status"] == "OK"
    assert sdk("projects.get", is_async=True)["data"][0]["id"] == sdk.server.project_id
    score = {"id": uuid.uuid4().hex, "name": "later", "value": 0.5, "traceId": trace.id}
    if sdk.has("scores.create_many"):
        sdk.send("scores.create_many", [score], is_async=True)
    else:
        assert sdk("scores.create", is_async=True, **score) == {"id": score["id"]}
    if sdk.has("trace.get"):
        assert_trace(sdk("trace.get", trace.id, is_async=True), trace)
        assert sdk("sessions.get", trace.session, is_async=True)["id"] == trace.session
    else:
        got = sdk("observations_v2.list", traceId=trace.id, limit=10, is_async=True)["data"]
        assert {each["id"] for each in got} == {trace.root, trace.call}
    assert len(sdk("models.list", limit=3, is_async=True)["data"]) == 3
    body = refused(sdk, "models.get", MISSING, is_async=True, status=404, kind="NotFoundError")
    assert body["error"] == "LangfuseNotFoundError"


def test_deletes(sdk):
    way = ways(sdk)[0]
    one, *many = (write(sdk, Written(), way) for _ in range(3))
    assert sdk("trace.delete", one.id)["message"] == "Trace deleted successfully"
    assert sdk("trace.delete_multiple", traceIds=[each.id for each in many])["message"] == "Traces deleted successfully"

    def all_gone():
        with sdk.server.client() as api:
            for trace in (one, *many):
                assert api.get(f"/api/public/traces/{trace.id}").status_code == 404
                assert api.get("/api/public/v2/observations", params={"traceId": trace.id}).json()["data"] == []

    eventually(all_gone)
    if sdk.has("trace.get"):
        is_gone(sdk, "trace.get", one.id)


def test_every_method(request, sdk):
    """Comes last, whatever the order of the others: it counts what they called."""
    if not all_tests_ran_with(request):
        pytest.skip("only a part of this file was asked for")
    left_out = {name for name in sdk.methods if not LATER.match(name)} - sdk.called
    assert not left_out, f"methods of {sdk.name} that no test calls"


def all_tests_ran_with(request):
    items = [item for item in request.session.items if item.path == request.path]
    asked_for = {
        item.originalname for item in items if item.callspec.params["sdk"] == request.node.callspec.params["sdk"]
    }
    return asked_for == {name for name in vars(request.module) if name.startswith("test_")}
