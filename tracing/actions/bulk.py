"""Acts on many traces and observations at once, as jobs: delete, tag, bookmark, score, queue."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from accounts.roles import Role
from config.errors import Invalid, SpanwiseError, Unavailable
from tracing.actions.annotate import Annotation, Target, check_annotation, score_target, score_traces
from tracing.actions.jobs import Step, job_kind, start_job
from tracing.actions.queueing import check_queue, enqueue
from tracing.actions.removal import (
    count_empty_sessions,
    count_with_observations,
    count_with_traces,
    delete_empty_sessions,
    delete_observations,
    delete_traces,
    sessions_of_user,
)
from tracing.actions.traces import bookmark_traces, check_tags, tag_traces
from tracing.models.jobs import Job, JobPart
from tracing.queries.explorer.language import parse
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.wanted import Wanted
from tracing.queries.explorer.writing import write_term
from tracing.queries.periods import Period
from tracing.queries.selection import RowId, Selection, count_selected, next_selected

#: How long a page may take over what it was asked for before it leaves the rest to the worker.
AT_ONCE_SECONDS = 4.0
#: rows of one step: some tenths of a second each
_ROWS_PER_STEP = 500
_SCORES_PER_STEP = 50
#: failures that the receipt lists with their reasons
_MOST_FAILURES = 100
_COUNTED_AT_MOST = 1_000_000

Act = Callable[[list[RowId]], object]


# --- What people ask for ---------------------------------------------------------------------------------------------
def start_deletion(scope: ProjectScope, selection: Selection, *, actor: Actor) -> Job:
    """Deletes traces, newest first, or the traces that the selected observations belong to."""
    return _start(scope, "delete", selection, {}, actor)


def start_tagging(
    scope: ProjectScope, selection: Selection, *, add: Sequence[str], remove: Sequence[str], actor: Actor
) -> Job:
    """Raises Invalid for tags that no trace can have."""
    if not add and not remove:
        raise Invalid(_("Name a tag to add, or one to remove."))
    check_tags(add)
    return _start(scope, "tag", selection, {"add": list(add), "remove": list(remove)}, actor)


def start_bookmarking(scope: ProjectScope, selection: Selection, *, bookmarked: bool, actor: Actor) -> Job:
    return _start(scope, "bookmark", selection, {"bookmarked": bookmarked}, actor)


def start_scoring(scope: ProjectScope, selection: Selection, given: Annotation, *, actor: Actor) -> Job:
    """The same score for each of the selected rows, in the name of who asks. Raises Invalid for what breaks a rule."""
    check_annotation(scope, given)
    said = {"value": given.value, "config_id": given.config_id, "name": given.name}
    said |= {"data_type": given.data_type, "comment": given.comment}
    return _start(scope, "score", selection, {"score": said}, actor)


def start_queueing(
    scope: ProjectScope, selection: Selection, queue_id: str, *, of_sessions: bool = False, actor: Actor
) -> Job:
    """Into an annotation queue, what it does not hold yet: the rows, or the sessions that they belong to.

    Raises NotFound without a queue.
    """
    check_queue(scope, queue_id)
    return _start(scope, "queue", selection, {"queue": queue_id, "of_sessions": of_sessions}, actor)


def start_user_deletion(scope: ProjectScope, user_id: str, *, actor: Actor) -> Job:
    """Deletes everything that one user of the traced application left behind."""
    parameters = {"user_id": user_id}
    return start_job(scope, "delete-user", parameters, actor=actor, at_once_seconds=AT_ONCE_SECONDS)


def _start(scope: ProjectScope, kind: str, selection: Selection, said: dict[str, Any], actor: Actor) -> Job:
    parameters = {"selection": selection.as_json(), **said}
    total = None if selection.wanted else len(selection.ids)
    return start_job(scope, kind, parameters, actor=actor, total=total, at_once_seconds=AT_ONCE_SECONDS)


# --- What the jobs do ------------------------------------------------------------------------------------------------
def _note_what_was_deleted(job: Job) -> None:
    """Of a deletion that did not come to its end. What it did is as much a fact as the rest."""
    _put_on_record(job, _with_checksum(job))


@job_kind("delete", title=gettext_lazy("Delete traces"), role=Role.MEMBER, when_cut_short=_note_what_was_deleted)
def _delete(scope: ProjectScope, job: Job, step: Step) -> None:
    selection = Selection.from_json(job.parameters["selection"])
    _walk(scope, job, step, _deleting(scope, selection))
    _record_deletion(job, step)


@job_kind("tag", title=gettext_lazy("Tag traces"))
def _tag(scope: ProjectScope, job: Job, step: Step) -> None:
    add, remove = job.parameters["add"], job.parameters["remove"]
    _walk(scope, job, step, _changing(job, lambda ids: tag_traces(scope, ids, add=add, remove=remove)))


@job_kind("bookmark", title=gettext_lazy("Bookmark traces"))
def _bookmark(scope: ProjectScope, job: Job, step: Step) -> None:
    bookmarked = bool(job.parameters["bookmarked"])
    _walk(scope, job, step, _changing(job, lambda ids: bookmark_traces(scope, ids, bookmarked=bookmarked)))


@job_kind("score", title=gettext_lazy("Score"))
def _score(scope: ProjectScope, job: Job, step: Step) -> None:
    given = Annotation(**job.parameters["score"])
    selection = Selection.from_json(job.parameters["selection"])

    def score(rows: list[RowId]) -> None:
        if selection.noun is Noun.TRACES:
            score_traces(scope, [row.trace_id for row in rows], given)
            return
        for row in rows:
            score_target(scope, Target(trace_id=row.trace_id, observation_id=row.id), given)

    size = _ROWS_PER_STEP if selection.noun is Noun.TRACES else _SCORES_PER_STEP
    _walk(scope, job, step, _Doing(selection, score, size=size))


@job_kind("queue", title=gettext_lazy("Add to an annotation queue"))
def _queue(scope: ProjectScope, job: Job, step: Step) -> None:
    selection = Selection.from_json(job.parameters["selection"])
    queue_id, of_sessions = job.parameters["queue"], bool(job.parameters["of_sessions"])
    actor = Actor(job.author_id or "", job.author_name, job.author_ip)

    def put(rows: list[RowId]) -> None:
        enqueue(scope, queue_id, selection.noun, rows, of_sessions=of_sessions, actor=actor)

    _walk(scope, job, step, _Doing(selection, put))


@job_kind(
    "delete-user",
    title=gettext_lazy("Delete everything of a user"),
    role=Role.MEMBER,
    when_cut_short=_note_what_was_deleted,
)
def _delete_user(scope: ProjectScope, job: Job, step: Step) -> None:
    user_id = job.parameters["user_id"]
    if "sessions" not in step.cursor:
        # While the traces can still tell.
        step.save(cursor={**step.cursor, "sessions": sessions_of_user(scope, user_id)})
    theirs = write_term("user", user_id)
    if "traces_gone" not in step.cursor:
        _walk(scope, job, step, _deleting(scope, _everything(Noun.TRACES, theirs)))
        # What is left are their observations within traces of others: a walk of its own.
        left = _everything(Noun.OBSERVATIONS, theirs)
        total = job.done + count_selected(scope, left, at_most=_COUNTED_AT_MOST).number
        step.save(cursor={"sessions": step.cursor["sessions"], "traces_gone": True}, total=total)
    if "observations_gone" not in step.cursor:
        _walk(scope, job, step, _deleting_observations(scope, _everything(Noun.OBSERVATIONS, theirs)))
        step.save(cursor={**step.cursor, "observations_gone": True})
    _delete_sessions_left_empty(scope, job, step)
    _record_deletion(job, step)


def _everything(noun: Noun, query: str) -> Selection:
    return Selection.all_of(Wanted(noun, parse(query, noun), Period.named("all")))


def _delete_sessions_left_empty(scope: ProjectScope, job: Job, step: Step) -> None:
    sessions = step.cursor["sessions"]
    if "sessions_gone" in step.cursor:
        return
    if "of_sessions" not in step.cursor:
        # Counted before, for whoever comes after a kill finds none.
        step.save(cursor={**step.cursor, "of_sessions": count_empty_sessions(scope, sessions)})
    delete_empty_sessions(scope, sessions)
    counts = Counter(job.result.get("counts", {}))
    counts.update(step.cursor["of_sessions"])
    step.save(cursor={**step.cursor, "sessions_gone": True}, result={**job.result, "counts": dict(counts)})


@dataclass(frozen=True, slots=True)
class _Doing:
    """What a walk does to what was selected. `prepare` looks before each step at what there is, for the receipt."""

    selection: Selection
    act: Act
    prepare: Callable[[list[RowId]], dict[str, int]] | None = None
    size: int = _ROWS_PER_STEP


def _deleting(scope: ProjectScope, selection: Selection) -> _Doing:
    def trace_ids(rows: list[RowId]) -> list[str]:
        return list(dict.fromkeys(row.trace_id for row in rows))

    return _Doing(
        selection,
        act=lambda rows: delete_traces(scope, trace_ids(rows)),
        prepare=lambda rows: count_with_traces(scope, trace_ids(rows)),
    )


def _deleting_observations(scope: ProjectScope, selection: Selection) -> _Doing:
    def places(rows: list[RowId]) -> list[tuple[str, str]]:
        return [(row.trace_id, row.id) for row in rows]

    return _Doing(
        selection,
        act=lambda rows: delete_observations(scope, places(rows)),
        prepare=lambda rows: count_with_observations(scope, places(rows)),
    )


def _changing(job: Job, change: Callable[[list[str]], object]) -> _Doing:
    """An act on traces, also on those of selected observations."""
    selection = Selection.from_json(job.parameters["selection"])
    return _Doing(selection, lambda rows: change(list(dict.fromkeys(row.trace_id for row in rows))))


def _walk(scope: ProjectScope, job: Job, step: Step, doing: _Doing) -> None:
    """Steps through all that was selected. What a step is about to do is written down before it is done, so that after
    a kill nothing is left out, and nothing is counted twice."""
    if job.total is None:
        counted = count_selected(scope, doing.selection, at_most=_COUNTED_AT_MOST)
        if counted.is_all:
            step.save(total=counted.number)
    while True:
        part = job.parts.filter(is_done=False).first() or _next_part(scope, job, step, doing)
        if part is None:
            return
        _do_part(job, step, doing, part)


def _next_part(scope: ProjectScope, job: Job, step: Step, doing: _Doing) -> JobPart | None:
    found = next_selected(scope, doing.selection, step.cursor.get("at", ""), size=doing.size)
    if found is None:
        return None
    rows, at = found
    counts = doing.prepare(rows) if doing.prepare else {}
    with transaction.atomic():
        ids = [[row.trace_id, row.id] for row in rows]
        part = JobPart.objects.create(job=job, number=job.parts.count(), ids=ids, counts=counts)
        step.save(cursor={**step.cursor, "at": at}, stops=False)
    step.go_on()
    return part


def _do_part(job: Job, step: Step, doing: _Doing, part: JobPart) -> None:
    rows = [RowId(*one) for one in part.ids]
    failures = _try(doing.act, rows)
    if failures and doing.prepare:
        _leave_out(part, failures, doing.prepare)
    counts = Counter(job.result.get("counts", {}))
    counts.update(part.counts)
    known = job.result.get("failures", [])
    result = {**job.result, "counts": dict(counts), "failures": [*known, *failures][:_MOST_FAILURES]}
    with transaction.atomic():
        JobPart.objects.filter(pk=part.pk).update(is_done=True, ids=part.ids, counts=part.counts)
        step.save(done=len(rows), failed=len(failures), result=result, stops=False)
    step.go_on()


def _leave_out(part: JobPart, failures: list[dict[str, str]], count: Callable[[list[RowId]], dict[str, int]]) -> None:
    """What could not be done is in no receipt, nor is what hangs on it."""
    failed = {(one["trace_id"], one["id"]) for one in failures}
    left = count([RowId(*one) for one in failed])
    part.ids = [one for one in part.ids if tuple(one) not in failed]
    part.counts = {name: max(number - left.get(name, 0), 0) for name, number in part.counts.items()}


def _try(act: Act, rows: list[RowId]) -> list[dict[str, str]]:
    """All at once, or else one by one, so that one that cannot be done keeps none of the others from it."""
    try:
        act(rows)
    except Unavailable:
        raise
    except SpanwiseError as error:
        if len(rows) == 1:
            return [{"trace_id": rows[0].trace_id, "id": rows[0].id, "reason": error.message}]
        return [failure for row in rows for failure in _try(act, [row])]
    return []


# --- The receipt -----------------------------------------------------------------------------------------------------
def _record_deletion(job: Job, step: Step) -> None:
    """The last step: what was deleted, in the job and in the log of changes."""
    if step.cursor.get("is_recorded"):
        return
    result = _with_checksum(job)
    with transaction.atomic():
        _put_on_record(job, result)
        step.save(cursor={**step.cursor, "is_recorded": True}, result=result, stops=False)


def _with_checksum(job: Job) -> dict[str, Any]:
    return {"counts": {}, **job.result, "checksum": checksum_of(deleted_ids(job))}


def _put_on_record(job: Job, result: dict[str, Any]) -> None:
    Job.objects.filter(pk=job.pk).update(result=result)
    actor = Actor(job.author_id or "", job.author_name, job.author_ip)
    record(actor, "trace.delete", job, after={"asked": job.parameters, **result})


def deleted_ids(job: Job) -> list[str]:
    """Ids of the traces that a job deleted, sorted."""
    return sorted({trace_id for part in _parts(job, is_done=True) for trace_id, _row_id in part.ids})


def _parts(job: Job, *, is_done: bool, of: str = "traces") -> Iterator[JobPart]:
    """Parts of a deletion: of whole traces, or of observations within traces that stay."""
    for part in job.parts.filter(is_done=is_done).iterator():
        if ("traces" in part.counts) == (of == "traces"):
            yield part


def checksum_of(ids: Sequence[str]) -> str:
    """SHA-256 of the sorted ids, each with a newline behind it: what `sort | sha256sum` says."""
    digest = hashlib.sha256()
    for one in ids:
        digest.update(one.encode("utf-8", "surrogateescape") + b"\n")
    return digest.hexdigest()


def receipt_of(job: Job) -> dict[str, Any]:
    """For the download: who asked for what, when, what it came to, and the ids."""
    receipt = {
        "job": str(job.pk),
        "project": job.project_id,
        "kind": job.kind,
        "asked": job.parameters,
        "by": job.author_name,
        "status": job.status,
        "message": job.message,
        "asked_at": job.created_at.isoformat(),
        "finished_at": job.finished_at.isoformat() if job.finished_at else None,
        "done": job.done,
        "failed": job.failed,
        **job.result,
    }
    if job.kind in ("delete", "delete-user"):
        receipt["trace_ids"] = deleted_ids(job)
        for of, name in (("traces", "begun"), ("observations", "observations_begun")):
            # Cut short in the middle of a step, and never taken up again: some of these may be gone.
            if begun := [one for part in _parts(job, is_done=False, of=of) for one in part.ids]:
                receipt[name] = begun
        if observations := [one for part in _parts(job, is_done=True, of="observations") for one in part.ids]:
            receipt["observation_ids"] = observations
        receipt["what_remains"] = [
            _("The log of changes and this receipt, which hold ids and numbers and nothing of what was recorded."),
            _("Scores and comments of sessions that other traces belong to."),
            _("Spans of these traces that arrive later: they are new, and are kept."),
            _("Spans that could not be stored, as they were sent: they are listed under Ingestion problems."),
        ]
    return receipt
