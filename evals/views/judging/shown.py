"""Judgements, trials and evaluators, as pages show them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import orjson
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.access import ProjectScope
from evals.judging.pruning import FORGOTTEN
from evals.judging.targets import Target
from evals.models import (
    Evaluator,
    EvaluatorStatus,
    EvaluatorVersion,
    Judgement,
    JudgementStatus,
    Rule,
    TargetKind,
    Trial,
)
from evals.queries.evaluators import EvaluatorRow
from evals.views.judging.links import evaluator_url, judgement_url, log_url, rule_url, with_query
from evals.views.judging.samples import target_url

#: class of the tag or the dot that says how one went
LOOKS = {
    JudgementStatus.WAITING: "waiting",
    JudgementStatus.RUNNING: "running",
    JudgementStatus.DONE: "good",
    JudgementStatus.FAILED: "level",
    JudgementStatus.CANCELLED: "",
}
OPEN = (JudgementStatus.WAITING, JudgementStatus.RUNNING)
ORIGINS: dict[str, str | Promise] = {
    "live": gettext_lazy("as it arrived"),
    "backfill": gettext_lazy("run on existing data"),
    "schedule": gettext_lazy("on schedule"),
    "experiment": gettext_lazy("of an experiment"),
    "manual": gettext_lazy("by hand"),
}
WAYS: dict[str, str | Promise] = {
    "schema": gettext_lazy("with a JSON schema"),
    "tool": gettext_lazy("as a tool call"),
    "text": gettext_lazy("as text"),
}
_SHOWN = 200_000


@dataclass(frozen=True, slots=True)
class ShownAttempt:
    """One call to the model: what was sent, what came, how it went."""

    number: int
    entry: dict[str, Any]

    @property
    def way(self) -> str:
        way = str(self.entry.get("way") or "")
        return str(WAYS.get(way, way))

    @property
    def at(self) -> str:
        return str(self.entry.get("at") or "")

    @property
    def microseconds(self) -> float | None:
        seconds = self.entry.get("seconds")
        return None if seconds is None else float(seconds) * 1_000_000

    @property
    def status(self) -> str:
        status = self.entry.get("status")
        return "" if status is None else str(status)

    @property
    def problem(self) -> str:
        return str(self.entry.get("problem") or "")

    @property
    def is_pruned(self) -> bool:
        """Whether it has lost what was sent and answered, for its age."""
        return not any(name in self.entry for name in FORGOTTEN)

    @property
    def request(self) -> str:
        return _readable(self.entry.get("request"))

    @property
    def response(self) -> str:
        return _readable(self.entry.get("response"))

    @property
    def request_id(self) -> str:
        return f"request-{self.number}"

    @property
    def response_id(self) -> str:
        return f"response-{self.number}"


def _attempts(log: list[dict[str, Any]]) -> list[ShownAttempt]:
    """The last one first."""
    return [ShownAttempt(number, entry) for number, entry in reversed(list(enumerate(log, 1)))]


def _readable(said: Any) -> str:
    """JSON on lines of its own; all else as it is."""
    if said is None:
        return ""
    if isinstance(said, str):
        try:
            said = orjson.loads(said)
        except orjson.JSONDecodeError:
            return str(said)[:_SHOWN]
        if isinstance(said, str):
            return said[:_SHOWN]
    return orjson.dumps(said, option=orjson.OPT_INDENT_2, default=str).decode()[:_SHOWN]


def _messages(log: list[dict[str, Any]]) -> list[dict[str, str]]:
    """What the model was asked last, as far as the request is in one of the formats that have messages."""
    request = log[-1].get("request") if log else None
    if isinstance(request, str):
        try:
            request = orjson.loads(request)
        except orjson.JSONDecodeError:
            return []
    if not isinstance(request, dict):
        return []
    body = request.get("body") if isinstance(request.get("body"), dict) else request
    found = body.get("messages") or body.get("input") or [] if isinstance(body, dict) else []
    system = body.get("system") if isinstance(body, dict) else None
    asked = [{"role": "system", "content": _words(system)}] if system else []
    if isinstance(found, list):
        asked += [
            {"role": str(one.get("role", "")), "content": _words(one.get("content"))}
            for one in found
            if isinstance(one, dict)
        ]
    return asked


def _words(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [part.get("text", "") if isinstance(part, dict) else part for part in content]
        return "\n".join(text for text in texts if isinstance(text, str))
    return "" if content is None else _readable(content)


def execution_url(scope: ProjectScope, trace_id: str) -> str:
    return reverse("tracing:trace-detail", args=[scope.project_id, trace_id]) if trace_id else ""


@dataclass(frozen=True)
class ShownTrial:
    scope: ProjectScope
    trial: Trial

    @property
    def is_open(self) -> bool:
        return self.trial.status in OPEN

    @property
    def status(self) -> str:
        return str(JudgementStatus(self.trial.status).label)

    @property
    def look(self) -> str:
        return LOOKS[JudgementStatus(self.trial.status)]

    @property
    def microseconds(self) -> float | None:
        seconds = self.trial.seconds
        return None if seconds is None else seconds * 1_000_000

    @property
    def attempts(self) -> list[ShownAttempt]:
        return _attempts(self.trial.log)

    @cached_property
    def asked(self) -> list[dict[str, str]]:
        return _messages(self.trial.log)

    @property
    def trace_url(self) -> str:
        return execution_url(self.scope, self.trial.execution_trace_id) if self.trial.is_traced else ""


@dataclass(frozen=True)
class ShownJudgement:
    scope: ProjectScope
    judgement: Judgement

    @property
    def url(self) -> str:
        return judgement_url(self.judgement)

    @property
    def is_open(self) -> bool:
        return self.judgement.status in OPEN

    @property
    def is_held(self) -> bool:
        """It waits because its evaluator is paused."""
        is_paused = self.judgement.evaluator.status == EvaluatorStatus.PAUSED
        return is_paused and self.judgement.status == JudgementStatus.WAITING

    @property
    def is_capped(self) -> bool:
        return self.judgement.held_by == "cap" and self.judgement.status == JudgementStatus.WAITING

    @property
    def is_retried(self) -> bool:
        return self.judgement.status == JudgementStatus.WAITING and self.judgement.attempts > 0

    @property
    def status(self) -> str:
        if self.is_held:
            return _("Paused")
        if self.is_capped:
            return _("Waits for tomorrow")
        return _("Trying again") if self.is_retried else str(JudgementStatus(self.judgement.status).label)

    @property
    def look(self) -> str:
        return "warning" if self.is_held or self.is_capped else LOOKS[JudgementStatus(self.judgement.status)]

    @property
    def dot(self) -> str:
        """What the dot of it says to whoever does not see it."""
        said = self.judgement.value or self.judgement.problem
        return f"{self.status}: {said[:120]}" if said else self.status

    @property
    def microseconds(self) -> float | None:
        seconds = self.judgement.seconds
        return None if seconds is None else seconds * 1_000_000

    @property
    def evaluator_url(self) -> str:
        return evaluator_url(self.judgement.evaluator)

    @property
    def rule_url(self) -> str:
        return rule_url(self.judgement.rule) if self.judgement.rule else ""

    @property
    def origin(self) -> str:
        return str(ORIGINS.get(self.judgement.origin, self.judgement.origin))

    @property
    def target_kind(self) -> str:
        return str(TargetKind(self.judgement.target).label)

    @property
    def target_id(self) -> str:
        one = self.judgement
        return one.observation_id or one.trace_id or one.session_id

    @property
    def target_url(self) -> str:
        one = self.judgement
        target = Target(TargetKind(one.target), one.trace_id, one.observation_id, one.session_id, one.target_at)
        return target_url(self.scope, target)

    @property
    def trace_url(self) -> str:
        return execution_url(self.scope, self.judgement.execution_trace_id) if self.judgement.is_traced else ""

    @property
    def attempts(self) -> list[ShownAttempt]:
        return _attempts(self.judgement.log)

    @cached_property
    def asked(self) -> list[dict[str, str]]:
        return _messages(self.judgement.log)


@dataclass(frozen=True)
class Paused:
    """As the banner shows one."""

    evaluator: Evaluator

    @property
    def url(self) -> str:
        return evaluator_url(self.evaluator)


@dataclass(frozen=True)
class ShownEvaluator:
    """A row of the list, with the rules that use it. `default_model` is the project's judge."""

    scope: ProjectScope
    row: EvaluatorRow
    default_model: str
    used_by: list[Rule]

    @property
    def evaluator(self) -> Evaluator:
        return self.row.evaluator

    @property
    def url(self) -> str:
        return evaluator_url(self.evaluator)

    @property
    def is_paused(self) -> bool:
        return self.evaluator.status == EvaluatorStatus.PAUSED

    @property
    def state(self) -> str:
        if self.is_paused:
            return _("paused")
        return _("active") if any(rule.is_enabled for rule in self.used_by) else _("no rule")

    @property
    def look(self) -> str:
        if self.is_paused:
            return "level warning"
        return "good" if any(rule.is_enabled for rule in self.used_by) else ""

    @property
    def rules(self) -> list[tuple[str, str, bool]]:
        """Name, address, whether it is on."""
        return [(rule.name, rule_url(rule), rule.is_enabled) for rule in self.used_by]

    @property
    def model(self) -> str:
        return model_name(self.row.version, self.default_model)

    @property
    def last(self) -> list[ShownJudgement]:
        """The oldest first, so that the newest stands at the end as in a row of time."""
        for one in self.row.last:
            one.evaluator = self.evaluator  # or each would be read by itself
        return [ShownJudgement(self.scope, one) for one in reversed(self.row.last)]

    @property
    def cost(self) -> Decimal | None:
        return self.row.cost_7d

    @property
    def log_url(self) -> str:
        return log_url(self.scope, evaluator=self.evaluator.pk)

    @property
    def scores_url(self) -> str:
        """The list of what it gave."""
        return scores_url(self.scope, self.evaluator)


def scores_url(scope: ProjectScope, evaluator: Evaluator) -> str:
    page = reverse("evals:score-list", args=[scope.project_id])
    return with_query(page, name=evaluator.name, source="EVAL", range="all")


def model_name(version: EvaluatorVersion, default_model: str) -> str:
    """With its connection; empty where nobody chose one."""
    if version.model:
        return f"{version.model['provider']} / {version.model['model']}"
    return default_model
