"""The demo data set in a running instance, and where its interesting traces are."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx

from tests.instance import Instance
from tracing.demo import drafts
from tracing.demo.draft import Draft
from tracing.demo.odd import BIG_TRACE_STEPS
from tracing.demo.send import Sender

SEED = 7
_VISIBLE_SECONDS = 60


DATASET = "demo/退货 questions"


@dataclass(frozen=True)
class DemoData:
    """Ids of traces worth a look."""

    traces: int
    big: str
    chat: str
    answer: str  # the model call in that chat
    agent: str
    orphan: str
    failed: str
    session: str
    user: str
    #: a playground
    playground: str = ""
    #: two runs over one dataset
    experiments: tuple[str, ...] = ()
    #: the one that they ran over, and an item of it
    dataset: str = ""
    dataset_item: str = ""
    #: an annotation queue, and items of it
    queue: tuple[str, ...] = ()
    #: a dashboard with a chart of the project's own and a built-in one, and that chart
    dashboard: str = ""
    widget: str = ""


def send_demo(instance: Instance, traces: int) -> DemoData:
    """Sent twice it changes nothing, so every test process may ask for it."""
    until = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    made = list(drafts(traces, seed=SEED, until=until))
    _write_prompts(instance)
    with Sender(instance.url, *instance.auth) as sender:
        sender.send(made)
    data = _points_of_interest(made)
    _wait_until_there(instance, made)
    data = replace(data, playground=_write_playground(instance), experiments=_write_experiments(instance, made))
    with instance.client() as api:
        [item] = api.get("/api/public/dataset-items", params={"datasetName": DATASET, "limit": 1}).json()["data"]
    data = replace(data, dataset=item["datasetId"], dataset_item=item["id"])
    dashboard, widget = _write_dashboard(instance)
    return replace(data, queue=_write_queue(instance, data), dashboard=dashboard, widget=widget)


#: Name, type, what each version says, oldest first.
_PROMPTS: tuple[tuple[str, str, list[Any]], ...] = (
    ("demo/policy", "text", ["Refunds within 30 days.", "Refunds within 60 days, in {{country}}."]),
    (
        "demo/answer",
        "chat",
        [
            [{"role": "system", "content": "Be brief.\n@@@langfusePrompt:name=demo/policy|label=production@@@"}],
            [
                {"role": "system", "content": "Be kind.\n@@@langfusePrompt:name=demo/policy|label=production@@@"},
                {"type": "placeholder", "name": "history"},
                {"role": "user", "content": "{{question}} 退货政策"},
            ],
        ],
    ),
)


def _write_prompts(instance: Instance) -> None:
    with instance.client() as api:
        for name, kind, versions in _PROMPTS:
            if api.get(f"/api/public/v2/prompts/{quote(name, safe='')}", params={"label": "latest"}).status_code == 200:
                continue
            for number, said in enumerate(versions, 1):
                labels = ["production"] if number == 1 else ["staging"]
                body = {"name": name, "type": kind, "prompt": said, "labels": labels, "config": {"model": f"m{number}"}}
                answer = api.post("/api/public/v2/prompts", json={**body, "commitMessage": f"Step {number}"})
                assert answer.status_code == 201, answer.text


def _write_experiments(instance: Instance, made: list[Draft]) -> tuple[str, ...]:
    """The ids of two runs: the newest chats, linked to the items of a dataset."""
    chats = [draft for draft in made[::-1] if draft.name == "support-chat"][:8]
    found: dict[str, str] = {}
    with instance.client() as api:
        dataset = {"name": DATASET, "description": "What customers ask"}
        assert api.post("/api/public/v2/datasets", json=dataset).status_code == 200
        for number, chat in enumerate(chats):
            item = {"id": f"demo-question-{number % 4}", "input": {"question": number % 4}, "expectedOutput": "Kind."}
            answer = api.post("/api/public/dataset-items", json={"datasetName": dataset["name"], **item})
            assert answer.status_code == 200, answer.text
            run = {"runName": "before" if number < 4 else "after", "metadata": {"model": "gpt-4o"}}
            body = {**run, "datasetItemId": item["id"], "traceId": chat.id}
            answer = api.post("/api/public/dataset-run-items", json=body)
            assert answer.status_code == 200, answer.text
            found[answer.json()["datasetRunName"]] = answer.json()["datasetRunId"]
    return tuple(found.values())


def _write_queue(instance: Instance, data: DemoData) -> tuple[str, ...]:
    """The ids of an annotation queue and of its items: a trace, a session, a model call, and something that is gone."""
    objects = [("TRACE", data.chat), ("SESSION", data.session), ("OBSERVATION", data.answer), ("TRACE", "gone")]
    with instance.client() as api:
        queues = api.get("/api/public/annotation-queues", params={"limit": 100}).json()["data"]
        queue_id = next((queue["id"] for queue in queues if queue["name"] == "demo 回答"), "")
        if not queue_id:
            labels = [{"label": label, "value": value} for value, label in enumerate(("cold", "plain", "warm"))]
            config = {"name": "demo warmth", "dataType": "CATEGORICAL", "categories": labels}
            config_id = api.post("/api/public/score-configs", json=config).json()["id"]
            body = {"name": "demo 回答", "description": "What was said", "scoreConfigIds": [config_id]}
            queue_id = api.post("/api/public/annotation-queues", json=body).json()["id"]
            for kind, object_id in objects:
                item = {"objectType": kind, "objectId": object_id}
                answer = api.post(f"/api/public/annotation-queues/{queue_id}/items", json=item)
                assert answer.status_code == 200, answer.text
        items = api.get(f"/api/public/annotation-queues/{queue_id}/items").json()["data"]
    found = {(item["objectType"], item["objectId"]): item["id"] for item in items}
    return queue_id, *(found[place] for place in objects)


def _write_playground(instance: Instance) -> str:
    """The id of one that was opened from a prompt, as somebody does who is signed in."""
    with httpx.Client(base_url=instance.url, timeout=30, headers={"Referer": instance.url}) as client:
        client.get("/accounts/login/")

        def send(path: str, **fields: str) -> httpx.Response:
            return client.post(path, data={"csrfmiddlewaretoken": client.cookies["csrftoken"], **fields})

        send("/accounts/login/", login=instance.email, password=instance.password)
        opened = send(f"/projects/{instance.project_id}/playground/new/", prompt="demo/answer", version="2")
        assert opened.status_code == 303, opened.text
        return opened.headers["Location"].rstrip("/").rpartition("/")[2]


def _write_dashboard(instance: Instance) -> tuple[str, str]:
    chart = {
        "name": "Latency per topic", "view": "observations", "dimensions": [{"field": "metadata.topic"}],
        "metrics": [{"measure": "latency", "agg": "p95"}], "chartType": "HORIZONTAL_BAR",
        "filters": [{"type": "stringOptions", "column": "type", "operator": "any of", "value": ["GENERATION"]}],
    }  # fmt: skip
    with instance.client() as api:
        for known in api.get("/api/public/unstable/dashboards").raise_for_status().json()["data"]:
            if known["name"] == "Topics":
                return known["id"], next(one["widgetId"] for one in known["definition"]["widgets"] if "widgetId" in one)
        widget = api.post("/api/public/unstable/dashboard-widgets", json=chart).raise_for_status().json()["id"]
        placed = [{"widgetId": widget}, {"type": "preset", "presetId": "cost-by-model", "x": 6, "y": 0}]
        body = {"name": "Topics", "definition": {"widgets": placed}}
        dashboard = api.post("/api/public/unstable/dashboards", json=body).raise_for_status().json()["id"]
    return dashboard, widget


def _points_of_interest(made: list[Draft]) -> DemoData:
    recent = made[::-1]
    chats = [draft for draft in recent if draft.name == "support-chat" and draft.session]
    chat = next(
        draft for draft in chats if any("image_url" in str(step.input) for step in draft.steps) and draft.judgements
    )
    agents = [draft for draft in recent if draft.name == "research-agent"]
    known = {draft.id: {step.id for step in draft.steps} for draft in made}
    return DemoData(
        traces=len(made),
        big=next(draft.id for draft in made if len(draft.steps) == BIG_TRACE_STEPS),
        chat=chat.id,
        answer=next(step.id for step in chat.steps if step.kind == "generation"),
        agent=max(agents[:40], key=lambda draft: len(draft.steps)).id,
        orphan=next(draft.id for draft in made if all(step.parent for step in draft.steps)),
        failed=next(
            draft.id for draft in recent if any(step.level == "ERROR" for step in draft.steps) and known[draft.id]
        ),
        session=max(chats, key=lambda draft: sum(each.session == draft.session for each in chats)).session,
        user=chat.user,
    )


def _wait_until_there(instance: Instance, made: list[Draft]) -> None:
    deadline = time.monotonic() + _VISIBLE_SECONDS
    newest = max(made, key=lambda draft: len(draft.steps))
    since = (datetime.now(UTC) - timedelta(days=20)).isoformat()
    with instance.client() as api:
        while True:
            listed = api.get("/api/public/traces", params={"limit": 1, "fromTimestamp": since}).json()
            big = api.get(f"/api/public/traces/{newest.id}")
            found = len(big.json()["observations"]) if big.status_code == 200 else 0
            if listed["meta"]["totalItems"] >= len(made) and found >= len(newest.steps):
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"the demo data did not arrive: {listed['meta']}")
            time.sleep(0.2)
