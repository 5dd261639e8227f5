"""Prompts out of a project and into it, as a file."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Forbidden, Invalid
from config.posting import posted_from
from config.rendering import render_page
from prompts import bundles
from prompts.queries import prompts as queries
from prompts.queries.listing import names_below
from tracing.forms import text_from


@require_safe
@project_page(Role.VIEWER)
def prompt_export(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    """The prompts called `name`, those of a `folder`, or all."""
    names = request.GET.getlist("name")
    if names:
        names = [queries.get_prompt(scope, name).name for name in names]
    else:
        names = names_below(scope, text_from(request.GET, "folder"))
    response = StreamingHttpResponse(bundles.written(scope, names), content_type="application/json")
    response["Content-Disposition"] = 'attachment; filename="prompts.json"'
    return response


@require_safe
@project_page(Role.MEMBER)
def prompt_import(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _page(request, scope)


@posted_from("prompts:prompt-import")
@project_page(Role.MEMBER)
def prompt_import_review(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """Shows what a file would bring; `do=import` brings it."""
    text = request.POST.get("text", "")
    try:
        text = _uploaded(request) or text
        bundle = bundles.read(text)
        if request.POST.get("do") == "import":
            count = bundles.import_prompts(scope, bundle, actor=Actor.of(request))
            said = ngettext("%(n)d version is written.", "%(n)d versions are written.", count)
            messages.success(request, said % {"n": count})
            return see_other(reverse("prompts:prompt-list", args=[scope.project_id]))
        return _page(request, scope, text=text, planned=bundles.plan(scope, bundle))
    except (Invalid, Forbidden) as refusal:
        return _page(request, scope, text=text, problem=refusal.words)


def _uploaded(request: HttpRequest) -> str:
    """Text of the file that was sent along; empty without one. Raises Invalid."""
    file = request.FILES.get("file")
    if file is None or isinstance(file, list):
        return ""
    if (file.size or 0) > bundles.LARGEST:
        raise Invalid(_("A file has %(most)d MB at most.") % {"most": bundles.LARGEST >> 20})
    try:
        return str(file.read().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Invalid(_("The file is not text in UTF-8.")) from None


def _page(
    request: HttpRequest,
    scope: ProjectScope,
    *,
    text: str = "",
    planned: list[bundles.Planned] | None = None,
    problem: str = "",
) -> HttpResponse:
    context = {
        "scope": scope,
        "text": text,
        "planned": planned,
        "problem": problem,
        "fresh": sum(len(one.fresh) for one in planned or [] if not one.problem),
        "has_problems": any(one.problem for one in planned or []),
        "largest": bundles.LARGEST >> 20,
    }
    return render_page(request, "prompts/prompt_import.html", context, status=422 if problem else 200)
