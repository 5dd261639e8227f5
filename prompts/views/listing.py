"""The list of prompts: folders, search, filters, what each came to lately."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.models import User
from accounts.roles import Role
from config.errors import TooExpensive, Unavailable
from config.rendering import render_page
from prompts.drawing import prompt_url
from prompts.models import PromptType, PromptVersion
from prompts.queries.listing import SORTS, Row, Wanted, list_prompts
from tracing.forms import text_from
from tracing.queries.periods import Period
from tracing.queries.prompts import uses_by_prompt

USES_RANGE = "7d"
_MOST_PAGES = 10_000


@require_safe
@project_page(Role.VIEWER)
def prompt_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    wanted = _wanted(request.GET)
    context = {"scope": scope, "shown": ShownList(scope, wanted), "may_edit": scope.role.allows(Role.MEMBER)}
    return render_page(request, "prompts/prompt_list.html", context, fragment="prompts")


class ShownList:
    """What the page shows, each part read when it is asked for."""

    def __init__(self, scope: ProjectScope, wanted: Wanted) -> None:
        self._scope, self.wanted = scope, wanted
        self.listing = list_prompts(scope, wanted)
        self.uses_problem = False

    @property
    def crumbs(self) -> list[tuple[str, str]]:
        """Name and path of the folders around, without the one that is shown."""
        return folders_of(self.wanted.folder)

    @property
    def here(self) -> str:
        return self.wanted.folder.rpartition("/")[2]

    @cached_property
    def rows(self) -> list[ShownRow]:
        uses = self._uses()
        start = f"{self.wanted.folder}/" if self.wanted.folder else ""
        return [ShownRow(self._scope, row, start, uses) for row in self.listing.rows]

    def _uses(self) -> dict[str, int] | None:
        """None where the store cannot tell: the list does not wait for it."""
        try:
            names = [row.prompt.name for row in self.listing.rows]
            return uses_by_prompt(self._scope, names, Period.named(USES_RANGE))
        except (TooExpensive, Unavailable):
            self.uses_problem = True
            return None

    @property
    def filters(self) -> list[dict[str, Any]]:
        """One menu for each thing to narrow by: those with something to choose."""
        listing, wanted = self.listing, self.wanted
        menus = [
            {"name": "type", "label": _("Type"), "chosen": wanted.type, "values": listing.types},
            {"name": "label", "label": _("Label"), "chosen": wanted.label, "values": listing.labels},
            {"name": "tag", "label": _("Tag"), "chosen": wanted.tag, "values": listing.tags},
        ]
        return [menu for menu in menus if menu["values"] or menu["chosen"]]

    @property
    def previous_page(self) -> int:
        return self.wanted.page - 1

    @property
    def next_page(self) -> int:
        return self.wanted.page + 1


class ShownRow:
    def __init__(self, scope: ProjectScope, row: Row, start: str, uses: dict[str, int] | None) -> None:
        self._scope, self.row = scope, row
        self.prompt, self.newest, self.labels, self.snippet = row.prompt, row.newest, row.labels, row.snippet
        #: below the folder that is shown
        self.name = row.prompt.name.removeprefix(start)
        self.uses = None if uses is None else uses.get(row.prompt.name, 0)

    @property
    def url(self) -> str:
        return prompt_url(self._scope.project_id, self.prompt.name)

    @property
    def metrics_url(self) -> str:
        return prompt_url(self._scope.project_id, self.prompt.name, tab="metrics", range=USES_RANGE)

    @property
    def author(self) -> str:
        return author_of(self.newest)


def author_of(version: PromptVersion) -> str:
    """A name to show: of somebody who has left there is none."""
    person: User | None = version.author
    if person is not None:
        return str(person.name or person.email)
    return _("API") if version.created_by == "API" else ""


def folders_of(path: str) -> list[tuple[str, str]]:
    """Name and whole path of each folder on the way, without the last part."""
    parts = path.split("/")[:-1]
    return [(part, "/".join(parts[: place + 1])) for place, part in enumerate(parts)]


def list_url(scope: ProjectScope, folder: str = "") -> str:
    page = reverse("prompts:prompt-list", args=[scope.project_id])
    query = QueryDict(mutable=True)
    query["folder"] = folder
    return f"{page}?{query.urlencode()}" if folder else page


def _wanted(query: QueryDict) -> Wanted:
    page = query.get("page", "")
    is_number = page.isascii() and page.isdigit() and len(page) < 6
    return Wanted(
        folder=text_from(query, "folder").strip("/"),
        text=text_from(query, "q"),
        type=query.get("type", "") if query.get("type", "") in PromptType.values else "",
        label=text_from(query, "label"),
        tag=text_from(query, "tag"),
        sort=query.get("sort", "") if query.get("sort", "") in SORTS else SORTS[0],
        page=min(max(1, int(page)), _MOST_PAGES) if is_number else 1,
    )
