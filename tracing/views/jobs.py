"""Jobs: what runs, how far it is, what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.roles import Role
from config.api.values import to_json
from config.errors import Conflict
from config.posting import posted_from
from config.rendering import render_page
from tracing.actions import jobs as job_actions
from tracing.actions import recompute
from tracing.actions.bulk import receipt_of
from tracing.models.jobs import Job, JobStatus
from tracing.queries.jobs import get_job, list_jobs, open_jobs_of

STATUS: dict[str, tuple[str | Promise, str]] = {
    JobStatus.QUEUED: (gettext_lazy("waiting"), ""),
    JobStatus.RUNNING: (gettext_lazy("running"), "running"),
    JobStatus.DONE: (gettext_lazy("done"), "good"),
    JobStatus.FAILED: (gettext_lazy("failed"), "level"),
    JobStatus.CANCELLED: (gettext_lazy("cancelled"), ""),
}
_COUNTS: dict[str, str | Promise] = {
    "traces": gettext_lazy("Traces"),
    "observations": gettext_lazy("Observations"),
    "scores": gettext_lazy("Scores"),
    "comments": gettext_lazy("Comments"),
    "media": gettext_lazy("Media files"),
    "sessions": gettext_lazy("Sessions left empty"),
    "items": gettext_lazy("Items added"),
    "known_items": gettext_lazy("In the dataset already"),
    "judgements": gettext_lazy("Judgements begun"),
}


@dataclass(frozen=True, slots=True)
class ShownJob:
    """A job in words."""

    job: Job

    @property
    def title(self) -> str:
        kind = job_actions.kind_of(self.job)
        return str(kind.title) if kind else self.job.kind

    @property
    def status(self) -> str:
        return str(STATUS[self.job.status][0])

    @property
    def status_class(self) -> str:
        return STATUS[self.job.status][1]

    @property
    def percent(self) -> int | None:
        """None where nobody knows how much there is."""
        if self.job.status == JobStatus.DONE:
            return 100
        if not self.job.total:
            return None
        return min(100, self.job.done * 100 // self.job.total)

    @property
    def asked(self) -> list[tuple[str, str]]:
        """What was asked for, as label and value."""
        return list(_asked(self.job.parameters))

    @property
    def counts(self) -> list[tuple[str, int]]:
        counts: dict[str, int] = self.job.result.get("counts", {})
        return [(str(label), counts[name]) for name, label in _COUNTS.items() if name in counts]

    @property
    def failures(self) -> list[dict[str, str]]:
        return self.job.result.get("failures", []) or []

    @property
    def took(self) -> timedelta | None:
        if self.job.started_at is None:
            return None
        return (self.job.finished_at or timezone.now()) - self.job.started_at

    @property
    def recomputed(self) -> recompute.Receipt | None:
        """What recomputed costs came to, so far."""
        return recompute.receipt_of(self.job) if self.job.kind == recompute.KIND else None

    @property
    def judgements_query(self) -> str:
        """Of the log of judgements, narrowed to what this job began; empty for a job that judges nothing."""
        if "judgements" not in self.job.result.get("counts", {}):
            return ""
        rule = self.job.parameters.get("rule_id")
        return urlencode({"range": "all", **({"rule": rule} if rule else {"origin": "manual"})})

    @property
    def is_deletion(self) -> bool:
        return self.job.kind in ("delete", "delete-user")


def _asked(parameters: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if selection := parameters.get("selection"):
        yield from _selected(selection)
    if "names" in parameters:
        yield _("Model names"), ", ".join(parameters["names"]) or _("all")
        yield _("Time"), f"{_shortly(parameters['since'])} – {_shortly(parameters['until'])}"
    for name, label in (
        ("dataset_name", _("Dataset")),
        ("rule", _("Rule")),
        ("evaluators", _("Evaluators")),
        ("file", _("File")),
    ):
        if parameters.get(name):
            yield label, str(parameters[name])
    if user := parameters.get("user_id"):
        yield _("User"), str(user)
    for name, label in (("add", _("Tags to add")), ("remove", _("Tags to remove"))):
        if parameters.get(name):
            yield label, ", ".join(map(str, parameters[name]))
    if "bookmarked" in parameters:
        yield _("Bookmark"), _("set") if parameters["bookmarked"] else _("taken away")
    if score := parameters.get("score"):
        yield _("Score"), f"{score.get('name') or score.get('config_id')} = {score.get('value')}"


def _selected(selection: dict[str, Any]) -> Iterator[tuple[str, str]]:
    is_traces = selection["noun"] == "traces"
    if "ids" in selection:
        number = len(selection["ids"])
        chosen = (
            ngettext("%(number)s trace", "%(number)s traces", number)
            if is_traces
            else ngettext("%(number)s observation", "%(number)s observations", number)
        )
        yield _("Chosen"), chosen % {"number": f"{number:,}"}
        return
    yield _("All that match"), selection["query"] or (_("every trace") if is_traces else _("every observation"))
    if selection["environments"]:
        yield _("Environments"), ", ".join(selection["environments"])
    if selection["since"] or selection["until"]:
        yield _("Time"), f"{_shortly(selection['since'])} – {_shortly(selection['until'])}"


def _shortly(moment: str | None) -> str:
    return moment[:19].replace("T", " ") if moment else "…"


@require_safe
@project_page(Role.VIEWER)
def job_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    page = list_jobs(scope, before=request.GET.get("before", ""))
    shown = [ShownJob(job) for job in page.jobs]
    context = {
        "scope": scope,
        "page": page,
        "jobs": shown,
        "has_open": any(one.job.is_unfinished for one in shown),
    }
    return render_page(request, "tracing/job_list.html", context, fragment="jobs")


@require_safe
@project_page(Role.VIEWER)
def job_detail(request: HttpRequest, scope: ProjectScope, job_id: str) -> HttpResponse:
    job = get_job(scope, job_id)
    kind = job_actions.kind_of(job)
    may_cancel = scope.role.allows(kind.role if kind else Role.MEMBER)
    context = {"scope": scope, "shown": ShownJob(job), "job": job, "may_cancel": may_cancel}
    return render_page(request, "tracing/job_detail.html", context, fragment="job")


@require_safe
@project_page(Role.VIEWER)
def job_receipt(request: HttpRequest, scope: ProjectScope, job_id: str) -> HttpResponse:
    """What a job was asked for, what it did and to which ids, as a file."""
    job = get_job(scope, job_id)
    response = HttpResponse(to_json(receipt_of(job)), content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="receipt-{job.pk}.json"'
    response["Cache-Control"] = "private, no-store"
    return response


@require_safe
@project_page(Role.VIEWER)
def job_indicator(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """The sign in the bar, while jobs of this person run and once they have ended."""
    watched = request.GET.get("watch", "").split(",")[:20]
    context = {"scope": scope, **indicator(scope, watched)}
    return render_page(request, "tracing/_jobs_indicator.html", context, fragment="jobs-indicator")


def indicator(scope: ProjectScope, watched: list[str]) -> dict[str, Any]:
    found = open_jobs_of(scope, watched=watched)
    running = [ShownJob(job) for job in found if job.is_unfinished]
    ended = [ShownJob(job) for job in found if not job.is_unfinished]
    return {"running": running, "ended": ended, "watch": ",".join(str(job.pk) for job in found)}


@posted_from("tracing:job-list")
@project_page(Role.MEMBER)
def job_cancel(request: HttpRequest, scope: ProjectScope, job_id: str) -> HttpResponse:
    from accounts.audit import Actor

    get_job(scope, job_id)
    try:
        job_actions.cancel_job(scope, job_id, actor=Actor.of(request))
    except Conflict as conflict:
        messages.warning(request, conflict.message)
    return HttpResponseRedirect(reverse("tracing:job-detail", args=[scope.project_id, job_id]), status=303)
