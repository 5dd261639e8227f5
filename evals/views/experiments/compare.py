"""Runs beside each other; one run alone is compared with nothing, and looks the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.roles import Role
from config.errors import NotFound, TooExpensive, Unavailable
from config.rendering import render_page
from evals.experiments.comparison import Item
from evals.models import Experiment
from evals.queries.experiment_comparison import Loaded, compare_experiments, said_by_items, texts_of
from evals.queries.experiment_progress import progress_of
from evals.queries.experiments import experiments, find_experiments
from evals.views.experiments.shown import ShownComparison
from evals.views.experiments.state import State, is_canonical, state_from

PER_PAGE = 50
#: characters of a text that are read for a row, and for a difference
_READ, _READ_FOR_DIFF = 2_000, 20_000
_MOST_CANDIDATES = 100


@require_safe
@project_page(Role.VIEWER)
def experiment_compare(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    """`baseline`, and `with` for each other run. Forms that say it less well are led to the better address."""
    state = state_from(request.GET)
    if not state.baseline:
        return redirect("evals:experiment-list", scope.project_id)
    if not is_canonical(request.GET):
        if "baseline" not in request.GET:
            state = _oldest_first(scope, state)
        return redirect(f"{request.path}?{state.query}")
    found = found_of(scope, state)
    context: dict[str, Any] = {
        "scope": scope,
        "baseline": found[0],
        "dataset": found[0].dataset,
        "candidates": _candidates(scope, found),
        "may_edit": scope.role.allows(Role.MEMBER),
        "state": state,
        "progress": progress_of(found[0]) if found[0].status else None,
    }
    try:
        context |= _shown(scope, found, state)
    except (TooExpensive, Unavailable) as problem:
        context["problem"] = problem
    return render_page(request, "evals/experiment_compare.html", context, fragment=("summary", "comparison"))


def _oldest_first(scope: ProjectScope, state: State) -> State:
    """Runs that were chosen from a list, whatever its order: the one that was first is what the others changed."""
    ids = [one.experiment_id for one in sorted(find_experiments(scope, state.ids), key=lambda one: one.created_at)]
    return replace(state, baseline=ids[0], others=tuple(ids[1:])) if ids else state


def found_of(scope: ProjectScope, state: State) -> list[Experiment]:
    """The baseline and the others, those that are there. Raises NotFound without a baseline."""
    found = find_experiments(scope, state.ids)
    if not found or found[0].experiment_id != state.baseline:
        raise NotFound(_("There is no such experiment in this project. It may have been deleted."))
    return found


def _shown(scope: ProjectScope, found: list[Experiment], state: State) -> dict[str, Any]:
    loaded = compare_experiments(scope, found, lower=state.lower)
    # Conditions name runs by their place: those that are gone have none.
    state = replace(state, others=tuple(one.experiment_id for one in found[1:]))
    chosen = chosen_items(loaded, state)
    pages = max(1, -(-len(chosen) // PER_PAGE))
    state = replace(state, page=min(state.page, pages))
    items = chosen[(state.page - 1) * PER_PAGE : state.page * PER_PAGE]
    shown = shown_of(scope, loaded, state, items, most=_READ_FOR_DIFF if state.diff else _READ)
    return {
        "shown": shown,
        "state": state,
        "chosen": len(chosen),
        "total": len(loaded.comparison.items),
        "pages": pages,
        "previous_url": f"?{replace(state, page=state.page - 1).query}" if state.page > 1 else "",
        "next_url": f"?{replace(state, page=state.page + 1).query}" if state.page < pages else "",
        "everything_url": state.but(conditions=(), only_matched=False),
        "export_url": f"{reverse('evals:experiment-export', args=[scope.project_id])}?{state.query}",
    }


def chosen_items(loaded: Loaded, state: State) -> list[Item]:
    return loaded.comparison.chosen(state.conditions, only_matched=state.only_matched, sort=state.sort)


def shown_of(
    scope: ProjectScope, loaded: Loaded, state: State, items: list[Item], *, most: int, every: bool = False
) -> ShownComparison:
    """With the texts of these items, `every` repetition's or the first one's."""
    said = said_by_items(scope, items)
    texts = texts_of(scope, items, most=most, every=every)
    return ShownComparison(scope.project_id, loaded, state, items, texts, said)


def _candidates(scope: ProjectScope, found: list[Experiment]) -> list[tuple[Experiment, bool]]:
    """What it can be compared with, newest first, and whether it is: runs of the same dataset."""
    same = experiments(scope).filter(dataset=found[0].dataset_id).exclude(pk=found[0].pk)
    newest = list(same.order_by("-created_at", "-pk")[:_MOST_CANDIDATES])
    known = {one.pk for one in newest}
    chosen = {one.pk for one in found[1:]}
    rest = [one for one in found[1:] if one.pk not in known]
    return [(one, one.pk in chosen) for one in [*rest, *newest]]


def experiment_page(scope: ProjectScope, experiment: Experiment) -> str:
    return f"{reverse('evals:experiment-compare', args=[scope.project_id])}?{State(experiment.experiment_id).query}"


@require_safe
@project_page(Role.VIEWER)
def old_results(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """Where SDKs say that the results of an experiment are; `c` are those it is compared with."""
    state = state_from(request.GET)
    state = replace(state, others=tuple(dict.fromkeys((*state.others, *request.GET.getlist("c"))))[:5])
    page = reverse("evals:experiment-compare", args=[scope.project_id])
    return redirect(f"{page}?{state.query}" if state.baseline else page)


@require_safe
@project_page(Role.VIEWER)
def old_run(request: HttpRequest, scope: ProjectScope, dataset_id: str, run_id: str) -> HttpResponse:
    """Where older SDKs say that a run is."""
    page = reverse("evals:experiment-compare", args=[scope.project_id])
    return redirect(f"{page}?{State(run_id).query}")
