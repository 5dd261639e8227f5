"""How the demo company finds out whether its assistant got better: score configs, a dataset, and two experiments on it,
the second with two repetitions; all as clients of the public API send them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson

from tracing.demo import words
from tracing.demo.chatbot import NEW_MODEL, OLD_MODEL
from tracing.demo.draft import Draft, Step

DATASET = "support/answers"
QUEUE = "Support answers to look through"

CONFIGS: list[dict[str, Any]] = [
    {
        "name": "correctness",
        "dataType": "NUMERIC",
        "minValue": 0,
        "maxValue": 1,
        "description": "How much of the expected answer is there.",
    },
    {"name": "polite", "dataType": "BOOLEAN", "description": "Whether a customer would call it polite."},
    {
        "name": "tone",
        "dataType": "CATEGORICAL",
        "categories": [{"label": "cold", "value": 0}, {"label": "neutral", "value": 1}, {"label": "warm", "value": 2}],
    },
]

_ITEM_SCHEMA = {
    "type": "object",
    "properties": {"question": {"type": "string"}, "locale": {"type": "string"}},
    "required": ["question"],
}
#: seconds between one item of an experiment and the next
_PAUSE_SECONDS = 3
#: one in so many gets no answer
_FAILING = 24


class Item(NamedTuple):
    id: str
    question: str
    expected: str
    topic: str
    locale: str


class Trial(NamedTuple):
    """What was tried: the share of good answers makes the second one better."""

    name: str
    description: str
    model: str
    version: int
    good: float
    repetitions: int
    days_ago: int


TRIALS = (
    Trial("prompt v1", "What is in production.", OLD_MODEL, 1, 0.62, 1, 6),
    Trial("prompt v2", "Shorter rules, and the newer model.", NEW_MODEL, 2, 0.84, 2, 1),
)


def dataset() -> dict[str, Any]:
    return {
        "name": DATASET,
        "description": "Questions of customers with the answers that support would give.",
        "metadata": {"owner": "support", "reviewed": True},
        "inputSchema": _ITEM_SCHEMA,
    }


def items() -> list[Item]:
    """The same every time."""
    found = []
    for topic in words.TOPICS:
        locale = "zh-CN" if topic.name in ("退货", "物流") else "en-GB"
        for number, exchange in enumerate(topic.exchanges):
            for product in topic.products[:2]:
                facts = _facts(f"{topic.name}:{number}:{product.sku}", product)
                id_ = hashlib.blake2b(f"{topic.name}:{number}:{product.sku}".encode(), digest_size=8).hexdigest()
                question, answer = exchange.question.format(**facts), exchange.answer.format(**facts)
                found.append(Item(f"support-{id_}", question, answer, topic.name, locale))
    return found


def item_body(item: Item) -> dict[str, Any]:
    """As `POST /api/public/dataset-items` takes it."""
    return {
        "datasetName": DATASET,
        "id": item.id,
        "input": {"question": item.question, "locale": item.locale},
        "expectedOutput": item.expected,
        "metadata": {"topic": item.topic},
    }


@dataclass(frozen=True, slots=True)
class Run:
    """One experiment: its traces, and what is said of it as a whole."""

    id: str
    trial: Trial
    drafts: list[Draft]

    @property
    def score(self) -> dict[str, Any]:
        """As `POST /api/public/scores` takes it."""
        values = [float(one.value) for draft in self.drafts for one in draft.judgements if one.name == "correctness"]
        return {
            "id": f"{self.id}-mean",
            "datasetRunId": self.id,
            "name": "mean correctness",
            "value": round(sum(values) / len(values), 4),
            "dataType": "NUMERIC",
        }


def runs(project_id: str, dataset_id: str, *, until: datetime) -> Iterator[Run]:
    for trial in TRIALS:
        parts = ["langfuse-experiment-v1", project_id, dataset_id, trial.name]
        run_id = hashlib.sha256(orjson.dumps(parts)).hexdigest()[:16]
        yield Run(run_id, trial, list(_drafts(run_id, dataset_id, trial, until)))


def _drafts(run_id: str, dataset_id: str, trial: Trial, until: datetime) -> Iterator[Draft]:
    start = until - timedelta(days=trial.days_ago)
    for repetition in range(trial.repetitions):
        for number, item in enumerate(items()):
            at = start + timedelta(seconds=_PAUSE_SECONDS * (number + repetition * 100))
            # Sent again in another hour it is the same experiment, and no repetition of it.
            draft = Draft(f"{run_id}:{item.id}", repetition, at, "experiment-item-run", is_of_its_time=False)
            draft.environment = "sdk-experiment"
            _answer(draft, number + 7 * trial.version * repetition, item, trial)
            draft.attributes = _attributes(run_id, dataset_id, trial, item, draft.steps[0])
            yield draft.finish()


def _answer(draft: Draft, number: int, item: Item, trial: Trial) -> None:
    is_good, fails = draft.chance(trial.good), number % _FAILING == _FAILING // 2
    said = item.expected if is_good else item.expected.split("\n")[0].split(". ")[0] + "."
    question = {"question": item.question, "locale": item.locale}
    root = draft.step(None, "span", "experiment-item-run", input=question, output=None if fails else said)
    messages = [{"role": "system", "content": words.SYSTEM_PROMPT}, {"role": "user", "content": item.question}]
    call = draft.step(root, "generation", "answer", takes_ms=draft.around(900), input=messages)
    call.model, call.parameters = trial.model, {"temperature": 0.2}
    if fails:
        for step in (call, root):
            draft.fail(step, str(words.TIMEOUT))
        return
    call.output = {"role": "assistant", "content": said}
    call.first_token = call.start + (call.end - call.start) // 3
    call.usage = {"input": 180 + len(item.question) // 3, "output": 12 + len(said) // 4}
    _judge(draft, root, is_good)


def _judge(draft: Draft, root: Step, is_good: bool) -> None:
    value = min(1.0, max(0.0, draft.random.gauss(0.92 if is_good else 0.45, 0.08)))
    words_ = "All of it is there." if is_good else "The first step is there, the others are missing."
    draft.judge("correctness", round(value, 2), "NUMERIC", words_, root)
    draft.judge("polite", 1 if draft.chance(0.95 if is_good else 0.8) else 0, "BOOLEAN", step=root)
    [tone] = draft.random.choices(("cold", "neutral", "warm"), (1, 4, 5 if is_good else 2))
    draft.judge("tone", tone, "CATEGORICAL", step=root)


def _attributes(run_id: str, dataset_id: str, trial: Trial, item: Item, root: Step) -> dict[str, Any]:
    """As SDKs repeat them on every span of an item."""
    about = {"prompt_version": trial.version, "model": trial.model}
    return {
        "langfuse.experiment.id": run_id,
        "langfuse.experiment.name": trial.name,
        "langfuse.experiment.description": trial.description,
        "langfuse.experiment.metadata": orjson.dumps(about).decode(),
        "langfuse.experiment.dataset.id": dataset_id,
        "langfuse.experiment.item.id": item.id,
        "langfuse.experiment.item.root_observation_id": root.id,
        "langfuse.experiment.item.expected_output": item.expected,
        "langfuse.experiment.item.metadata": orjson.dumps({"topic": item.topic}).decode(),
    }


def _facts(seed: str, product: words.Product) -> dict[str, Any]:
    """What the words of an exchange leave open."""
    pick = random.Random(seed)  # noqa: S311 - repeatable, not secret
    return {
        "product": product.name,
        "sku": product.sku,
        "price": product.price,
        "discount": product.price * 0.15,
        "points": int(product.price),
        "order": f"NR-{pick.randrange(10_000, 99_999)}",
        "carrier": pick.choice(words.CARRIERS),
        "city": pick.choice(words.CITIES),
    }
