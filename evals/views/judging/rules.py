"""Rules: which evaluators judge what, when, how much of it, and for how much a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

import orjson
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Conflict, Invalid, SpanwiseError
from config.posting import posted_from
from config.rendering import render_page
from evals.actions import rules as actions
from evals.actions.rules import RuleFields
from evals.judging.mapping import sources_of, variables_of
from evals.judging.matching import QUIET
from evals.judging.schedules import next_run, schedule_of
from evals.models import Evaluator, EvaluatorStatus, Rule, TargetKind
from evals.queries import evaluators as evaluator_queries
from evals.queries import rules as queries
from evals.queries.judgements import list_judgements
from evals.views.judging import rule_drafts as drafts
from evals.views.judging.drafts import MapRow, whole_number
from evals.views.judging.links import evaluator_url, log_url, rule_url
from evals.views.judging.rule_drafts import OPERATOR_WORDS, Assigned, RuleDraft, in_units, percent_of, shown_value
from evals.views.judging.shown import Paused, ShownJudgement
from tracing.forms import text_from
from tracing.queries.periods import is_known_year

_LAST = 20


# --- Shown ------------------------------------------------------------------------------------------------
def pills_of(target: str, items: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Label, operator and value of each condition, in words."""
    labels = {column.name: str(column.label) for column in queries.filter_columns(TargetKind(target))}
    found = []
    for item in items:
        name = str(item.get("column"))
        key = f".{item['key']}" if item.get("key") else ""
        operator = str(item.get("operator"))
        value = "" if operator in drafts.ALONE else shown_value(item.get("value"))
        found.append((f"{labels.get(name, name)}{key}", str(OPERATOR_WORDS.get(operator, operator)), value))
    return found


def delay_words(rule: Rule) -> str:
    if not rule.delay_seconds:
        return ""
    number, unit = in_units(rule.delay_seconds)
    words = {name: str(label) for name, label, _seconds in drafts.UNITS}[unit]
    return f"{number} {words}"


def schedule_words(rule: Rule) -> str:
    schedule = schedule_of(rule)
    if schedule is None:
        return ""
    draft = RuleDraft()
    drafts.read_schedule(draft, schedule)
    day = str(dict(drafts.WEEKDAYS)[draft.weekday])
    said = {
        "daily": _("every day at %(time)s") % {"time": draft.time},
        "weekly": _("every %(day)s at %(time)s") % {"day": day, "time": draft.time},
        "monthly": _("on the 1st of every month at %(time)s") % {"time": draft.time},
    }.get(draft.rhythm, schedule.crontab)
    return f"{said} {schedule.timezone}"


@dataclass(frozen=True)
class ShownRule:
    """A rule with how it does; `row` comes from the list's query, or is None on a page of its own."""

    scope: ProjectScope
    rule: Rule
    row: queries.RuleRow | None = None

    @property
    def url(self) -> str:
        return rule_url(self.rule)

    @property
    def target(self) -> str:
        return str(TargetKind(self.rule.target).label)

    @property
    def pills(self) -> list[tuple[str, str, str]]:
        return pills_of(self.rule.target, self.rule.filter)

    @property
    def percent(self) -> str:
        return percent_of(self.rule.sampling)

    @property
    def delay(self) -> str:
        return delay_words(self.rule)

    @property
    def schedule(self) -> str:
        return schedule_words(self.rule)

    @property
    def next_run(self) -> datetime | None:
        return next_run(self.rule) if self.rule.schedule else None

    @cached_property
    def evaluators(self) -> list[tuple[Evaluator, str, bool]]:
        """Evaluator, address, whether it is paused."""
        found = self.row.assignments if self.row else self.rule.assignments.select_related("evaluator")
        every = [one.evaluator for one in found]
        return [(one, evaluator_url(one), one.status == EvaluatorStatus.PAUSED) for one in every]

    @property
    def is_held(self) -> bool:
        """All that it would ask is paused."""
        return bool(self.evaluators) and all(is_paused for _one, _url, is_paused in self.evaluators)

    @property
    def last(self) -> list[ShownJudgement]:
        return [ShownJudgement(self.scope, one) for one in reversed(self.row.last)] if self.row else []

    @property
    def cost(self) -> Decimal | None:
        return self.row.cost_7d if self.row else None

    @property
    def log_url(self) -> str:
        return log_url(self.scope, rule=self.rule.pk)


@require_safe
@project_page(Role.VIEWER)
def rule_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    words = text_from(request.GET, "q")
    every = [ShownRule(scope, row.rule, row) for row in queries.list_rules(scope)]
    context = {
        "scope": scope,
        "rows": [row for row in every if words.lower() in row.rule.name.lower()],
        "has_any": bool(every),
        "has_evaluators": bool(evaluator_queries.evaluators(scope).exists()),
        "paused": paused_evaluators(scope),
        "words": words,
        "may_edit": scope.role.allows(Role.MEMBER),
    }
    return render_page(request, "evals/rule_list.html", context, fragment="rules")


def paused_evaluators(scope: ProjectScope) -> list[Paused]:
    found = evaluator_queries.evaluators(scope).filter(status=EvaluatorStatus.PAUSED).order_by("name")
    return [Paused(one) for one in found]


@require_safe
@project_page(Role.VIEWER)
def rule_detail(request: HttpRequest, scope: ProjectScope, rule_id: str) -> HttpResponse:
    rule = queries.get_rule(scope, rule_id)
    page = list_judgements(scope, rule_id=rule.pk, limit=_LAST)
    rows = [ShownJudgement(scope, one) for one in page.items]
    shown = ShownRule(scope, rule)
    context = {
        "scope": scope,
        "rule": rule,
        "shown": shown,
        "rows": rows,
        "has_open": any(one.is_open and not one.is_held and not one.is_capped for one in rows),
        "paused": [Paused(one) for one, _url, is_paused in shown.evaluators if is_paused],
        "may_edit": scope.role.allows(Role.MEMBER),
    }
    return render_page(request, "evals/rule_detail.html", context, fragment="judgements")


# --- Written ----------------------------------------------------------------------------------------------
@require_safe
@project_page(Role.MEMBER)
def rule_new(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """Empty, or for an `evaluator` and a `target`, or as a copy of another rule (`from`)."""
    draft = RuleDraft()
    if request.GET.get("from"):
        known = queries.get_rule(scope, request.GET["from"])
        draft = drafts.of_rule(known, schedule_of(known))
        draft.rule, draft.name = "", _("%(name)s, copy") % {"name": known.name}
        _assign(scope, draft, known)
        return _form(request, scope, draft)
    if request.GET.get("target") in TargetKind.values:
        draft.target = request.GET["target"]
    draft.delay, draft.unit = in_units(QUIET[TargetKind(draft.target)])
    _assign(scope, draft)
    for one in draft.assigned:
        one.is_chosen = one.evaluator.pk == request.GET.get("evaluator")
        if one.is_chosen:
            draft.name = one.evaluator.name
    return _form(request, scope, draft)


@require_safe
@project_page(Role.MEMBER)
def rule_edit(request: HttpRequest, scope: ProjectScope, rule_id: str) -> HttpResponse:
    rule = queries.get_rule(scope, rule_id)
    draft = drafts.of_rule(rule, schedule_of(rule))
    _assign(scope, draft, rule)
    return _form(request, scope, draft)


@posted_from("evals:rule-new")
@project_page(Role.MEMBER)
def rule_save(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """`do` says what: activate, save for later, save as it is, or change the rows. A script asks for the parts that
    change by themselves."""
    draft, wish = drafts.of_post(request.POST), request.POST.get("do", "refresh")
    known = queries.get_rule(scope, draft.rule) if draft.rule else None
    draft.is_enabled = wish == "activate" or (wish == "save" and known is not None and known.is_enabled)
    _assign(scope, draft, known)
    drafts.read_assigned(request.POST, draft.assigned)
    if wish not in ("activate", "save"):
        drafts.change_shape(draft, wish)
        return _form(request, scope, draft)
    fields = draft.fields()
    if fields is None:
        return _form(request, scope, draft, status=422)
    try:
        if known is None:
            rule = actions.create_rule(scope, fields, actor=Actor.of(request))
        else:
            changes = {name: getattr(fields, name) for name in actions.CHANGEABLE}
            rule = actions.update_rule(scope, known.pk, changes, actor=Actor.of(request))
    except Invalid as refusal:
        draft.refused(refusal)
        return _form(request, scope, draft, status=422)
    except Conflict as refusal:
        draft.errors["whole"] = refusal.message
        return _form(request, scope, draft, status=422)
    said = _("“%(name)s” judges from now on.") if rule.is_enabled else _("“%(name)s” is saved, and off.")
    messages.success(request, said % {"name": rule.name})
    return see_other(rule_url(rule))


def _assign(scope: ProjectScope, draft: RuleDraft, rule: Rule | None = None) -> None:
    """All evaluators of the project, those of the rule chosen with their mappings."""
    chosen = {one.evaluator_id: one for one in rule.assignments.all()} if rule else {}
    found = list(evaluator_queries.evaluators(scope).order_by("name", "pk"))
    versions = evaluator_queries.latest_versions(found)
    for evaluator in found:
        version = versions.get(evaluator.pk)
        if version is None:
            continue
        one = Assigned(evaluator, version)
        assignment = chosen.get(evaluator.pk)
        one.is_chosen = assignment is not None
        own = assignment.mapping if assignment else None
        one.is_own = own is not None
        entries = {entry["variable"]: entry for entry in (own if own is not None else version.mapping) or ()}
        one.rows = [_map_row(name, entries.get(name)) for name in variables_of(version.messages)]
        draft.assigned.append(one)


def _map_row(name: str, entry: dict[str, Any] | None) -> MapRow:
    if entry is None:
        return MapRow(name)
    return MapRow(name, entry.get("source") or "", entry.get("jsonPath") or "", bool(entry.get("isOptional")))


def _form(request: HttpRequest, scope: ProjectScope, draft: RuleDraft, *, status: int = 200) -> HttpResponse:
    columns = queries.filter_columns(TargetKind(draft.target))
    by_name = {column.name: column for column in columns}
    known = queries.get_rule(scope, draft.rule) if draft.rule else None
    context = {
        "scope": scope,
        "draft": draft,
        "known": known,
        "targets": TargetKind.choices,
        "columns": columns,
        "rows": [_shown_condition(one, by_name.get(one.column)) for one in draft.conditions],
        "sources": sources_of(TargetKind(draft.target)),
        "units": [(name, label) for name, label, _seconds in drafts.UNITS],
        "rhythms": drafts.RHYTHMS,
        "weekdays": drafts.WEEKDAYS,
        "windows": drafts.WINDOWS,
        "estimate": _estimate(scope, draft),
        "default_model": evaluator_queries.default_model(scope),
        "back": rule_url(known) if known else reverse("evals:rule-list", args=[scope.project_id]),
    }
    return render_page(request, "evals/rule_form.html", context, status=status)


def _shown_condition(one: drafts.Condition, column: queries.Column | None) -> dict[str, Any]:
    types = drafts.types_of(column) if column else {}
    operators = list(types)
    if column and one.operator not in operators:
        one.operator = operators[0]
    kind = types.get(one.operator, "")
    return {
        "condition": one,
        "column": column,
        "operators": [(name, OPERATOR_WORDS.get(name, name)) for name in operators],
        "is_keyed": column is not None and column.needs_key,
        "is_boolean": kind in ("boolean", "booleanObject"),
        "is_list": kind.endswith("Options"),
        "is_time": kind == "datetime",
        "is_alone": one.operator in drafts.ALONE,
        "raw": orjson.dumps(one.raw).decode() if one.raw else "",
        "pill": f"{one.column} {one.operator} {one.value}",
    }


@dataclass(frozen=True)
class Estimated:
    """What a rule would cost, or why nobody can say."""

    estimate: queries.Estimate | None = None
    problem: str = ""


def _estimate(scope: ProjectScope, draft: RuleDraft) -> Estimated:
    """Of a draft that may be half written: its errors stay with its form."""
    errors, rows = dict(draft.errors), [one.error for one in draft.conditions]
    fields = draft.fields()
    is_wrong = draft.errors.keys() - {"name", "evaluators"} - errors.keys() or any(
        one.error for one in draft.conditions
    )
    draft.errors = errors
    for one, error in zip(draft.conditions, rows, strict=True):
        one.error = error
    if fields is None and is_wrong:
        return Estimated(problem=_("It can be estimated once what is written above is complete."))
    try:
        fields = fields or _unnamed(draft)
        return Estimated(queries.estimate(scope, fields)) if fields else Estimated()
    except Invalid as refusal:
        return Estimated(problem=refusal.message)
    except SpanwiseError as error:
        return Estimated(problem=error.message)


def _unnamed(draft: RuleDraft) -> RuleFields | None:
    """The same with a name, which no estimate needs."""
    name, errors = draft.name, draft.errors
    draft.name, draft.errors = name or "-", {}
    fields = draft.fields()
    draft.name, draft.errors = name, errors
    return fields


# --- What people do to one --------------------------------------------------------------------------------
@posted_from("evals:rule-list")
@project_page(Role.MEMBER)
def rule_switch(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    rule = queries.get_rule(scope, request.POST.get("rule", ""))
    is_on = bool(request.POST.get("on"))
    try:
        change = actions.enable_rule if is_on else actions.disable_rule
        change(scope, rule.pk, actor=Actor.of(request))
    except (Invalid, Conflict) as refusal:
        issues = getattr(refusal, "issues", None) or []
        messages.error(request, " ".join(str(one["message"]) for one in issues) or refusal.message)
    else:
        said = _("“%(name)s” judges from now on.") if is_on else _("“%(name)s” is off.")
        messages.success(request, said % {"name": rule.name})
    is_list = request.POST.get("page") == "rule-list"
    return see_other(reverse("evals:rule-list", args=[scope.project_id]) if is_list else rule_url(rule))


@posted_from("evals:rule-list")
@project_page(Role.MEMBER)
def rule_delete(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    rule = queries.get_rule(scope, request.POST.get("rule", ""))
    actions.delete_rule(scope, rule.pk, actor=Actor.of(request))
    messages.success(request, _("The rule “%(name)s” is deleted. Its scores stay.") % {"name": rule.name})
    return see_other(reverse("evals:rule-list", args=[scope.project_id]))


# --- On existing data -------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Backfill:
    """A range of time, a share and a limit, as asked for in an address or a form."""

    since: datetime
    until: datetime
    percent: str
    most: int | None
    errors: tuple[str, ...] = ()

    @property
    def sampling(self) -> float:
        return float(self.percent) / 100

    @classmethod
    def of(cls, data: Any, rule: Rule) -> Backfill:
        errors = []
        now = datetime.now(UTC)
        since, until = _moment(data.get("since", "")), _moment(data.get("until", ""))
        if (data.get("since") and since is None) or (data.get("until") and until is None):
            errors.append(_("Give times such as 2026-11-21 08:00."))
        since, until = since or now - timedelta(days=7), until or now
        if since >= until:
            errors.append(_("The range has to begin before it ends."))
        percent = data.get("percent", "") or percent_of(rule.sampling)
        try:
            is_share = 0 < float(percent) <= 100
        except ValueError:
            is_share = False
        if not is_share:
            errors.append(_("Give a share above 0 and up to 100 %."))
            percent = percent_of(rule.sampling)
        most = whole_number(data.get("most", "").strip())
        if data.get("most", "").strip() and not most:
            errors.append(_("Give the most targets as a whole number, or leave it empty."))
        return cls(since, until, percent, most, tuple(errors))


@require_safe
@project_page(Role.MEMBER)
def rule_backfill(request: HttpRequest, scope: ProjectScope, rule_id: str) -> HttpResponse:
    """How much it would be; a form below starts it."""
    rule = queries.get_rule(scope, rule_id)
    return _backfill_page(request, scope, rule, Backfill.of(request.GET, rule))


@posted_from("evals:rule-list")
@project_page(Role.MEMBER)
def rule_backfill_start(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    rule = queries.get_rule(scope, request.POST.get("rule", ""))
    asked = Backfill.of(request.POST, rule)
    if asked.errors:
        return _backfill_page(request, scope, rule, asked)
    try:
        job = actions.start_backfill(
            scope,
            rule.pk,
            since=asked.since,
            until=asked.until,
            sampling=asked.sampling,
            most=asked.most,
            actor=Actor.of(request),
        )
    except (Invalid, Conflict) as refusal:
        return _backfill_page(request, scope, rule, asked, refusal.message)
    return see_other(reverse("tracing:job-detail", args=[scope.project_id, job.pk]))


def _backfill_page(
    request: HttpRequest, scope: ProjectScope, rule: Rule, asked: Backfill, problem: str = ""
) -> HttpResponse:
    count: int | None = None
    cost = None
    problems = [*asked.errors, *([problem] if problem else [])]
    if not asked.errors:
        try:
            count = queries.count_matches(scope, TargetKind(rule.target), rule.filter, asked.since, asked.until)
            cost = queries.estimate(scope, _fields_of(rule)).cost_per_judgement
        except SpanwiseError as error:
            problems.append(error.message)
    judged = None
    if count is not None:
        share = round(count * asked.sampling)
        judged = min(share, asked.most) if asked.most else share
    context = {
        "scope": scope,
        "rule": rule,
        "shown": ShownRule(scope, rule),
        "asked": asked,
        "problems": problems,
        "count": count,
        "judged": judged,
        "cost": cost * judged if cost is not None and judged is not None else None,
        "evaluators": rule.assignments.count(),
        "ranges": _ranges(),
        "back": rule_url(rule),
    }
    status = 422 if problems and request.method == "POST" else 200
    return render_page(request, "evals/rule_backfill.html", context, status=status)


def _fields_of(rule: Rule) -> RuleFields:
    assignments = [(one.evaluator_id, one.mapping) for one in rule.assignments.all()]
    return RuleFields(name=rule.name, target=rule.target, filter=rule.filter, assignments=assignments)


def _ranges() -> list[tuple[str, str]]:
    """Label and start of usual ranges."""
    now = datetime.now(UTC)
    days = [(1, _("24 hours")), (7, _("7 days")), (30, _("30 days"))]
    return [(label, (now - timedelta(days=number)).strftime("%Y-%m-%dT%H:%M")) for number, label in days]


def _moment(text: str) -> datetime | None:
    try:
        at = parse_datetime(text.strip())
    except ValueError:
        return None
    if at is None:
        return None
    zoned = at if at.tzinfo else at.replace(tzinfo=UTC)
    return zoned if is_known_year(zoned) else None
