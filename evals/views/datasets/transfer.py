"""Items out of a file and into one."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import orjson
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Conflict, Invalid, NotFound, TooLarge
from config.posting import posted_from
from config.rendering import render_page
from evals.actions import imports
from evals.datasets import export, files
from evals.datasets.changes import Keep
from evals.models import Dataset, DatasetImport
from evals.queries import datasets as queries
from evals.views.datasets.addresses import dataset_url, form_url
from evals.views.datasets.detail import version_from
from evals.views.datasets.listing import asked_dataset
from tracing.models.jobs import Job

_PREVIEWED = 8
_MOST_PROBLEMS = 100
#: characters of a value in the preview
_SHOWN = 160


@require_safe
@project_page(Role.VIEWER)
def dataset_export(request: HttpRequest, scope: ProjectScope, dataset_id: str, format: str) -> HttpResponseBase:
    """All items, or with `version` those of that time."""
    dataset = queries.get_dataset(scope, dataset_id)
    if format not in export.FORMATS:
        raise NotFound("There is no such export.")
    now = timezone.now()
    pieces = export.export(scope, dataset, format, as_of=version_from(request.GET), now=now)
    response = StreamingHttpResponse(
        pieces if request.method == "GET" else iter(()), content_type=export.FORMATS[format]
    )
    response["Content-Disposition"] = f'attachment; filename="{_file_name(dataset, format, now)}"'
    response["Cache-Control"] = "private, no-store"
    # A proxy that gathers the whole file first would need room for it.
    response["X-Accel-Buffering"] = "no"
    return response


def _file_name(dataset: Dataset, format: str, now: datetime) -> str:
    """Letters that every system takes."""
    return f"{slugify(dataset.name)[:80] or 'dataset'}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}.{format}"


# --- In: a file -------------------------------------------------------------------------------------------
@require_safe
@project_page(Role.MEMBER)
def dataset_import(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _choose_page(request, scope, asked_dataset(scope, request.GET))


@posted_from("evals:dataset-list")
@project_page(Role.MEMBER)
def dataset_import_upload(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    dataset = asked_dataset(scope, request.POST)
    file = request.FILES.get("file")
    if file is None or isinstance(file, list):
        return _choose_page(request, scope, dataset, problem=_("Choose a file."))
    try:
        kept = imports.take_in(scope, dataset, file.file or file, file.name or "", file.size or 0)  # type: ignore[arg-type]
    except (Invalid, TooLarge) as refusal:
        return _choose_page(request, scope, dataset, problem=refusal.words)
    return see_other(import_url(scope, kept))


def _choose_page(request: HttpRequest, scope: ProjectScope, dataset: Dataset, problem: str = "") -> HttpResponse:
    context = {
        "scope": scope,
        "dataset": dataset,
        "back": dataset_url(scope, dataset.pk),
        "largest": files.LARGEST >> 20,
        "problem": problem,
    }
    return render_page(request, "evals/dataset_import.html", context, status=422 if problem else 200)


# --- In: which column is what -----------------------------------------------------------------------------
@require_safe
@project_page(Role.MEMBER)
def dataset_import_review(request: HttpRequest, scope: ProjectScope, import_id: str) -> HttpResponse:
    """The first rows as the items they would be, by the mapping in the address; or how far the import is."""
    kept = imports.get_import(scope, import_id)
    return _review(request, scope, kept)


@posted_from("evals:dataset-list")
@project_page(Role.MEMBER)
def dataset_import_start(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    kept = imports.get_import(scope, request.POST.get("import", ""))
    reads_json = bool(request.POST.get("json"))
    try:
        imports.start_import(
            scope, kept, mapping_from(kept, request.POST), reads_json=reads_json, actor=Actor.of(request)
        )
    except Conflict as refusal:
        messages.warning(request, refusal.message)
    except Invalid as refusal:
        return _review(request, scope, kept, problem=refusal.words)
    return see_other(import_url(scope, kept))


@require_safe
@project_page(Role.MEMBER)
def dataset_import_problems(request: HttpRequest, scope: ProjectScope, import_id: str) -> HttpResponseBase:
    """The rows that are no items, as a file."""
    kept = imports.get_import(scope, import_id)
    if not kept.is_kept or not kept.problems.exists():
        raise NotFound(_("The file is not there any more."))
    response = StreamingHttpResponse(
        imports.bad_rows(kept) if request.method == "GET" else iter(()), content_type=export.FORMATS[kept.format]
    )
    name = f"{slugify(kept.file_name.rpartition('.')[0])[:80] or 'import'}-bad-rows.{kept.format}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def import_url(scope: ProjectScope, kept: DatasetImport) -> str:
    return reverse("evals:dataset-import-review", args=[scope.project_id, kept.pk])


def mapping_from(kept: DatasetImport, data: Mapping[str, Any]) -> dict[str, str]:
    """`column-0=input`, by the place of the column; what is not said is guessed."""
    guessed = files.guess(kept.columns)
    mapping = {}
    for position, name in enumerate(kept.columns):
        said = str(data.get(f"column-{position}", guessed[name]))
        mapping[name] = said if said in files.TARGETS else ""
    return mapping


def _review(request: HttpRequest, scope: ProjectScope, kept: DatasetImport, problem: str = "") -> HttpResponse:
    data = request.POST if request.method == "POST" else request.GET
    context: dict[str, Any] = {
        "scope": scope,
        "kept": kept,
        "dataset": kept.dataset,
        "dataset_url": dataset_url(scope, kept.dataset_id),
        "again_url": form_url(scope, "evals:dataset-import", kept.dataset_id),
        "problem": problem,
    }
    if kept.job_id:
        return render_page(
            request, "evals/dataset_import_done.html", context | _outcome(scope, kept), fragment="import"
        )
    mapping = mapping_from(kept, data)
    is_asked = any(name.startswith("column-") for name in data)
    reads_json = bool(data.get("json")) or not is_asked
    try:
        rows = imports.preview(kept, mapping, reads_json=reads_json, limit=_PREVIEWED)
    except NotFound as refusal:
        rows, context["problem"] = [], refusal.message
    context |= {
        "targets": _targets(),
        "columns": [
            {"name": name, "position": position, "target": mapping[name], "sample": _sample(rows, name)}
            for position, name in enumerate(kept.columns)
        ],
        "reads_json": reads_json,
        "rows": [_shown_row(row) for row in rows],
        "has_problems": any(row.problems for row in rows),
    }
    return render_page(
        request, "evals/dataset_import_review.html", context, fragment="preview", status=422 if problem else 200
    )


def _targets() -> list[tuple[str, str]]:
    return [
        ("", _("leave out")),
        ("input", _("Input")),
        ("expected_output", _("Expected output")),
        ("metadata", _("Metadata")),
        ("id", _("Id")),
        ("status", _("Status")),
        ("source_trace_id", _("Source trace")),
        ("source_observation_id", _("Source observation")),
    ]


def _sample(rows: list[imports.Previewed], column: str) -> str:
    """The first thing that stands in a column."""
    found = (row.row.cells[column] for row in rows if row.row.cells.get(column) not in (None, ""))
    return _cut(next(found, ""))


def _shown_row(row: imports.Previewed) -> dict[str, Any]:
    change = row.change
    values = [getattr(change, name) for name in ("input", "expected_output", "metadata")] if change else []
    return {
        "line": row.row.line,
        "problems": row.problems,
        "values": [_cut(value) if value is not None and not isinstance(value, Keep) else "" for value in values],
    }


def _cut(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _outcome(scope: ProjectScope, kept: DatasetImport) -> dict[str, Any]:
    job = Job.objects.filter(project_id=scope.project_id, pk=kept.job_id).first() if _is_job(kept.job_id) else None
    problems = list(kept.problems.all()[: _MOST_PROBLEMS + 1])
    return {
        "job": job,
        "job_url": reverse("tracing:job-detail", args=[scope.project_id, kept.job_id]) if job else "",
        "problems": problems[:_MOST_PROBLEMS],
        "problem_count": kept.problems.count(),
        "problems_url": reverse("evals:dataset-import-problems", args=[scope.project_id, kept.pk])
        if kept.is_kept and problems
        else "",
        "refresh_url": f"{import_url(scope, kept)}?{urlencode({'wait': 1})}",
    }


def _is_job(job_id: str) -> bool:

    try:
        uuid.UUID(job_id)
    except ValueError:
        return False
    return True
