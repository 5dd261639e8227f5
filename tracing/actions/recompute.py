"""Costs computed again after prices changed: looked at before, then done as a job, with a receipt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.access import ProjectScope
from accounts.audit import Actor
from accounts.roles import Role
from config.errors import Invalid
from tracing.actions.jobs import Step, job_kind, start_job
from tracing.analytics.records import ZERO, Observation
from tracing.ingest.reprice import (
    Account,
    Key,
    Repricing,
    key_of,
    must_be_counted,
    newest_rows,
    next_rows,
    reprice,
)
from tracing.models.jobs import Job
from tracing.pricing import catalogue_for, explain, forget_catalogues
from tracing.queries.cost import MOST_NAMES, list_observed_models
from tracing.queries.periods import Period, parse_time

KIND = "recompute-costs"
#: observations between two saves: a second or two of work
ROWS_PER_STEP = 500
#: looked at for each model where there are more of them
SAMPLE = 400
MOST_SAMPLED_MODELS = 20
#: Workers know a new price within seconds. What they wrote in the meantime is looked at once more.
_LATE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Expected:
    """What recomputing would make of one model's calls. `after` is None where nobody looked; `is_estimate` where only
    a sample was looked at, or the tokens of some are yet to be counted."""

    name: str
    calls: int
    before: Decimal
    after: Decimal | None
    is_estimate: bool

    @property
    def difference(self) -> Decimal | None:
        return None if self.after is None else self.after - self.before


@dataclass(frozen=True, slots=True)
class Preview:
    """`is_all` says whether these are all names that there are."""

    models: tuple[Expected, ...]
    is_all: bool = True

    @property
    def calls(self) -> int:
        return sum(model.calls for model in self.models)

    @property
    def before(self) -> Decimal:
        return sum((model.before for model in self.models), ZERO)

    @property
    def after(self) -> Decimal:
        """Of what was not looked at, what it is now."""
        return sum((model.before if model.after is None else model.after for model in self.models), ZERO)

    @property
    def difference(self) -> Decimal:
        return self.after - self.before

    @property
    def is_estimate(self) -> bool:
        return not self.is_all or any(model.is_estimate or model.after is None for model in self.models)


def preview(scope: ProjectScope, wanted: Repricing) -> Preview:
    """What a recomputation would come to, by the prices of now. Writes nothing."""
    forget_catalogues()
    period = Period.between(wanted.since, wanted.until)
    found = list_observed_models(scope, period, names=wanted.names)
    catalogue = catalogue_for(scope.project_id)
    expected = []
    for number, model in enumerate(found):
        after, is_estimate = None, False
        if number < MOST_SAMPLED_MODELS:
            sample = newest_rows(scope, _only(wanted, model.name), limit=SAMPLE)
            after = _expected(scope, model.cost, model.calls, sample)
            is_estimate = model.calls > len(sample) or any(must_be_counted(row, catalogue) for row in sample)
        expected.append(Expected(model.name, model.calls, model.cost, after, is_estimate))
    return Preview(tuple(expected), is_all=len(found) < MOST_NAMES)


def _only(wanted: Repricing, name: str) -> Repricing:
    return Repricing(wanted.since, wanted.until, (name,))


def _expected(scope: ProjectScope, before: Decimal, calls: int, sample: list[Observation]) -> Decimal | None:
    """Tokens that were counted here are not counted again for a look ahead. None where that would be all."""
    catalogue = catalogue_for(scope.project_id)
    if all(must_be_counted(row, catalogue) for row in sample):
        return None
    change = ZERO
    for row in sample:
        if not row.provided_cost:
            change += (explain(row, catalogue).total_now or ZERO) - row.total_cost
    if len(sample) >= calls:
        return before + change
    return max(before + change / len(sample) * calls, ZERO)


def start_recomputation(scope: ProjectScope, wanted: Repricing, *, actor: Actor) -> Job:
    """Small ones are done when it returns. Raises Forbidden for viewers, Invalid for a period that is none."""
    scope.require(Role.MEMBER)
    if wanted.since and wanted.until and wanted.since >= wanted.until:
        raise Invalid(str(_("The period ends before it begins.")))
    period = Period.between(wanted.since, wanted.until)
    total = sum(model.calls for model in list_observed_models(scope, period, names=wanted.names))
    parameters = {
        "since": wanted.since.isoformat() if wanted.since else None,
        "until": wanted.until.isoformat() if wanted.until else None,
        "names": list(wanted.names),
    }
    return start_job(scope, KIND, parameters, actor=actor, total=total, at_once_seconds=1)


def wanted_of(parameters: Mapping[str, Any]) -> Repricing:
    """What a job was asked for."""
    since, until = (parse_time(parameters[name]) if parameters.get(name) else None for name in ("since", "until"))
    return Repricing(since, until, tuple(parameters.get("names") or ()))


@job_kind(KIND, title=_("Recompute costs"))
def recompute_costs(scope: ProjectScope, job: Job, step: Step) -> None:
    """All observations by time, and at the end those that were written in the meantime.

    Before rows are written, their account is saved as `pending`. Whoever comes after a kill does these rows again and
    takes that account instead of the one it would get from rows that are partly rewritten.
    """
    forget_catalogues()
    wanted = wanted_of(job.parameters)
    if step.cursor.get("phase", "all") == "all":
        _sweep(scope, wanted, job, step, "all")
        step.save(cursor={"phase": "late"})
    late = round(((job.started_at or job.created_at) - _LATE).timestamp() * 1_000_000)
    _sweep(scope, replace(wanted, written_after=late), job, step, "late")


def _sweep(scope: ProjectScope, wanted: Repricing, job: Job, step: Step, phase: str) -> None:
    while True:
        cursor = step.cursor
        after, pending = _key(cursor.get("after")), cursor.get("pending")
        until = _key(pending["until"]) if pending else None
        rows = next_rows(scope, wanted, after, limit=ROWS_PER_STEP, until=until)
        if not rows and not pending:
            return
        if rows:
            _do(scope, rows, step, phase, after)
        if pending and len(rows) == ROWS_PER_STEP and key_of(rows[-1]) != until:
            # More has come into this stretch since it was begun.
            step.save(cursor={"phase": phase, "after": _text(key_of(rows[-1])), "pending": pending})
        else:
            _fold(job, step, phase)


def _do(scope: ProjectScope, rows: list[Observation], step: Step, phase: str, after: Key | None) -> None:
    def before_writing(account: Account) -> None:
        if step.cursor.get("pending"):
            return  # this stretch was begun before: what was said then counts
        pending = {"until": _text(key_of(rows[-1])), "account": _as_text(account), "count": len(rows)}
        step.save(cursor={"phase": phase, "after": _text(after), "pending": pending})

    reprice(scope, rows, before_writing=before_writing)


def _fold(job: Job, step: Step, phase: str) -> None:
    """The stretch is written: its account joins the receipt. Of what came late only that counts which was changed: the
    rest has been counted, or came with the new prices."""
    pending = step.cursor["pending"]
    models: dict[str, list[Any]] = dict(job.result.get("models", {}))
    for name, (looked_at, changed, before, after, unchanged) in pending["account"].items():
        known = models.get(name, [0, 0, "0", "0"])
        if phase == "late":
            looked_at, before, after = changed, _sum(before, unchanged, -1), _sum(after, unchanged, -1)
        if looked_at:
            models[name] = [known[0] + looked_at, known[1] + changed, _sum(known[2], before), _sum(known[3], after)]
    step.save(
        cursor={"phase": phase, "after": pending["until"]},
        done=pending["count"] if phase == "all" else 0,
        result={"models": models},
    )


def _sum(one: str, other: str, sign: int = 1) -> str:
    return f"{Decimal(one) + sign * Decimal(other):f}"


def _as_text(account: Account) -> dict[str, list[Any]]:
    return {
        name: [sums.looked_at, sums.changed, f"{sums.before:f}", f"{sums.after:f}", f"{sums.unchanged:f}"]
        for name, sums in account.by_model.items()
    }


def _text(key: Key | None) -> list[str] | None:
    return None if key is None else [key[0].isoformat(), key[1], key[2]]


def _key(text: list[str] | None) -> Key | None:
    return None if text is None else (datetime.fromisoformat(text[0]), text[1], text[2])


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a job did: for each model name, calls looked at and changed, cost before and after."""

    models: tuple[tuple[str, int, int, Decimal, Decimal], ...]

    @property
    def looked_at(self) -> int:
        return sum(model[1] for model in self.models)

    @property
    def changed(self) -> int:
        return sum(model[2] for model in self.models)

    @property
    def before(self) -> Decimal:
        return sum((model[3] for model in self.models), ZERO)

    @property
    def after(self) -> Decimal:
        return sum((model[4] for model in self.models), ZERO)


def receipt_of(job: Job) -> Receipt:
    models = (job.result or {}).get("models", {})
    rows = [(name, entry[0], entry[1], Decimal(entry[2]), Decimal(entry[3])) for name, entry in models.items()]
    return Receipt(tuple(sorted(rows, key=lambda row: (-row[4], row[0]))))
