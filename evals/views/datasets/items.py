"""One item with all it ever said, the forms that write one, and acts on several."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Conflict, Invalid, NotFound, SpanwiseError, TooExpensive, Unavailable
from config.posting import posted_from
from config.rendering import render_page
from evals.actions import item_acts
from evals.actions import items as actions
from evals.models import Dataset
from evals.queries import datasets as dataset_queries
from evals.queries import items as queries
from evals.queries.item_runs import RunOfItem, runs_of_item
from evals.queries.item_versions import History, Moment, find_version, list_history
from evals.queries.items import Item
from evals.views.datasets.addresses import dataset_url, form_url, item_url, list_url
from evals.views.datasets.detail import version_from
from evals.views.datasets.drafts import ItemDraft, pretty
from evals.views.datasets.listing import asked_dataset, folders_of
from prompts.difference import Difference, compare
from tracing.forms import text_from
from tracing.queries import beside
from tracing.queries.periods import parse_time
from tracing.views import conversation
from tracing.views.bulk import tell
from tracing.views.conversation import Content

_ACTS = ("archive", "restore", "delete")
#: on a page of the history of an item
_VERSIONS = 50


# --- One --------------------------------------------------------------------------------------------------
@require_safe
@project_page(Role.VIEWER)
def dataset_item(request: HttpRequest, scope: ProjectScope, dataset_id: str, item_id: str) -> HttpResponse:
    """`version` is a time, `compare` another one; `edit=1` shows the form."""
    dataset = dataset_queries.get_dataset(scope, dataset_id)
    shown = ShownItem(scope, dataset, item_id, request.GET)
    if request.GET.get("edit") and shown.may_edit:
        return _form(request, scope, dataset, ItemDraft.of_item(shown.item), item=shown.item)
    context = {"scope": scope, "dataset": dataset, "shown": shown, "item": shown.item, "may_edit": shown.may_edit}
    return render_page(request, "evals/dataset_item.html", context)


class ShownItem:
    """An item as it is, or as it was; nothing more of it is read before it is asked for.

    `before` is where the page of its history begins. Raises NotFound.
    """

    def __init__(self, scope: ProjectScope, dataset: Dataset, item_id: str, query: QueryDict) -> None:
        self._scope, self._dataset = scope, dataset
        self.version = version_from(query)
        item = find_version(scope, dataset, item_id, self.version)
        if item is None:
            raise NotFound(_("There is no such item in this dataset, or it was not there at that time."))
        self.item = item
        self._compared = parse_time(query.get("compare", ""))
        self._before = parse_time(query.get("before", ""))
        self.is_inline = query.get("diff") == "inline"

    @property
    def is_current(self) -> bool:
        return self.item.valid_to is None

    @cached_property
    def is_deleted(self) -> bool:
        [last] = list_history(self._scope, self._dataset, self.item.id, limit=1).moments
        return last.valid_to is not None

    @property
    def may_edit(self) -> bool:
        return self.is_current and self._scope.role.allows(Role.MEMBER)

    @property
    def folders(self) -> list[tuple[str, str]]:
        return [(name, list_url(self._scope, path)) for name, path in folders_of(self._dataset.name)]

    @property
    def own_name(self) -> str:
        return self._dataset.name.rpartition("/")[2]

    @property
    def dataset_url(self) -> str:
        return dataset_url(self._scope, self._dataset.pk)

    @property
    def current_url(self) -> str:
        return item_url(self._scope, self.item)

    @property
    def edit_url(self) -> str:
        return item_url(self._scope, self.item, edit="1")

    @property
    def source_url(self) -> str:
        """The trace that it comes from, at the observation; empty where it comes from none."""
        item = self.item
        if not item.source_trace_id:
            return ""
        page = reverse("tracing:trace-detail", args=[self._scope.project_id, item.source_trace_id])
        query = urlencode({"observation": item.source_observation_id}) if item.source_observation_id else ""
        return f"{page}?{query}" if query else page

    @cached_property
    def runs(self) -> tuple[list[ShownRun], SpanwiseError | None]:
        """Where it ran lately, or why that cannot be told just now."""
        try:
            found = runs_of_item(self._scope, self._dataset, self.item.id)
        except (TooExpensive, Unavailable) as problem:
            return [], problem
        return [ShownRun(self._scope, one) for one in found], None

    @cached_property
    def parts(self) -> list[tuple[str, str, Content, str]]:
        """Field, title, content and JSON text of each."""
        item = self.item
        return [
            ("input", _("Input"), conversation.read(item.input_text), pretty(item.input)),
            (
                "expected",
                _("Expected output"),
                conversation.read(item.expected_output_text),
                pretty(item.expected_output),
            ),
            ("metadata", _("Metadata"), conversation.read(item.metadata_text), pretty(item.metadata)),
        ]

    @cached_property
    def files(self) -> dict[str, tuple[str, int]]:
        """Type and bytes of the stored files that it names."""
        wanted = {file.media_id for _f, _t, content, _j in self.parts for file in content.files if file.media_id}
        return beside.file_sizes(self._scope, wanted) if wanted else {}

    def span_of(self, call: Any) -> None:
        """Calls of tools in an item ran nowhere."""

    @cached_property
    def _history(self) -> History:
        return list_history(self._scope, self._dataset, self.item.id, limit=_VERSIONS, before=self._before)

    @cached_property
    def timeline(self) -> list[tuple[Moment, str, str]]:
        """Each version of the page of the history, with its address and that of its comparison with the one that is
        shown."""
        return [
            (
                one,
                self._url(version=None if one.valid_to is None else one.valid_from, compare=None),
                "" if one.version_pk == self.item.version_pk else self._url(compare=one.valid_from),
            )
            for one in self._history.moments
        ]

    @property
    def newest_url(self) -> str:
        """Of the beginning of the history; empty there."""
        return "" if self._before is None else self._url(before=None)

    @property
    def older_url(self) -> str:
        """Of the next page of the history; empty on the last."""
        return "" if self._history.older is None else self._url(before=self._history.older)

    def _url(self, **others: datetime | None) -> str:
        """Of what is shown, but for these times of the address."""
        shown = None if self.is_current else self.item.valid_from
        times = {"version": shown, "compare": self._compared, "before": self._before} | others
        return item_url(
            self._scope, self.item, version=times["version"], compare=times["compare"], before=times["before"]
        )

    @cached_property
    def other(self) -> Item | None:
        """The version that the shown one is compared with: the one that began at that very time."""
        if self._compared is None:
            return None
        other = find_version(self._scope, self._dataset, self.item.id, self._compared)
        is_it = other is not None and other.valid_from == self._compared and other.version_pk != self.item.version_pk
        return other if is_it else None

    @property
    def differences(self) -> list[tuple[str, str, Difference]]:
        if self.other is None:
            return []
        old, new = sorted((self.other, self.item), key=lambda one: one.valid_from)
        return [
            ("input-diff", _("Input"), compare(pretty(old.input), pretty(new.input))),
            ("expected-diff", _("Expected output"), compare(pretty(old.expected_output), pretty(new.expected_output))),
            ("metadata-diff", _("Metadata"), compare(pretty(old.metadata), pretty(new.metadata))),
        ]


@dataclass(frozen=True, slots=True)
class ShownRun:
    scope: ProjectScope
    run: RunOfItem

    @property
    def experiment_url(self) -> str:
        page = reverse("evals:experiment-compare", args=[self.scope.project_id])
        return f"{page}?{urlencode({'baseline': self.run.item.experiment.experiment_id})}"

    @property
    def trace_url(self) -> str:
        item = self.run.item
        page = reverse("tracing:trace-detail", args=[self.scope.project_id, item.trace_id])
        return f"{page}?{urlencode({'observation': item.observation_id})}" if item.observation_id else page

    @property
    def scores(self) -> list[tuple[str, str]]:
        """Name and value, as people read them."""
        return sorted((one.name, one.text or f"{one.value:.4g}") for one in self.run.scores)


# --- Written ----------------------------------------------------------------------------------------------
@require_safe
@project_page(Role.MEMBER)
def dataset_item_new(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    dataset = asked_dataset(scope, request.GET)
    return _form(request, scope, dataset, ItemDraft.example_for(dataset))


@posted_from("evals:dataset-list")
@project_page(Role.MEMBER)
def dataset_item_save(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    """A new item, or with `old` the next version of that one. `next=1` goes on with another new one."""
    dataset = asked_dataset(scope, request.POST)
    old = text_from(request.POST, "old")
    item = queries.get_item(scope, old) if old else None
    draft = ItemDraft.of_post(request.POST)
    if item is not None:
        draft.item_id = item.id
    elif _is_taken(scope, draft.item_id.strip()):
        draft.errors["item_id"] = [("", _("There is an item with this id. Open it and edit it."))]
    change = draft.change()
    if change is not None:
        try:
            written = actions.put_item(scope, dataset, change, actor=Actor.of(request))
        except (Invalid, Conflict) as refusal:
            draft.refused(refusal)
        else:
            messages.success(request, _("Saved."))
            if request.POST.get("next"):
                return see_other(form_url(scope, "evals:dataset-item-new", dataset.pk))
            return see_other(item_url(scope, written))
    return _form(request, scope, dataset, draft, item=item, status=422)


def _is_taken(scope: ProjectScope, item_id: str) -> bool:
    try:
        queries.get_item(scope, item_id)
    except NotFound:
        return False
    return True


def _form(
    request: HttpRequest,
    scope: ProjectScope,
    dataset: Dataset,
    draft: ItemDraft,
    *,
    item: Item | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "scope": scope,
        "dataset": dataset,
        "draft": draft,
        "item": item,
        "input_schema": pretty(dataset.input_schema),
        "expected_output_schema": pretty(dataset.expected_output_schema),
        "dataset_url": dataset_url(scope, dataset.pk),
        "back": item_url(scope, item) if item else dataset_url(scope, dataset.pk),
    }
    return render_page(request, "evals/dataset_item_form.html", context, status=status)


# --- Several ----------------------------------------------------------------------------------------------
@posted_from("evals:dataset-list")
@project_page(Role.MEMBER)
def dataset_items_act(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    """`act` on the items named `id`, or with `all=1` on all that the list's `query` matches. Deleting asks first."""
    dataset = asked_dataset(scope, request.POST)
    act = request.POST.get("act", "")
    if act not in _ACTS:
        raise Invalid(_("There is no such act."))
    query = QueryDict(request.POST.get("query", "").lstrip("?"))
    wanted = item_acts.Wanted(
        dataset_id=dataset.pk,
        ids=tuple(dict.fromkeys(request.POST.getlist("id"))),
        is_all=bool(request.POST.get("all")),
        text=text_from(query, "q"),
        status=query.get("status", ""),
    )
    back = dataset_url(scope, dataset.pk)
    rest = {name: query[name] for name in ("q", "status") if query.get(name)}
    back = f"{back}?{urlencode(rest)}" if rest else back
    if not wanted.is_all and not wanted.ids:
        messages.warning(request, _("Tick the items first."))
        return see_other(back)
    if act == "delete" and request.POST.get("confirmed") != "1":
        count = item_acts.count(scope, wanted)
        context = {"scope": scope, "dataset": dataset, "wanted": wanted, "count": count, "back": back}
        return render_page(request, "evals/dataset_items_delete.html", context | {"query": query.urlencode()})
    job = item_acts.start(scope, wanted, act, actor=Actor.of(request))
    if job.is_unfinished or job.failed:
        tell(request, scope, job)
    else:
        messages.success(request, _done(act, job.done))
    return see_other(back)


def _done(act: str, number: int) -> str:
    said = {
        "archive": ngettext("%(n)d item is archived.", "%(n)d items are archived.", number),
        "restore": ngettext("%(n)d item is in use again.", "%(n)d items are in use again.", number),
        "delete": ngettext("%(n)d item is deleted.", "%(n)d items are deleted.", number),
    }
    return said[act] % {"n": number}
