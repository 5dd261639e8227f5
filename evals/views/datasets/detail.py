"""One dataset: its items, runs, history and settings."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Invalid, TooExpensive
from config.posting import posted_from
from config.rendering import render_page
from evals.actions import datasets as actions
from evals.models import Dataset, ItemStatus
from evals.models.datasets import DATASET_NAME_LENGTH
from evals.queries import datasets as queries
from evals.queries import items as item_queries
from evals.queries.items import Change, Preview
from evals.views.datasets.addresses import dataset_url, list_url, version_text
from evals.views.datasets.drafts import SettingsDraft
from evals.views.datasets.listing import asked_dataset, folders_of
from evals.views.experiments.listing import RunsTable
from tracing.forms import text_from
from tracing.queries.paging import Keyed
from tracing.queries.periods import parse_time

TABS = ("items", "experiments", "history", "settings")
PAGE_SIZE = 100
#: moments in the version picker, and on a page of the history
_PICKED, _HISTORY = 12, 100
_STATUSES = {"": ItemStatus.ACTIVE, "archived": ItemStatus.ARCHIVED, "all": None}


@require_safe
@project_page(Role.VIEWER)
def dataset_detail(request: HttpRequest, scope: ProjectScope, dataset_id: str) -> HttpResponse:
    shown = ShownDataset(scope, queries.get_dataset(scope, dataset_id), request.GET)
    draft = SettingsDraft.of_dataset(shown.dataset)
    return _page(request, shown, draft)


@posted_from("evals:dataset-list")
@project_page(Role.MEMBER)
def dataset_update(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    dataset = asked_dataset(scope, request.POST)
    draft = SettingsDraft.of_post(request.POST)
    change = draft.change()
    if change is not None:
        try:
            actions.update_dataset(scope, dataset.pk, change, actor=Actor.of(request))
        except (Invalid, TooExpensive) as refusal:
            draft.refused(refusal)
        else:
            messages.success(request, _("Saved."))
            return see_other(dataset_url(scope, dataset.pk, tab="settings"))
    return _page(request, ShownDataset(scope, dataset, request.GET, tab="settings"), draft, status=422)


def _page(request: HttpRequest, shown: ShownDataset, draft: SettingsDraft, status: int = 200) -> HttpResponse:
    context = {
        "scope": shown.scope,
        "shown": shown,
        "dataset": shown.dataset,
        "draft": draft,
        "longest_name": DATASET_NAME_LENGTH,
        "may_edit": shown.may_edit,
    }
    return render_page(request, "evals/dataset_detail.html", context, fragment="items", status=status)


def version_from(query: QueryDict) -> datetime | None:
    """`version`: a time. What is none is the present."""
    return parse_time(query.get("version", ""))


class ShownDataset:
    """What the page shows, each part read when it is asked for."""

    def __init__(self, scope: ProjectScope, dataset: Dataset, query: QueryDict, *, tab: str = "") -> None:
        self.scope, self.dataset, self._query = scope, dataset, query
        asked = tab or query.get("tab", "")
        self.tab = asked if asked in TABS else TABS[0]
        self.version = version_from(query)
        self.text = text_from(query, "q")
        status = query.get("status", "")
        self.status = status if status in _STATUSES else ""
        self.may_edit = scope.role.allows(Role.MEMBER)

    @property
    def folders(self) -> list[tuple[str, str]]:
        return [(name, list_url(self.scope, path)) for name, path in folders_of(self.dataset.name)]

    @property
    def own_name(self) -> str:
        return self.dataset.name.rpartition("/")[2]

    @property
    def tabs(self) -> list[tuple[str, str, bool]]:
        titles = (_("Items"), _("Experiments"), _("History"), _("Settings"))
        return [
            (title, dataset_url(self.scope, self.dataset.pk, tab="" if name == "items" else name), name == self.tab)
            for name, title in zip(TABS, titles, strict=True)
        ]

    @property
    def is_narrowed(self) -> bool:
        return bool(self.text or self.status)

    @property
    def statuses(self) -> list[tuple[str, str]]:
        return [("", _("In use")), ("archived", _("Archived")), ("all", _("All"))]

    @cached_property
    def _found(self) -> Any:
        return item_queries.versions(
            self.scope, dataset=self.dataset, as_of=self.version, status=_STATUSES[self.status], text=self.text
        )

    @cached_property
    def total(self) -> int:
        return int(self._found.count())

    @cached_property
    def every(self) -> int:
        """All items there are now, archived ones too."""
        return item_queries.versions(self.scope, dataset=self.dataset, status=None).count()

    @cached_property
    def page(self) -> Keyed[Preview]:
        cursor = self._query.get("after", "").replace("\x00", "")
        try:
            return item_queries.list_previews(self._found, limit=PAGE_SIZE, cursor=cursor)
        except Invalid:  # an address that was cut short is the first page
            return item_queries.list_previews(self._found, limit=PAGE_SIZE)

    @property
    def version_text(self) -> str:
        return version_text(self.version)

    @cached_property
    def runs(self) -> RunsTable:
        """Experiments on it, as their own list shows them."""
        return RunsTable(self.scope, self._query, self.dataset)

    # --- History
    @cached_property
    def moments(self) -> list[Change]:
        """The last ones, for the version picker."""
        return item_queries.list_changes(self.scope, self.dataset, limit=_PICKED)

    @cached_property
    def changes(self) -> list[tuple[Change, str]]:
        """A page of the history: what was written, and the address of the dataset as it was then."""
        before = parse_time(self._query.get("before", ""))
        found = item_queries.list_changes(self.scope, self.dataset, limit=_HISTORY + 1, before=before)
        self.older = version_text(found[_HISTORY - 1].at) if len(found) > _HISTORY else ""
        return [(one, dataset_url(self.scope, self.dataset.pk, version=one.at)) for one in found[:_HISTORY]]
