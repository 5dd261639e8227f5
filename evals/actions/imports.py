"""Files that become items: taken in, looked through, then written by a job."""

from __future__ import annotations

import csv
import io
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import IO, Any, cast

import orjson
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from accounts.roles import Role
from config.errors import Conflict, Invalid, NotFound, SpanwiseError, TooLarge, Unavailable
from evals.actions.items import API_NAMES, check_fits, put_items
from evals.datasets import files, values
from evals.datasets.changes import KEEP, ItemChange
from evals.datasets.files import CSV, Described, Row
from evals.models import Dataset, DatasetImport, DatasetImportProblem
from tracing.actions.jobs import Step, job_kind, start_job
from tracing.models.jobs import Job

KIND = "dataset-import"
_AT_ONCE_SECONDS = 4.0
_ROWS_AT_A_TIME = 200
_BYTES_AT_A_TIME = 4 << 20
_IN_MEMORY = 4 << 20
#: files that nobody went on with, and those of imports with bad rows
_FORGOTTEN, _KEPT = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Previewed:
    """A row of the file as the item that it would be; `problems` are places and words."""

    row: Row
    change: ItemChange | None
    problems: list[tuple[str, str]]


def take_in(scope: ProjectScope, dataset: Dataset, file: IO[bytes], name: str, size: int) -> DatasetImport:
    """Keeps a file until somebody has said which column is what. Raises Invalid and TooLarge."""
    scope.require(Role.MEMBER)
    if size > files.LARGEST:
        raise TooLarge(_("A file has %(most)d MB at most.") % {"most": files.LARGEST >> 20})
    _sweep()
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as text:
        files.as_utf8(file, text)
        described = files.describe(text, name)
        kept = DatasetImport(
            project_id=scope.project_id,
            dataset=dataset,
            file_name=name[-255:],
            format=described.format,
            delimiter=described.delimiter,
            columns=described.columns,
            rows=described.rows,
        )
        text.seek(0)
        default_storage.save(kept.storage_key, File(text, name=kept.storage_key))
        kept.save()
    return kept


def get_import(scope: ProjectScope, import_id: str) -> DatasetImport:
    """Raises NotFound."""
    found = (
        None
        if "\x00" in import_id
        else DatasetImport.objects.select_related("dataset").filter(project_id=scope.project_id, pk=import_id).first()
    )
    if found is None:
        raise NotFound(_("There is no such import."))
    return found


def preview(kept: DatasetImport, mapping: Mapping[str, str], *, reads_json: bool, limit: int) -> list[Previewed]:
    """The first rows. Raises NotFound where the file is gone."""
    shown: list[Previewed] = []
    with _opened(kept) as file:
        for row in files.read(file, _described(kept)):
            if len(shown) == limit:
                break
            shown.append(_previewed(kept, row, mapping, reads_json=reads_json))
    return shown


def start_import(
    scope: ProjectScope, kept: DatasetImport, mapping: Mapping[str, str], *, reads_json: bool, actor: Actor
) -> Job:
    """Raises Invalid where no column is any content, Conflict where it was started before."""
    scope.require(Role.MEMBER)
    if not {"input", "expected_output", "metadata"} & set(mapping.values()):
        raise Invalid(_("Say which column is the input."))
    if sum(meant == "id" for meant in mapping.values()) > 1:
        raise Invalid(_("Only one column can be the id."))
    job_mark = str(uuid.uuid4())
    if not DatasetImport.objects.filter(pk=kept.pk, job_id="", is_kept=True).update(job_id=job_mark):
        raise Conflict(_("This file has been imported already."))
    parameters = {
        "dataset_name": kept.dataset.name,
        "import": kept.pk,
        "mapping": dict(mapping),
        "json": reads_json,
        "file": kept.file_name,
    }
    job = start_job(scope, KIND, parameters, actor=actor, total=kept.rows, at_once_seconds=_AT_ONCE_SECONDS)
    DatasetImport.objects.filter(pk=kept.pk).update(job_id=str(job.pk))
    return job


# --- The job ----------------------------------------------------------------------------------------------
def _when_cut_short(job: Job) -> None:
    found = DatasetImport.objects.filter(pk=job.parameters["import"]).first()
    if found is not None:
        transaction.on_commit(lambda: _let_go(found))


@job_kind(KIND, title=gettext_lazy("Import items"), when_cut_short=_when_cut_short)
def work(scope: ProjectScope, job: Job, step: Step) -> None:
    """Ids come from the file, or from import and row: a step done twice comes to the same items."""
    kept = get_import(scope, job.parameters["import"])
    actor = Actor(job.author_id or "", job.author_name, job.author_ip)
    if "is_written" not in step.cursor:
        _write(scope, kept, job, step, actor)
        step.save(cursor={**step.cursor, "is_written": True})
    with transaction.atomic():
        counts = {"file": kept.file_name, "written": job.done, "failed": job.failed}
        if "is_recorded" not in step.cursor:
            record(actor, "dataset.import", kept.dataset, after=counts)
            step.save(cursor={**step.cursor, "is_recorded": True}, stops=False)
    if not kept.problems.exists():
        _let_go(kept)


def _write(scope: ProjectScope, kept: DatasetImport, job: Job, step: Step, actor: Actor) -> None:
    id_column = next((name for name, meant in job.parameters["mapping"].items() if meant == "id"), "")
    seen: set[str] = set()
    with _opened(kept) as file:
        rows = files.read(file, _described(kept))
        for row in islice(rows, step.cursor.get("row", 0)):  # dealt with in an earlier turn; their ids are remembered
            _is_repeated(files.id_of(row, id_column), seen)
        for batch in _batches(rows):
            drafts = [(row, _drafted(kept, row, job.parameters, id_column, seen)) for row in batch]
            failed = _write_rows(scope, kept, drafts, actor)
            step.save(cursor={"row": batch[-1].number + 1}, done=len(batch) - failed, failed=failed)


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += sum(map(len, row.raw)) if isinstance(row.raw, list) else len(row.raw)
        if len(batch) >= _ROWS_AT_A_TIME or size >= _BYTES_AT_A_TIME:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _drafted(
    kept: DatasetImport, row: Row, parameters: Mapping[str, Any], id_column: str, seen: set[str]
) -> ItemChange | SpanwiseError:
    item_id = files.id_of(row, id_column)
    if _is_repeated(item_id, seen):
        return Invalid(_("Another row before has the id %(id)s.") % {"id": item_id[:100]})
    try:
        return _change(kept, row, parameters["mapping"], reads_json=parameters["json"])
    except Invalid as error:
        return error


def _is_repeated(item_id: str, seen: set[str]) -> bool:
    """Whether a row before has this id, whatever became of that; from now on one has."""
    if item_id in seen:
        return True
    if item_id:
        seen.add(item_id)
    return False


def _write_rows(
    scope: ProjectScope, kept: DatasetImport, drafts: Sequence[tuple[Row, ItemChange | SpanwiseError]], actor: Actor
) -> int:
    """How many could not be written."""
    problems = [(row, one) for row, one in drafts if isinstance(one, SpanwiseError)]
    good = [(row, one) for row, one in drafts if isinstance(one, ItemChange)]
    if good:
        changes = [change for _row, change in good]
        outcomes = put_items(scope, kept.dataset, changes, actor=actor, skips_same=True, is_logged=False)
        problems += [
            (row, outcome)
            for (row, _change), outcome in zip(good, outcomes, strict=True)
            if isinstance(outcome, SpanwiseError)
        ]
    DatasetImportProblem.objects.bulk_create(
        [_problem(kept, row, error) for row, error in problems], ignore_conflicts=True
    )
    return len(problems)


def _problem(kept: DatasetImport, row: Row, error: SpanwiseError) -> DatasetImportProblem:
    said = _said(error)
    return DatasetImportProblem(
        dataset_import=kept,
        row=row.number,
        line=row.line,
        place=said[0][0][:500],
        message=" ".join(message for _place, message in said),
    )


def _said(error: SpanwiseError) -> list[tuple[str, str]]:
    """Places and words."""
    from evals.datasets.schemas import place_of

    issues = getattr(error, "issues", None) or []
    found = []
    for issue in issues:
        first, *rest = issue["path"]
        found.append((f"{first} {place_of(tuple(rest))}" if rest else str(first), str(issue["message"])))
    return found or [("", error.message)]


# --- What is kept -----------------------------------------------------------------------------------------
def bad_rows(kept: DatasetImport) -> Iterator[bytes]:
    """Those that are no items, as they stood in the file, with line and reason before them: a file that can be mended
    and imported. Raises NotFound where the file is gone."""
    with _opened(kept) as file:
        if kept.format == CSV:
            yield b"\xef\xbb\xbf" + _csv_line(kept, [*files.OWN, *kept.columns])
        # In the order of the file, so that both are walked beside each other: there may be very many.
        problems = kept.problems.order_by("row").iterator()
        problem = next(problems, None)
        for row in files.read(file, _described(kept)):
            if problem is None:
                return
            if row.number == problem.row:
                yield _bad_row(kept, row, problem)
                problem = next(problems, None)


def _bad_row(kept: DatasetImport, row: Row, problem: DatasetImportProblem) -> bytes:
    words = f"{problem.place}: {problem.message}" if problem.place else problem.message
    if kept.format == CSV:
        return _csv_line(kept, [str(problem.line), files.text_cell(words), *row.raw])
    said = {"_line": problem.line, "_problem": words}
    said |= row.cells or {"_text": row.raw.decode("utf-8", "replace").strip()}
    return orjson.dumps(said) + b"\n"


def _csv_line(kept: DatasetImport, cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=kept.delimiter).writerow(cells)
    return text.getvalue().encode("utf-8", "replace")


def _sweep() -> None:
    """Files that nobody asks for any more."""
    now = timezone.now()
    old = Q(job_id="", created_at__lt=now - _FORGOTTEN) | Q(created_at__lt=now - _KEPT)
    for kept in DatasetImport.objects.filter(old, is_kept=True)[:100]:
        with suppress(OSError):
            _let_go(kept)


def _let_go(kept: DatasetImport) -> None:
    default_storage.delete(kept.storage_key)
    DatasetImport.objects.filter(pk=kept.pk).update(is_kept=False)


@contextmanager
def _opened(kept: DatasetImport) -> Iterator[IO[bytes]]:
    try:
        with default_storage.open(kept.storage_key) as file:
            yield cast(IO[bytes], file.file)
    except FileNotFoundError:
        raise NotFound(_("The file is not there any more. Upload it again.")) from None
    except OSError as error:
        raise Unavailable(_("The storage of files cannot be reached.")) from error


def _described(kept: DatasetImport) -> Described:
    return Described(kept.format, kept.delimiter, kept.columns, kept.rows)


def _change(kept: DatasetImport, row: Row, mapping: Mapping[str, str], *, reads_json: bool) -> ItemChange:
    """Raises Invalid."""
    new_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{kept.pk} {row.number}"))
    return files.change_of(row, mapping, reads_json=reads_json, is_csv=kept.format == CSV, new_id=new_id)


def _previewed(kept: DatasetImport, row: Row, mapping: Mapping[str, str], *, reads_json: bool) -> Previewed:
    try:
        change = _change(kept, row, mapping, reads_json=reads_json)
        texts = {name: values.as_text(_given(change, name)) for name in API_NAMES}
        check_fits(kept.dataset, texts)
    except Invalid as error:
        return Previewed(row, None, _said(error))
    return Previewed(row, change, [])


def _given(change: ItemChange, name: str) -> Any:
    value = getattr(change, name)
    return None if value is KEEP else value
