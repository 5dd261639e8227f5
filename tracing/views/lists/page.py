"""The page of a list: rows first; histogram, facets and completion are parts that are asked for after them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.roles import Role
from config.errors import SpanwiseError, TooExpensive, Unavailable
from config.rendering import render_page
from tracing.forms import wanted_from
from tracing.queries import explorer, traces
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.rows import Page, Row
from tracing.queries.explorer.wanted import Measure, Wanted
from tracing.views import saved_views
from tracing.views.environments import in_environments
from tracing.views.lists import facets, old_addresses, pills, remembered, strip
from tracing.views.lists.addresses import LISTED, list_url
from tracing.views.lists.columns import (
    Choice,
    Column,
    ShownRow,
    choices,
    chosen_ids,
    shown_columns,
    written,
)
from tracing.views.lists.suggesting import suggested
from tracing.views.ranges import range_labels

PARTS = ("results", "newest", "pulse", "facets", "suggestions")
#: the time range and the views follow the address as the rows do
BESIDE_RESULTS = {"results": "tracing/_list_beside.html"}
HEIGHTS = ("s", "m", "l")
SIZES = (25, 50, 100, 200)
_USUAL_SIZE = 50


@require_safe
@project_page(Role.VIEWER)
@in_environments
def trace_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _answer(request, scope, Noun.TRACES)


@require_safe
@project_page(Role.VIEWER)
@in_environments
def observation_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _answer(request, scope, Noun.OBSERVATIONS)


def _answer(request: HttpRequest, scope: ProjectScope, noun: Noun) -> HttpResponse:
    if not getattr(request, "htmx", False):
        elsewhere = old_addresses.in_query_language(request.GET, noun)
        elsewhere = saved_views.opened_by_address(request, scope, noun) if elsewhere is None else elsewhere
        elsewhere = remembered.with_remembered(request, noun) if elsewhere is None else elsewhere
        if elsewhere is not None:
            return _remembering(request, HttpResponseRedirect(f"{request.path}?{elsewhere}".rstrip("?")), noun)
    shown = ListPage(request, scope, noun)
    context = {
        "scope": scope,
        "list": shown,
        "wanted": shown.wanted,
        "period": shown.wanted.period,
        "page": shown.page,
        "problem": shown.problem,
        "ranges": range_labels(),
        "pulse": cache(shown.pulse),
        "facets": cache(shown.facets),
        "suggestions": cache(shown.suggestions),
    }
    status = shown.problem.status if shown.problem else 200
    response = render_page(
        request, "tracing/trace_list.html", context, fragment=PARTS, status=status, beside=BESIDE_RESULTS
    )
    return _remembering(request, response, noun)


def _remembering(request: HttpRequest, response: HttpResponse, noun: Noun) -> HttpResponse:
    remembered.remember(request, response, noun)
    return response


@dataclass(frozen=True, slots=True)
class NounLink:
    noun: Noun
    url: str
    is_current: bool


class ListPage:
    """Read lazily: a part asks only for what it shows."""

    def __init__(self, request: HttpRequest, scope: ProjectScope, noun: Noun) -> None:
        self._query, self._scope, self.noun = request.GET, scope, noun
        self.wanted: Wanted = wanted_from(request.GET, noun)
        self.height = self._query.get("rows") if self._query.get("rows") in HEIGHTS else "s"
        self.size = _size(self._query)
        self.sizes = SIZES
        # Scripts tell it beside the address, which says what is listed and not how one looks at it.
        self._opened_facets = request.headers.get("X-Open-Facets", "") or self._query.get("open", "").replace(
            "\x00", ""
        )
        self.views = saved_views.ViewsMenu(request, scope, noun)
        self.may_act = scope.role.allows(Role.MEMBER)
        #: only the list itself is read at once; asking for a part must not read it again
        htmx = getattr(request, "htmx", None)
        part = htmx.target if htmx else ""
        self.is_only_part = part in ("pulse", "facets", "suggestions")

    # --- Rows --------------------------------------------------------------------------------------------
    @cached_property
    def _read(self) -> tuple[Page, SpanwiseError | None]:
        if self.is_only_part:
            return Page([]), None
        try:
            # Of all names: which of them have a column is only known from the rows, and the menu offers the others.
            return explorer.list_page(self._scope, self.wanted, score_names=None, limit=self.size), None
        except (TooExpensive, Unavailable) as error:
            return Page([]), error  # the filters stay, so that they can be changed

    @property
    def page(self) -> Page:
        return self._read[0]

    @property
    def problem(self) -> SpanwiseError | None:
        return self._read[1]

    @cached_property
    def _column_ids(self) -> tuple[str, ...]:
        return chosen_ids(self._query)

    @cached_property
    def columns(self) -> list[Column]:
        return shown_columns(self.noun, self._column_ids, self.page.rows)

    @property
    def column_choices(self) -> list[Choice]:
        return choices(self.noun, self.columns, self.page.rows)

    @property
    def rows(self) -> list[ShownRow]:
        return [self._shown(row) for row in self.page.rows]

    def _shown(self, row: Row) -> ShownRow:
        url = self._url(row)
        return ShownRow(row, url, [(column.css, column.cell(row, url)) for column in self.columns])

    def _url(self, row: Row) -> str:
        url = reverse("tracing:trace-detail", args=[self._scope.project_id, row.trace_id])
        inside = row.snippet.observation_id if row.snippet else ""
        observation = row.id if self.noun is Noun.OBSERVATIONS else inside
        return f"{url}?{urlencode({'observation': observation})}" if observation else url

    # --- What is done to rows -------------------------------------------------------------------------------
    @property
    def confirm_url(self) -> str:
        name = "trace" if self.noun is Noun.TRACES else "observation"
        return reverse(f"tracing:{name}-bulk-confirm", args=[self._scope.project_id])

    @property
    def count_url(self) -> str:
        return reverse("tracing:count", args=[self._scope.project_id, self.noun.value])

    @property
    def column_list(self) -> str:
        """The columns shown, as an address says them."""
        return written(column.id for column in self.columns)

    # --- Beside the rows ---------------------------------------------------------------------------------
    @property
    def is_live(self) -> bool:
        """Whether new rows may appear on top: the first page of what goes on until now, the newest first."""
        wanted = self.wanted
        return not wanted.before and wanted.period.until is None and wanted.sort.is_newest_first and not self.problem

    @cached_property
    def is_new_project(self) -> bool:
        return not traces.has_traces(self._scope)

    @cached_property
    def bar(self) -> pills.Bar:
        return pills.bar(self.wanted.query, self._query)

    @property
    def nouns(self) -> list[NounLink]:
        kept = self._query.copy()
        for name in ("before", "peek", "observation", "columns", "sort", "view"):
            kept.pop(name, None)
        return [NounLink(noun, list_url(self._scope, noun, kept), noun is self.noun) for noun in LISTED]

    def pulse(self) -> strip.Strip | None:
        try:
            return strip.draw(explorer.pulse(self._scope, self.wanted, measure=self.measure), self._query)
        except SpanwiseError:
            return None  # the strip is an aid: the list says what is wrong

    @property
    def measure(self) -> Measure:
        chosen = self._query.get("chart", "")
        return Measure(chosen) if chosen in list(Measure) else Measure.COUNT

    def facets(self) -> list[facets.ShownFacet]:
        return facets.shown(self._scope, self.wanted, self._query, self._opened_facets)

    @property
    def field_names(self) -> str:
        return facets.aliases(self.noun)

    def suggestions(self) -> explorer.Completion:
        return suggested(self._scope, self.wanted, self._query)


def _size(query: QueryDict) -> int:
    chosen = query.get("size", "")
    return int(chosen) if chosen in map(str, SIZES) else _USUAL_SIZE
