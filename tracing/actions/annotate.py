"""Scores that people give: to a trace, an observation or a session, by a score config or freely."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from django.utils.translation import gettext as _
from sqlalchemy import ColumnElement

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from accounts.models import Project
from accounts.roles import Role
from config.errors import Invalid, NotFound
from tracing.actions.removal import delete_score
from tracing.analytics import store
from tracing.analytics.records import Score, ScoreSource, ScoreType
from tracing.analytics.tables import observations, scores, traces
from tracing.ingest import write
from tracing.ingest.environment import DEFAULT
from tracing.ingest.model import Envelope
from tracing.ingest.score_rules import Rulebook
from tracing.ingest.scores import find_issues, score_record
from tracing.queries import trace_page
from tracing.queries.scores import get_score

#: ids in one IN list
_IDS_PER_QUERY = 2000
#: ids of scores are made of what they are about: to say it again changes what was said
_IDS = uuid.UUID("6f0a4c55-0d3c-4b52-9a43-0c3d3a5a7a01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is scored: a trace, one of its observations, or a session."""

    trace_id: str = ""
    observation_id: str = ""
    session_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What a person says. With a config the name and type are the config's; else `data_type` is a ScoreType.

    `value` is a number, 0 or 1 for truth, or the text of a category, a remark or a correction.
    """

    value: float | str
    config_id: str = ""
    name: str = ""
    data_type: str = ""
    comment: str = ""
    queue_id: str = ""


def score_target(scope: ProjectScope, target: Target, given: Annotation, *, score_id: str = "") -> Score:
    """Gives a score, or changes the one that this person gave before under this config or name.

    `score_id` names another one to be changed instead. Raises Invalid with what is wrong, NotFound without a target,
    Unavailable when the store is away.
    """
    scope.require(Role.MEMBER)
    environment = _environment_of(scope, target)
    score = _made(scope, target, given, environment)
    if score_id:
        score = replace(score, id=get_score_of(scope, target, score_id).id)
    write.put_scores(scope, [score])
    return score


def check_annotation(scope: ProjectScope, given: Annotation) -> None:
    """Raises Invalid for what no target can be given. For who is about to give it to many."""
    _made(scope, Target(trace_id="any"), given, DEFAULT)


def score_traces(scope: ProjectScope, ids: Sequence[str], given: Annotation) -> int:
    """The same score for each of these traces; returns for how many. Those that are gone are passed over."""
    scope.require(Role.MEMBER)
    found: dict[str, str] = {}
    wanted = list(dict.fromkeys(ids))
    for start in range(0, len(wanted), _IDS_PER_QUERY):
        some = wanted[start : start + _IDS_PER_QUERY]
        query = store.select(scope, traces, traces.c.id, traces.c.environment).where(traces.c.id.in_(some))
        found |= {row.id: row.environment for row in store.rows(scope, query, tag="annotate")}
    made = [_made(scope, Target(trace_id=id_), given, environment) for id_, environment in found.items()]
    write.put_scores(scope, made)
    return len(made)


def correct_output(scope: ProjectScope, target: Target, text: str) -> Score:
    """Keeps what should have been answered. A node has one correction: it replaces the one before."""
    if not target.trace_id:
        raise Invalid(_("Only the output of a trace or an observation can be corrected."))
    known = find_correction(scope, target)
    given = Annotation(value=text, data_type=ScoreType.CORRECTION.value)
    return score_target(scope, target, given, score_id=known.id if known else "")


def remove_score(scope: ProjectScope, score_id: str, *, actor: Actor) -> None:
    """Whoever gave it. Raises NotFound."""
    scope.require(Role.MEMBER)
    _remove(scope, [get_score(scope, score_id)], actor)


def remove_corrections(scope: ProjectScope, target: Target, *, actor: Actor) -> None:
    """All that a node has: programs may have sent several, of which the newest was shown. None is no error."""
    scope.require(Role.MEMBER)
    query = store.select(scope, scores).where(*_about(target), scores.c.data_type == ScoreType.CORRECTION.value)
    _remove(scope, store.records(scope, Score, query, tag="correction", is_anew=True), actor)


def _remove(scope: ProjectScope, found: Sequence[Score], actor: Actor) -> None:
    project = Project.objects.get(pk=scope.project_id)
    for score in found:
        said = {
            "id": score.id,
            "name": score.name,
            "value": score.string_value or score.value,
            "trace_id": score.trace_id,
            "observation_id": score.observation_id,
            "session_id": score.session_id,
            "author": score.author_user_id,
        }
        record(actor, "score.delete", project, before=said)
        delete_score(scope, score.id)


def find_correction(scope: ProjectScope, target: Target) -> Score | None:
    """The newest correction of a node, from here or from the API."""
    s = scores.c
    query = (
        store.select(scope, scores)
        .where(*_about(target), s.data_type == ScoreType.CORRECTION.value)
        .order_by(s.updated_at.desc(), s.id)
        .limit(1)
    )
    found = store.records(scope, Score, query, tag="correction")
    return found[0] if found else None


def get_score_of(scope: ProjectScope, target: Target, score_id: str) -> Score:
    """One score of this target. Raises NotFound."""
    query = store.select(scope, scores).where(*_about(target), scores.c.id == score_id).limit(1)
    found = store.records(scope, Score, query, tag="annotate")
    if not found:
        raise NotFound(_("There is no such score."))
    return found[0]


def score_id_of(scope: ProjectScope, target: Target, given: Annotation) -> str:
    """The id under which this person's score of the target is kept."""
    is_correction = given.data_type == ScoreType.CORRECTION
    author = "" if is_correction else scope.user_id
    parts = [
        scope.project_id,
        target.trace_id,
        target.observation_id,
        target.session_id,
        given.config_id or f"{given.data_type}:{given.name}",
        given.queue_id,
        author,
    ]
    return str(uuid.uuid5(_IDS, "\n".join(f"{len(part)}:{part}" for part in parts)))


def _about(target: Target) -> list[ColumnElement[bool]]:
    s = scores.c
    return [
        s.trace_id == target.trace_id,
        s.observation_id == target.observation_id,
        s.session_id == target.session_id,
    ]


def _environment_of(scope: ProjectScope, target: Target) -> str:
    """That of the target, which must be there."""
    if bool(target.trace_id) == bool(target.session_id) or (target.observation_id and not target.trace_id):
        raise Invalid(_("A score is about a trace, one of its observations, or a session."))
    if target.session_id:
        t = traces.c
        query = store.select(scope, traces, t.environment).where(t.session_id == target.session_id).limit(1)
        found = store.rows(scope, query, tag="annotate")
        if not found:
            raise NotFound(_("There is no such session in this project."))
        return str(found[0].environment)
    trace = trace_page.get_trace_record(scope, target.trace_id)
    if target.observation_id:
        _require_observation(scope, target, trace.first_start, trace.last_start)
    return trace.environment


def _require_observation(scope: ProjectScope, target: Target, first: datetime, last: datetime) -> None:
    o = observations.c
    query = (
        store.select(scope, observations, o.id)
        .where(o.start_time >= first, o.start_time <= last, o.trace_id == target.trace_id)
        .where(o.id == target.observation_id)
        .limit(1)
    )
    if not store.rows(scope, query, tag="annotate"):
        raise NotFound(_("There is no such observation in this trace."))


def _made(scope: ProjectScope, target: Target, given: Annotation, environment: str) -> Score:
    body = _as_sent(target, given, environment)
    issues = find_issues(body, ())
    if issues:
        raise Invalid(str(issues[0]["message"]), issues=[dict(issue) for issue in issues])
    rules, breach = Rulebook(scope.project_id, [body]).hold(body)
    if breach:
        raise Invalid(breach.reason)
    now = datetime.now(UTC)
    envelope = Envelope(project_id=scope.project_id, kind="scores", received_at=now)
    made = score_record({**body, "id": score_id_of(scope, target, given)}, rules, envelope, now)
    return replace(made, source=ScoreSource.ANNOTATION.value, author_user_id=scope.user_id)


def _as_sent(target: Target, given: Annotation, environment: str) -> dict[str, object]:
    """The same as the API takes, so that one set of rules holds for people and programs.

    `source` is left out: programs need a config to annotate, people do not.
    """
    said = {
        "traceId": target.trace_id,
        "observationId": target.observation_id,
        "sessionId": target.session_id,
        "configId": given.config_id,
        # A config decides the name; without one the API's rule asks for it.
        "name": given.name or ("config" if given.config_id else ""),
        "dataType": given.data_type,
        "comment": given.comment,
        "queueId": given.queue_id,
        "environment": environment,
    }
    return {**{key: value for key, value in said.items() if value}, "value": given.value}
