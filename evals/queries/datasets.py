"""Reads of datasets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Q, QuerySet

from accounts.access import ProjectScope
from config.errors import NotFound
from evals.models import Dataset, DatasetItemVersion, Experiment, ItemStatus
from tracing.queries.paging import Numbered, PageNumber

PAGE_SIZE = 100
SORTS = ("-created", "name", "-run")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which datasets: below a folder, with words in name or description."""

    folder: str = ""
    text: str = ""
    sort: str = SORTS[0]
    page: int = 1


@dataclass(frozen=True, slots=True)
class Folder:
    """`path` is its whole name, `datasets` counts those in it, however deep."""

    name: str
    path: str
    datasets: int
    newest_at: datetime


@dataclass(frozen=True, slots=True)
class Row:
    """A dataset with how many items are in use, and of its runs the number and the time of the newest."""

    dataset: Dataset
    items: int
    runs: int
    last_run_at: datetime | None


@dataclass(frozen=True, slots=True)
class Listing:
    """One page. `total` counts datasets that match, `every` those of the project."""

    folders: list[Folder]
    rows: list[Row]
    total: int
    every: int
    has_more: bool


def datasets(scope: ProjectScope) -> QuerySet[Dataset]:
    return Dataset.objects.filter(project_id=scope.project_id)


def get_dataset(scope: ProjectScope, dataset_id: str) -> Dataset:
    """Raises NotFound."""
    return _one(None if "\x00" in dataset_id else datasets(scope).filter(pk=dataset_id).first())


def find_dataset(scope: ProjectScope, name: str) -> Dataset:
    """By its name. Raises NotFound in the words that clients know."""
    return _one(None if "\x00" in name else datasets(scope).filter(name=name).first())


def _one(found: Dataset | None) -> Dataset:
    if found is None:
        raise NotFound("Dataset not found")
    return found


def list_by_number(scope: ProjectScope, number: PageNumber) -> Numbered[Dataset]:
    """Newest first."""
    found = datasets(scope).order_by("-created_at", "-id")
    return Numbered(list(found[number.offset : number.offset + number.limit]), number, found.count())


def list_datasets(scope: ProjectScope, wanted: Wanted) -> Listing:
    """A page of those in a folder, with the folders below it; with words, of all that have them, however deep.

    A project has thousands of datasets at most, so names and times are read at once and sifted here."""
    every = list(datasets(scope).values_list("pk", "name", "created_at"))
    start = f"{wanted.folder}/" if wanted.folder else ""
    here = [one for one in every if one[1].startswith(start)]
    folders: list[Folder] = []
    if wanted.text:
        matching = datasets(scope).filter(Q(name__icontains=wanted.text) | Q(description__icontains=wanted.text))
        fitting = set(matching.values_list("pk", flat=True))
        here = [one for one in here if one[0] in fitting]
    else:
        folders, here = _folders(here, start)
    here = _sorted(scope, here, wanted.sort)
    begin = (wanted.page - 1) * PAGE_SIZE
    return Listing(
        folders=folders if wanted.page == 1 else [],
        rows=_rows(scope, [pk for pk, _name, _at in here[begin : begin + PAGE_SIZE]]),
        total=len(here) + sum(folder.datasets for folder in folders),
        every=len(every),
        has_more=len(here) > begin + PAGE_SIZE,
    )


def _folders(here: list[tuple[str, str, datetime]], start: str) -> tuple[list[Folder], list[tuple[str, str, datetime]]]:
    """The folders right below, and what is in none of them."""
    inside: dict[str, list[datetime]] = {}
    loose = []
    for one in here:
        name, slash, _rest = one[1].removeprefix(start).partition("/")
        if slash:
            inside.setdefault(name, []).append(one[2])
        else:
            loose.append(one)
    folders = [Folder(name, f"{start}{name}", len(times), max(times)) for name, times in inside.items()]
    return sorted(folders, key=lambda folder: folder.name), loose


def _sorted(scope: ProjectScope, here: list[tuple[str, str, datetime]], sort: str) -> list[tuple[str, str, datetime]]:
    if sort == "name":
        return sorted(here, key=lambda one: one[1])
    newest = sorted(here, key=lambda one: (one[2], one[0]), reverse=True)
    if sort != "-run":
        return newest
    runs = Experiment.objects.filter(project_id=scope.project_id, dataset__isnull=False).order_by()
    times = dict(runs.values_list("dataset_id").annotate(last=Max("created_at")))
    return sorted(newest, key=lambda one: times[one[0]].timestamp() if one[0] in times else 0.0, reverse=True)


def _rows(scope: ProjectScope, ids: Sequence[str]) -> list[Row]:
    found = {one.pk: one for one in datasets(scope).filter(pk__in=ids)}
    items = count_items(scope, ids)
    runs = Experiment.objects.filter(project_id=scope.project_id, dataset__in=ids).order_by()
    counted = {
        pk: (count, last) for pk, count, last in runs.values_list("dataset_id").annotate(Count("pk"), Max("created_at"))
    }
    return [Row(found[pk], items.get(pk, 0), *counted.get(pk, (0, None))) for pk in ids if pk in found]


def count_items(scope: ProjectScope, dataset_ids: Sequence[str]) -> dict[str, int]:
    """Items in use by dataset; those without any are left out."""
    found = DatasetItemVersion.objects.filter(
        dataset__project_id=scope.project_id, dataset__in=dataset_ids, valid_to=None, status=ItemStatus.ACTIVE
    )
    return dict(found.order_by().values_list("dataset_id").annotate(Count("pk")))


def list_run_names(scope: ProjectScope, dataset_ids: Sequence[str]) -> dict[str, list[str]]:
    """Names of the runs of each dataset, newest first."""
    names: dict[str, list[str]] = {pk: [] for pk in dataset_ids}
    runs = Experiment.objects.filter(project_id=scope.project_id, dataset__in=list(dataset_ids))
    for dataset_id, name in runs.order_by("-created_at", "-pk").values_list("dataset_id", "name"):
        names[dataset_id].append(name)
    return names


def folder_names(scope: ProjectScope) -> list[str]:
    """Of the whole project, however deep."""
    found: set[str] = set()
    for name in datasets(scope).values_list("name", flat=True):
        parts = name.split("/")[:-1]
        found.update("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))
    return sorted(found)
