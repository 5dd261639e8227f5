"""Sends demo traces through the public ingestion endpoints, a few requests at a time, as exporters do."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import orjson

from config.errors import SpanwiseError
from tracing.demo import evaluation, wire
from tracing.demo.draft import JSON, LEGACY, PROTOBUF, Draft, Step

_SPANS_PER_REQUEST = 400
_SCORES_PER_REQUEST = 200
_CONNECTIONS = 4
#: Requests made but not yet answered: bounds memory however many traces there are.
_MAX_WAITING = 8
_TRIES = 6
_OTLP, _INGESTION, _SCORES = "/api/public/otel/v1/traces", "/api/public/ingestion", "/api/public/scores"
_PROMPTS = "/api/public/v2/prompts"
_CONFIGS, _QUEUES = "/api/public/score-configs", "/api/public/annotation-queues"
_DATASETS, _ITEMS = "/api/public/v2/datasets", "/api/public/dataset-items"
_JSON = "application/json"


class Refused(SpanwiseError):
    """The instance cannot be reached, or did not take what was sent."""

    status = 502


@dataclass(slots=True)
class Sent:
    prompts: int = 0
    experiments: int = 0
    traces: int = 0
    spans: int = 0
    scores: int = 0
    requests: int = 0
    bytes: int = 0
    first_trace_id: str = ""


@dataclass(slots=True)
class _Pending:
    """What waits for a request to be full."""

    protobuf: list[tuple[Draft, Step]] = field(default_factory=list)
    json: list[tuple[Draft, Step]] = field(default_factory=list)
    legacy: list[Draft] = field(default_factory=list)
    scored: list[Draft] = field(default_factory=list)


class Sender:
    """`with Sender(url, public_key, secret_key) as sender: sender.send(drafts)`. Raises Refused."""

    def __init__(self, url: str, public_key: str, secret_key: str) -> None:
        headers = {"Authorization": wire.basic(public_key, secret_key), "x-langfuse-public-key": public_key}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=60)
        self._pool = ThreadPoolExecutor(_CONNECTIONS)
        self._waiting: deque[Future[httpx.Response]] = deque()
        self._pending = _Pending()
        self.sent = Sent()

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._client.close()

    def send(self, drafts: Iterable[Draft]) -> Sent:
        for draft in drafts:
            self._add(draft)
        self._flush(everything=True)
        while self._waiting:
            self._waiting.popleft().result()
        return self.sent

    def write(self, versions: Iterable[dict[str, Any]]) -> None:
        """Versions of prompts, one after the other, unless the project has a prompt of their name."""
        known: dict[str, bool] = {}
        for version in versions:
            name = version["name"]
            if name not in known:
                known[name] = self._has_prompt(name)
            if not known[name]:
                self._deliver(_PROMPTS, orjson.dumps(version), _JSON)
                self.sent.prompts += 1

    def evaluate(self, until: datetime, queued: Sequence[str]) -> None:
        """The company's dataset, its experiments, and a queue of these traces; what is there already stays."""
        configs = {one["name"]: one["id"] for one in self._read(_CONFIGS, limit=100)["data"]}
        for config in evaluation.CONFIGS:
            if config["name"] not in configs:
                configs[config["name"]] = self._create(_CONFIGS, config)["id"]
        dataset = self._create(_DATASETS, evaluation.dataset())
        known = {one["id"] for one in self._read(_ITEMS, datasetName=evaluation.DATASET, limit=100)["data"]}
        for item in evaluation.items():
            if item.id not in known:
                self._create(_ITEMS, evaluation.item_body(item))
        for run in evaluation.runs(dataset["projectId"], dataset["id"], until=until):
            self.send(run.drafts)
            self._deliver(_SCORES, orjson.dumps([run.score]), _JSON)
            self.sent.experiments += 1
        if evaluation.QUEUE not in {one["name"] for one in self._read(_QUEUES, limit=100)["data"]}:
            wanted = [configs[one["name"]] for one in evaluation.CONFIGS]
            queue = self._create(_QUEUES, {"name": evaluation.QUEUE, "scoreConfigIds": wanted})
            for trace_id in queued:
                self._create(f"{_QUEUES}/{queue['id']}/items", {"objectId": trace_id, "objectType": "TRACE"})

    def _read(self, path: str, **parameters: Any) -> Any:
        try:
            answer = self._client.get(path, params=parameters)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise Refused(f"{path} cannot be read ({error}).") from error
        return answer.json()

    def _create(self, path: str, body: dict[str, Any]) -> Any:
        return self._deliver(path, orjson.dumps(body), _JSON).json()

    def _has_prompt(self, name: str) -> bool:
        return bool(self._read(_PROMPTS, name=name, limit=1)["data"])

    def _add(self, draft: Draft) -> None:
        self.sent.traces += 1
        self.sent.spans += len(draft.steps)
        self.sent.first_trace_id = self.sent.first_trace_id or draft.id
        pending = self._pending
        if draft.wire == LEGACY:
            pending.legacy.append(draft)
        else:
            queue = pending.protobuf if draft.wire == PROTOBUF else pending.json
            queue.extend((draft, step) for step in _in_order_of_ends(draft))
        if draft.judgements:
            pending.scored.append(draft)
        self._flush(everything=False)

    def _flush(self, *, everything: bool) -> None:
        pending = self._pending
        for kind, queue in ((PROTOBUF, pending.protobuf), (JSON, pending.json)):
            while len(queue) >= _SPANS_PER_REQUEST or (everything and queue):
                part = queue[:_SPANS_PER_REQUEST]
                del queue[:_SPANS_PER_REQUEST]
                self._post_spans(kind, part)
        if pending.legacy and (everything or len(pending.legacy) * 12 >= _SPANS_PER_REQUEST):
            self._post(_INGESTION, wire.legacy(pending.legacy), _JSON)
            pending.legacy.clear()
        if pending.scored and (everything or len(pending.scored) * 2 >= _SCORES_PER_REQUEST):
            scores = wire.scores(pending.scored)
            self.sent.scores += len(scores)
            self._post(_SCORES, orjson.dumps(scores), _JSON)
            pending.scored.clear()

    def _post_spans(self, kind: str, part: list[tuple[Draft, Step]]) -> None:
        if kind == PROTOBUF:
            self._post(_OTLP, wire.protobuf(part), "application/x-protobuf")
        else:
            self._post(_OTLP, wire.otlp_json(part), _JSON)

    def _post(self, path: str, body: bytes, content_type: str) -> None:
        while len(self._waiting) >= _MAX_WAITING:
            self._waiting.popleft().result()
        self.sent.requests += 1
        self.sent.bytes += len(body)
        self._waiting.append(self._pool.submit(self._deliver, path, body, content_type))

    def _deliver(self, path: str, body: bytes, content_type: str) -> httpx.Response:
        wait = 0.2
        for _ in range(_TRIES):
            try:
                answer = self._client.post(path, content=body, headers={"Content-Type": content_type})
            except httpx.TransportError as error:
                problem = str(error) or type(error).__name__
            else:
                if answer.status_code < 300:
                    _need_no_errors(answer)
                    return answer
                problem = f"{answer.status_code}: {answer.text[:300]}"
                if answer.status_code not in (429, 500, 502, 503, 504):
                    break
            time.sleep(wait)
            wait *= 2
        raise Refused(f"{path} refused the demo data ({problem}).")


def _in_order_of_ends(draft: Draft) -> list[Step]:
    """Exporters send a span when it ends: children before parents."""
    return sorted(draft.steps, key=lambda step: (step.end, step.parent == ""))


def _need_no_errors(answer: httpx.Response) -> None:
    if answer.status_code == 207 and (errors := answer.json().get("errors")):
        raise Refused(f"{len(errors)} events were refused, the first one with: {errors[0]}")
