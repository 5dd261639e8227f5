"""Chosen traces or observations: which evaluators shall judge them, what that costs, and then it begins."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Invalid, NotFound
from config.rendering import render_page
from evals.actions import selected as actions
from evals.actions.rules import why_unfit
from evals.judging import costs
from evals.judging.definition import definition_of
from evals.judging.targets import Target
from evals.models import Evaluator, EvaluatorStatus, EvaluatorVersion
from evals.queries import evaluators as queries
from evals.views.judging.links import log_url
from evals.views.judging.samples import target_url
from evals.views.judging.shown import model_name
from tracing.queries.explorer.nouns import Noun
from tracing.queries.selection import Selection, count_selected, next_selected
from tracing.queries.traces import find_trace
from tracing.views.bulk import selection_from, tell
from tracing.views.lists.addresses import list_url, posted_from_list


@dataclass(frozen=True)
class Offered:
    """One evaluator of the project; `why_not` is why it cannot judge these, empty where it can."""

    evaluator: Evaluator
    version: EvaluatorVersion
    model: str
    why_not: str
    is_chosen: bool
    #: of one judgement in US dollars; None where nobody knows, and for those that are not chosen
    cost: Decimal | None = None

    @property
    def is_paused(self) -> bool:
        return self.evaluator.status == EvaluatorStatus.PAUSED


@dataclass(frozen=True)
class Price:
    """What the chosen evaluators would cost; `cost` is None where no model that is asked has a price."""

    judgements: int
    cost: Decimal | None
    is_partial: bool


# --- One, from its page -----------------------------------------------------------------------------------
@require_safe
@project_page(Role.MEMBER)
def judge_one(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """`trace`, or `trace` and `observation`."""
    trace_id, observation_id = request.GET.get("trace", ""), request.GET.get("observation", "")
    if not trace_id or "\x00" in trace_id + observation_id:
        raise NotFound(_("There is no such trace in this project."))
    noun = Noun.OBSERVATIONS if observation_id else Noun.TRACES
    asked = QueryDict(mutable=True)
    asked["ids"] = "/".join(quote(one, safe="") for one in (trace_id, observation_id) if one)
    asked.setlist("evaluator", request.GET.getlist("evaluator"))
    selection = selection_from(asked, noun)
    find_trace(scope, trace_id)
    if not _samples(scope, selection):
        raise NotFound(_("There is no such observation in this trace."))
    return _page(request, scope, asked, selection)


# --- Many, from a list ------------------------------------------------------------------------------------
def _judge(request: HttpRequest, scope: ProjectScope, noun: Noun) -> HttpResponseBase:
    """Asks by whom, and says what it would cost; `do=start` begins."""
    selection = selection_from(request.POST, noun)
    if request.POST.get("do") != "start":
        return _page(request, scope, request.POST, selection)
    chosen = request.POST.getlist("evaluator")
    try:
        job = actions.judge_selection(scope, selection, chosen, actor=Actor.of(request))
    except Invalid as refusal:
        return _page(request, scope, request.POST, selection, problem=refusal.message)
    tell(request, scope, job)
    return see_other(log_url(scope, origin="manual", evaluator=chosen[0] if len(chosen) == 1 else ""))


judge_traces = posted_from_list(Noun.TRACES, Role.MEMBER, _judge)
judge_observations = posted_from_list(Noun.OBSERVATIONS, Role.MEMBER, _judge)


def _page(
    request: HttpRequest, scope: ProjectScope, asked: QueryDict, selection: Selection, *, problem: str = ""
) -> HttpResponse:
    counted = count_selected(scope, selection)
    samples = _samples(scope, selection)
    rows = _offered(scope, selection, samples, set(asked.getlist("evaluator")))
    context = {
        "scope": scope,
        "noun": selection.noun.value,
        "asked": asked,
        "counted": counted,
        "number": f"{counted.number:,}" if counted.is_all else f"≥ {counted.number:,}",
        "rows": rows,
        "price": _price(rows, counted.number),
        "problem": problem,
        "one": "" if _is_of_list(asked, samples) else samples[0].observation_id or samples[0].trace_id,
        "back": _back(scope, selection, asked, samples),
    }
    status = 422 if problem else 200
    return render_page(request, "evals/judge_selected.html", context, fragment="confirm", status=status)


def _samples(scope: ProjectScope, selection: Selection) -> list[Target]:
    """The first of them."""
    found = next_selected(scope, selection, "", size=costs.MOST_SAMPLES)
    return actions.targets_of(scope, selection, found[0]) if found else []


def _offered(scope: ProjectScope, selection: Selection, samples: list[Target], chosen: set[str]) -> list[Offered]:
    """Those that can judge these first."""
    found = list(queries.evaluators(scope).order_by("name", "pk"))
    versions = queries.latest_versions(found)
    default = queries.default_model(scope)
    kind = actions.kind_of(selection)
    rows = []
    for evaluator in found:
        version = versions.get(evaluator.pk)
        if version is None:
            continue
        why_not = why_unfit(version, kind)
        is_chosen = evaluator.pk in chosen and not why_not
        cost = _cost_of(scope, evaluator, version, kind, samples) if is_chosen else None
        model = model_name(version, default["model"] if default else "")
        rows.append(Offered(evaluator, version, model, why_not, is_chosen, cost))
    return sorted(rows, key=lambda row: bool(row.why_not))


def _cost_of(
    scope: ProjectScope, evaluator: Evaluator, version: EvaluatorVersion, kind: str, samples: list[Target]
) -> Decimal | None:
    """By what it cost so far, else by the length of what was chosen."""
    measured = queries.average_cost(evaluator.pk)
    if measured is not None:
        return measured
    return costs.expected(scope, definition_of(version, evaluator.kind), kind, samples=samples)


def _price(rows: list[Offered], number: int) -> Price | None:
    """None while nobody is chosen."""
    chosen = [row for row in rows if row.is_chosen]
    if not chosen:
        return None
    known = [row.cost for row in chosen if row.cost is not None]
    cost = sum(known, Decimal(0)) * number if known else None
    return Price(number * len(chosen), cost, len(known) < len(chosen))


def _is_of_list(asked: QueryDict, samples: list[Target]) -> bool:
    """Not chosen on a page of its own."""
    return "query" in asked or len(samples) != 1


def _back(scope: ProjectScope, selection: Selection, asked: QueryDict, samples: list[Target]) -> str:
    """The list that it was chosen in, or the page of the one that was chosen there."""
    if _is_of_list(asked, samples):
        return list_url(scope, selection.noun, QueryDict(asked.get("query", "").lstrip("?")))
    return target_url(scope, samples[0])
