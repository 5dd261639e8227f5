"""Which targets a rule's evaluators judge: rows made of what arrived, of what is quiet by now, or of what is stored.

The id of a judgement is made of rule, evaluator and target: whatever is matched again changes nothing.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError
from django.db.models import QuerySet
from django.utils import timezone
from sqlalchemy import or_, select

from accounts.access import ProjectScope, scope_for_task
from config.crew import DATABASE_AWAY
from config.errors import SpanwiseError, TooExpensive, Unavailable
from evals.arrivals import ItemRun, Seen
from evals.judging.calling import call_worker
from evals.judging.targets import Target, clauses_of, conditions_of, still_there
from evals.models import Candidate, Experiment, Judgement, JudgementStatus, Rule, TargetKind
from tracing.analytics import functions as fn
from tracing.analytics import store
from tracing.analytics.tables import observations, traces
from tracing.ingest.own import OWN_PREFIX
from tracing.queries.filters import Filter

log = logging.getLogger(__name__)

o, t = observations.c, traces.c

#: ids are made of what they are about
_IDS = uuid.UUID("5d7c2f0e-58a2-4c55-8f8b-0f9f6f1f4d21")
#: seconds of quiet where a rule does not say
QUIET = {TargetKind.OBSERVATION: 0, TargetKind.EXPERIMENT: 0, TargetKind.TRACE: 30, TargetKind.SESSION: 1800}
#: seconds for which an observation that has not ended is waited for: a model may answer for minutes
_UNFINISHED_QUIET = 600
#: ids that clients choose may be longer than what is kept of them here
_LONGEST_ID = 255
_KEYS_PER_QUERY = 1000
#: many evaluators of many targets are more than a database takes at once
_ROWS_PER_STATEMENT = 200
_CANDIDATES_PER_TURN = 500
#: how long a rule is left alone whose question cost too much
_REST = timedelta(minutes=1)

_one_at_a_time = threading.Lock()
#: rules whose question cost too much, and about how many targets they are asked at a time since then
_fewer: dict[str, int] = {}


# --- Rows --------------------------------------------------------------------------------------------------
def judgement_id(owner: str, evaluator_id: str, target: Target) -> str:
    """`owner`: the id of a rule or experiment, or "manual" for what a person asked for."""
    parts = (owner, evaluator_id, str(target.kind), target.key)
    return str(uuid.uuid5(_IDS, "\n".join(f"{len(part)}:{part}" for part in parts)))


def is_sampled(rule_id: str, target: Target, share: float) -> bool:
    """The same answer every time it is asked about a rule and a target; larger shares hold all that smaller ones do."""
    return share >= 1 or place_in_sample(rule_id, target) < share


def place_in_sample(seed: str, target: Target) -> float:
    """From 0 up to 1, as if by chance."""
    digest = hashlib.blake2b(f"{seed}\n{target.kind}\n{target.key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def add_judgements(
    project_id: str,
    targets: Sequence[Target],
    evaluator_ids: Sequence[str],
    *,
    origin: str,
    rule: Rule | None = None,
    experiment: Experiment | None = None,
    delay_seconds: int = 0,
) -> int:
    """Makes those that are not there yet; returns how many that are. Targets whose ids cannot be kept are left out."""
    now = timezone.now()
    owner = rule.pk if rule else f"experiment:{experiment.pk}" if experiment else f"manual:{project_id}"
    rows = [
        _row(project_id, owner, target, evaluator_id, origin, now + timedelta(seconds=delay_seconds))
        for target in _that_can_be_kept(project_id, targets)
        for evaluator_id in evaluator_ids
    ]
    for row in rows:
        row.rule, row.experiment = rule, experiment
    unique, made = list({row.pk: row for row in rows}.values()), 0
    for start in range(0, len(unique), _ROWS_PER_STATEMENT):
        some = unique[start : start + _ROWS_PER_STATEMENT]
        known = set(Judgement.objects.filter(pk__in=[row.pk for row in some]).values_list("pk", flat=True))
        new = [row for row in some if row.pk not in known]
        Judgement.objects.bulk_create(new, ignore_conflicts=True)
        made += len(new)
    return made


def _that_can_be_kept(project_id: str, targets: Iterable[Target]) -> list[Target]:
    found, left_out = [], 0
    for one in targets:
        if max(len(one.trace_id), len(one.observation_id), len(one.session_id)) <= _LONGEST_ID:
            found.append(one)
        else:
            left_out += 1
    if left_out:
        message = "%d targets of %s are not judged: their ids have more than %d characters."
        log.warning(message, left_out, project_id, _LONGEST_ID)
    return found


def _row(project_id: str, owner: str, target: Target, evaluator_id: str, origin: str, due_at: datetime) -> Judgement:
    id_ = judgement_id(owner, evaluator_id, target)
    return Judgement(
        id=id_,
        project_id=project_id,
        evaluator_id=evaluator_id,
        origin=origin,
        target=target.kind,
        trace_id=target.trace_id,
        observation_id=target.observation_id,
        session_id=target.session_id,
        target_at=target.at,
        due_at=due_at,
        score_id=str(uuid.uuid5(_IDS, f"score {id_}")),
        execution_trace_id=uuid.uuid5(_IDS, f"trace {id_}").hex,
    )


# --- What arrived --------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Active:
    rule: Rule
    items: list[Filter]
    evaluator_ids: list[str]


def take(scope: ProjectScope, seen: Sequence[Seen], runs: Sequence[ItemRun]) -> None:
    """Listens to arrivals. Raises Unavailable where a store is away: it is told again then."""
    made = 0
    try:
        for active in _active_rules(scope.project_id):
            made += _take_of_each(scope, active, seen, runs)
    except DATABASE_AWAY as error:
        raise Unavailable("The database cannot be written.") from error
    if made:
        call_worker()


def _take_of_each(scope: ProjectScope, active: _Active, seen: Sequence[Seen], runs: Sequence[ItemRun]) -> int:
    """What goes wrong with one rule keeps nothing from the others."""
    try:
        return _take(scope, active, seen, runs)
    except IntegrityError:  # the rule or one of its evaluators was deleted this moment
        return sum(_take(scope, left, seen, runs) for left in _active_rules(scope.project_id, pk=active.rule.pk))
    except (Unavailable, *DATABASE_AWAY):
        raise
    except Exception:
        log.exception("Rule %s was not asked about what arrived", active.rule.pk)
        return 0


def _active_rules(project_id: str, **which: Any) -> list[_Active]:
    found = []
    rules = Rule.objects.filter(project_id=project_id, is_enabled=True, **which).prefetch_related("assignments")
    for rule in rules:
        evaluator_ids = [one.evaluator_id for one in rule.assignments.all()]
        try:
            items = conditions_of(rule.target, rule.filter)
        except SpanwiseError as error:  # kept by another version that knew other columns
            log.warning("The filter of rule %s is not understood: %s", rule.pk, error.message)
            continue
        if evaluator_ids:
            found.append(_Active(rule, items, evaluator_ids))
    return found


def _take(scope: ProjectScope, active: _Active, seen: Sequence[Seen], runs: Sequence[ItemRun]) -> int:
    rule = active.rule
    if rule.target == TargetKind.EXPERIMENT:
        keys = [(one.trace_id, one.observation_id, one.start_time) for one in runs]
        return _take_observations(scope, active, keys)
    judged = [one for one in seen if not one.environment.startswith(OWN_PREFIX)]
    if rule.target == TargetKind.OBSERVATION:
        keys = [(one.trace_id, one.observation_id, one.start_time) for one in judged]
        return _take_observations(scope, active, keys)
    is_session = rule.target == TargetKind.SESSION
    starts: dict[str, datetime] = {}
    for one in judged:
        key = one.session_id if is_session else one.trace_id
        if key:
            starts[key] = min(starts.get(key, one.start_time), one.start_time)
    targets = [
        Target(rule.target, session_id=key, at=at) if is_session else Target(rule.target, trace_id=key, at=at)
        for key, at in starts.items()
    ]
    _wait_for_quiet(active, targets, rule.delay_seconds)
    return 0


def _take_observations(scope: ProjectScope, active: _Active, keys: Sequence[tuple[str, str, datetime]]) -> int:
    """Those that have ended are judged; others may still get their output, and wait until nothing more comes."""
    rule, made = active.rule, 0
    for start in range(0, len(keys), _KEYS_PER_QUERY):
        some = keys[start : start + _KEYS_PER_QUERY]
        try:
            rows = None if rule.pk in _fewer else _matching(scope, active, some)
        except TooExpensive:
            _ask_about_fewer(rule, len(some))
            rows = None
        if rows is None:  # asked about fewer at a time, beside the others; some may not have ended
            unasked = [Target(rule.target, trace_id, id_, "", at) for trace_id, id_, at in some]
            _wait_for_quiet(active, unasked, max(rule.delay_seconds, _UNFINISHED_QUIET))
            continue
        ended: list[Target] = []
        open_: list[Target] = []
        for row in rows:
            target = Target(rule.target, trace_id=row.trace_id, observation_id=row.id, at=row.start_time)
            is_ended = row.end_time is not None or row.type == "EVENT"
            (ended if is_ended else open_).append(target)
        sampled = [one for one in ended if is_sampled(rule.pk, one, rule.sampling)]
        made += _judge(scope, active, sampled, delay_seconds=rule.delay_seconds)
        Candidate.objects.filter(pk__in=[_candidate_id(rule, one) for one in ended]).delete()
        _wait_for_quiet(active, open_, max(rule.delay_seconds, _UNFINISHED_QUIET))
    return made


def _judge(scope: ProjectScope, active: _Active, targets: Sequence[Target], *, delay_seconds: int = 0) -> int:
    """Also those that failed before anybody was asked: what was missing then may have arrived."""
    rule = active.rule
    made = add_judgements(
        scope.project_id, targets, active.evaluator_ids, origin="live", rule=rule, delay_seconds=delay_seconds
    )
    unasked = Judgement.objects.filter(status=JudgementStatus.FAILED, log_text__in=("", "[]"))
    return made + anew_of(unasked, rule.pk, targets, active.evaluator_ids)


def _ask_about_fewer(rule: Rule, number: int) -> None:
    _fewer[rule.pk] = max(number // 2, 1)
    log.warning("The filter of rule %s costs too much: it is asked about fewer at a time.", rule.pk)


def _matching(scope: ProjectScope, active: _Active, keys: Sequence[tuple[str, str, datetime]]) -> list[Any]:
    """One look into the store: the rule's filter over just these keys."""
    wanted = {(trace_id, id_) for trace_id, id_, _ in keys}
    query = store.select(scope, observations, o.trace_id, o.id, o.start_time, o.end_time, o.type).where(
        o.start_time >= min(at for _, _, at in keys),
        o.start_time <= max(at for _, _, at in keys),
        o.trace_id.in_(list({trace_id for trace_id, _, _ in keys})),
        o.id.in_(list({id_ for _, id_, _ in keys})),
        *clauses_of(scope, active.rule.target, active.items),
    )
    found = store.rows(scope, query, tag="judge-match", is_anew=True)
    return [row for row in found if (row.trace_id, row.id) in wanted]


def _candidate_id(rule: Rule, target: Target) -> str:
    return judgement_id(rule.pk, "", target)


def _wait_for_quiet(active: _Active, targets: Iterable[Target], seconds: int) -> None:
    rule = active.rule
    due_at = timezone.now() + timedelta(seconds=seconds)
    rows = [
        Candidate(
            id=_candidate_id(rule, one),
            rule=rule,
            target=one.kind,
            trace_id=one.trace_id,
            observation_id=one.observation_id,
            session_id=one.session_id,
            target_at=one.at or due_at,
            due_at=due_at,
        )
        for one in _that_can_be_kept(rule.project_id, targets)
        if is_sampled(rule.pk, one, rule.sampling)
    ]
    Candidate.objects.bulk_create(
        rows, batch_size=200, update_conflicts=True, unique_fields=["id"], update_fields=["due_at"]
    )


# --- What is quiet by now ------------------------------------------------------------------------------------
def settle_candidates() -> None:
    """Asks the filters about all that are due: what matches is judged, what does not is let go."""
    if not _one_at_a_time.acquire(blocking=False):
        return
    try:
        while _settle_some():
            pass
    finally:
        _one_at_a_time.release()


def _settle_some() -> bool:
    now = timezone.now()
    first = Candidate.objects.filter(due_at__lte=now).select_related("rule").order_by("due_at").first()
    if first is None:
        return False
    rule = first.rule
    all_due = Candidate.objects.filter(rule=rule, due_at__lte=now)
    due = list(all_due.order_by("due_at")[: _fewer.get(rule.pk, _CANDIDATES_PER_TURN)])
    # What arrives meanwhile moves some of them on: those stay.
    these = Candidate.objects.filter(pk__in=[one.pk for one in due], due_at__lte=now)
    active = next(iter(_active_rules(rule.project_id, pk=rule.pk)), None)
    if active is not None:
        try:
            made = _settle(scope_for_task(rule.project_id), active, due)
        except Unavailable:
            return False  # the next sweep asks again
        except (TooExpensive, IntegrityError) as error:
            # Too much was asked, or an evaluator was deleted this moment. The others come first.
            if isinstance(error, TooExpensive):
                if len(due) == 1:
                    log.warning("Rule %s cannot be asked about one target: %s", rule.pk, error.message)
                    these.delete()
                _ask_about_fewer(rule, len(due))
            all_due.update(due_at=now + _REST)
            return True
        except DATABASE_AWAY:
            raise
        except Exception:
            log.exception("Rule %s cannot be asked about what is quiet", rule.pk)
            made = 0
        if made:
            call_worker()
    these.delete()
    _ask_about_more(rule)
    return True


def _ask_about_more(rule: Rule) -> None:
    if rule.pk in _fewer:
        _fewer[rule.pk] *= 2
        if _fewer[rule.pk] >= _CANDIDATES_PER_TURN:
            del _fewer[rule.pk]


def _settle(scope: ProjectScope, active: _Active, due: Sequence[Candidate]) -> int:
    rule = active.rule
    if rule.target in (TargetKind.OBSERVATION, TargetKind.EXPERIMENT):
        keys = [(one.trace_id, one.observation_id, one.target_at) for one in due]
        rows = _matching(scope, active, keys)
        targets = [Target(rule.target, row.trace_id, row.id, "", row.start_time) for row in rows]
    else:
        is_session = rule.target == TargetKind.SESSION
        ids = [one.session_id if is_session else one.trace_id for one in due]
        began = still_there(scope, rule.target, ids, active.items)
        targets = [
            Target(rule.target, session_id=key, at=at) if is_session else Target(rule.target, trace_id=key, at=at)
            for key, at in began.items()
        ]
    return _judge(scope, active, targets)


# --- What is stored ------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Stored:
    """Targets that began in a time and match a filter: `since` is included, `until` is not."""

    kind: str
    items: tuple[Filter, ...]
    since: datetime
    until: datetime

    def count(self, scope: ProjectScope) -> int:
        if self.kind in (TargetKind.OBSERVATION, TargetKind.EXPERIMENT):
            query = store.select(scope, observations, fn.count().label("total")).where(*self._clauses(scope))
        elif self.kind == TargetKind.TRACE:
            query = store.select(scope, traces, fn.count().label("total")).where(*self._clauses(scope))
        else:
            sessions = self._sessions(scope).subquery("sessions")
            counted: Any = select(fn.count().label("total")).select_from(sessions)
            query = counted
        return int(store.rows(scope, query, tag="judge-count")[0].total)

    def after(self, scope: ProjectScope, last: Sequence[str], limit: int) -> list[Target]:
        """The next targets, oldest first, behind the key that `key_of` made of the last one; [] for the start."""
        if self.kind in (TargetKind.OBSERVATION, TargetKind.EXPERIMENT):
            return self._observations(scope, last, limit)
        return self._traces(scope, last, limit) if self.kind == TargetKind.TRACE else self._idle(scope, last, limit)

    @staticmethod
    def key_of(target: Target) -> list[str]:
        at = target.at.isoformat() if target.at else ""
        return [at, target.session_id or target.trace_id, target.observation_id]

    def _clauses(self, scope: ProjectScope) -> list[Any]:
        at = t.timestamp if self.kind in (TargetKind.TRACE, TargetKind.SESSION) else o.start_time
        return [at >= self.since, at < self.until, *clauses_of(scope, self.kind, self.items)]

    def _observations(self, scope: ProjectScope, last: Sequence[str], limit: int) -> list[Target]:
        query = store.select(scope, observations, o.start_time, o.trace_id, o.id).where(*self._clauses(scope))
        if last:
            query = query.where(_behind((o.start_time, o.trace_id, o.id), (_time(last[0]), last[1], last[2])))
        query = query.order_by(o.start_time, o.trace_id, o.id).limit(limit)
        rows = store.rows(scope, query, tag="judge-stored")
        return [Target(self.kind, row.trace_id, row.id, "", row.start_time) for row in rows]

    def _traces(self, scope: ProjectScope, last: Sequence[str], limit: int) -> list[Target]:
        query = store.select(scope, traces, t.timestamp, t.id).where(*self._clauses(scope))
        if last:
            query = query.where(_behind((t.timestamp, t.id), (_time(last[0]), last[1])))
        rows = store.rows(scope, query.order_by(t.timestamp, t.id).limit(limit), tag="judge-stored")
        return [Target(self.kind, row.id, "", "", row.timestamp) for row in rows]

    def _sessions(self, scope: ProjectScope) -> Any:
        began = fn.min(t.timestamp).label("began")
        query = store.select(scope, traces, t.session_id, began).where(*self._clauses(scope))
        return query.group_by(t.session_id)

    def _idle(self, scope: ProjectScope, last: Sequence[str], limit: int) -> list[Target]:
        began = fn.min(t.timestamp)
        query = self._sessions(scope)
        if last:
            query = query.having(_behind((began, t.session_id), (_time(last[0]), last[1])))
        rows = store.rows(scope, query.order_by(began, t.session_id).limit(limit), tag="judge-stored")
        return [Target(self.kind, session_id=row.session_id, at=row.began) for row in rows]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _behind(columns: Sequence[Any], key: Sequence[Any]) -> Any:
    """Greater by the first column in which they differ."""
    if len(columns) == 1:
        return columns[0] > key[0]
    return or_(columns[0] > key[0], (columns[0] == key[0]) & _behind(columns[1:], key[1:]))


def drop_waiting(rule: Rule, problem: str, **which: Any) -> int:
    """Judgements of a rule that nobody has begun end here; what waits for quiet is let go. Returns how many ended."""
    Candidate.objects.filter(rule=rule).delete()
    waiting = Judgement.objects.filter(rule=rule, status=JudgementStatus.WAITING, **which)
    return waiting.update(status=JudgementStatus.CANCELLED, problem=problem, ended_at=timezone.now(), held_by="")


def start_anew(ended: QuerySet[Judgement]) -> int:
    """Judges again what has ended, by what the evaluator says now: the score gets the new value. Returns how many."""
    done = ended.filter(status__in=(JudgementStatus.DONE, JudgementStatus.FAILED, JudgementStatus.CANCELLED))
    return done.update(
        status=JudgementStatus.WAITING,
        due_at=timezone.now(),
        attempts=0,
        answer_text="",
        problem="",
        held_by="",
        # `started_at` stays: what was spent then is of that day.
        ended_at=None,
        is_traced=False,
    )


def anew_of(ended: QuerySet[Judgement], owner: str, targets: Iterable[Target], evaluator_ids: Collection[str]) -> int:
    """`start_anew` with those of `ended` that are about these targets."""
    ids = [judgement_id(owner, id_, target) for target in targets for id_ in evaluator_ids]
    return sum(
        start_anew(ended.filter(pk__in=ids[start : start + _ROWS_PER_STATEMENT]))
        for start in range(0, len(ids), _ROWS_PER_STATEMENT)
    )


def observations_by_id(scope: ProjectScope, ids: Sequence[tuple[str, str]]) -> list[Target]:
    """Those of these (trace, observation) that are there."""
    wanted = set(ids)
    query = store.select(scope, observations, o.trace_id, o.id, o.start_time).where(
        o.trace_id.in_(list({trace_id for trace_id, _ in ids})), o.id.in_(list({id_ for _, id_ in ids}))
    )
    rows = store.rows(scope, query, tag="judge-selected")
    return [
        Target(TargetKind.OBSERVATION, row.trace_id, row.id, "", row.start_time)
        for row in rows
        if (row.trace_id, row.id) in wanted
    ]
