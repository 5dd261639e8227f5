"""Judging one trace, observation or session by hand: all score configs as a form, each value saved by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Invalid
from config.posting import posted_from
from config.rendering import render_page
from evals.actions.score_configs import ScoreConfigFields, create_score_config
from evals.forms import LONGEST_NAME, TYPES, NewConfigForm, ScoreForm
from evals.models import ScoreConfig
from evals.queries.score_configs import get_score_config, score_configs
from tracing.actions import annotate as actions
from tracing.actions.annotate import Annotation
from tracing.analytics.records import Score, ScoreSource, ScoreType
from tracing.views.acts.node import Node

#: configs on one form
_MOST_CONFIGS = 100


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the form: a config, or a name that was judged without one, with what this person said."""

    key: str
    name: str
    data_type: str
    config: ScoreConfig | None = None
    score: Score | None = None
    #: what was typed and refused
    typed: dict[str, str] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    is_saved: bool = False

    @property
    def value(self) -> str:
        if "value" in self.typed:
            return self.typed["value"]
        if self.score is None:
            return ""
        if self.data_type in (ScoreType.NUMERIC, ScoreType.BOOLEAN):
            return "" if self.score.value is None else repr(self.score.value).removesuffix(".0")
        return self.score.string_value

    @property
    def comment(self) -> str:
        return self.typed.get("comment", self.score.comment if self.score else "")

    @property
    def options(self) -> list[tuple[str, str, str]]:
        """Value, words and key of what can be chosen."""
        if self.data_type == ScoreType.BOOLEAN:
            return [("1", _("Yes"), "y"), ("0", _("No"), "n")]
        labels = self.config.labels if self.config else {}
        return [(label, label, str(place) if place < 10 else "") for place, label in enumerate(labels, 1)]


@require_safe
@project_page(Role.MEMBER)
def annotate(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _form(request, Node.asked_for(scope, request.GET.dict()))


def _form(request: HttpRequest, node: Node, new_config: NewConfigForm | None = None) -> HttpResponse:
    rows = list(_rows(node))
    context = {
        "scope": node.scope,
        "node": node,
        "rows": rows,
        "types": TYPES,
        "longest_name": LONGEST_NAME,
        "new_config": new_config or NewConfigForm(prefix="config"),
        "has_configs": any(row.config for row in rows),
    }
    status = 422 if new_config is not None and new_config.errors else 200
    return render_page(request, "evals/annotate.html", context, fragment="annotate", status=status)


def _rows(node: Node) -> Iterator[Row]:
    own = [
        shown.score
        for shown in node.scores
        if shown.is_own
        and shown.score.source == ScoreSource.ANNOTATION
        and shown.score.observation_id == node.said_about.observation_id
        and not shown.score.queue_id  # what was said in a queue is changed there
    ]
    by_config = {score.config_id: score for score in own if score.config_id}
    configs = score_configs(node.scope).filter(is_archived=False).order_by("name", "id")[:_MOST_CONFIGS]
    for config in configs:
        yield Row(config.pk, config.name, config.data_type, config, by_config.get(config.pk))
    for score in own:
        if not score.config_id:
            yield Row(score.id, score.name, score.data_type, None, score)


@posted_from("tracing:trace-list")
@project_page(Role.MEMBER)
def annotate_save(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    """Saves one line, or takes it back with `clear`. htmx gets the line, a plain form the page."""
    asked = {name: value for name, value in request.POST.items() if isinstance(value, str)}
    node = Node.asked_for(scope, asked)
    config = get_score_config(scope, asked["config"]) if asked.get("config") else None
    row = cleared_row(request, node, config, asked) if asked.get("clear") else saved_row(node, config, asked)
    if not getattr(request, "htmx", None):
        if row.errors:
            messages.error(request, " ".join(row.errors))
        return see_other(f"{node.page}#scores")
    if not row.errors and config is None:  # a free line comes or goes: the form changes
        response: HttpResponse = _form(request, node)
        response["HX-Retarget"], response["HX-Reswap"] = "#annotate", "outerHTML"
    else:
        context = {"scope": scope, "node": node, "row": row, "types": TYPES, "longest_name": LONGEST_NAME}
        # A refused line is an answer like any other: it says itself what is wrong.
        response = render(request, "evals/_annotate_row.html", context)
    response["HX-Trigger"] = "scores-changed"
    return response


def cleared_row(request: HttpRequest, node: Node, config: ScoreConfig | None, asked: dict[str, str]) -> Row:
    if asked.get("score"):
        actions.remove_score(node.scope, asked["score"], actor=Actor.of(request))
    if config is None:
        return Row("new", "", "")
    return Row(config.pk, config.name, config.data_type, config, is_saved=True)


def saved_row(node: Node, config: ScoreConfig | None, asked: dict[str, str], *, queue_id: str = "") -> Row:
    """The line with the score that it now is, or with what is wrong about what was typed."""
    form = ScoreForm(asked, config=config)
    key = config.pk if config else asked.get("score") or "new"
    name = config.name if config else asked.get("name", "")
    data_type = config.data_type if config else asked.get("data_type", "")
    problems: list[str] = []
    if form.is_valid():
        given = Annotation(
            value=form.cleaned_data["value"],
            config_id=config.pk if config else "",
            name=name.strip(),
            data_type=data_type,
            comment=form.cleaned_data["comment"],
            queue_id=queue_id,
        )
        try:
            score = actions.score_target(node.scope, node.said_about, given, score_id=asked.get("score", ""))
            return Row(key, name, data_type, config, score, is_saved=True)
        except Invalid as refusal:
            problems = [refusal.message]
    problems += [str(message) for found in form.errors.values() for message in found]
    return Row(key, name, data_type, config, None, typed=asked, errors=tuple(problems))


@posted_from("tracing:trace-list")
@project_page(Role.MEMBER)
def config_create(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    """A new score config, from where one is missing."""
    node = Node.asked_for(scope, {name: value for name, value in request.POST.items() if isinstance(value, str)})
    form = NewConfigForm(request.POST, prefix="config")
    if save_config(request, scope, form) is None:
        return _form(request, node, form)
    if not getattr(request, "htmx", None):
        return see_other(f"{request.path.removesuffix('config/')}?{node.query}")
    return _form(request, node)


def save_config(request: HttpRequest, scope: ProjectScope, form: NewConfigForm) -> ScoreConfig | None:
    """None where something is wrong, which the form then says."""
    if not form.is_valid():
        return None
    given: dict[str, Any] = form.cleaned_data
    fields = ScoreConfigFields(
        name=given["name"],
        data_type=given["data_type"],
        min_value=given["min_value"],
        max_value=given["max_value"],
        categories=given["categories"],
    )
    try:
        return create_score_config(scope, fields, actor=Actor.of(request))
    except Invalid as refusal:
        for issue in refusal.issues or [{"message": refusal.message}]:
            form.add_error(None, str(issue["message"]))
        return None
