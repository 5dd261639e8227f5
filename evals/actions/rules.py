"""Rules: which targets some evaluators judge, from now on, at set times, or of what is stored already."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.access import ProjectScope, scope_for_task
from accounts.audit import SYSTEM, Actor, record
from accounts.roles import Role
from config.errors import Conflict, Invalid, issue
from evals.judging import matching, schedules
from evals.judging.calling import call_worker
from evals.judging.mapping import check_mapping, sources_of, variables_of
from evals.judging.output import Issue
from evals.judging.schedules import Schedule
from evals.judging.targets import conditions_of
from evals.models import (
    Assignment,
    Evaluator,
    EvaluatorKind,
    EvaluatorVersion,
    Judgement,
    JudgementStatus,
    Rule,
    TargetKind,
)
from evals.queries.evaluators import evaluators, latest_versions
from evals.queries.rules import get_rule
from tracing.actions.jobs import Step, job_kind, start_job
from tracing.models.jobs import Job

__all__ = ["RuleFields", "Schedule"]

BACKFILL = "judge-stored"
MOST_ASSIGNMENTS = 100
LONGEST_DELAY = 7 * 24 * 3600
_NAME_LENGTH = 255
_ROWS_PER_STEP = 500

#: (id of the evaluator, mapping over its own or None)
GivenAssignment = tuple[str, Sequence[Mapping[str, Any]] | None]


@dataclass(frozen=True, slots=True)
class RuleFields:
    """As typed or sent. `delay_seconds` None for what the target usually has."""

    name: str
    target: str = TargetKind.OBSERVATION
    filter: Sequence[Mapping[str, Any]] = ()
    sampling: float = 1.0
    delay_seconds: int | None = None
    daily_cap: Decimal | None = None
    is_enabled: bool = False
    assignments: Sequence[GivenAssignment] = field(default_factory=list)
    schedule: Schedule | None = None


CHANGEABLE = tuple(RuleFields.__dataclass_fields__)


# --- Made and changed ----------------------------------------------------------------------------------------
def create_rule(scope: ProjectScope, fields: RuleFields, *, actor: Actor) -> Rule:
    """Raises Invalid with all that is wrong."""
    scope.require(Role.MEMBER)
    checked = _checked(scope, fields)
    with transaction.atomic():
        rule = Rule.objects.create(project_id=scope.project_id, created_by_id=scope.user_id or None, **checked.columns)
        _assign(rule, checked.assignments)
        if fields.schedule is not None:
            schedules.put(rule, fields.schedule)
        record(actor, "evaluation-rule.create", rule, after=_said(rule))
    return rule


def update_rule(scope: ProjectScope, rule_id: str, changes: Mapping[str, Any], *, actor: Actor) -> Rule:
    """`changes` has some fields of RuleFields; the others stay. Raises Invalid with all that is wrong.

    What waits already is judged by what the rule says from now on: not at all where it is switched off, at once where
    the daily cap kept it waiting and was changed.
    """
    scope.require(Role.MEMBER)
    unknown = set(changes) - set(CHANGEABLE)
    assert not unknown, unknown
    with transaction.atomic():
        # Read once it is locked: what is written has all of it.
        Rule.objects.select_for_update().filter(pk=get_rule(scope, rule_id).pk).first()
        rule = get_rule(scope, rule_id)
        checked = _checked(scope, _fields_of(rule, changes))
        before = _said(rule)
        was_enabled, had_cap, had_target = rule.is_enabled, rule.daily_cap, rule.target
        for name, value in checked.columns.items():
            setattr(rule, name, value)
        rule.save(update_fields=[*checked.columns, "updated_at"])
        if "assignments" in changes:
            _assign(rule, checked.assignments)
        if "schedule" in changes:
            schedules.put(rule, changes["schedule"])
        if had_target != rule.target:
            matching.drop_waiting(rule, _("The rule judges something else now."))
        elif was_enabled and not rule.is_enabled:
            matching.drop_waiting(rule, _("The rule was switched off."), origin="live")
        if had_cap != rule.daily_cap:
            held = Judgement.objects.filter(rule=rule, status=JudgementStatus.WAITING, held_by="cap")
            held.update(held_by="", due_at=timezone.now(), problem="")
            transaction.on_commit(call_worker)
        after = _said(rule)
        if before != after:
            record(actor, "evaluation-rule.change", rule, before=before, after=after)
    return get_rule(scope, rule.pk)


def enable_rule(scope: ProjectScope, rule_id: str, *, actor: Actor) -> Rule:
    """Raises Invalid where something is missing, as an evaluator or a mapping."""
    return update_rule(scope, rule_id, {"is_enabled": True}, actor=actor)


def disable_rule(scope: ProjectScope, rule_id: str, *, actor: Actor) -> Rule:
    return update_rule(scope, rule_id, {"is_enabled": False}, actor=actor)


def delete_rule(scope: ProjectScope, rule_id: str, *, actor: Actor) -> None:
    """What waits for it is cancelled; what was judged stays, and its scores."""
    scope.require(Role.MEMBER)
    with transaction.atomic():
        rule = get_rule(scope, rule_id)
        matching.drop_waiting(rule, _("The rule was deleted."))
        record(actor, "evaluation-rule.delete", rule, before=_said(rule))
        schedules.forget(rule)
        rule.delete()


def delete_project_schedules(project_id: str) -> None:
    """Of a project that is deleted: nobody else would take its periodic tasks away."""
    for rule in Rule.objects.filter(project_id=project_id, schedule__isnull=False).select_related("schedule"):
        schedules.forget(rule)


@dataclass(slots=True)
class _Checked:
    columns: dict[str, Any]
    assignments: list[tuple[Evaluator, list[dict[str, Any]] | None]]


def _fields_of(rule: Rule, changes: Mapping[str, Any]) -> RuleFields:
    said: dict[str, Any] = {
        "name": rule.name,
        "target": rule.target,
        "filter": rule.filter,
        "sampling": rule.sampling,
        "delay_seconds": rule.delay_seconds,
        "daily_cap": rule.daily_cap,
        "is_enabled": rule.is_enabled,
        "assignments": [(one.evaluator_id, one.mapping) for one in rule.assignments.all()],
        "schedule": schedules.schedule_of(rule),
    }
    if "target" in changes and changes["target"] != rule.target and "delay_seconds" not in changes:
        said["delay_seconds"] = None
    said.update(changes)
    if changes.get("assignments") == [] and "is_enabled" not in changes:
        said["is_enabled"] = False  # without evaluators it judges nothing
    return RuleFields(**said)


def _checked(scope: ProjectScope, fields: RuleFields) -> _Checked:
    issues: list[Issue] = []
    target = fields.target if fields.target in TargetKind.values else ""
    if not target:
        message = _("Choose one of: %(all)s.") % {"all": ", ".join(TargetKind.values)}
        issues.append(issue(("target",), message))
    if not isinstance(fields.name, str) or not 1 <= len(fields.name.strip()) <= _NAME_LENGTH or "\x00" in fields.name:
        issues.append(issue(("name",), _("A name has 1 to %(most)d characters.") % {"most": _NAME_LENGTH}))
    if not 0 < fields.sampling <= 1:
        issues.append(issue(("sampling",), _("A share is above 0 and at most 1.")))
    kept = list(fields.filter)
    if target:
        try:
            conditions_of(target, kept)
        except Invalid as error:
            issues += error.issues or [issue(("filter",), error.message)]
    delay = matching.QUIET[TargetKind(target or "trace")] if fields.delay_seconds is None else fields.delay_seconds
    if not 0 <= delay <= LONGEST_DELAY:
        issues.append(issue(("delaySeconds",), _("At most seven days.")))
    cap = _cap(fields.daily_cap, issues)
    if fields.schedule is not None:
        try:
            fields.schedule.check()
        except Invalid as error:
            issues += error.issues or []
    assignments = _assignments(scope, fields, target, issues)
    if fields.is_enabled and not fields.assignments:
        issues.append(issue(("evaluatorAssignments",), _("Choose at least one evaluator before you switch it on.")))
    if issues:
        raise Invalid(issues=issues)
    columns = {
        "name": fields.name.strip(),
        "target": target,
        "filter_text": orjson.dumps(kept).decode() if kept else "",
        "sampling": float(fields.sampling),
        "delay_seconds": delay,
        "daily_cap": cap,
        "is_enabled": fields.is_enabled,
    }
    return _Checked(columns, assignments)


def _cap(given: Any, issues: list[Issue]) -> Decimal | None:
    if given is None:
        return None
    try:
        cap = Decimal(str(given)).quantize(Decimal("0.000001"))
        is_fine = 0 < cap < 1_000_000
    except (InvalidOperation, ValueError):
        is_fine = False
    if not is_fine:
        issues.append(issue(("dailyCap",), _("An amount above 0 and below a million US dollars.")))
        return None
    return cap


def _assignments(
    scope: ProjectScope, fields: RuleFields, target: str, issues: list[Issue]
) -> list[tuple[Evaluator, list[dict[str, Any]] | None]]:
    given = list(fields.assignments)
    if len(given) > MOST_ASSIGNMENTS:
        message = _("A rule has at most %(most)d evaluators.") % {"most": MOST_ASSIGNMENTS}
        issues.append(issue(("evaluatorAssignments",), message))
        return []
    ids = [id_ for id_, _mapping in given if isinstance(id_, str) and "\x00" not in id_]
    known = {one.pk: one for one in evaluators(scope).filter(pk__in=ids)}
    versions = latest_versions(list(known.values()))
    found: dict[str, tuple[Evaluator, list[dict[str, Any]] | None]] = {}
    for number, (id_, mapping) in enumerate(given):
        at = ("evaluatorAssignments", number)
        evaluator = known.get(id_) if isinstance(id_, str) else None
        if evaluator is None:
            issues.append({**issue((*at, "evaluatorId"), _("There is no such evaluator.")), "code": "not_found"})
        elif id_ in found:
            issues.append(issue((*at, "evaluatorId"), _("This evaluator is there twice.")))
        else:
            checked = _mapping_of(evaluator, versions[id_], mapping, target, fields.is_enabled, at, issues)
            found[id_] = (evaluator, checked)
    return list(found.values())


def _mapping_of(
    evaluator: Evaluator,
    version: EvaluatorVersion,
    given: Sequence[Mapping[str, Any]] | None,
    target: str,
    is_enabled: bool,
    at: tuple[Any, ...],
    issues: list[Issue],
) -> list[dict[str, Any]] | None:
    """The mapping over the evaluator's own; None for that. Both have to fit the rule's target."""
    if evaluator.kind == EvaluatorKind.CODE:
        return None
    variables = variables_of(version.messages)
    checked = None
    if given is not None:
        try:
            checked = check_mapping([dict(one) for one in given], variables)
        except Invalid as error:
            issues += [{**one, "path": [*at, *one["path"]]} for one in error.issues or []]  # type: ignore[misc]
            return None
    used = version.mapping if checked is None else checked
    if used is None:
        if variables and is_enabled:
            message = _("The variables of “%(name)s” are not mapped yet.") % {"name": evaluator.name}
            issues.append({**issue((*at, "variableMapping"), message), "code": "missing_variable_mapping"})
        return checked
    wrong = _not_there(used, target) if target else []
    if wrong and (is_enabled or checked is not None):
        said = {"name": evaluator.name, "sources": ", ".join(dict.fromkeys(wrong)), "target": TargetKind(target).label}
        message = _("“%(name)s” needs %(sources)s, which no %(target)s has: map it anew for this rule.") % said
        issues.append({**issue((*at, "variableMapping"), message), "code": "invalid_variable_mapping"})
    return checked


def _not_there(mapping: Sequence[Mapping[str, Any]], target: str) -> list[str]:
    """Sources that such targets do not have."""
    offered = {one.key for one in sources_of(target)}
    if target == TargetKind.OBSERVATION:  # some of them are items of experiments
        offered |= {"expected_output", "experiment_item_metadata"}
    return [str(one["source"]) for one in mapping if one["source"] not in offered]


def _assign(rule: Rule, assignments: list[tuple[Evaluator, list[dict[str, Any]] | None]]) -> None:
    """The rule has these and no others. Those that stay keep their rows."""
    ids = [evaluator.pk for evaluator, _mapping in assignments]
    rule.assignments.exclude(evaluator_id__in=ids).delete()
    for evaluator, mapping in assignments:
        text = "" if mapping is None else orjson.dumps(mapping).decode()
        Assignment.objects.update_or_create(rule=rule, evaluator=evaluator, defaults={"mapping_text": text})
    gone = Judgement.objects.filter(rule=rule, status=JudgementStatus.WAITING).exclude(evaluator_id__in=ids)
    gone.update(
        status=JudgementStatus.CANCELLED, ended_at=timezone.now(), problem=_("The rule does not use it any more.")
    )


def _said(rule: Rule) -> dict[str, Any]:
    """For the audit log."""
    schedule = schedules.schedule_of(rule)
    return {
        "name": rule.name,
        "target": rule.target,
        "filter": rule.filter,
        "sampling": rule.sampling,
        "delay_seconds": rule.delay_seconds,
        "daily_cap": str(rule.daily_cap) if rule.daily_cap is not None else None,
        "is_enabled": rule.is_enabled,
        "evaluators": sorted(rule.assignments.values_list("evaluator_id", flat=True)),
        "schedule": schedule.crontab if schedule else None,
    }


# --- Over what is stored -------------------------------------------------------------------------------------
def start_backfill(
    scope: ProjectScope,
    rule_id: str,
    *,
    since: datetime,
    until: datetime,
    sampling: float | None = None,
    most: int | None = None,
    actor: Actor,
) -> Job:
    """Judges what began in this time and matches, a share of it (None: the rule's own) and at most so many, chosen at
    random. What the rule has judged before is not judged again, what was cancelled is. Raises Invalid."""
    scope.require(Role.MEMBER)
    rule = get_rule(scope, rule_id)
    if since >= until:
        raise Invalid(_("The time ends before it begins."))
    if sampling is not None and not 0 < sampling <= 1:
        raise Invalid(_("A share is above 0 and at most 1."))
    if most is not None and most < 1:
        raise Invalid(_("Judge at least one."))
    if not rule.assignments.exists():
        raise Invalid(_("The rule has no evaluator."))
    _require_mappings(scope, rule)
    return _start(scope, rule, since, until, sampling or rule.sampling, most, "backfill", rule.pk, actor)


def _require_mappings(scope: ProjectScope, rule: Rule) -> None:
    """A rule that is off may be half done; what is judged by it may not."""
    if not rule.is_enabled:
        _checked(scope, _fields_of(rule, {"is_enabled": True}))


def _start(
    scope: ProjectScope,
    rule: Rule,
    since: datetime,
    until: datetime,
    sampling: float,
    most: int | None,
    origin: str,
    seed: str,
    actor: Actor,
) -> Job:
    parameters = {
        "rule_id": rule.pk,
        "rule": rule.name,
        "since": since.isoformat(),
        "until": until.isoformat(),
        "sampling": sampling,
        "most": most,
        "origin": origin,
        "seed": seed,
    }
    return start_job(scope, BACKFILL, parameters, actor=actor)


def run_schedule(rule_id: str) -> Job | None:
    """Starts what a rule's schedule asks for, once for all of its times that have passed. None where nothing is due,
    also where somebody else started it this moment."""
    rule = Rule.objects.select_related("schedule__crontab", "project").filter(pk=rule_id).first()
    if rule is None or rule.project.deleted_at is not None or not schedules.is_due(rule):
        return None
    now = timezone.now()
    since, until = schedules.span_of(rule, now)
    with transaction.atomic():
        if not Rule.objects.filter(pk=rule.pk, scheduled_at=rule.scheduled_at).update(scheduled_at=now):
            return None
        scope = scope_for_task(rule.project_id)
        seed = schedules.seed_of(rule, until)
        return _start(scope, rule, since, until, rule.sampling, rule.schedule_sample, "schedule", seed, SYSTEM)


def run_due_schedules() -> None:
    """All rules whose time has come: beat tells of each in time, this finds what was due while nobody was there."""
    for rule_id in Rule.objects.filter(schedule__enabled=True).values_list("pk", flat=True):
        run_schedule(rule_id)


@job_kind(BACKFILL, title=gettext_lazy("Judge what is stored"))
def _judge_stored(scope: ProjectScope, job: Job, step: Step) -> None:
    """Two walks where only so many are wanted: one finds how far down the random order they reach, one takes them."""
    said = job.parameters
    rule = Rule.objects.filter(project_id=scope.project_id, pk=said["rule_id"]).first()
    if rule is None:
        raise Conflict(_("The rule was deleted."))
    since, until = datetime.fromisoformat(said["since"]), datetime.fromisoformat(said["until"])
    stored = matching.Stored(rule.target, tuple(conditions_of(rule.target, rule.filter)), since, until)
    cursor = step.cursor
    if not cursor:
        total = stored.count(scope)
        share = said["sampling"]
        cursor = {"last": [], "below": share, "found": 0}
        if said["most"] and total * share > said["most"]:
            cursor["below"] = min(share, _share_of(scope, stored, said["seed"], said["most"]))
        step.save(cursor=cursor, total=total)
    ids = list(rule.assignments.values_list("evaluator_id", flat=True))
    while True:
        targets = stored.after(scope, cursor["last"], _ROWS_PER_STEP)
        # What the schedule samples is another share each time; of a backfill it is the rule's own sample.
        chosen = [one for one in targets if matching.place_in_sample(said["seed"], one) < cursor["below"]]
        made = matching.add_judgements(scope.project_id, chosen, ids, origin=said["origin"], rule=rule)
        if said["origin"] == "backfill":  # somebody wants them: what was given up before that is judged after all
            given_up = Judgement.objects.filter(status=JudgementStatus.CANCELLED, ended_at__lt=job.created_at)
            made += matching.anew_of(given_up, rule.pk, chosen, ids)
        if made:
            call_worker()
        if targets:
            cursor = {**cursor, "last": stored.key_of(targets[-1]), "found": cursor["found"] + made}
        step.save(cursor=cursor, done=len(targets), result=counted(cursor["found"]), stops=bool(targets))
        if len(targets) < _ROWS_PER_STEP:
            return


def counted(number: int) -> dict[str, Any]:
    """The result of a job that began so many judgements."""
    return {"counts": {"judgements": number}}


def _share_of(scope: ProjectScope, stored: matching.Stored, seed: str, most: int) -> float:
    """Below which place in the random order exactly `most` targets lie."""
    last: list[str] = []
    lowest: list[float] = []  # the largest of the `most` lowest places is on top, negated
    while targets := stored.after(scope, last, 5_000):
        for one in targets:
            place = matching.place_in_sample(seed, one)
            if len(lowest) <= most:
                heapq.heappush(lowest, -place)
            else:
                heapq.heappushpop(lowest, -place)
        last = stored.key_of(targets[-1])
    return -lowest[0] if len(lowest) > most else 1.0


def why_unfit(version: EvaluatorVersion, target: str) -> str:
    """Why an evaluator cannot judge such targets as it is; empty where it can."""
    if version.mapping is None:
        return _("Its variables are not mapped yet.") if variables_of(version.messages) else ""
    missing = dict.fromkeys(_not_there(version.mapping, target))
    return _("It reads %(sources)s, which these do not have.") % {"sources": ", ".join(missing)} if missing else ""
