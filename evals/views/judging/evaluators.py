"""Evaluators: listed, looked into with their versions, paused, resumed, deleted."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Conflict, NotFound
from config.posting import posted_from
from config.rendering import render_page
from evals.actions import evaluators as actions
from evals.judging.mapping import sources_of
from evals.judging.templates import templates
from evals.models import Assignment, Evaluator, EvaluatorKind, EvaluatorStatus, EvaluatorVersion, Rule, TargetKind
from evals.queries import evaluators as queries
from evals.queries.judgements import list_judgements
from evals.views.judging.drafts import target_of_version, whole_number
from evals.views.judging.highlight import python_lines
from evals.views.judging.links import evaluator_url, log_url, rule_url
from evals.views.judging.shown import Paused, ShownEvaluator, ShownJudgement, model_name, scores_url
from prompts.difference import Difference, compare
from prompts.drawing import Drawn, draw
from tracing.forms import text_from

_LAST = 20


@require_safe
@project_page(Role.VIEWER)
def evaluator_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    words = text_from(request.GET, "q")
    every = queries.list_evaluators(scope)
    default = queries.default_model(scope)
    name = default["model"] if default else ""
    used = _rules_of([row.evaluator.pk for row in every])
    rows = [
        ShownEvaluator(scope, row, name, used.get(row.evaluator.pk, []))
        for row in every
        if words.lower() in row.evaluator.name.lower()
    ]
    context = {
        "scope": scope,
        "rows": rows,
        "has_any": bool(every),
        "paused": [row for row in rows if row.is_paused],
        "words": words,
        "default_model": default,
        "suggested": [
            one for one in templates() if one.key in ("helpfulness", "faithfulness", "goal-reached", "topic")
        ],
        "may_edit": scope.role.allows(Role.MEMBER),
    }
    return render_page(request, "evals/evaluator_list.html", context, fragment="evaluators")


def _rules_of(ids: list[str]) -> dict[str, list[Rule]]:
    """By the id of an evaluator, those that are on first."""
    found: dict[str, list[Rule]] = {}
    assignments = Assignment.objects.filter(evaluator_id__in=ids).select_related("rule")
    for one in assignments.order_by("-rule__is_enabled", "rule__name"):
        found.setdefault(one.evaluator_id, []).append(one.rule)
    return found


@require_safe
@project_page(Role.VIEWER)
def evaluator_detail(request: HttpRequest, scope: ProjectScope, evaluator_id: str) -> HttpResponse:
    """Its versions, and of one of them (`version`) what it asks; beside another (`compare`) what changed."""
    shown = EvaluatorPage(request, scope, queries.get_evaluator(scope, evaluator_id))
    context = {
        "scope": scope,
        "shown": shown,
        "evaluator": shown.evaluator,
        "version": shown.version,
        "may_edit": scope.role.allows(Role.MEMBER),
    }
    return render_page(request, "evals/evaluator_detail.html", context, fragment="judgements")


class EvaluatorPage:
    """What the page of one evaluator shows, each part read when it is asked for."""

    def __init__(self, request: HttpRequest, scope: ProjectScope, evaluator: Evaluator) -> None:
        self.scope, self.evaluator, self._query = scope, evaluator, request.GET
        self.versions = list(queries.versions_of(evaluator))
        self.latest = self.versions[0]
        self.version = self._numbered("version") or self.latest
        self.other = self._numbered("compare")

    def _numbered(self, name: str) -> EvaluatorVersion | None:
        """Raises NotFound for one that is not there."""
        if not self._query.get(name):
            return None
        number = whole_number(self._query[name])
        found = next((one for one in self.versions if one.number == number), None)
        if found is None:
            raise NotFound(_("This evaluator has no such version."))
        return found

    @property
    def timeline(self) -> list[dict[str, Any]]:
        return [
            {
                "version": one,
                "is_shown": one.number == self.version.number,
                "is_compared": self.other is not None and one.number == self.other.number,
                "url": evaluator_url(self.evaluator, version=one.number),
                "compare_url": evaluator_url(self.evaluator, version=self.version.number, compare=one.number),
                "author": author_of(one.created_by),
            }
            for one in self.versions
        ]

    # --- State --------------------------------------------------------------------------------------------
    @property
    def is_paused(self) -> bool:
        return self.evaluator.status == EvaluatorStatus.PAUSED

    @property
    def as_paused(self) -> list[Paused]:
        """For the banner."""
        return [Paused(self.evaluator)]

    @property
    def is_old(self) -> bool:
        return self.version.number != self.latest.number

    @cached_property
    def rules(self) -> list[dict[str, Any]]:
        found = self.evaluator.rules.order_by("-is_enabled", "name")
        return [{"rule": rule, "url": rule_url(rule)} for rule in found]

    @property
    def is_on(self) -> bool:
        """Whether a rule uses it on what arrives."""
        return any(one["rule"].is_enabled for one in self.rules)

    @cached_property
    def judgements(self) -> list[ShownJudgement]:
        page = list_judgements(self.scope, evaluator_id=self.evaluator.pk, limit=_LAST)
        return [ShownJudgement(self.scope, one) for one in page.items]

    @property
    def has_open(self) -> bool:
        return any(one.is_open and not one.is_held for one in self.judgements)

    # --- The version --------------------------------------------------------------------------------------
    @cached_property
    def drawn(self) -> Drawn:
        return draw(self.scope, self.version.messages, is_whole=True)

    @property
    def model(self) -> str:
        default = queries.default_model(self.scope)
        return model_name(self.version, f"{default['provider']} / {default['model']}" if default else "")

    @property
    def is_of_default(self) -> bool:
        return self.version.model is None

    @property
    def parameters(self) -> dict[str, Any]:
        return (self.version.model or {}).get("parameters") or {}

    @property
    def output(self) -> dict[str, Any]:
        """Empty for code, whose result says what it is."""
        return self.version.output or {}

    @property
    def target_label(self) -> str:
        return str(TargetKind(target_of_version(self.version)).label)

    @property
    def mapping(self) -> list[tuple[str, str, str, bool]]:
        """Variable, source, path, whether it may be missing."""
        labels = {one.key: str(one.label) for kind in TargetKind for one in sources_of(kind)}
        return [
            (
                one["variable"],
                labels.get(one.get("source") or "", one.get("source") or ""),
                one.get("jsonPath") or "",
                bool(one.get("isOptional")),
            )
            for one in self.version.mapping or ()
        ]

    @cached_property
    def code_lines(self) -> list[SafeString]:
        return python_lines(self.version.source_code)

    # --- Comparing ----------------------------------------------------------------------------------------
    @cached_property
    def pair(self) -> tuple[EvaluatorVersion, EvaluatorVersion]:
        """The older of the two first."""
        other = self.other or self.version
        return (other, self.version) if other.number < self.version.number else (self.version, other)

    @property
    def is_inline(self) -> bool:
        return self._query.get("diff") == "inline"

    @cached_property
    def differences(self) -> list[tuple[str, str, Difference]]:
        old, new = self.pair
        if self.evaluator.kind == EvaluatorKind.CODE:
            return [("prompt-diff", _("What it computes"), compare(_asked(old), _asked(new)))]
        parts = [
            ("prompt-diff", _("What it asks"), _asked),
            ("output-diff", _("What comes of it"), _output),
            ("model-diff", _("Model"), _model),
            ("mapping-diff", _("Variables"), _mapped),
        ]
        return [(id_, title, compare(said(old), said(new))) for id_, title, said in parts]

    # --- Addresses ----------------------------------------------------------------------------------------
    def _to(self, name: str, **parameters: Any) -> str:
        url = reverse(f"evals:{name}", args=[self.scope.project_id])
        query = "&".join(f"{key}={value}" for key, value in parameters.items())
        return f"{url}?{query}" if query else url

    @property
    def edit_url(self) -> str:
        url = reverse("evals:evaluator-edit", args=[self.scope.project_id, self.evaluator.pk])
        return f"{url}?version={self.version.number}" if self.is_old else url

    @property
    def copy_url(self) -> str:
        return self._to("evaluator-new", **{"from": self.evaluator.pk, "version": self.version.number})

    @property
    def rule_url(self) -> str:
        return self._to("rule-new", evaluator=self.evaluator.pk, target=target_of_version(self.latest))

    @property
    def log_url(self) -> str:
        return log_url(self.scope, evaluator=self.evaluator.pk)

    @property
    def scores_url(self) -> str:
        return scores_url(self.scope, self.evaluator)

    @property
    def delete_url(self) -> str:
        return self._to("evaluator-delete", evaluator=self.evaluator.pk)


def _asked(version: EvaluatorVersion) -> str:
    if version.source_code:
        return version.source_code
    return "\n\n".join(f"{one['role']}:\n{one['content']}" for one in version.messages)


def _output(version: EvaluatorVersion) -> str:
    output = version.output or {}
    lines = [f"{key}: {output[key]}" for key in ("dataType", "minValue", "maxValue") if output.get(key) is not None]
    lines += [f"{one['label']}: {one.get('description') or ''}" for one in output.get("categories") or ()]
    lines += [str(output[key]) for key in ("scoreReasoningInstructions", "scoreValueInstructions") if output.get(key)]
    return "\n".join(lines)


def _model(version: EvaluatorVersion) -> str:
    if version.model is None:
        return _("the project's default")
    parameters = version.model.get("parameters") or {}
    return "\n".join(
        [f"{version.model['provider']} / {version.model['model']}", *map("{0[0]}: {0[1]}".format, parameters.items())]
    )


def _mapped(version: EvaluatorVersion) -> str:
    return "\n".join(
        f"{one['variable']} = {one.get('source') or '?'} {one.get('jsonPath') or ''}".rstrip()
        for one in version.mapping or ()
    )


def author_of(person: Any) -> str:
    """A name to show: of somebody who has left, and of keys, there is none."""
    return "" if person is None else str(person.name or person.email)


# --- What people do to one --------------------------------------------------------------------------------
@posted_from("evals:evaluator-list")
@project_page(Role.MEMBER)
def evaluator_switch(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """Pauses (`on` empty) or resumes one."""
    id_ = request.POST.get("evaluator", "")
    if request.POST.get("on"):
        evaluator = actions.resume_evaluator(scope, id_, actor=Actor.of(request))
        messages.success(request, _("“%(name)s” judges again; what waited for it goes on.") % {"name": evaluator.name})
    else:
        evaluator = actions.pause_evaluator(scope, id_, actor=Actor.of(request))
        said = _("“%(name)s” is paused. What it would have judged waits until it is resumed.")
        messages.success(request, said % {"name": evaluator.name})
    return see_other(_next(request, scope) or evaluator_url(evaluator))


def _next(request: HttpRequest, scope: ProjectScope) -> str:
    """Back to the list or the log that the button stands on."""
    pages = {name: reverse(f"evals:{name}", args=[scope.project_id]) for name in ("evaluator-list", "judgement-list")}
    return pages.get(request.POST.get("page", ""), "")


@require_safe
@project_page(Role.MEMBER)
def evaluator_delete(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _ask_to_delete(request, scope, queries.get_evaluator(scope, request.GET.get("evaluator", "")))


@posted_from("evals:evaluator-list")
@project_page(Role.MEMBER)
def evaluator_delete_confirm(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    evaluator = queries.get_evaluator(scope, request.POST.get("evaluator", ""))
    name = evaluator.name
    try:
        actions.delete_evaluator(scope, evaluator.pk, actor=Actor.of(request))
    except Conflict as refusal:
        return _ask_to_delete(request, scope, evaluator, refusal.message)
    messages.success(request, _("The evaluator “%(name)s” is deleted. The scores that it gave stay.") % {"name": name})
    return see_other(reverse("evals:evaluator-list", args=[scope.project_id]))


def _ask_to_delete(request: HttpRequest, scope: ProjectScope, evaluator: Evaluator, problem: str = "") -> HttpResponse:
    rules = evaluator.rules.order_by("name")
    context = {
        "scope": scope,
        "evaluator": evaluator,
        "problem": problem,
        "rules": [(rule.name, rule_url(rule), rule.is_enabled) for rule in rules],
        "is_used": any(rule.is_enabled for rule in rules),
        "back": evaluator_url(evaluator),
    }
    return render_page(request, "evals/evaluator_delete.html", context, status=409 if problem else 200)
