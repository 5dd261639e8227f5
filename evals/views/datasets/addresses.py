"""Where pages of datasets are."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

from django.urls import reverse

from accounts.access import ProjectScope
from evals.queries.items import Item


def list_url(scope: ProjectScope, folder: str = "") -> str:
    return _with(reverse("evals:dataset-list", args=[scope.project_id]), folder=folder)


def dataset_url(scope: ProjectScope, dataset_id: str, *, tab: str = "", version: datetime | None = None) -> str:
    page = reverse("evals:dataset-detail", args=[scope.project_id, dataset_id])
    return _with(page, tab=tab, version=version_text(version))


def item_url(
    scope: ProjectScope,
    item: Item,
    *,
    version: datetime | None = None,
    compare: datetime | None = None,
    before: datetime | None = None,
    edit: str = "",
) -> str:
    """`before`: with the page of its history that ends there."""
    page = reverse("evals:dataset-item", args=[scope.project_id, item.dataset_id, item.id])
    times = {"version": version, "compare": compare, "before": before}
    return _with(page, **{name: version_text(time) for name, time in times.items()}, edit=edit)


def form_url(scope: ProjectScope, name: str, dataset_id: str) -> str:
    """Of a page about a dataset that names it in its query."""
    return _with(reverse(name, args=[scope.project_id]), dataset=dataset_id)


def version_text(version: datetime | None) -> str:
    return "" if version is None else version.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _with(page: str, **parameters: str) -> str:
    query = urlencode({name: value for name, value in parameters.items() if value})
    return f"{page}?{query}" if query else page
