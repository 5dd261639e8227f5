"""Starting an experiment, seeing how far it is, stopping it, and running what is left."""

from __future__ import annotations

import time

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Conflict, Invalid, NotFound
from config.posting import posted_from
from config.rendering import render_page
from evals.actions import experiment_runs as actions
from evals.experiments.plan import MOST_REPETITIONS
from evals.models import Experiment
from evals.queries.datasets import get_dataset
from evals.queries.experiment_progress import progress_of
from evals.views.runs import form
from evals.views.runs.form import Draft
from prompts.playground.state import PARAMETERS

_TOLD_EVERY_SECONDS = 5


@require_safe
@project_page(Role.MEMBER)
def experiment_new(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """The form. Everything chosen so far is in the address, so that another prompt brings its own settings."""
    return _form(request, scope, form.of_query(request.GET))


@posted_from("evals:experiment-new")
@project_page(Role.MEMBER)
def experiment_start(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    draft = form.of_query(request.POST)
    form.check_times(draft)
    if not draft.dataset_id:
        draft.errors["dataset"] = _("Choose a dataset.")
    if not draft.errors:
        try:
            dataset = get_dataset(scope, draft.dataset_id)
            experiment = actions.start_experiment(
                scope,
                dataset,
                draft.name,
                draft.plan(),
                description=draft.description,
                actor=Actor.of(request),
            )
            return see_other(page_of(experiment))
        except NotFound:
            draft.errors["dataset"] = _("This dataset is not there any more.")
        except Conflict as refusal:
            draft.errors["name"] = refusal.message
        except Invalid as refusal:
            draft.refuse(refusal)
    return _form(request, scope, draft)


@posted_from("evals:experiment-list")
@project_page(Role.MEMBER)
def experiment_stop(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    experiment = _posted(request, scope)
    actions.stop_experiment(scope, experiment, actor=Actor.of(request))
    return see_other(page_of(experiment))


@posted_from("evals:experiment-list")
@project_page(Role.MEMBER)
def experiment_rest(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """What failed or was stopped is run once more."""
    experiment = _posted(request, scope)
    count = actions.run_rest(scope, experiment, actor=Actor.of(request))
    said = ngettext("%(n)d item is run again.", "%(n)d items are run again.", count)
    messages.success(request, said % {"n": count})
    return see_other(page_of(experiment))


@require_safe
@project_page(Role.VIEWER)
def experiment_progress(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """How far it is: a fragment that asks again while something is left, and a page of its own without scripts.

    Who asks says what was seen last, and when. What moved since is told to the page, but not at every step: a
    comparison of many items is much to read.
    """
    experiment = get_experiment(scope, request.GET.get("experiment", ""))
    progress = progress_of(experiment)
    seen, at = request.GET.get("seen", ""), request.GET.get("at", "")
    is_told = seen != progress.mark and _is_over(at)
    if is_told:
        seen, at = progress.mark, str(int(time.time()))
    context = {"scope": scope, "progress": progress, "may_run": scope.role.allows(Role.MEMBER), "seen": seen, "at": at}
    response = render_page(request, "evals/experiment_progress.html", context, fragment="run-progress")
    if not progress.is_followed:
        response["HX-Trigger"] = "runs-ended"
    elif is_told:
        response["HX-Trigger"] = "runs-moved"
    return response


def _is_over(at: str) -> bool:
    """Whether a comparison that was told at that time, in seconds since 1970, may be told again."""
    return not at.isdecimal() or time.time() - int(at[:12]) >= _TOLD_EVERY_SECONDS


def page_of(experiment: Experiment) -> str:
    """Where an experiment is looked at."""
    address = reverse("evals:experiment-compare", args=[experiment.project_id])
    return f"{address}?baseline={experiment.experiment_id}"


def get_experiment(scope: ProjectScope, experiment_id: str) -> Experiment:
    known = Experiment.objects.filter(project_id=scope.project_id)
    found = None if "\x00" in experiment_id else known.filter(experiment_id=experiment_id).first()
    if found is None:
        raise NotFound(_("There is no such experiment in this project."))
    return found


def _posted(request: HttpRequest, scope: ProjectScope) -> Experiment:
    return get_experiment(scope, request.POST.get("experiment", ""))


def _form(request: HttpRequest, scope: ProjectScope, draft: Draft) -> HttpResponse:
    version = form.complete(scope, draft)
    context = {
        "scope": scope,
        "draft": draft,
        "most_repetitions": MOST_REPETITIONS,
        "settings": [(name, draft.parameters.get(name, "")) for name in PARAMETERS],
        **form.choices(scope, draft, version),
    }
    return render_page(request, "evals/experiment_new.html", context, fragment=("run-form", "size"))
