"""Writing a judge: from the gallery, from nothing, from another one, or the next version; tried on a sample first."""

from __future__ import annotations

from dataclasses import replace

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Conflict, Invalid, NotFound, SpanwiseError, Unavailable
from config.posting import posted_from
from config.rendering import render_page
from evals.actions import evaluators as actions
from evals.judging.mapping import sources_of
from evals.judging.templates import CATEGORIES, Template, get_template, templates
from evals.models import Evaluator, EvaluatorKind, EvaluatorVersion, TargetKind, Trial
from evals.queries import evaluators as queries
from evals.views.judging import drafts
from evals.views.judging.drafts import Draft
from evals.views.judging.highlight import python_lines
from evals.views.judging.links import evaluator_url
from evals.views.judging.samples import SamplePane, read_target
from evals.views.judging.shown import ShownTrial
from prompts.queries.connections import list_connections, models_of
from prompts.views.drafts import MessageRow
from tracing.forms import text_from


@require_safe
@project_page(Role.VIEWER)
def evaluator_gallery(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """All judges to begin with, by `category` and words; of one (`template`) what it asks."""
    words, category = text_from(request.GET, "q"), request.GET.get("category", "")
    found = [one for one in templates() if _has(one, words) and category in ("", one.category)]
    counts = {key: sum(1 for one in templates() if one.category == key and _has(one, words)) for key in CATEGORIES}
    chosen = get_template(request.GET["template"]) if request.GET.get("template") else None
    context = {
        "scope": scope,
        "rows": found,
        "words": words,
        "category": category if category in CATEGORIES else "",
        "categories": [(key, title, counts[key]) for key, title in CATEGORIES.items()],
        "total": sum(counts.values()),
        "chosen": chosen,
        "target_label": TargetKind(chosen.target).label if chosen else "",
        "code_lines": python_lines(chosen.source_code) if chosen and chosen.source_code else [],
        "may_edit": scope.role.allows(Role.MEMBER),
        "has_own": queries.list_evaluators(scope) != [],
    }
    return render_page(request, "evals/evaluator_gallery.html", context, fragment="gallery")


def _has(template: Template, words: str) -> bool:
    text = f"{template.title} {template.purpose} {template.key} {template.category_title}".lower()
    return all(word in text for word in words.lower().split())


@require_safe
@project_page(Role.MEMBER)
def evaluator_new(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """From a `template`, as a copy of another (`from`, with its `version`), or from nothing (`kind=code`: code)."""
    if request.GET.get("template"):
        draft = drafts.of_template(get_template(request.GET["template"]))
    elif request.GET.get("from"):
        evaluator, version = _version(scope, request.GET["from"], request.GET.get("version", ""))
        draft = drafts.of_version(evaluator, version, is_copy=True, latest=version.number)
    elif request.GET.get("kind") == EvaluatorKind.CODE:
        draft = drafts.of_template(get_template("code"))
        draft.name = draft.description = ""
    else:
        draft = Draft(target=_target(request.GET.get("target", "")))
    return _form(request, scope, _at_sample(draft, request))


@require_safe
@project_page(Role.MEMBER)
def evaluator_edit(request: HttpRequest, scope: ProjectScope, evaluator_id: str) -> HttpResponse:
    """The next version; from an older one with `version`."""
    evaluator, version = _version(scope, evaluator_id, request.GET.get("version", ""))
    latest = queries.latest_of(evaluator)
    draft = drafts.of_version(evaluator, version, is_copy=False, latest=latest.number)
    return _form(request, scope, _at_sample(draft, request))


@posted_from("evals:evaluator-gallery")
@project_page(Role.MEMBER)
def evaluator_save(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """`do` says what: save, save over a conflict, test, look at another sample, or change rows. A script asks for the
    parts that change by themselves."""
    draft, wish = drafts.of_post(request.POST), request.POST.get("do", "save")
    if wish in ("save", "save-anyway"):
        return _save(request, scope, draft, is_forced=wish == "save-anyway")
    if wish == "test":
        return _test(request, scope, draft)
    if wish.startswith("sample:"):
        draft.sample = wish.removeprefix("sample:")
    drafts.change_shape(draft, wish)
    return _form(request, scope, draft, step=wish if wish in ("next", "previous") else "")


def _save(request: HttpRequest, scope: ProjectScope, draft: Draft, *, is_forced: bool) -> HttpResponse:
    draft.settle()
    known = queries.get_evaluator(scope, draft.evaluator) if draft.evaluator else None
    fields = draft.fields()
    if fields is None:
        return _form(request, scope, draft, status=422)
    try:
        with transaction.atomic():  # what is refused changes no default either
            if draft.make_default and draft.provider:
                actions.set_default_model(scope, draft.provider, draft.model, draft.settings, actor=Actor.of(request))
            if known is None:
                evaluator = actions.create_evaluator(scope, fields, actor=Actor.of(request))
                messages.success(request, _("The evaluator is saved. Say with a rule what it judges."))
                return see_other(evaluator_url(evaluator))
            based_on = None if is_forced else draft.base
            version = actions.save_version(scope, known.pk, fields, actor=Actor.of(request), based_on=based_on)
    except Invalid as refusal:
        draft.refused(refusal)
    except Conflict as refusal:
        draft.errors["conflict"] = refusal.message
    else:
        is_new = version.number != draft.base
        said = _("Version %(n)d is saved. Rules use it from now on.") if is_new else _("Saved, as version %(n)d still.")
        messages.success(request, said % {"n": version.number})
        return see_other(evaluator_url(known))
    return _form(request, scope, draft, status=422)


def _test(request: HttpRequest, scope: ProjectScope, draft: Draft) -> HttpResponse:
    draft.settle()
    target = read_target(draft.target, draft.sample)
    fields = draft.fields()
    draft.trial = ""
    if target is None:
        draft.errors["trial"] = _("There is nothing to try it on: choose a sample.")
    elif fields is not None:
        try:
            model = fields.model
            if draft.make_default and draft.provider:  # not the project's before it is saved
                model = {"provider": draft.provider, "model": draft.model, "parameters": draft.settings}
            tried = replace(fields, model=model)
            draft.trial = actions.start_trial(scope, tried, target, actor=Actor.of(request)).pk
        except Invalid as refusal:
            draft.refused(refusal)
        except SpanwiseError as refusal:
            draft.errors["trial"] = refusal.message
    return _form(request, scope, draft, status=422 if draft.has_errors else 200)


@require_safe
@project_page(Role.MEMBER)
def evaluator_trial(request: HttpRequest, scope: ProjectScope, trial_id: str) -> HttpResponse:
    """How a test goes: a part of the editor, and a page of its own."""
    context = {"scope": scope, "trial": ShownTrial(scope, queries.get_trial(scope, trial_id))}
    return render_page(request, "evals/evaluator_trial.html", context, fragment="trial")


@require_safe
@project_page(Role.MEMBER)
def evaluator_default_model(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _default_form(request, scope, drafts.of_model(queries.default_model(scope)))


@posted_from("evals:evaluator-default-model")
@project_page(Role.MEMBER)
def evaluator_default_model_save(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    draft = drafts.of_post(request.POST)
    try:
        if not draft.provider or not draft.model:
            raise Invalid(_("Choose a connection, and a model of it."))
        actions.set_default_model(scope, draft.provider, draft.model, draft.settings, actor=Actor.of(request))
    except Invalid as refusal:
        return _default_form(request, scope, draft, problem=refusal.message)
    messages.success(request, _("Evaluators without a model of their own ask %(name)s now.") % {"name": draft.model})
    return see_other(reverse("evals:evaluator-list", args=[scope.project_id]))


def _default_form(request: HttpRequest, scope: ProjectScope, draft: Draft, problem: str = "") -> HttpResponse:
    context = {"scope": scope, "draft": draft, "problem": problem, "connections": _connections(scope)}
    return render_page(request, "evals/evaluator_default_model.html", context, status=422 if problem else 200)


# --- What the form shows ----------------------------------------------------------------------------------
def _form(
    request: HttpRequest, scope: ProjectScope, draft: Draft, *, step: str = "", status: int = 200
) -> HttpResponse:
    draft.settle()
    pane = SamplePane(scope, draft).read(step)
    known = queries.get_evaluator(scope, draft.evaluator) if draft.evaluator else None
    context = {
        "scope": scope,
        "draft": draft,
        "pane": pane,
        "known": known,
        "latest": queries.latest_of(known) if known else None,
        "trial": _trial(scope, draft),
        "types": drafts.TYPES,
        "targets": TargetKind.choices,
        "sources": sources_of(TargetKind(draft.target)),
        "code_sources": [(one.key, drafts.GIVEN[one.key]) for one in sources_of(TargetKind(draft.target))],
        "connections": _connections(scope),
        "default_model": queries.default_model(scope),
        "roles": drafts.ROLES,
        "empty_row": MessageRow(),
        "empty_category": drafts.CategoryRow(),
        "back": evaluator_url(known) if known else reverse("evals:evaluator-list", args=[scope.project_id]),
    }
    return render_page(request, "evals/evaluator_form.html", context, status=status)


def _trial(scope: ProjectScope, draft: Draft) -> ShownTrial | None:
    if not draft.trial:
        return None
    try:
        trial: Trial = queries.get_trial(scope, draft.trial)
    except (NotFound, Unavailable):
        return None
    return ShownTrial(scope, trial)


def _connections(scope: ProjectScope) -> list[tuple[str, list[str]]]:
    """Name of each connection, and the models that are known of it."""
    return [(one.provider, models_of(one)) for one in list_connections(scope).items]


def _version(scope: ProjectScope, evaluator_id: str, number: str) -> tuple[Evaluator, EvaluatorVersion]:
    evaluator = queries.get_evaluator(scope, evaluator_id)
    if not number:
        return evaluator, queries.latest_of(evaluator)
    wanted = drafts.whole_number(number)
    found = next((one for one in queries.versions_of(evaluator) if one.number == wanted), None)
    if found is None:
        raise NotFound(_("This evaluator has no such version."))
    return evaluator, found


def _target(text: str) -> str:
    return text if text in TargetKind.values else TargetKind.OBSERVATION.value


def _at_sample(draft: Draft, request: HttpRequest) -> Draft:
    """The sample that the address names, so that a reload shows the same one."""
    if request.GET.get("target") in TargetKind.values:
        draft.target = request.GET["target"]
    draft.sample = request.GET.get("sample", "")[:1000]
    return draft
