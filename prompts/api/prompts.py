"""Prompts: fetch, list, create, move labels, delete."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import ProjectScope
from config.api.describe import Problem, describe, in_path, parameter
from config.api.values import iso, to_json
from config.api.views import PublicView
from config.errors import Invalid
from config.snapshot import one_moment
from prompts import delivery, filters
from prompts.actions import prompts as actions
from prompts.actions.prompts import NewVersion
from prompts.api import shapes
from prompts.composition import resolve
from prompts.models import PRODUCTION, PromptVersion
from prompts.queries import prompts as queries
from prompts.queries.prompts import Listed
from tracing.api.params import Params
from tracing.api.present import meta
from tracing.ingest.issues import Issue, check_boolean, check_option, check_text, wrong_type
from tracing.queries.paging import PageNumber

_NAME = in_path("name", "The name; a slash in it is written %2F.")
_VERSION = parameter("version", "A number. Not together with `label`.", int, low=1, high=2**31 - 1)
_LABEL = parameter("label", "Where this label stands; `production` if neither is given.")
_MOST_ON_A_PAGE = 100
_LIST = (
    parameter("page", "Which page, from 1.", int, low=1, high=10_000_000, default=1),
    parameter("limit", "How many on a page.", int, low=1, high=_MOST_ON_A_PAGE, default=10),
    parameter("name", "This name only."),
    parameter("version", "Versions with this number.", int, low=1, high=2**31 - 1),
    parameter("label", "Versions that have this label."),
    parameter("tag", "Prompts that have this tag."),
    parameter("fromUpdatedAt", "Versions changed at this moment or later.", "time"),
    parameter("toUpdatedAt", "Versions changed before this moment.", "time"),
    parameter(
        "filter",
        "A JSON list of conditions on id, name, type, version, createdAt, updatedAt, labels, tags and config. It takes "
        "the place of the parameters above.",
    ),
)
_RULES = (
    "The next number under this name. Labels that are named move here, and `latest` comes by itself. Tags belong to "
    "the name: those given replace those of all versions. A text may embed other text prompts: "
    "`@@@langfusePrompt:name=a|version=1@@@`, or `|label=production@@@`."
)
_EXAMPLE = {
    "name": "movie-critic",
    "prompt": "Do you like {{movie}}?",
    "labels": ["production"],
    "config": {"model": "gpt-4o", "temperature": 0.7},
}


class Prompts(PublicView):
    @describe("List prompts", query=_LIST, answer=shapes.PromptList, text="By name, with the versions that match.")
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        number = PageNumber(
            params.integer("page", 1, low=1, high=10_000_000),
            params.integer("limit", 10, low=1, high=_MOST_ON_A_PAGE),
        )
        with one_moment():
            page = queries.list_prompts(self.scope, number, _matching(self.scope, params))
            newest = queries.newest_numbers(listed.prompt.pk for listed in page.items)
        shown = [_listed(listed, newest[listed.prompt.pk]) for listed in page.items]
        return Response({"data": shown, "meta": meta(page), "pagination": meta(page)})

    @describe(
        "Create a version of a prompt",
        body=shapes.NewPrompt,
        answer=shapes.PromptShape,
        status=201,
        text=_RULES,
        example=_EXAMPLE,
    )
    def post(self, request: Request) -> Response:
        version = actions.create_version(self.scope, _new(self.body()), actor=self.actor)
        return Response(_shown(version, version.said, None), status=201)


class OnePrompt(PublicView):
    @describe(
        "Fetch a prompt",
        query=[
            _NAME,
            _VERSION,
            _LABEL,
            parameter("resolve", "Whether embedded prompts are put in.", bool, default="true"),
        ],
        answer=shapes.PromptShape,
        answers={409: Problem},
        text="Ask as often as you like: answers come from memory, and are never older than the last change.",
    )
    def get(self, request: Request, name: str) -> Response:
        key = delivery.key_of(self.scope, request._request)
        params = Params(request.query_params)
        number, label = _which(params)
        is_resolved = params.flag("resolve")
        params.check()
        with one_moment():
            version = queries.get_version(self.scope, name, number=number, label=label)
            said, graph = version.said, None
            if is_resolved is not False:
                resolved = resolve(self.scope, version)
                said, graph = resolved.content, resolved.graph
        shown = _shown(version, said, graph)
        delivery.keep(key, to_json(shown))
        return Response(shown)

    @describe(
        "Delete versions of a prompt",
        query=[_NAME, _VERSION, parameter("label", "The version that has this label.")],
        answer=None,
        status=204,
        text="All of them if neither is given. None goes that another prompt embeds.",
    )
    def delete(self, request: Request, name: str) -> Response:
        params = Params(request.query_params)
        number, label = _which(params)
        params.check()
        actions.delete_versions(self.scope, name, number=number, label=label, actor=self.actor)
        return Response(status=204)


class OneVersion(PublicView):
    @describe(
        "Move labels to a version",
        query=[_NAME, in_path("version", "The number of the version.")],
        body=shapes.NewLabels,
        answer=shapes.PromptShape,
        text="They leave the versions where they stood; those that stand here stay.",
        example={"newLabels": ["production"]},
    )
    def patch(self, request: Request, name: str, version: str) -> Response:
        if not (version.isascii() and version.isdigit() and 0 < int(version) < 2**31):
            raise Invalid(issues=[wrong_type("number", version, ("version",))])
        body, issues = _body(self.body()), list[Issue]()
        _check_texts(body, "newLabels", issues, is_required=True)
        if issues:
            raise Invalid(issues=issues)
        changed = actions.set_labels(self.scope, name, int(version), body["newLabels"], actor=self.actor)
        return Response(_shown(changed, changed.said, None))


class PromptsV1(PublicView):
    """What the first clients call."""

    @describe(
        "Fetch a prompt (v1)",
        query=[
            parameter("name", "The name.", required=True),
            parameter("version", "A number; without one, where `production` stands.", int, low=1, high=2**31 - 1),
        ],
        answer=shapes.PromptShape,
        answers={404: Problem, 409: Problem},
        deprecated=True,
    )
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        name = params.text("name")
        if not name:
            params.issues.append(wrong_type("string", None, ("name",), is_present=False))
        number = _version(params)
        params.check()
        with one_moment():
            version = queries.get_version(self.scope, name, number=number)
            resolved = resolve(self.scope, version)
        return Response(_shown(version, resolved.content, resolved.graph))

    @describe(
        "Create a version of a text prompt (v1)",
        body=shapes.NewPromptV1,
        answer=shapes.PromptShape,
        status=201,
        deprecated=True,
        text="`isActive` gives it the label `production`.",
    )
    def post(self, request: Request) -> Response:
        body = _body(self.body())
        issues: list[Issue] = []
        check_text(body, "name", (), issues, required=True)
        check_text(body, "prompt", (), issues, required=True)
        if body.get("isActive") is None:
            issues.append(wrong_type("boolean", None, ("isActive",), is_present="isActive" in body))
        check_boolean(body, "isActive", (), issues)
        if issues:
            raise Invalid(issues=issues)
        labels = [PRODUCTION] if body["isActive"] else []
        new = NewVersion(body["name"], "text", body["prompt"], body.get("config"), labels)
        version = actions.create_version(self.scope, new, actor=self.actor)
        return Response(_shown(version, version.said, None), status=201)


# --- What is asked ---------------------------------------------------------------------------------------
def _which(params: Params) -> tuple[int | None, str]:
    number, label = _version(params), params.text("label")
    if number is not None and label:
        params.refuse("version", "Ask for a version or for a label, not for both.")
    return number, label


def _version(params: Params) -> int | None:
    return params.integer("version", 0, low=1, high=2**31 - 1) or None if params.text("version").strip() else None


def _matching(scope: ProjectScope, params: Params) -> QuerySet[PromptVersion]:
    """Versions that the parameters are about."""
    text = params.text("filter")
    name, label, tag = params.text("name"), params.text("label"), params.text("tag")
    number = _version(params)
    since, until = params.time("fromUpdatedAt"), params.time("toUpdatedAt")
    params.check()
    if text:
        return _filtered(scope, text)
    return _narrowed(queries.versions(scope), scope, name, number, label, tag, since, until)


def _filtered(scope: ProjectScope, text: str) -> QuerySet[PromptVersion]:
    items = filters.read(text)
    every = queries.versions(scope)
    if not items:
        return every
    newest = queries.newest_numbers(queries.prompts(scope).values_list("pk", flat=True))
    fitting = [
        version.pk
        for version in every.defer("content")
        if filters.fits(version, queries.labels_of(version, newest[version.prompt_id]), items)
    ]
    return every.filter(pk__in=fitting)


def _narrowed(
    found: QuerySet[PromptVersion],
    scope: ProjectScope,
    name: str,
    number: int | None,
    label: str,
    tag: str,
    since: datetime | None,
    until: datetime | None,
) -> QuerySet[PromptVersion]:
    if name:
        found = found.filter(prompt__name=name)
    if number is not None:
        found = found.filter(number=number)
    if label:
        found = queries.with_label(scope, found, label)
    if tag:
        found = found.filter(prompt__in=queries.with_tag(scope, tag))
    if since:
        found = found.filter(updated_at__gte=since)
    if until:
        found = found.filter(updated_at__lt=until)
    return found


def _body(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Invalid(issues=[wrong_type("object", body, ())])
    return body


def _new(given: Any) -> NewVersion:
    """What a body says, if every field has the right type."""
    body, issues = _body(given), list[Issue]()
    check_text(body, "name", (), issues, required=True)
    check_option(body, "type", (), issues, ("text", "chat"), required="type" in body)
    check_text(body, "commitMessage", (), issues)
    for key in ("labels", "tags"):
        _check_texts(body, key, issues)
    if "prompt" not in body:
        issues.append(wrong_type("string", None, ("prompt",), is_present=False))
    if issues:
        raise Invalid(issues=issues)
    return NewVersion(
        name=body["name"],
        type=body.get("type") or "text",
        content=body["prompt"],
        config=body.get("config"),
        labels=body.get("labels") or (),
        tags=body.get("tags"),
        commit_message=body.get("commitMessage") or "",
    )


def _check_texts(body: dict[str, Any], key: str, issues: list[Issue], *, is_required: bool = False) -> None:
    values = body.get(key)
    if values is None and not is_required:
        return
    if not isinstance(values, list):
        issues.append(wrong_type("array", values, (key,), is_present=key in body))
        return
    for position, value in enumerate(values):
        if not isinstance(value, str):
            issues.append(wrong_type("string", value, (key, position)))


# --- What is answered ------------------------------------------------------------------------------------
def _shown(version: PromptVersion, said: Any, graph: dict[str, Any] | None) -> dict[str, Any]:
    labels = queries.labels_of(version, version.newest)
    return {
        "id": version.id,
        "createdAt": iso(version.created_at),
        "updatedAt": iso(version.updated_at),
        "projectId": version.prompt.project_id,
        "createdBy": version.created_by,
        "prompt": said,
        "name": version.prompt.name,
        "version": version.number,
        "type": version.prompt.type,
        "isActive": PRODUCTION in labels,
        "config": version.config,
        "tags": version.prompt.tags,
        "labels": labels,
        "commitMessage": version.commit_message or None,
        "resolutionGraph": graph,
    }


def _listed(listed: Listed, newest: int) -> dict[str, Any]:
    labels = dict.fromkeys(label for version in listed.versions for label in queries.labels_of(version, newest))
    return {
        "name": listed.prompt.name,
        "type": listed.prompt.type,
        "versions": [version.number for version in listed.versions],
        "labels": list(labels),
        "tags": listed.prompt.tags,
        "lastUpdatedAt": iso(max(version.updated_at for version in listed.versions)),
        "lastConfig": listed.newest.config,
    }
