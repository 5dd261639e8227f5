"""Where a program runs the experiments of a dataset: set by admins, asked by members."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Conflict, Invalid
from config.posting import posted_from
from config.rendering import render_page
from evals.actions import remote as actions
from evals.actions.remote import Given
from evals.models import Dataset
from evals.queries.datasets import get_dataset
from prompts.headers import typed_headers
from prompts.views.problems import issues_of

_LONGEST = 300_000
#: as programs write them, in any language
_EXAMPLES = {"url": "https://example.com/experiments", "header": "X-Team: search", "payload": '{"model": "gpt-4o"}'}


@dataclass(slots=True)
class Draft:
    """What was typed. Values of headers are typed and not rendered."""

    url: str = ""
    payload: str = ""
    kept_headers: list[str] = field(default_factory=list)
    headers: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    def given(self) -> Given:
        headers = {**dict.fromkeys(self.kept_headers), **typed_headers(self.headers)}
        return Given(self.url, self.payload, headers)

    def refuse(self, refusal: Invalid | Conflict) -> None:
        for path, words in issues_of(refusal):
            self.errors.setdefault(str(path[0]) if path else "", words)


def _draft_of(dataset: Dataset) -> Draft:
    return Draft(dataset.remote_url, dataset.remote_payload_text, list(dataset.header_names))


def _posted(data: QueryDict) -> Draft:
    def text(name: str) -> str:
        return data.get(name, "").replace("\x00", "").strip()[:_LONGEST]

    return Draft(text("url"), text("payload"), data.getlist("keep")[:100], text("headers"))


@require_safe
@project_page(Role.VIEWER)
def experiment_remote(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    dataset = get_dataset(scope, request.GET.get("dataset", ""))
    return _page(request, scope, dataset, _draft_of(dataset))


@never_cache
@posted_from("evals:dataset-list")
@project_page(Role.ADMIN)
def experiment_remote_save(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """Sets, changes or (`do=remove`) removes the address; `do=secret` makes a new secret. A secret is shown in the
    answer itself: for a redirect it would have to be kept somewhere."""
    dataset = get_dataset(scope, request.POST.get("dataset", ""))
    actor, wish = Actor.of(request), request.POST.get("do", "")
    draft, secret = _posted(request.POST), ""
    try:
        if wish == "remove":
            actions.remove_remote(scope, dataset, actor=actor)
        elif wish == "secret":
            secret = actions.renew_secret(scope, dataset, actor=actor)
        else:
            secret = actions.set_remote(scope, dataset, draft.given(), actor=actor)
    except (Invalid, Conflict) as refusal:
        draft.refuse(refusal)
        return _page(request, scope, dataset, draft)
    if not secret:
        messages.success(request, _("Removed.") if wish == "remove" else _("Saved."))
        return see_other(_address(dataset))
    dataset.refresh_from_db()
    return _page(request, scope, dataset, _draft_of(dataset), secret=secret)


@posted_from("evals:dataset-list")
@project_page(Role.MEMBER)
def experiment_ask(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    dataset = get_dataset(scope, request.POST.get("dataset", ""))
    payload = request.POST.get("payload", "").replace("\x00", "")[:_LONGEST]
    try:
        job = actions.trigger(scope, dataset, payload, actor=Actor.of(request))
    except (Invalid, Conflict) as refusal:
        problem = issues_of(refusal)[0][1]
        return _page(request, scope, dataset, _draft_of(dataset), asked=payload, problem=problem)
    return see_other(reverse("tracing:job-detail", args=[scope.project_id, job.pk]))


def _address(dataset: Dataset) -> str:
    return f"{reverse('evals:experiment-remote', args=[dataset.project_id])}?dataset={dataset.pk}"


def _page(
    request: HttpRequest,
    scope: ProjectScope,
    dataset: Dataset,
    draft: Draft,
    *,
    secret: str = "",
    asked: str | None = None,
    problem: str = "",
) -> HttpResponse:
    context: dict[str, Any] = {
        "scope": scope,
        "dataset": dataset,
        "draft": draft,
        "secret": secret,
        "asked": dataset.remote_payload_text if asked is None else asked,
        "problem": problem,
        "may_edit": scope.role.allows(Role.ADMIN),
        "may_ask": scope.role.allows(Role.MEMBER),
        "examples": _EXAMPLES,
    }
    return render_page(request, "evals/experiment_remote.html", context)
