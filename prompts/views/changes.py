"""Forms about prompts that exist: labels moved, tags written, copies made, versions deleted."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Forbidden, Invalid, NotFound
from config.posting import posted_from
from config.rendering import render_page
from prompts.actions import prompts as actions
from prompts.drawing import prompt_url
from prompts.models import LATEST, NAME_LENGTH, TAG_LENGTH, Prompt, PromptVersion
from prompts.queries import prompts as queries
from prompts.views.listing import list_url
from tracing.forms import text_from

_LIST = "prompts:prompt-list"


@posted_from(_LIST)
@project_page(Role.MEMBER)
def prompt_labels(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    """Gives a version the labels that were ticked (`label`) or written (`new`), and takes those that were unticked.

    `had` are those that were ticked when the form was made: what moved meanwhile stays where it went.
    """
    version = _version(scope, request.POST)
    page = prompt_url(scope.project_id, version.prompt.name, version.number)
    had, chosen = set(request.POST.getlist("had")), set(request.POST.getlist("label"))
    chosen |= set(request.POST.get("new", "").replace(",", " ").split())
    here = {label.name for label in version.labels.all()}
    wanted = (here | (chosen - had)) - (had - chosen)
    try:
        actions.set_labels(
            scope, version.prompt.name, version.number, sorted(wanted), actor=Actor.of(request), exactly=True
        )
    except (Invalid, Forbidden) as refusal:
        messages.error(request, refusal.words)
        return see_other(page)
    messages.success(request, _said_of_labels(version, sorted(wanted - here), sorted(here - wanted)))
    return see_other(page)


def _said_of_labels(version: PromptVersion, came: list[str], went: list[str]) -> str:
    parts = []
    if came:
        parts.append(_("Version %(n)d has %(labels)s now.") % {"n": version.number, "labels": ", ".join(came)})
    if went:
        parts.append(_("Taken from version %(n)d: %(labels)s.") % {"n": version.number, "labels": ", ".join(went)})
    return " ".join(parts) or _("The labels stand where they stood.")


@posted_from(_LIST)
@project_page(Role.MEMBER)
def prompt_tags(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    """Adds a tag (`add`) or removes one (`remove`)."""
    prompt = queries.get_prompt(scope, request.POST.get("name", ""))
    tags = [tag for tag in prompt.tags if tag != request.POST.get("remove")]
    added = request.POST.get("add", "").replace("\x00", "").strip()
    problem = ""
    try:
        prompt = actions.set_tags(scope, prompt.name, [*tags, *([added] if added else [])], actor=Actor.of(request))
    except Invalid as refusal:
        problem = refusal.words
    if not getattr(request, "htmx", None):
        if problem:
            messages.error(request, problem)
        return see_other(prompt_url(scope.project_id, prompt.name))
    context = {"scope": scope, "prompt": prompt, "may_edit": True, "problem": problem, "is_open": True}
    return render(request, "prompts/_tags.html", {**context, "longest_tag": TAG_LENGTH})


# --- Copies ----------------------------------------------------------------------------------------------
@require_safe
@project_page(Role.MEMBER)
def prompt_duplicate(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    prompt = queries.get_prompt(scope, request.GET.get("name", ""))
    return _duplicate_page(request, scope, prompt, request.GET)


@posted_from(_LIST)
@project_page(Role.MEMBER)
def prompt_duplicate_save(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    prompt = queries.get_prompt(scope, request.POST.get("name", ""))
    number = None if request.POST.get("what") == "all" else _version(scope, request.POST).number
    name = request.POST.get("new", "").strip()
    try:
        actions.duplicate_prompt(scope, prompt.name, name, number=number, actor=Actor.of(request))
    except (Invalid, Forbidden) as refusal:
        return _duplicate_page(request, scope, prompt, request.POST, problem=refusal.words)
    messages.success(request, _("Copied to “%(name)s”.") % {"name": name})
    return see_other(prompt_url(scope.project_id, name))


def _duplicate_page(
    request: HttpRequest, scope: ProjectScope, prompt: Prompt, data: QueryDict, problem: str = ""
) -> HttpResponse:
    numbers = list(prompt.versions.order_by("-number").values_list("number", flat=True))
    asked = data.get("version", "")
    context = {
        "scope": scope,
        "prompt": prompt,
        "new_name": data.get("new", _free_name(scope, prompt.name)),
        "numbers": numbers,
        "number": int(asked) if asked.isascii() and asked.isdigit() and int(asked) in numbers else numbers[0],
        "what": data.get("what", "one"),
        "problem": problem,
        "longest": NAME_LENGTH,
        "back": prompt_url(scope.project_id, prompt.name),
    }
    return render_page(request, "prompts/prompt_duplicate.html", context, status=422 if problem else 200)


def _free_name(scope: ProjectScope, name: str) -> str:
    """`name-copy`, or with a number where there is such a one."""
    stem = f"{name[: NAME_LENGTH - 9]}-copy"
    taken = set(queries.prompts(scope).filter(name__startswith=stem).values_list("name", flat=True))
    tries = (stem if number == 1 else f"{stem}-{number}" for number in range(1, 1000))
    return next((one for one in tries if one not in taken), stem)


# --- Deleting --------------------------------------------------------------------------------------------
@require_safe
@project_page(Role.MEMBER)
def prompt_delete(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """What deleting a prompt, or one `version` of it, would take away."""
    return _delete_page(request, scope, request.GET)


@posted_from(_LIST)
@project_page(Role.MEMBER)
def prompt_delete_confirm(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """A whole prompt goes when its name is typed."""
    prompt = queries.get_prompt(scope, request.POST.get("name", ""))
    number = _version(scope, request.POST).number if request.POST.get("version") else None
    if number is None and request.POST.get("typed", "").strip() != prompt.name:
        return _delete_page(request, scope, request.POST, problem=_("This is not the name of the prompt."))
    try:
        count = actions.delete_versions(scope, prompt.name, number=number, actor=Actor.of(request))
    except (Invalid, Forbidden) as refusal:
        return _delete_page(request, scope, request.POST, problem=refusal.words)
    if queries.prompts(scope).filter(name=prompt.name).exists():
        messages.success(request, _("Version %(n)d is deleted.") % {"n": number})
        return see_other(prompt_url(scope.project_id, prompt.name))
    said = ngettext(
        "“%(name)s” is deleted, with its one version.", "“%(name)s” is deleted, with %(n)d versions.", count
    )
    messages.success(request, said % {"name": prompt.name, "n": count})
    return see_other(list_url(scope, prompt.name.rpartition("/")[0]))


def _delete_page(request: HttpRequest, scope: ProjectScope, data: QueryDict, problem: str = "") -> HttpResponse:
    prompt = queries.get_prompt(scope, data.get("name", ""))
    version = _version(scope, data) if data.get("version") else None
    newest = queries.newest_numbers([prompt.pk]).get(prompt.pk, 0)
    doomed = [version] if version else list(queries.versions(scope).filter(prompt=prompt).defer("content", "config"))
    labels = sorted({label for one in doomed for label in queries.labels_of(one, newest)} - {LATEST})
    context: dict[str, Any] = {
        "scope": scope,
        "prompt": prompt,
        "version": version,
        "versions": len(doomed),
        "labels": labels,
        "typed": data.get("typed", ""),
        "problem": problem,
        "back": prompt_url(scope.project_id, prompt.name, version.number if version else None),
        "export_url": f"{reverse('prompts:prompt-export', args=[scope.project_id])}?{urlencode({'name': prompt.name})}",
    }
    return render_page(request, "prompts/prompt_delete.html", context, status=422 if problem else 200)


def _version(scope: ProjectScope, data: QueryDict) -> PromptVersion:
    """By `name` and `version`. Raises NotFound."""
    number = text_from(data, "version")
    if not (number.isascii() and number.isdigit() and len(number) < 11):
        raise NotFound(_("There is no such version of this prompt."))
    found = queries.find_version(scope, data.get("name", ""), number=int(number))
    if found is None:
        raise NotFound(_("There is no such version of this prompt."))
    return found
