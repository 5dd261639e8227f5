"""What people and programs can do with items: one function a change.

Every write is a version: the one before ends where it begins. Whoever writes holds the lock of the dataset, so that an
item never has two that are current, and no item gets past a schema that is set meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from accounts.roles import Role
from config.errors import Conflict, Invalid, NotFound, SpanwiseError, Unavailable, issue
from evals.datasets import media, schemas, values
from evals.datasets.changes import KEEP, ItemChange
from evals.models import Dataset, DatasetItem, DatasetItemVersion, ItemStatus
from evals.models.datasets import ITEM_ID_LENGTH
from evals.models.ids import new_id
from evals.queries import items as queries
from evals.queries.items import Item

#: Others may write the same items between our look and our lock.
_TRIES = 6
#: items in one transaction
MOST_AT_ONCE = 500
#: field of an item -> how clients call it
API_NAMES = {"input": "input", "expected_output": "expectedOutput", "metadata": "metadata"}

#: what became of a change: the item as it is now, or why it is not
Outcome = Item | SpanwiseError


class _ChangedMeanwhile(Exception):
    pass


@dataclass(slots=True)
class _Draft:
    """A version that is checked and not yet written. `before` is the one it takes the place of."""

    item_id: str
    before: DatasetItemVersion | None
    status: str
    texts: dict[str, str]
    source_trace_id: str
    source_observation_id: str
    files: list[media.Named]

    @property
    def is_same(self) -> bool:
        before = self.before
        return before is not None and (
            all(getattr(before, f"{name}_text") == text for name, text in self.texts.items())
            and (before.status, before.source_trace_id, before.source_observation_id)
            == (self.status, self.source_trace_id, self.source_observation_id)
        )


def put_item(scope: ProjectScope, dataset: Dataset, change: ItemChange, *, actor: Actor) -> Item:
    """Writes a new item, or a new version of the one that has this id. Raises Invalid naming what does not fit the
    dataset's schemas and where, Conflict for an id of another dataset, NotFound if the dataset is gone."""
    [outcome] = put_items(scope, dataset, [change], actor=actor)
    if isinstance(outcome, SpanwiseError):
        raise outcome
    return outcome


def put_items(
    scope: ProjectScope,
    dataset: Dataset,
    changes: Sequence[ItemChange],
    *,
    actor: Actor,
    skips_same: bool = False,
    is_logged: bool = True,
) -> list[Outcome]:
    """Writes those that can be written, in one transaction and at one moment, and says of each what became of it.

    Their ids differ. `skips_same` makes no version of what an item says already; who logs the whole does not need each
    of them `is_logged`. Raises NotFound if the dataset is gone.
    """
    scope.require(Role.MEMBER)
    named = [(change.id or new_id(), change) for change in changes]
    for attempt in range(_TRIES):
        try:
            with _first_in_line(scope, dataset) if attempt else nullcontext():
                return _put(scope, dataset.pk, named, actor=actor, skips_same=skips_same, is_logged=is_logged)
        except (_ChangedMeanwhile, IntegrityError):
            continue
    raise Unavailable("Others write the same items at this moment. Try again.")


def set_status(
    scope: ProjectScope, dataset: Dataset, ids: Sequence[str], status: str, *, actor: Actor
) -> dict[str, Outcome]:
    """Archives items, or puts them to use again, and says what became of each that it changes; ids that are not in the
    dataset are left out."""
    known = queries.find_items(scope, dataset, ids)
    changing = [ItemChange(id=one.id, status=status) for one in known.values() if one.status != status]
    outcomes = put_items(scope, dataset, changing, actor=actor) if changing else []
    return {change.id: outcome for change, outcome in zip(changing, outcomes, strict=True)}


def delete_items(scope: ProjectScope, dataset: Dataset, ids: Sequence[str], *, actor: Actor) -> int:
    """They end now; what they said before is still there for whoever reads as of an earlier time. Says how many."""
    scope.require(Role.MEMBER)
    with transaction.atomic():
        if not Dataset.objects.select_for_update().filter(project_id=scope.project_id, pk=dataset.pk).exists():
            raise NotFound("Dataset not found")
        current = DatasetItemVersion.objects.select_related("item").filter(
            dataset=dataset, item__item_id__in=list(ids), valid_to=None
        )
        ending = list(current.only("valid_from", "item__item_id", "item__project_id"))
        if not ending:
            return 0
        now = queries.next_moment(after=[version.valid_from for version in ending])
        DatasetItemVersion.objects.filter(pk__in=[version.pk for version in ending]).update(valid_to=now)
        for version in ending:
            record(
                actor, "dataset_item.delete", version.item, before={"id": version.item.item_id, "dataset": dataset.name}
            )
    return len(ending)


def delete_item(scope: ProjectScope, item_id: str, *, actor: Actor) -> None:
    """Raises NotFound."""
    item = queries.get_item(scope, item_id)
    if not delete_items(scope, Dataset(pk=item.dataset_id, name=item.dataset_name), [item_id], actor=actor):
        raise NotFound(queries.NOT_FOUND)


# --- Checked ----------------------------------------------------------------------------------------------
def _put(
    scope: ProjectScope,
    dataset_id: str,
    named: Sequence[tuple[str, ItemChange]],
    *,
    actor: Actor,
    skips_same: bool,
    is_logged: bool,
) -> list[Outcome]:
    dataset = Dataset.objects.filter(project_id=scope.project_id, pk=dataset_id).first()
    if dataset is None:
        raise NotFound("Dataset not found")
    ids = [item_id for item_id, _change in named]
    current = _current(scope, ids)
    outcomes: dict[str, Outcome] = {}
    drafts = []
    for item_id, change in named:
        try:
            draft = _draft(scope, dataset, item_id, change, current.get(item_id))
        except (Invalid, Conflict) as error:
            outcomes[item_id] = error
            continue
        if skips_same and draft.before is not None and draft.is_same:
            outcomes[item_id] = queries.item_of(draft.before)
        else:
            drafts.append(draft)
    if drafts:
        written = _write(scope, dataset, drafts, actor=actor, is_logged=is_logged)
        outcomes |= {item.id: item for item in written}
    return [outcomes[item_id] for item_id in ids]


def _current(scope: ProjectScope, ids: Sequence[str]) -> dict[str, DatasetItemVersion]:
    found = DatasetItemVersion.objects.select_related("item", "dataset").filter(
        item__project_id=scope.project_id, item__item_id__in=[one for one in ids if "\x00" not in one], valid_to=None
    )
    return {version.item.item_id: version for version in found}


def _draft(
    scope: ProjectScope, dataset: Dataset, item_id: str, change: ItemChange, before: DatasetItemVersion | None
) -> _Draft:
    """Raises Invalid and Conflict."""
    if not 0 < len(item_id) <= ITEM_ID_LENGTH or "\x00" in item_id:
        raise Invalid(issues=[issue("id", f"An id has 1 to {ITEM_ID_LENGTH} characters")])
    if before is not None and before.dataset_id != dataset.pk:
        raise Conflict(f"The item {item_id} is in another dataset")
    new = {name: _text(name, getattr(change, name), before) for name in API_NAMES}
    status = _or(change.status, before.status if before else ItemStatus.ACTIVE)
    if not is_only_archiving(change, before):
        check_fits(dataset, new)
    files = [one for name, text in new.items() for one in media.named(API_NAMES[name], text)]
    if any(getattr(change, name) is not KEEP for name in API_NAMES):
        media.check_known(scope, files)
    return _Draft(
        item_id=item_id,
        before=before,
        status=status,
        texts=new,
        source_trace_id=_or(change.source_trace_id, before.source_trace_id if before else ""),
        source_observation_id=_or(change.source_observation_id, before.source_observation_id if before else ""),
        files=files,
    )


def is_only_archiving(change: ItemChange, before: DatasetItemVersion | None) -> bool:
    """What does not fit a schema any more can still be put away."""
    says = {field.name for field in fields(change) if field.name != "id" and getattr(change, field.name) is not KEEP}
    return before is not None and says == {"status"} and change.status == ItemStatus.ARCHIVED


def _text(name: str, value: Any, before: DatasetItemVersion | None) -> str:
    if value is KEEP:
        return getattr(before, f"{name}_text") if before is not None else ""
    try:
        return values.as_text(value)
    except Invalid as error:
        raise Invalid(issues=[issue(API_NAMES[name], error.message)]) from None


def _or(given: Any, otherwise: str) -> str:
    return otherwise if given is KEEP else given


def check_fits(dataset: Dataset, texts: dict[str, str]) -> None:
    """Raises Invalid with each place that does not fit."""
    issues = [
        issue((API_NAMES[name], *trouble.path), trouble.message)
        for name, schema_text in (
            ("input", dataset.input_schema_text),
            ("expected_output", dataset.expected_output_schema_text),
        )
        if schema_text
        for trouble in schemas.troubles_of_text(schema_text, texts[name])
    ]
    if issues:
        raise Invalid("The item does not fit the schema of the dataset", issues=issues)


# --- Written ----------------------------------------------------------------------------------------------
def _write(
    scope: ProjectScope, dataset: Dataset, drafts: Sequence[_Draft], *, actor: Actor, is_logged: bool
) -> list[Item]:
    """Raises _ChangedMeanwhile where what the drafts were made of is not what is there any more."""
    ids = [draft.item_id for draft in drafts]
    with transaction.atomic():
        _lock(scope, dataset)
        current = _current(scope, ids)
        if any(_pk(current.get(draft.item_id)) != _pk(draft.before) for draft in drafts):
            raise _ChangedMeanwhile
        rows = _rows(scope, ids)
        now = queries.next_moment(after=_ends(rows))
        items = _items(scope, dataset, drafts, rows, now)
        ended = [draft.before.pk for draft in drafts if draft.before is not None]
        DatasetItemVersion.objects.filter(pk__in=ended).update(valid_to=now)
        written = DatasetItemVersion.objects.bulk_create(
            [_version(dataset, items[draft.item_id], draft, now) for draft in drafts]
        )
        for draft in drafts:
            media.link(scope, dataset.pk, draft.item_id, draft.files)
            if is_logged:
                _log(actor, dataset, items[draft.item_id], draft)
    return [queries.item_of(version) for version in written]


@contextmanager
def _first_in_line(scope: ProjectScope, dataset: Dataset) -> Iterator[None]:
    """Who looked and came too late once has the lock before looking again: of many writers one would come too late
    each time."""
    with transaction.atomic():
        Dataset.objects.select_for_update().filter(project_id=scope.project_id, pk=dataset.pk).first()
        yield


def _lock(scope: ProjectScope, dataset: Dataset) -> None:
    locked = Dataset.objects.select_for_update().filter(project_id=scope.project_id, pk=dataset.pk).first()
    if locked is None:
        raise NotFound("Dataset not found")
    checked_by = (dataset.input_schema_text, dataset.expected_output_schema_text)
    if (locked.input_schema_text, locked.expected_output_schema_text) != checked_by:
        raise _ChangedMeanwhile


def _rows(scope: ProjectScope, ids: Sequence[str]) -> dict[str, DatasetItem]:
    found = DatasetItem.objects.filter(project_id=scope.project_id, item_id__in=ids)
    return {item.item_id: item for item in found}


def _ends(rows: dict[str, DatasetItem]) -> list[datetime]:
    """When the last versions of these began, and ended."""
    if not rows:
        return []
    found = DatasetItemVersion.objects.filter(item__in=[item.pk for item in rows.values()])
    last = found.aggregate(begun=Max("valid_from"), ended=Max("valid_to"))
    return [at for at in last.values() if at is not None]


def _items(
    scope: ProjectScope, dataset: Dataset, drafts: Sequence[_Draft], rows: dict[str, DatasetItem], now: datetime
) -> dict[str, DatasetItem]:
    """The rows of all drafts: new ones, and of deleted ones those that begin anew, in whichever dataset."""
    new = [
        DatasetItem(project_id=scope.project_id, dataset=dataset, item_id=draft.item_id, created_at=now)
        for draft in drafts
        if draft.item_id not in rows
    ]
    for draft in drafts:
        if draft.before is None and (item := rows.get(draft.item_id)):
            item.dataset, item.created_at = dataset, now
            item.save(update_fields=["dataset", "created_at"])
    return rows | {item.item_id: item for item in DatasetItem.objects.bulk_create(new)}


def _version(dataset: Dataset, item: DatasetItem, draft: _Draft, now: datetime) -> DatasetItemVersion:
    return DatasetItemVersion(
        item=item,
        dataset=dataset,
        status=draft.status,
        input_text=draft.texts["input"],
        expected_output_text=draft.texts["expected_output"],
        metadata_text=draft.texts["metadata"],
        source_trace_id=draft.source_trace_id,
        source_observation_id=draft.source_observation_id,
        valid_from=now,
    )


def _log(actor: Actor, dataset: Dataset, item: DatasetItem, draft: _Draft) -> None:
    """Who changed what. What it said is in the versions."""
    before = draft.before
    told = {"id": draft.item_id, "dataset": dataset.name, "status": draft.status}
    if before is None:
        record(actor, "dataset_item.create", item, after=told)
        return
    changed = [name for name, text in draft.texts.items() if getattr(before, f"{name}_text") != text]
    record(actor, "dataset_item.update", item, before={"status": before.status}, after=told | {"changed": changed})


def _pk(version: DatasetItemVersion | None) -> int | None:
    return None if version is None else version.pk
