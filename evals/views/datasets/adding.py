"""From what was traced into a dataset: one trace or observation, or those that are selected in a list."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Conflict, Invalid, NotFound
from config.posting import posted_from
from config.rendering import render_page
from evals.actions import additions
from evals.actions import datasets as dataset_actions
from evals.actions import items as item_actions
from evals.actions.additions import Source
from evals.datasets.changes import DatasetChange
from evals.datasets.picking import DEFAULT, FIELDS, LONGEST_PATH, SOURCES, Pick
from evals.models import Dataset
from evals.models.datasets import DATASET_NAME_LENGTH
from evals.queries import datasets as queries
from evals.views.datasets.addresses import dataset_url, item_url
from evals.views.datasets.drafts import ItemDraft, pretty
from tracing.forms import text_from
from tracing.queries.explorer.nouns import Noun
from tracing.queries.selection import RowId, Selection, count_selected, next_selected
from tracing.views.bulk import selection_from, tell
from tracing.views.lists.addresses import list_url, posted_from_list

_MOST_DATASETS = 500
#: characters of a field that the dialog shows
_SHOWN = 2000


# --- One --------------------------------------------------------------------------------------------------
@require_safe
@project_page(Role.MEMBER)
def dataset_add(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """`trace` and `observation` name what it comes from; `dataset` and the mapping stand in the address, too."""
    source = _source(request.GET)
    picks = _picks(request.GET)
    found, problems = additions.picked(additions.document_of(scope, source), picks)
    draft = ItemDraft(pretty(found["input"]), pretty(found["expected_output"]), pretty(found["metadata"]))
    draft.errors = {name: [("", words)] for name, words in problems.items()}
    return _add_page(request, scope, source, request.GET, draft)


@posted_from("evals:dataset-list")
@project_page(Role.MEMBER)
def dataset_add_save(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    source = _source(request.POST)
    draft = ItemDraft.of_post(request.POST)
    draft.source_trace_id, draft.source_observation_id = source
    change = draft.change()
    problem = ""
    if change is not None:
        try:
            dataset = _chosen(request, scope)
            item = item_actions.put_item(scope, dataset, change, actor=Actor.of(request))
        except _NothingChosen as refusal:
            problem = refusal.words
        except (Invalid, Conflict) as refusal:
            draft.refused(refusal)
        else:
            text, link = _("Added to “%(name)s”.") % {"name": dataset.name}, _("Open the item")
            messages.success(
                request, format_html('{} <a class="link" href="{}">{}</a>', text, item_url(scope, item), link)
            )
            return see_other(_source_url(scope, source))
    return _add_page(request, scope, source, request.POST, draft, problem=problem, status=422)


class _NothingChosen(Invalid):
    """About the dataset, not about the item."""


def _chosen(request: HttpRequest, scope: ProjectScope) -> Dataset:
    """The dataset that was chosen, or a new one. Raises _NothingChosen."""
    name = request.POST.get("new", "").strip()
    chosen = request.POST.get("dataset", "")
    if chosen:
        return queries.get_dataset(scope, chosen)
    if not name:
        raise _NothingChosen(_("Choose a dataset, or name a new one."))
    try:
        return dataset_actions.create_dataset(scope, DatasetChange(name=name), actor=Actor.of(request))
    except Invalid as refusal:
        raise _NothingChosen(refusal.words) from None


def _add_page(
    request: HttpRequest,
    scope: ProjectScope,
    source: Source,
    data: QueryDict,
    draft: ItemDraft,
    *,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    dataset = _dataset_of(scope, data)
    known = additions.known_sources(scope, dataset, [source]) if dataset else {}
    context = {
        "scope": scope,
        "source": source,
        "source_url": _source_url(scope, source),
        "datasets": queries.datasets(scope).order_by("name")[:_MOST_DATASETS],
        "dataset": dataset,
        "new_name": data.get("new", ""),
        "longest_name": DATASET_NAME_LENGTH,
        "fields": _fields(data, draft),
        "sources": _sources(),
        "known_url": reverse("evals:dataset-item", args=[scope.project_id, dataset.pk, known[source]])
        if dataset and source in known
        else "",
        "whole_errors": draft.errors.get("whole", []),
        "problem": problem,
    }
    return render_page(request, "evals/dataset_add.html", context, fragment="draft", status=status)


def _source(data: QueryDict) -> Source:
    """Raises NotFound where nothing is named."""
    trace_id, observation_id = data.get("trace", ""), data.get("observation", "")
    if not trace_id or "\x00" in trace_id + observation_id:
        raise NotFound(_("There is no such trace in this project."))
    return trace_id, observation_id


def _source_url(scope: ProjectScope, source: Source) -> str:
    page = reverse("tracing:trace-detail", args=[scope.project_id, source[0]])
    return f"{page}?{urlencode({'observation': source[1]})}" if source[1] else page


def _dataset_of(scope: ProjectScope, data: QueryDict) -> Dataset | None:
    asked = data.get("dataset", "")
    return queries.datasets(scope).filter(pk=asked).first() if asked and "\x00" not in asked else None


# --- Which field comes from where -------------------------------------------------------------------------
def _picks(data: QueryDict) -> dict[str, Pick]:
    """`from-input=output` and `path-input=$.a`; what is not said is as usual."""
    found = {}
    for name in FIELDS:
        source = data.get(f"from-{name}", DEFAULT[name].source)
        path = text_from(data, f"path-{name}")[:LONGEST_PATH]
        found[name] = Pick(source, path if source else "") if source in SOURCES else Pick()
    return found


def _sources() -> list[tuple[str, str]]:
    return [("input", _("Input")), ("output", _("Output")), ("metadata", _("Metadata")), ("", _("nothing"))]


def _fields(data: QueryDict, draft: ItemDraft) -> list[dict[str, Any]]:
    picks = _picks(data)
    return [field | {"pick": picks[field["name"]]} for field in draft.fields]


# --- Many -------------------------------------------------------------------------------------------------
def _add_many(request: HttpRequest, scope: ProjectScope, noun: Noun) -> HttpResponseBase:
    """Shows the first of them as the item it would be; `do=start` begins."""
    selection = selection_from(request.POST, noun)
    problem = ""
    if request.POST.get("do") == "start":
        try:
            dataset = _chosen(request, scope)
            job = additions.start_adding(scope, dataset, selection, _picks(request.POST), actor=Actor.of(request))
        except Invalid as refusal:
            problem = refusal.words
        else:
            tell(request, scope, job)
            return see_other(dataset_url(scope, dataset.pk))
    return _many_page(request, scope, noun, selection, problem)


traces_add = posted_from_list(Noun.TRACES, Role.MEMBER, _add_many)
observations_add = posted_from_list(Noun.OBSERVATIONS, Role.MEMBER, _add_many)


def _many_page(
    request: HttpRequest, scope: ProjectScope, noun: Noun, selection: Selection, problem: str
) -> HttpResponse:
    picks = _picks(request.POST)
    found = next_selected(scope, selection, "", size=1)
    draft = ItemDraft()
    if found is not None:
        draft = _first_as_item(scope, found[0][0], picks)
    counted = count_selected(scope, selection)
    context = {
        "scope": scope,
        "noun": noun.value,
        "post": request.POST,
        "address": request.path,
        "counted": counted,
        "number": f"{counted.number:,}" if counted.is_all else f"≥ {counted.number:,}",
        "datasets": queries.datasets(scope).order_by("name")[:_MOST_DATASETS],
        "dataset": _dataset_of(scope, request.POST),
        "new_name": request.POST.get("new", ""),
        "longest_name": DATASET_NAME_LENGTH,
        "fields": _fields(request.POST, draft),
        "sources": _sources(),
        "problem": problem,
        "back": list_url(scope, noun, QueryDict(request.POST.get("query", "").lstrip("?"))),
    }
    return render_page(request, "evals/dataset_add_many.html", context, fragment="confirm")


def _first_as_item(scope: ProjectScope, row: RowId, picks: dict[str, Pick]) -> ItemDraft:
    source = (row.trace_id, "" if row.id == row.trace_id else row.id)
    try:
        found, problems = additions.picked(additions.document_of(scope, source), picks)
    except NotFound as gone:
        return ItemDraft(errors={"whole": [("", gone.message)]})
    shown = {name: pretty(found[name])[:_SHOWN] for name in FIELDS}
    draft = ItemDraft(shown["input"], shown["expected_output"], shown["metadata"])
    draft.errors = {name: [("", words)] for name, words in problems.items()}
    return draft
