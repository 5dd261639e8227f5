"""Acts on many items of a dataset, as jobs: archive, use again, delete."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts.access import ProjectScope
from accounts.audit import Actor
from config.errors import SpanwiseError
from evals.actions.items import delete_items, set_status
from evals.models import Dataset, DatasetItemVersion, ItemStatus
from evals.queries import datasets as dataset_queries
from evals.queries import items as queries
from tracing.actions.jobs import Step, job_kind, start_job
from tracing.models.jobs import Job

KIND = "dataset-items"
_AT_ONCE_SECONDS = 4.0
_AT_A_TIME = 200
_MOST_FAILURES = 100
STATUSES = {"": ItemStatus.ACTIVE, "archived": ItemStatus.ARCHIVED, "all": None}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Items of a dataset: those of `ids`, or with `is_all` those that the list shows for `text` and `status`."""

    dataset_id: str
    ids: tuple[str, ...] = ()
    is_all: bool = False
    text: str = ""
    status: str = ""


def count(scope: ProjectScope, wanted: Wanted) -> int:
    return _found(scope, wanted, timezone.now()).count()


def start(scope: ProjectScope, wanted: Wanted, act: str, *, actor: Actor) -> Job:
    """`act` is archive, restore or delete. What is written to these items meanwhile is left as it was written."""
    now = timezone.now()
    parameters = {**asdict(wanted), "ids": list(wanted.ids), "act": act, "until": now.isoformat()}
    total = _found(scope, wanted, now).count()
    return start_job(scope, KIND, parameters, actor=actor, total=total, at_once_seconds=_AT_ONCE_SECONDS)


@job_kind(KIND, title=gettext_lazy("Change items of a dataset"))
def work(scope: ProjectScope, job: Job, step: Step) -> None:
    said = dict(job.parameters)
    act, until = said.pop("act"), datetime.fromisoformat(said.pop("until"))
    wanted = Wanted(**{**said, "ids": tuple(said["ids"])})
    dataset = dataset_queries.get_dataset(scope, wanted.dataset_id)
    actor = Actor(job.author_id or "", job.author_name, job.author_ip)
    while True:
        # What is done has a newer version, or none, and is not found again; what could not be done is passed by.
        found = _found(scope, wanted, until).filter(pk__gt=step.cursor.get("pk", 0)).order_by("pk")
        rows = list(found.values_list("pk", "item__item_id")[:_AT_A_TIME])
        if not rows:
            return
        ids = [item_id for _pk, item_id in rows]
        # Together: what is done and not counted would not be found again to be counted.
        with transaction.atomic():
            failures = _act(scope, dataset, ids, act, actor)
            known = job.result.get("failures", [])
            step.save(
                cursor={"pk": rows[-1][0]},
                done=len(rows) - len(failures),
                failed=len(failures),
                result={**job.result, "failures": [*known, *failures][:_MOST_FAILURES]},
                stops=False,
            )
        step.go_on()


def _act(scope: ProjectScope, dataset: Dataset, ids: list[str], act: str, actor: Actor) -> list[dict[str, Any]]:
    """What could not be done, and why."""
    if act == "delete":
        delete_items(scope, dataset, ids, actor=actor)
        return []
    status = ItemStatus.ARCHIVED if act == "archive" else ItemStatus.ACTIVE
    outcomes = set_status(scope, dataset, ids, status, actor=actor)
    return [
        {"id": item_id, "reason": outcome.words}
        for item_id, outcome in outcomes.items()
        if isinstance(outcome, SpanwiseError)
    ]


def _found(scope: ProjectScope, wanted: Wanted, until: datetime) -> QuerySet[DatasetItemVersion]:
    dataset = dataset_queries.get_dataset(scope, wanted.dataset_id)
    if not wanted.is_all:
        every = queries.versions(scope, dataset=dataset, status=None)
        ids = [one for one in wanted.ids if "\x00" not in one]
        return every.filter(item__item_id__in=ids, valid_from__lte=until)
    status = STATUSES.get(wanted.status, ItemStatus.ACTIVE)
    found = queries.versions(scope, dataset=dataset, status=status, text=wanted.text)
    return found.filter(valid_from__lte=until)
