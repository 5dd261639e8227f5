"""What tests of judging share: a project with a judge that answers, evaluators, rules, and all worked on in place."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.access import ProjectScope, scope_for_task
from accounts.audit import SYSTEM
from config.sealing import seal
from evals import arrivals
from evals.actions.evaluators import EvaluatorFields, create_evaluator
from evals.actions.rules import RuleFields, create_rule
from evals.judging import claiming, matching, work
from evals.models import Candidate, Evaluator, Judgement, JudgementStatus, Rule
from prompts.models import Adapter, LlmConnection
from tests.evals.judge_stub import KEY, JudgeStub
from tests.tracing.sender import Sender
from tracing.analytics import store
from tracing.analytics.records import Observation, Score
from tracing.analytics.tables import scores
from tracing.ingest import drain

NUMERIC = {"dataType": "NUMERIC", "minValue": 0, "maxValue": 1}
MAPPING = [{"variable": "question", "source": "input"}, {"variable": "answer", "source": "output"}]
MESSAGES = [
    {"role": "system", "content": "You judge answers."},
    {"role": "user", "content": "Question: {{question}}\nAnswer: {{answer}}"},
]


@pytest.fixture
def judge(settings) -> Iterator[JudgeStub]:
    settings.JUDGEMENT_RETRY_SECONDS = [0, 0, 0, 0]
    with JudgeStub() as stub:
        settings.OUTGOING_ALLOWED = {"llm": [f"localhost:{stub.port}"], "webhook": []}
        yield stub


class Judging:
    """One project; `sender` hands in what applications hand in."""

    def __init__(self, sender: Sender, stub: JudgeStub) -> None:
        self.sender, self.stub, self.project = sender, stub, sender.project
        self.scope: ProjectScope = scope_for_task(self.project.pk)
        self.connection = LlmConnection.objects.create(
            project=self.project,
            provider="stub",
            adapter=Adapter.OPENAI,
            base_url=stub.url,
            sealed_secret=seal(KEY),
            masked_secret="sk-…cdef",
            with_default_models=False,
            custom_models=["judge"],
        )

    def fields(self, name: str = "quality", **changes: Any) -> EvaluatorFields:
        said: dict[str, Any] = {
            "messages": MESSAGES,
            "output": NUMERIC,
            "model": {"provider": "stub", "model": "judge", "parameters": {}},
            "mapping": MAPPING,
        }
        return EvaluatorFields(name, **{**said, **changes})

    def evaluator(self, name: str = "quality", **changes: Any) -> Evaluator:
        return create_evaluator(self.scope, self.fields(name, **changes), actor=SYSTEM)

    def rule(self, *evaluators: Evaluator, **changes: Any) -> Rule:
        assignments = [(one.pk, None) for one in evaluators or (self.evaluator(),)]
        said = {"name": "all", "is_enabled": True, "assignments": assignments}
        return create_rule(self.scope, RuleFields(**{**said, **changes}), actor=SYSTEM)

    def send(self, number: int = 1, *, ids: str = "t", ended: bool = True, **fields: Any) -> list[str]:
        """Traces with one generation each, as older SDKs send them; returns their ids."""
        events, trace_ids, now = [], [], datetime.now(UTC)
        for place in range(number):
            trace_id, start = f"{ids}{place}", (now - timedelta(seconds=60 - place * 0.001)).isoformat()
            body = {
                "id": f"{trace_id}-g",
                "traceId": trace_id,
                "name": "answer",
                "startTime": start,
                "input": {"question": f"What is {place}?"},
                "output": "It is a number.",
                **({"endTime": now.isoformat()} if ended else {}),
            }
            trace = {"id": trace_id, "timestamp": start, "name": "chat"}
            own = {key: value for key, value in fields.items() if key in ("sessionId", "tags", "environment")}
            trace |= own
            body |= {key: value for key, value in fields.items() if key not in own or key == "environment"}
            events.append(self._event("trace-create", f"{trace_id}-e", start, trace))
            events.append(self._event("generation-create", f"{trace_id}-ge", start, body))
            trace_ids.append(trace_id)
        answer = self.sender.post("/api/public/ingestion", {"batch": events})
        assert answer.status_code == 207, answer.content
        drain.drain()
        return trace_ids

    @staticmethod
    def _event(kind: str, id_: str, at: str, body: Any) -> dict[str, Any]:
        return {"id": f"{id_}-{timezone.now().timestamp()}", "type": kind, "timestamp": at, "body": body}

    def work(self) -> None:
        """All that is due, in this thread, whatever arrived first."""
        arrivals.work()
        matching.settle_candidates()
        claiming.turns.forget()
        while work.work_on_next():
            pass

    def quiet(self) -> None:
        """As if nothing had come for long."""
        Candidate.objects.update(due_at=timezone.now() - timedelta(seconds=1))
        self.work()

    def due(self) -> None:
        """As if whatever waits to be tried again had waited long enough."""
        Judgement.objects.filter(status=JudgementStatus.WAITING).update(due_at=timezone.now())
        self.work()

    def scores(self) -> list[Score]:
        return store.records(
            self.scope, Score, store.select(self.scope, scores).order_by(scores.c.id), tag="test", is_anew=True
        )

    def judgements(self, **which: Any) -> list[Judgement]:
        return list(Judgement.objects.filter(project=self.project, **which).order_by("trace_id", "pk"))

    def own_calls(self) -> list[Observation]:
        """What was traced of the judges' own calls."""
        drain.drain()
        return [one for one in self.sender.observations() if one.environment == "langfuse-llm-as-a-judge"]
