"""What people and programs can do with datasets: one function a change."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from accounts.roles import Role
from config.errors import Invalid, NotFound, SpanwiseError, TooExpensive, issue
from evals.actions.items import API_NAMES, MOST_AT_ONCE, put_items
from evals.datasets import schemas, values
from evals.datasets.changes import KEEP, DatasetChange, ItemChange
from evals.datasets.files import forget_files
from evals.models import Dataset, DatasetImport, DatasetItem, DatasetItemVersion, ItemStatus
from evals.models.datasets import DATASET_NAME_LENGTH
from evals.queries import datasets as queries
from evals.queries import items as item_queries
from tracing.actions.jobs import Step, job_kind, start_job
from tracing.models.jobs import Job
from tracing.models.media import MediaLink

DUPLICATE = "dataset-duplicate"
LONGEST_DESCRIPTION = 10_000
_MARKUP = re.compile(r"<[^>]*>")
#: A schema is set by whoever waits for the answer.
_CHECKING_SECONDS = 20.0
_MOST_MISFITS = 20
_COPIED_AT_ONCE = 200
_AT_ONCE_SECONDS = 3.0
_NO_SCHEMA = {"input_schema": "inputSchema", "expected_output_schema": "expectedOutputSchema"}
_FIELDS_OF_SCHEMAS = {"input_schema": "input", "expected_output_schema": "expected_output"}


def put_dataset(scope: ProjectScope, change: DatasetChange, *, actor: Actor) -> Dataset:
    """Makes a dataset, or changes that of this name: what clients do. Raises Invalid, also where items do not fit."""
    scope.require(Role.MEMBER)
    name = check_name(change.name)
    found = queries.datasets(scope).filter(name=name).first()
    if found is None:
        try:
            return _create(scope, change, actor)
        except IntegrityError:  # somebody else made it at this moment
            found = queries.find_dataset(scope, name)
    return update_dataset(scope, found.pk, change, actor=actor)


def create_dataset(scope: ProjectScope, change: DatasetChange, *, actor: Actor) -> Dataset:
    """Raises Invalid, also where the name is taken."""
    scope.require(Role.MEMBER)
    try:
        return _create(scope, change, actor)
    except IntegrityError:
        raise _taken(str(change.name)) from None


def _create(scope: ProjectScope, change: DatasetChange, actor: Actor) -> Dataset:
    columns = _columns(change) | {"name": check_name(change.name)}
    with transaction.atomic():
        dataset = Dataset.objects.create(project_id=scope.project_id, **columns)
        record(actor, "dataset.create", dataset, after=columns)
    return dataset


def update_dataset(scope: ProjectScope, dataset_id: str, change: DatasetChange, *, actor: Actor) -> Dataset:
    """Raises NotFound, and Invalid: also where another one has the name, and where items do not fit a new schema."""
    scope.require(Role.MEMBER)
    dataset = queries.get_dataset(scope, dataset_id)
    columns = _columns(change)
    if "name" in columns:
        columns["name"] = check_name(change.name)
    new_schemas = {
        name: getattr(change, name)
        for name in _NO_SCHEMA
        if columns.get(f"{name}_text") and columns[f"{name}_text"] != getattr(dataset, f"{name}_text")
    }
    checked_to = _check_items(scope, dataset, new_schemas, after=0)
    try:
        with transaction.atomic():
            dataset = Dataset.objects.select_for_update().filter(project_id=scope.project_id, pk=dataset_id).first()  # type: ignore[assignment]
            if dataset is None:
                raise NotFound("Dataset not found")
            # What was written while the others were checked.
            _check_items(scope, dataset, new_schemas, after=checked_to)
            changed = {name: value for name, value in columns.items() if getattr(dataset, name) != value}
            before = {name: getattr(dataset, name) for name in changed}
            for name, value in changed.items():
                setattr(dataset, name, value)
            if changed:
                dataset.save(update_fields=[*changed, "updated_at"])
                record(actor, "dataset.update", dataset, before=before, after=changed)
    except IntegrityError:
        raise _taken(columns["name"]) from None
    return dataset


def delete_dataset(scope: ProjectScope, dataset_id: str, *, actor: Actor) -> None:
    """With its items, their versions and its runs. Raises NotFound."""
    scope.require(Role.MEMBER)
    with transaction.atomic():
        dataset = Dataset.objects.select_for_update().filter(project_id=scope.project_id, pk=dataset_id).first()
        if dataset is None:
            raise NotFound("Dataset not found")
        items = DatasetItem.objects.filter(dataset=dataset)
        record(actor, "dataset.delete", dataset, before={"name": dataset.name, "items": items.count()})
        # By statements, not row by row: there may be a hundred thousand.
        DatasetItemVersion.objects.filter(dataset=dataset).delete()
        DatasetItemVersion.objects.filter(item__dataset=dataset).delete()
        items.delete()
        MediaLink.objects.filter(project_id=scope.project_id, dataset_id=dataset.pk).delete()
        imports = list(DatasetImport.objects.filter(dataset=dataset))
        transaction.on_commit(lambda: forget_files(imports))
        dataset.delete()


def delete_project_datasets(project_id: str) -> None:
    """Removes the datasets of a project that was deleted."""
    forget_files(DatasetImport.objects.filter(project_id=project_id))
    DatasetItemVersion.objects.filter(dataset__project_id=project_id).delete()
    DatasetItem.objects.filter(project_id=project_id).delete()
    Dataset.objects.filter(project_id=project_id).delete()


# --- A copy -----------------------------------------------------------------------------------------------
def duplicate_dataset(scope: ProjectScope, dataset_id: str, new_name: str, *, actor: Actor) -> tuple[Dataset, Job]:
    """A new dataset that begins with the items as they are now, and the job that copies them. Raises Invalid."""
    source = queries.get_dataset(scope, dataset_id)
    change = DatasetChange(
        name=new_name,
        description=source.description,
        metadata=source.metadata,
        input_schema=source.input_schema,
        expected_output_schema=source.expected_output_schema,
    )
    copy = create_dataset(scope, change, actor=actor)
    parameters = {"source": source.pk, "copy": copy.pk, "name": copy.name, "as_of": timezone.now().isoformat()}
    total = item_queries.count_items_at(scope, source)
    job = start_job(scope, DUPLICATE, parameters, actor=actor, total=total, at_once_seconds=_AT_ONCE_SECONDS)
    return copy, job


@job_kind(DUPLICATE, title=gettext_lazy("Duplicate a dataset"))
def copy_items(scope: ProjectScope, job: Job, step: Step) -> None:
    source = queries.get_dataset(scope, job.parameters["source"])
    copy = queries.get_dataset(scope, job.parameters["copy"])
    as_of = datetime.fromisoformat(job.parameters["as_of"])
    actor = Actor(job.author_id or "", job.author_name, job.author_ip)
    while True:
        items = item_queries.next_items(scope, source, as_of=as_of, after=step.cursor, limit=_COPIED_AT_ONCE)
        if not items:
            return
        changes = [
            ItemChange(
                # Of both: the same step done twice comes to the same items.
                id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{copy.pk} {item.id}")),
                input=item.input,
                expected_output=item.expected_output,
                metadata=item.metadata,
                source_trace_id=item.source_trace_id,
                source_observation_id=item.source_observation_id,
            )
            for item in items
        ]
        outcomes = put_items(scope, copy, changes, actor=actor, skips_same=True, is_logged=False)
        failed = sum(isinstance(outcome, SpanwiseError) for outcome in outcomes)
        step.save(cursor=item_queries.place_of(items[-1]), done=len(items) - failed, failed=failed)


# --- Checked ----------------------------------------------------------------------------------------------
def check_name(name: Any) -> str:
    """Raises Invalid for what is no name of a dataset."""
    problem = ""
    if not isinstance(name, str) or not name.strip() or name != name.strip():
        problem = "A dataset has a name, without spaces around it."
    elif len(name) > DATASET_NAME_LENGTH:
        problem = f"A name has {DATASET_NAME_LENGTH} characters at most."
    elif _MARKUP.search(name) or "|" in name or not name.isprintable():
        problem = "A name has no markup, no | and no line in it."
    elif name.startswith("/") or name.endswith("/") or "//" in name:
        problem = "Slashes part folders: none stands at the beginning or the end, or beside another one."
    elif {".", ".."} & set(name.split("/")):
        problem = "No part of a name is . or .. only: addresses lose those."
    elif {"runs"} & set(name.split("/")[-2:]) and "/" in name:
        problem = "No folder or dataset in one is called runs: that is the address of something else."
    if problem:
        raise Invalid(issues=[issue("name", problem)])
    return str(name)


def _taken(name: str) -> Invalid:
    return Invalid(issues=[issue("name", f"There is a dataset called {name}.")])


def _columns(change: DatasetChange) -> dict[str, str]:
    """Columns of a dataset that the change says something about. Raises Invalid."""
    columns: dict[str, str] = {}
    issues: list[dict[str, object]] = []
    if isinstance(change.name, str):
        columns["name"] = change.name
    if isinstance(change.description, str):
        columns["description"] = change.description
        if len(change.description) > LONGEST_DESCRIPTION:
            issues.append(issue("description", f"A description has {LONGEST_DESCRIPTION:,} characters at most."))
    if change.metadata is not KEEP:
        columns["metadata_text"] = values.as_text(change.metadata)
    for name, api_name in _NO_SCHEMA.items():
        schema = getattr(change, name)
        if schema is KEEP:
            continue
        try:
            columns[f"{name}_text"] = values.as_text(None if schema is None else schemas.checked(schema))
        except Invalid as error:
            issues.append(issue(api_name, error.message))
    if issues:
        raise Invalid(issues=issues)
    return columns


def _check_items(scope: ProjectScope, dataset: Dataset, new_schemas: dict[str, Any], *, after: int) -> int:
    """Checks all items in use whose versions were written after that of this number, and says the number of the last.
    Raises Invalid naming items and places, TooExpensive where there is too much to check."""
    if not new_schemas:
        return after
    until = time.monotonic() + _CHECKING_SECONDS
    issues: list[dict[str, object]] = []
    found = item_queries.versions(scope, dataset=dataset, status=ItemStatus.ACTIVE).filter(pk__gt=after)
    last = after
    texts = {name: values.as_text(schema) for name, schema in new_schemas.items()}
    for version in found.select_related("item").order_by("pk").iterator(chunk_size=MOST_AT_ONCE):
        last = version.pk
        issues += _misfits(version, texts)
        if len(issues) >= _MOST_MISFITS:
            break
        if time.monotonic() > until:
            raise TooExpensive("There are too many items to check against this schema. Make it simpler.")
    if issues:
        raise Invalid("Items of the dataset do not fit the schema", issues=issues[:_MOST_MISFITS])
    return last


def _misfits(version: DatasetItemVersion, texts: dict[str, str]) -> Sequence[dict[str, object]]:
    found: list[dict[str, object]] = []
    for name, text in texts.items():
        field = _FIELDS_OF_SCHEMAS[name]
        for trouble in schemas.troubles_of_text(text, getattr(version, f"{field}_text")):
            place = f"{API_NAMES[field]} {trouble.place}"
            message = f"Item {version.item.item_id}: {place}: {trouble.message}"
            found.append(
                issue(_NO_SCHEMA[name], message)
                | {"itemId": version.item.item_id, "itemPath": [API_NAMES[field], *trouble.path]}
            )
    return found
