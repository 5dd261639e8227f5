"""The list of datasets, and the forms that make, copy and delete one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Invalid
from config.posting import posted_from
from config.rendering import render_page
from evals.actions import datasets as actions
from evals.models import Dataset
from evals.models.datasets import DATASET_NAME_LENGTH
from evals.queries import datasets as queries
from evals.queries import items as item_queries
from evals.queries.datasets import SORTS, Wanted, list_datasets
from evals.views.datasets.addresses import dataset_url, list_url
from evals.views.datasets.drafts import SettingsDraft
from tracing.forms import text_from
from tracing.models.jobs import Job
from tracing.views.bulk import tell

_MOST_PAGES = 10_000


@require_safe
@project_page(Role.VIEWER)
def dataset_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    wanted = _wanted(request.GET)
    listing = list_datasets(scope, wanted)
    start = f"{wanted.folder}/" if wanted.folder else ""
    context = {
        "scope": scope,
        "wanted": wanted,
        "listing": listing,
        "crumbs": folders_of(wanted.folder),
        "here": wanted.folder.rpartition("/")[2],
        "rows": [(row, row.dataset.name.removeprefix(start)) for row in listing.rows],
        "previous_page": wanted.page - 1,
        "next_page": wanted.page + 1,
        "may_edit": scope.role.allows(Role.MEMBER),
    }
    return render_page(request, "evals/dataset_list.html", context, fragment="datasets")


def folders_of(path: str) -> list[tuple[str, str]]:
    """Name and whole path of each folder on the way, without the last part."""
    parts = path.split("/")[:-1]
    return [(part, "/".join(parts[: place + 1])) for place, part in enumerate(parts)]


def _wanted(query: QueryDict) -> Wanted:
    page, sort = query.get("page", ""), query.get("sort", "")
    is_number = page.isascii() and page.isdigit() and len(page) < 6
    return Wanted(
        folder=text_from(query, "folder").strip("/"),
        text=text_from(query, "q"),
        sort=sort if sort in SORTS else SORTS[0],
        page=min(max(1, int(page)), _MOST_PAGES) if is_number else 1,
    )


# --- New --------------------------------------------------------------------------------------------------
@require_safe
@project_page(Role.MEMBER)
def dataset_new(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    folder = text_from(request.GET, "folder").strip("/")
    return _new_page(request, scope, SettingsDraft(name=f"{folder}/" if folder else text_from(request.GET, "name")))


@posted_from("evals:dataset-new")
@project_page(Role.MEMBER)
def dataset_create(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    draft = SettingsDraft.of_post(request.POST)
    change = draft.change()
    if change is not None:
        try:
            dataset = actions.create_dataset(scope, change, actor=Actor.of(request))
        except Invalid as refusal:
            draft.refused(refusal)
        else:
            messages.success(request, _("“%(name)s” is there. Now fill it.") % {"name": dataset.name})
            return see_other(dataset_url(scope, dataset.pk))
    return _new_page(request, scope, draft, status=422)


def _new_page(request: HttpRequest, scope: ProjectScope, draft: SettingsDraft, status: int = 200) -> HttpResponse:
    context = {
        "scope": scope,
        "draft": draft,
        "longest_name": DATASET_NAME_LENGTH,
        "folders": queries.folder_names(scope),
        "back": list_url(scope, draft.name.rpartition("/")[0] if request.method == "GET" else ""),
    }
    return render_page(request, "evals/dataset_form.html", context, status=status)


# --- Copies -----------------------------------------------------------------------------------------------
@require_safe
@project_page(Role.MEMBER)
def dataset_duplicate(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _duplicate_page(request, scope, asked_dataset(scope, request.GET), request.GET)


@posted_from("evals:dataset-list")
@project_page(Role.MEMBER)
def dataset_duplicate_save(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    dataset = asked_dataset(scope, request.POST)
    name = request.POST.get("new", "").strip()
    try:
        copy, job = actions.duplicate_dataset(scope, dataset.pk, name, actor=Actor.of(request))
    except Invalid as refusal:
        return _duplicate_page(request, scope, dataset, request.POST, problem=refusal.words)
    _tell_of_copy(request, scope, copy, job)
    return see_other(dataset_url(scope, copy.pk))


def _tell_of_copy(request: HttpRequest, scope: ProjectScope, copy: Dataset, job: Job) -> None:
    if job.is_unfinished or job.failed:
        tell(request, scope, job)
        return
    said = ngettext("Copied, with %(n)d item.", "Copied, with %(n)d items.", job.done)
    messages.success(request, said % {"n": job.done})


def _duplicate_page(
    request: HttpRequest, scope: ProjectScope, dataset: Dataset, data: QueryDict, problem: str = ""
) -> HttpResponse:
    context = {
        "scope": scope,
        "dataset": dataset,
        "items": item_queries.count_items_at(scope, dataset),
        "new_name": data.get("new", _free_name(scope, dataset.name)),
        "problem": problem,
        "longest": DATASET_NAME_LENGTH,
        "back": dataset_url(scope, dataset.pk),
    }
    return render_page(request, "evals/dataset_duplicate.html", context, status=422 if problem else 200)


def _free_name(scope: ProjectScope, name: str) -> str:
    """`name-copy`, or with a number where there is such a one."""
    stem = f"{name[: DATASET_NAME_LENGTH - 9]}-copy"
    taken = set(queries.datasets(scope).filter(name__startswith=stem).values_list("name", flat=True))
    tries = (stem if number == 1 else f"{stem}-{number}" for number in range(1, 1000))
    return next((one for one in tries if one not in taken), stem)


# --- Deleting ---------------------------------------------------------------------------------------------
@require_safe
@project_page(Role.MEMBER)
def dataset_delete(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _delete_page(request, scope, asked_dataset(scope, request.GET))


@posted_from("evals:dataset-list")
@project_page(Role.MEMBER)
def dataset_delete_confirm(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    """Goes when its name is typed."""
    dataset = asked_dataset(scope, request.POST)
    if request.POST.get("typed", "").strip() != dataset.name:
        return _delete_page(request, scope, dataset, problem=_("This is not the name of the dataset."))
    actions.delete_dataset(scope, dataset.pk, actor=Actor.of(request))
    messages.success(request, _("“%(name)s” is deleted.") % {"name": dataset.name})
    return see_other(list_url(scope, dataset.name.rpartition("/")[0]))


def _delete_page(request: HttpRequest, scope: ProjectScope, dataset: Dataset, problem: str = "") -> HttpResponse:
    context: dict[str, Any] = {
        "scope": scope,
        "dataset": dataset,
        "items": item_queries.versions(scope, dataset=dataset, status=None).count(),
        "runs": len(queries.list_run_names(scope, [dataset.pk])[dataset.pk]),
        "typed": request.POST.get("typed", ""),
        "problem": problem,
        "back": dataset_url(scope, dataset.pk),
    }
    return render_page(request, "evals/dataset_delete.html", context, status=422 if problem else 200)


def asked_dataset(scope: ProjectScope, data: QueryDict) -> Dataset:
    """The one that `dataset` names. Raises NotFound."""
    return queries.get_dataset(scope, data.get("dataset", ""))
