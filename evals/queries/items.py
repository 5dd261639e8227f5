"""Reads of items: as they are, or as they were at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Length, Substr
from django.utils import timezone

from accounts.access import ProjectScope
from config.errors import NotFound
from evals.models import Dataset, DatasetItem, DatasetItemVersion, ItemStatus
from evals.models.datasets import json_of
from tracing.queries.paging import Keyed, Numbered, PageNumber, cut, decode_cursor, encode_cursor

#: characters of a field that lists show
PREVIEW = 400
FIELDS = ("input", "expected_output", "metadata")
NOT_FOUND = "Dataset item not found"
#: whole items at once: one may have megabytes
_PER_READ = 100


@dataclass(frozen=True, slots=True)
class Item:
    """What an item says, or said, from `valid_from` until `valid_to` (None: still).

    The texts are JSON, empty for null; `created_at` is when its first version was written.
    """

    id: str
    dataset_id: str
    dataset_name: str
    status: str
    input_text: str
    expected_output_text: str
    metadata_text: str
    source_trace_id: str
    source_observation_id: str
    created_at: datetime
    valid_from: datetime
    valid_to: datetime | None
    version_pk: int

    @property
    def input(self) -> Any:
        return json_of(self.input_text)

    @property
    def expected_output(self) -> Any:
        return json_of(self.expected_output_text)

    @property
    def metadata(self) -> Any:
        return json_of(self.metadata_text)

    @property
    def is_archived(self) -> bool:
        return self.status == ItemStatus.ARCHIVED


@dataclass(frozen=True, slots=True)
class Preview:
    """An item in a list: of each field the first characters, and how many it has."""

    id: str
    status: str
    input: str
    expected_output: str
    metadata: str
    input_length: int
    expected_output_length: int
    metadata_length: int
    source_trace_id: str
    source_observation_id: str
    created_at: datetime
    valid_from: datetime
    version_pk: int


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was written at this moment: how many items were new, changed, archived, or deleted."""

    at: datetime
    written: int
    deleted: int
    added: int

    @property
    def changed(self) -> int:
        return max(self.written - self.added, 0)


# --- Which ----------------------------------------------------------------------------------------------
def versions(
    scope: ProjectScope,
    *,
    dataset: Dataset | None = None,
    as_of: datetime | None = None,
    status: str | None = ItemStatus.ACTIVE,
    source_trace_id: str = "",
    source_observation_id: str = "",
    text: str = "",
) -> QuerySet[DatasetItemVersion]:
    """Those that are current, or were `as_of` a time; newest first. `status` None is any."""
    found = DatasetItemVersion.objects.filter(dataset__project_id=scope.project_id)
    if dataset is not None:
        found = found.filter(dataset=dataset)
    if as_of is None:
        found = found.filter(valid_to=None)
    else:
        found = found.filter(Q(valid_to=None) | Q(valid_to__gt=as_of), valid_from__lte=as_of)
    if status is not None:
        found = found.filter(status=status)
    if source_trace_id:
        found = found.filter(source_trace_id=source_trace_id)
    if source_observation_id:
        found = found.filter(source_observation_id=source_observation_id)
    if text:
        found = found.filter(_says(text))
    return found.order_by("-valid_from", "-pk")


def _says(text: str) -> Q:
    # Stored as JSON, where quotes and ends of lines are written as JSON writes them.
    written = orjson.dumps(text).decode()[1:-1]
    fields = Q(input_text__icontains=written) | Q(expected_output_text__icontains=written)
    return fields | Q(metadata_text__icontains=written) | Q(item__item_id__icontains=text)


# --- Whole items ----------------------------------------------------------------------------------------
def list_items(
    scope: ProjectScope,
    dataset: Dataset,
    *,
    as_of: datetime | None = None,
    status: str | None = ItemStatus.ACTIVE,
    ids: Collection[str] | None = None,
) -> Iterator[Item]:
    """All of them, newest first, a hundred read at a time. `ids`: of these only."""
    found = versions(scope, dataset=dataset, as_of=as_of, status=status)
    if ids is not None:
        found = found.filter(item__item_id__in=list(ids))
    last: DatasetItemVersion | None = None
    while True:
        rest = found if last is None else found.filter(_after(last.valid_from, last.pk))
        rows = list(rest.select_related("item", "dataset")[:_PER_READ])
        yield from map(_item, rows)
        if len(rows) < _PER_READ:
            return
        last = rows[-1]


def next_items(
    scope: ProjectScope,
    dataset: Dataset,
    *,
    as_of: datetime,
    after: Mapping[str, Any],
    limit: int,
    status: str | None = ItemStatus.ACTIVE,
) -> list[Item]:
    """Those that were there then, oldest version first, after the place that `place_of` gave; {} is the beginning."""
    found = versions(scope, dataset=dataset, as_of=as_of, status=status).order_by("valid_from", "pk")
    if after:
        found = found.filter(_behind(after))
    return [_item(row) for row in found.select_related("item", "dataset")[:limit]]


def _behind(place: Mapping[str, Any]) -> Q:
    at, pk = datetime.fromisoformat(place["at"]), place["pk"]
    return Q(valid_from__gte=at) & (Q(valid_from__gt=at) | Q(pk__gt=pk))


def place_of(item: Item) -> dict[str, Any]:
    return {"at": item.valid_from.isoformat(), "pk": item.version_pk}


def count_items_at(scope: ProjectScope, dataset: Dataset, *, as_of: datetime | None = None) -> int:
    return versions(scope, dataset=dataset, as_of=as_of).count()


def list_ids(scope: ProjectScope, dataset_ids: Sequence[str]) -> dict[str, list[str]]:
    """Ids of the items in use of each dataset, newest first."""
    ids: dict[str, list[str]] = {pk: [] for pk in dataset_ids}
    found = versions(scope).filter(dataset__in=list(dataset_ids))
    for dataset_id, item_id in found.values_list("dataset_id", "item__item_id"):
        ids[dataset_id].append(item_id)
    return ids


def list_by_number(found: QuerySet[DatasetItemVersion], number: PageNumber) -> Numbered[Item]:
    """A page of `versions(…)`."""
    rows = found.select_related("item", "dataset")[number.offset : number.offset + number.limit]
    return Numbered([_item(row) for row in rows], number, found.count())


def get_item(scope: ProjectScope, item_id: str, *, as_of: datetime | None = None, with_archived: bool = True) -> Item:
    """By the id under which clients know it. Raises NotFound, also where it was deleted by then."""
    found = None
    if "\x00" not in item_id:
        status = None if with_archived else ItemStatus.ACTIVE
        matching = versions(scope, as_of=as_of, status=status).filter(
            item__project_id=scope.project_id, item__item_id=item_id
        )
        found = matching.select_related("item", "dataset").first()
    if found is None:
        raise NotFound(NOT_FOUND)
    return _item(found)


def find_items(
    scope: ProjectScope, dataset: Dataset, ids: Collection[str], *, as_of: datetime | None = None
) -> dict[str, Item]:
    """Those of these ids that are in the dataset, archived or not, by id."""
    wanted = [one for one in ids if "\x00" not in one]
    found: dict[str, Item] = {}
    for start in range(0, len(wanted), _PER_READ):
        some = list_items(scope, dataset, as_of=as_of, status=None, ids=wanted[start : start + _PER_READ])
        found |= {item.id: item for item in some}
    return found


def item_of(version: DatasetItemVersion) -> Item:
    return _item(version)


def _item(version: DatasetItemVersion) -> Item:
    return Item(
        id=version.item.item_id,
        dataset_id=version.dataset_id,
        dataset_name=version.dataset.name,
        status=version.status,
        input_text=version.input_text,
        expected_output_text=version.expected_output_text,
        metadata_text=version.metadata_text,
        source_trace_id=version.source_trace_id,
        source_observation_id=version.source_observation_id,
        created_at=version.item.created_at,
        valid_from=version.valid_from,
        valid_to=version.valid_to,
        version_pk=version.pk,
    )


# --- Lists ----------------------------------------------------------------------------------------------
def list_previews(found: QuerySet[DatasetItemVersion], *, limit: int, cursor: str = "") -> Keyed[Preview]:
    """A page of `versions(…)`, with the beginnings of their fields. Raises Invalid for a cursor that is none."""
    if cursor:
        at, pk = decode_cursor(cursor, size=2)
        found = found.filter(_after(at, int(pk) if pk.isdigit() else 0))
    cuts = {f"{field}_start": Substr(f"{field}_text", 1, PREVIEW) for field in FIELDS}
    lengths = {f"{field}_length": Length(f"{field}_text") for field in FIELDS}
    rows = found.annotate(**cuts, **lengths).values_list(
        "item__item_id",
        "status",
        *cuts,
        *lengths,
        "source_trace_id",
        "source_observation_id",
        "item__created_at",
        "valid_from",
        "pk",
    )[: limit + 1]
    return cut([Preview(*row) for row in rows], limit, lambda row: encode_cursor(row.valid_from, str(row.version_pk)))


def _after(at: datetime, pk: int) -> Q:
    # The bound that the rest implies is what an index finds the place by.
    return Q(valid_from__lte=at) & (Q(valid_from__lt=at) | Q(pk__lt=pk))


# --- History --------------------------------------------------------------------------------------------
def list_changes(scope: ProjectScope, dataset: Dataset, *, limit: int, before: datetime | None = None) -> list[Change]:
    """Moments at which items changed, newest first; what one import or one act wrote is one moment."""
    every = DatasetItemVersion.objects.filter(dataset=dataset, dataset__project_id=scope.project_id)
    written = every if before is None else every.filter(valid_from__lt=before)
    starts = dict(written.values_list("valid_from").annotate(Count("pk")).order_by("-valid_from")[:limit])
    ended = every.filter(valid_to__isnull=False)
    ended = ended if before is None else ended.filter(valid_to__lt=before)
    ends = dict(ended.values_list("valid_to").annotate(Count("pk")).order_by("-valid_to")[:limit])
    moments = sorted({*starts, *ends}, reverse=True)[:limit]
    firsts = DatasetItem.objects.filter(dataset=dataset, created_at__in=moments).order_by()
    added = dict(firsts.values_list("created_at").annotate(Count("pk")))
    return [
        Change(at, starts.get(at, 0), max(ends.get(at, 0) - starts.get(at, 0) + added.get(at, 0), 0), added.get(at, 0))
        for at in moments
    ]


def next_moment(*, after: Sequence[datetime] = ()) -> datetime:
    """When a version begins that is written now: to the millisecond, as clients are told it, and later than `after`."""
    now = timezone.now()
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    return max([now, *(at + timedelta(milliseconds=1) for at in after)])
