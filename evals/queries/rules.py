"""Rules of a project: how they are doing, what they can ask for, and what they would cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db.models import Prefetch, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from config.errors import NotFound
from evals.judging import costs
from evals.judging.definition import definition_of
from evals.judging.matching import Stored
from evals.judging.targets import columns_of, conditions_of
from evals.models import Assignment, Evaluator, Judgement, Rule, TargetKind
from evals.queries.evaluators import Week, average_cost, evaluators, last_judgements, latest_versions, weeks
from tracing.queries import filters

if TYPE_CHECKING:
    from evals.actions.rules import RuleFields

#: as far back as an estimate looks
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class RuleRow:
    rule: Rule
    assignments: list[Assignment]
    #: the newest first
    last: list[Judgement] = field(default_factory=list)
    judged_7d: int = 0
    cost_7d: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """`type` is that of a condition of the API's `filter`; `operators` are those of this type. `others` are further
    types that fit, with theirs. `needs_key`: a condition names a key of the column, too."""

    name: str
    label: str
    type: str
    operators: tuple[str, ...]
    needs_key: bool = False
    others: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Costs are in US dollars, None where nothing tells them. `basis` says in words where they come from."""

    matches_per_day: float
    cost_per_judgement: Decimal | None
    cost_per_day: Decimal | None
    basis: str


def rules(scope: ProjectScope) -> QuerySet[Rule]:
    return Rule.objects.filter(project_id=scope.project_id)


def list_rules(scope: ProjectScope) -> list[RuleRow]:
    """The newest first."""
    found = list(_whole(rules(scope)).order_by("-created_at", "-pk"))
    ids = [one.pk for one in found]
    last, week = last_judgements("rule_id", ids), weeks("rule_id", ids)
    return [
        RuleRow(
            one,
            list(one.assignments.all()),
            last.get(one.pk, []),
            week.get(one.pk, Week()).judged,
            week.get(one.pk, Week()).cost,
        )
        for one in found
    ]


def get_rule(scope: ProjectScope, rule_id: str) -> Rule:
    found = None if "\x00" in rule_id else _whole(rules(scope)).filter(pk=rule_id).first()
    if found is None:
        raise NotFound(_("There is no such rule."))
    return found


def _whole(found: QuerySet[Rule]) -> QuerySet[Rule]:
    assignments = Assignment.objects.select_related("evaluator").order_by("pk")
    return found.select_related("created_by", "schedule__crontab").prefetch_related(
        Prefetch("assignments", queryset=assignments)
    )


# --- Conditions --------------------------------------------------------------------------------------------
_TYPES = {
    "text": "string",
    "number": "number",
    "time": "datetime",
    "boolean": "boolean",
    "list": "arrayOptions",
    "map": "stringObject",
    "numbers": "numberObject",
    "categories": "categoryOptions",
    "booleans": "booleanObject",
}
_KEYED = {"map", "numbers", "categories", "booleans"}
#: the same again under another name
_ALIASES = {"traceTags", "tokens", "traceEnvironment", "providedModelName"}
_ALIASES_OF_TRACES = {"traceName", "traceTags", "tokens"}


def filter_columns(target: str) -> list[Column]:
    """What a rule for such targets can ask for, by label."""
    is_trace = target in (TargetKind.TRACE, TargetKind.SESSION)
    hidden = _ALIASES_OF_TRACES if is_trace else _ALIASES
    found = []
    for name, column in columns_of(TargetKind(target)).items():
        if name in hidden:
            continue
        kind = _TYPES[column.kind]
        fitting = sorted(filters.FITS[column.kind] - {kind})
        # Long texts are found by their words, with the help of an index.
        words = (filters.MATCHES,) if name in ("input", "output") else ()
        found.append(
            Column(
                name,
                filters.label_of(name),
                kind,
                (*words, *(("=",) if words else _operators(kind))),
                needs_key=column.kind in _KEYED,
                others={} if words else {other: _operators(other) for other in fitting},
            )
        )
    return sorted(found, key=lambda one: one.label)


def _operators(kind: str) -> tuple[str, ...]:
    return tuple(filters.OPERATORS[kind])


# --- What it would cost ------------------------------------------------------------------------------------
def count_matches(
    scope: ProjectScope, target: str, filter: Sequence[Mapping[str, Any]], since: datetime, until: datetime
) -> int:
    """How many targets that began in this time match. Raises Invalid for a filter that is none."""
    kind = TargetKind(target)
    return Stored(kind, tuple(conditions_of(kind, list(filter))), since, until).count(scope)


def estimate(scope: ProjectScope, fields: RuleFields) -> Estimate:
    """By what matched in the last seven days, and what its evaluators cost so far, or would. Raises Invalid."""
    now = timezone.now()
    matches = count_matches(scope, fields.target, fields.filter, now - _WEEK, now) / _WEEK.days * fields.sampling
    ids = [id_ for id_, _mapping in fields.assignments]
    found = list(evaluators(scope).filter(pk__in=ids))
    single, basis = _cost_of_all(scope, found, fields)
    daily = None if single is None else single * Decimal(str(matches))
    if daily is not None and fields.daily_cap is not None:
        daily = min(daily, Decimal(str(fields.daily_cap)))
    return Estimate(matches, single, daily, basis)


def _cost_of_all(scope: ProjectScope, found: Sequence[Evaluator], fields: RuleFields) -> tuple[Decimal | None, str]:
    """What one target costs, judged by all of them."""
    versions = latest_versions(found)
    known: list[Decimal] = []
    is_measured = True
    for evaluator in found:
        cost = average_cost(evaluator.pk)
        if cost is None:
            is_measured = False
            definition = definition_of(versions[evaluator.pk], evaluator.kind)
            conditions = list(fields.filter)
            cost = costs.expected(scope, definition, fields.target, conditions)
        if cost is not None:
            known.append(cost)
    if not found:
        return None, _("Choose an evaluator to see what it costs.")
    if not known:
        return None, _("No model that is asked has a price.")
    total = sum(known, Decimal(0))
    if len(known) < len(found):
        return total, _("Some evaluators have no price: the others alone cost this.")
    if is_measured:
        return total, _("By what its evaluators cost so far.")
    return total, _("By the prices of the models and the length of what matched lately.")
