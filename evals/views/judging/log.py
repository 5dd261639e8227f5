"""Judgements: what is waiting, running, done or failed; each with what was asked and answered; tried again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import NotFound
from config.posting import posted_from
from config.rendering import render_page
from evals.actions import judgements as actions
from evals.models import JudgementStatus, TargetKind
from evals.queries import evaluators as evaluator_queries
from evals.queries import judgements as queries
from evals.queries import rules as rule_queries
from evals.views.judging.links import judgement_url, log_url
from evals.views.judging.rules import paused_evaluators
from evals.views.judging.shown import ORIGINS, ShownJudgement
from tracing.forms import text_from

_PAGE = 50
#: name, words, days
RANGES: list[tuple[str, str | Promise, int]] = [
    ("1d", gettext_lazy("Past 24 hours"), 1),
    ("7d", gettext_lazy("Past 7 days"), 7),
    ("30d", gettext_lazy("Past 30 days"), 30),
    ("all", gettext_lazy("All time"), 0),
]
_USUAL_RANGE = "7d"


@dataclass(frozen=True)
class Wanted:
    """What the log is narrowed to; empty for everything."""

    status: str = ""
    rule: str = ""
    evaluator: str = ""
    target: str = ""
    origin: str = ""
    trace: str = ""
    range: str = _USUAL_RANGE

    @classmethod
    def of(cls, data: Any) -> Wanted:
        def one_of(name: str, allowed: Any, otherwise: str = "") -> str:
            return data.get(name, "") if data.get(name, "") in allowed else otherwise

        return cls(
            status=one_of("status", JudgementStatus.values),
            rule=text_from(data, "rule")[:255],
            evaluator=text_from(data, "evaluator")[:255],
            target=one_of("target", TargetKind.values),
            origin=one_of("origin", ORIGINS),
            trace=text_from(data, "trace")[:255],
            range=one_of("range", [name for name, *_ in RANGES], _USUAL_RANGE),
        )

    @property
    def since(self) -> datetime | None:
        days = next(days for name, _label, days in RANGES if name == self.range)
        return datetime.now(UTC) - timedelta(days=days) if days else None

    @property
    def conditions(self) -> dict[str, Any]:
        """As queries and actions take them."""
        return {
            "status": self.status,
            "rule_id": self.rule,
            "evaluator_id": self.evaluator,
            "target": self.target,
            "origin": self.origin,
            "trace_id": self.trace,
            "since": self.since,
        }

    @property
    def parameters(self) -> dict[str, str]:
        names = ("status", "rule", "evaluator", "target", "origin", "trace", "range")
        return {name: value for name in names if (value := getattr(self, name)) and value != _USUAL_RANGE}

    @property
    def is_narrowed(self) -> bool:
        return bool(self.status or self.rule or self.evaluator or self.target or self.origin or self.trace)


@require_safe
@project_page(Role.VIEWER)
def judgement_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    wanted = Wanted.of(request.GET)
    page = queries.list_judgements(scope, **wanted.conditions, before=text_from(request.GET, "before"), limit=_PAGE)
    rows = [ShownJudgement(scope, one) for one in page.items]
    counts = queries.counts(scope, wanted.conditions)
    context = {
        "scope": scope,
        "wanted": wanted,
        "page": page,
        "rows": rows,
        "has_open": any(one.is_open and not one.is_held and not one.is_capped for one in rows),
        "statuses": [(one.value, str(one.label), counts[one.value]) for one in JudgementStatus],
        "total": sum(counts.values()),
        "failed": counts[JudgementStatus.FAILED],
        "waiting": counts[JudgementStatus.WAITING],
        "rules": [(one.pk, one.name) for one in rule_queries.rules(scope).order_by("name")],
        "evaluators": [(one.pk, one.name) for one in evaluator_queries.evaluators(scope).order_by("name")],
        "targets": TargetKind.choices,
        "origins": list(ORIGINS.items()),
        "ranges": [(name, label) for name, label, _days in RANGES],
        "paused": paused_evaluators(scope),
        "may_edit": scope.role.allows(Role.MEMBER),
    }
    return render_page(request, "evals/judgement_list.html", context, fragment="judgements")


@require_safe
@project_page(Role.VIEWER)
def judgement_detail(request: HttpRequest, scope: ProjectScope, judgement_id: str) -> HttpResponse:
    judgement = queries.get_judgement(scope, judgement_id)
    shown = ShownJudgement(scope, judgement)
    context = {
        "scope": scope,
        "shown": shown,
        "judgement": judgement,
        "paused": [one for one in paused_evaluators(scope) if one.evaluator.pk == judgement.evaluator_id],
        "may_edit": scope.role.allows(Role.MEMBER),
    }
    return render_page(request, "evals/judgement_detail.html", context, fragment="judgement")


@require_safe
@project_page(Role.VIEWER)
def judgement_of_score(request: HttpRequest, scope: ProjectScope, score_id: str) -> HttpResponse:
    """Leads from a score to how it came about: to its judgement, or where a program of one's own judged, to the `trace`
    that it did that in."""
    judgement = queries.judgement_of_score(scope, score_id)
    if judgement is None and request.GET.get("trace"):
        trace_id = text_from(request.GET, "trace")
        return HttpResponseRedirect(reverse("tracing:trace-detail", args=[scope.project_id, trace_id]))
    if judgement is None:
        raise NotFound(_("No judgement of this project gave this score, or its evaluator was deleted."))
    return HttpResponseRedirect(judgement_url(judgement))


@posted_from("evals:judgement-list")
@project_page(Role.MEMBER)
def judgement_retry(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """One (`judgement`), or all that failed and match."""
    number, back = _do(request, scope, actions.retry, JudgementStatus.FAILED)
    said = ngettext("%(n)d judgement is tried again.", "%(n)d judgements are tried again.", number)
    messages.success(request, said % {"n": number})
    return see_other(back)


@posted_from("evals:judgement-list")
@project_page(Role.MEMBER)
def judgement_cancel(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """One (`judgement`), or all that wait and match."""
    number, back = _do(request, scope, actions.cancel, JudgementStatus.WAITING)
    said = ngettext("%(n)d judgement is cancelled.", "%(n)d judgements are cancelled.", number)
    messages.success(request, said % {"n": number})
    return see_other(back)


def _do(request: HttpRequest, scope: ProjectScope, act: Callable[..., int], status: JudgementStatus) -> tuple[int, str]:
    """To one, or to all of this status that match: to how many, and where it goes on."""
    if request.POST.get("judgement"):
        judgement = queries.get_judgement(scope, request.POST["judgement"])
        return act(scope, [judgement.pk], actor=Actor.of(request)), judgement_url(judgement)
    wanted = Wanted.of(request.POST)
    number = act(scope, matching={**wanted.conditions, "status": status}, actor=Actor.of(request))
    return number, log_url(scope, **{**wanted.parameters, "status": ""})
