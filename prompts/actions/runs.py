"""Runs of a playground's windows: started and stopped by people, worked on by `prompts.playground.work`."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from accounts.models import Project, User
from accounts.roles import Role
from config.calling import tell_worker
from config.errors import TooMany, wrong
from prompts.actions.playground import save_state
from prompts.models import Playground, PlaygroundRun, RunStatus
from prompts.models.playground import UNFINISHED
from prompts.playground import calls, pieces, work
from prompts.playground import state as shape
from prompts.playground.calls import Prepared
from prompts.playground.origins import unchanged_prompt
from prompts.playground.state import MOST_WINDOWS, Path, State, Window
from prompts.queries.playground import MOST_KEPT, runs, unfinished

_RETRY_SECONDS = 10
_LONG_WAIT = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Issue:
    """What keeps a window from being run, by the place of it in the window, or of a variable."""

    window: str
    path: Path
    message: str


@dataclass(frozen=True, slots=True)
class Started:
    revision: int
    runs: list[PlaygroundRun]
    issues: list[Issue]


def start_runs(
    scope: ProjectScope, playground: Playground, state: Any, revision: int, window_ids: Sequence[str]
) -> Started:
    """Saves the state and starts those windows that can be run. Raises what `save_state` raises, Invalid for windows
    that are not there, and TooMany where the project runs as much as it may; then nothing is saved."""
    scope.require(Role.MEMBER)
    checked = shape.checked(state)
    wanted = [_window(checked, window_id) for window_id in dict.fromkeys(window_ids)]
    ready, issues = _prepared(scope, playground, checked, wanted)
    with transaction.atomic():
        # Those who start at the same moment wait for each other, so that the limits hold.
        Project.objects.select_for_update().get(pk=scope.project_id)
        _check_room(scope, playground, len(ready))
        new_revision = save_state(scope, playground, checked, revision)
        started = [_create(scope, playground, window, prepared) for window, prepared in ready]
        _remove_old(scope, playground, [window["id"] for window in checked["windows"]])
        if started:
            transaction.on_commit(call_worker)
    return Started(new_revision, started, issues)


def stop_runs(scope: ProjectScope, playground: Playground, run_ids: Sequence[str]) -> None:
    """Those that wait end at once, those that run within a second. Those that have ended stay as they are."""
    scope.require(Role.MEMBER)
    mine = runs(scope, playground).filter(pk__in=[one for one in run_ids if "\x00" not in one][:1000])
    now = timezone.now()
    problem = {"trouble": "", "message": _("Stopped."), "status": None, "body": "", "request_id": ""}
    mine.filter(status=RunStatus.QUEUED).update(
        status=RunStatus.STOPPED, ended_at=now, problem=orjson.dumps(problem).decode()
    )
    mine.filter(status=RunStatus.RUNNING).update(is_stopping=True)


def call_worker() -> None:
    tell_worker("prompts.tasks.work_on_runs", "the run")


def _window(state: State, window_id: str) -> Window:
    found = shape.window_of(state, window_id)
    if found is None:
        raise wrong({"windows": _("There is no such window.")})
    return found


def _prepared(
    scope: ProjectScope, playground: Playground, state: State, wanted: Sequence[Window]
) -> tuple[list[tuple[Window, Prepared]], list[Issue]]:
    busy = set(runs(scope, playground).filter(status__in=UNFINISHED).values_list("window", flat=True))
    ready: list[tuple[Window, Prepared]] = []
    issues: list[Issue] = []
    for window in wanted:
        if window["id"] in busy:
            issues.append(Issue(window["id"], (), _("This window still runs: wait for it, or stop it.")))
            continue
        prepared = calls.prepare(scope, state, window)
        issues += [Issue(window["id"], path, message) for path, message in prepared.issues]
        if not prepared.issues:
            ready.append((window, prepared))
    return ready, issues


def _check_room(scope: ProjectScope, playground: Playground, wanted: int) -> None:
    most = settings.PLAYGROUND_RUNS_PER_PROJECT
    going = unfinished(scope).count()
    if wanted and going + wanted > most:
        said = _("The project runs %(going)d at once, and %(most)d is the most. Wait for some of them, or stop them.")
        raise TooMany(said % {"going": going, "most": most}, _RETRY_SECONDS)
    if wanted and runs(scope, playground).filter(status__in=UNFINISHED).count() + wanted > MOST_WINDOWS:
        said = _("This playground runs as much at once as it may. Wait for some of it, or stop it.")
        raise TooMany(said, _RETRY_SECONDS)


def _create(scope: ProjectScope, playground: Playground, window: Window, prepared: Prepared) -> PlaygroundRun:
    assert prepared.call is not None
    assert prepared.connection is not None
    author = User.objects.filter(pk=scope.user_id).first()
    sent = {
        **calls.to_json(prepared.call),
        "title": playground.title,
        "window_title": window["title"],
        "schema_name": (window["output_schema"] or {}).get("name", ""),
        "prompt": unchanged_prompt(scope, window),
        "user": author.email if author else "",
    }
    return PlaygroundRun.objects.create(
        playground=playground,
        project_id=scope.project_id,
        window=window["id"],
        author=author,
        connection=prepared.connection.provider,
        model=prepared.call.model,
        sent=orjson.dumps(sent).decode(),
        trace_id=secrets.token_hex(16),
        observation_id=secrets.token_hex(8),
    )


def _remove_old(scope: ProjectScope, playground: Playground, window_ids: Sequence[str]) -> None:
    """What of each window is beyond the newest ones, and all of windows that are gone."""
    ended = runs(scope, playground).exclude(status__in=UNFINISHED)
    doomed = list(ended.exclude(window__in=window_ids).values_list("pk", flat=True))
    seen: dict[str, int] = {}
    for pk, window, status in runs(scope, playground).values_list("pk", "window", "status"):
        seen[window] = seen.get(window, 0) + 1
        if seen[window] > MOST_KEPT and status not in UNFINISHED:
            doomed.append(pk)
    # What is not traced yet waits for that.
    ended.filter(pk__in=doomed).exclude(is_traced=False, started_at__isnull=False).delete()


# --- News ------------------------------------------------------------------------------------------------
def news_of(scope: ProjectScope, playground: Playground, after: Mapping[str, int]) -> list[dict[str, Any]]:
    """Of each of these runs how it stands, and its pieces after the cursor. A run whose process ended is settled here,
    so that nobody waits for it; one that is not there (any more) is lost."""
    known = {run.pk: run for run in _light(scope, playground, after)}
    work.settle(run for run in known.values() if run.status == RunStatus.RUNNING)
    said = pieces.read({run_id: cursor for run_id, cursor in after.items() if run_id in known})
    return [
        _news(known[run_id], *said.get(run_id, (cursor, [])))
        if run_id in known
        else {"id": run_id, "window": "", "status": RunStatus.LOST.value, "cursor": cursor, "pieces": []}
        for run_id, cursor in after.items()
    ]


def _light(scope: ProjectScope, playground: Playground, ids: Iterable[str]) -> QuerySet[PlaygroundRun]:
    wanted = [one for one in ids if "\x00" not in one]
    return runs(scope, playground).filter(pk__in=wanted).defer("answer", "problem")


def _news(run: PlaygroundRun, cursor: int, said: list[pieces.Piece]) -> dict[str, Any]:
    news = {
        "id": run.pk,
        "window": run.window,
        "status": run.status,
        "cursor": cursor,
        "pieces": said,
        "elapsed_ms": _elapsed_ms(run),
    }
    if run.first_token_ms is not None:
        news["first_token_ms"] = run.first_token_ms
    if run.status == RunStatus.QUEUED and (note := _why_it_waits(run)):
        news["note"] = note
    return news


def _elapsed_ms(run: PlaygroundRun) -> int:
    began = run.started_at or run.created_at
    return max(round(((run.ended_at or timezone.now()) - began).total_seconds() * 1000), 0)


def _why_it_waits(run: PlaygroundRun) -> str:
    """Of a run that has waited for long."""
    if timezone.now() - run.created_at < _LONG_WAIT:
        return ""
    if PlaygroundRun.objects.filter(status=RunStatus.RUNNING).exists():
        return _("Other runs come first: it starts as soon as one of them ends.")
    return _("No worker takes it. It starts as soon as one runs.")
