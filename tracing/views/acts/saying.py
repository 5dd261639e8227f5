"""Forms of the pane: comments written, changed and reacted to; scores removed; an output corrected."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from config.errors import Invalid
from config.posting import posted_from
from tracing.actions import annotate, comments
from tracing.views.acts.correction import json_problem
from tracing.views.acts.node import PARTS, Node, answer_to_form, answer_with

#: characters of a corrected output
_LONGEST_CORRECTION = 1_000_000
_LIST = "tracing:trace-list"


@posted_from(_LIST)
@project_page(Role.MEMBER)
def comment_create(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    node, text = _node(request, scope), request.POST.get("text", "")
    object_type, object_id = node.comment_on
    return _done(
        request,
        node,
        "comments",
        lambda: comments.write_comment(
            scope, object_type=object_type, object_id=object_id, text=text, actor=Actor.of(request)
        ),
        draft=text,
    )


@posted_from(_LIST)
@project_page(Role.MEMBER)
def comment_edit(request: HttpRequest, scope: ProjectScope, comment_id: str) -> HttpResponseBase:
    node, text = _node(request, scope), request.POST.get("text", "")
    return _done(
        request,
        node,
        f"comment-{comment_id}",
        lambda: comments.edit_comment(scope, comment_id, text=text, actor=Actor.of(request)),
    )


@posted_from(_LIST)
@project_page(Role.MEMBER)
def comment_delete(request: HttpRequest, scope: ProjectScope, comment_id: str) -> HttpResponseBase:
    node = _node(request, scope)
    comments.delete_comment(scope, comment_id, actor=Actor.of(request))
    messages.success(request, _("The comment is deleted."))
    return answer_to_form(request, node, "comments")


@posted_from(_LIST)
@project_page(Role.MEMBER)
def comment_react(request: HttpRequest, scope: ProjectScope, comment_id: str) -> HttpResponseBase:
    node, sign = _node(request, scope), request.POST.get("sign", "")
    return _done(request, node, f"comment-{comment_id}", lambda: comments.react(scope, comment_id, sign))


@posted_from(_LIST)
@project_page(Role.MEMBER)
def score_delete(request: HttpRequest, scope: ProjectScope, score_id: str) -> HttpResponseBase:
    node = _node(request, scope)
    annotate.remove_score(scope, score_id, actor=Actor.of(request))
    messages.success(request, _("The score is deleted."))
    response = answer_to_form(request, node, "scores")
    response["HX-Trigger"] = "score-deleted"  # scores stand elsewhere on the page as well
    return response


@posted_from(_LIST)
@project_page(Role.MEMBER)
def correction_save(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    node, text = _node(request, scope), request.POST.get("text", "").replace("\r\n", "\n")
    problem = _correction_problem(text, must_be_json=request.POST.get("format") == "json")
    if problem:
        return answer_with(request, node, problem=problem, problem_in="correction", draft=text)
    return _done(request, node, "correction", lambda: annotate.correct_output(scope, node.corrected, text), draft=text)


@posted_from(_LIST)
@project_page(Role.MEMBER)
def correction_delete(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    node = _node(request, scope)
    annotate.remove_corrections(scope, node.corrected, actor=Actor.of(request))
    messages.success(request, _("The correction is deleted."))
    return answer_to_form(request, node, "correction")


def _correction_problem(text: str, *, must_be_json: bool) -> str:
    if not text.strip():
        return _("Write what should have been answered.")
    if len(text) > _LONGEST_CORRECTION:
        return _("A correction has %(most)s characters at most.") % {"most": f"{_LONGEST_CORRECTION:,}"}
    place = json_problem(text) if must_be_json else None
    if place:
        return _("This is no JSON: look at line %(line)d, column %(column)d.") % {"line": place[0], "column": place[1]}
    return ""


def _node(request: HttpRequest, scope: ProjectScope) -> Node:
    return Node.asked_for(scope, {name: value for name, value in request.POST.items() if isinstance(value, str)})


def _done(
    request: HttpRequest, node: Node, anchor: str, act: Callable[[], object], *, draft: str = ""
) -> HttpResponseBase:
    try:
        act()
    except Invalid as refusal:
        part = anchor if anchor in PARTS else "comments"
        return answer_with(request, node, problem=refusal.message, problem_in=part, draft=draft)
    return answer_to_form(request, node, anchor)
