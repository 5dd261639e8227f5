"""One prompt: its versions as a timeline, and of one of them what it says, its config, how to use it, how it does."""

from __future__ import annotations

from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.roles import Role
from config.errors import Conflict, Invalid, NotFound, TooExpensive, Unavailable
from config.rendering import render_page
from prompts import content
from prompts.composition import resolve
from prompts.difference import Difference, as_text, compare, config_text
from prompts.drawing import Drawn, draw, prompt_url, reference_url, which
from prompts.models import LATEST, PRODUCTION, PromptVersion
from prompts.queries import prompts as queries
from prompts.snippets import Snippet, snippets_of
from prompts.views.listing import author_of, folders_of, list_url
from tracing.forms import period_from, text_from
from tracing.models.comments import CommentObjectType
from tracing.queries import explorer
from tracing.queries.comments import count_comments
from tracing.queries.explorer import Noun, Wanted, write_term
from tracing.queries.periods import Period
from tracing.queries.prompts import VersionUse, uses_by_version
from tracing.views.acts.node import Node
from tracing.views.ranges import range_labels

TABS = ("prompt", "config", "uses", "metrics", "generations")
#: versions on one page of the timeline
TIMELINE_SIZE = 100
RANGE = "30d"


@require_safe
@project_page(Role.VIEWER)
def prompt_detail(request: HttpRequest, scope: ProjectScope, name: str) -> HttpResponse:
    shown = PromptPage(request, scope, name)
    get_token(request)
    problem = None
    try:
        shown.read_figures()
    except (TooExpensive, Unavailable) as error:
        problem = error
    context = {
        "scope": scope,
        "shown": shown,
        "version": shown.version,
        "prompt": shown.version.prompt,
        "may_edit": scope.role.allows(Role.MEMBER),
        "node": shown.node,
        "problem": problem,
        "page": None if problem or shown.tab != "generations" else shown.generations,
        "period": shown.period,
        "ranges": range_labels(),
        "request_host": request.get_host(),
    }
    status = problem.status if problem else 200
    return render_page(request, "prompts/prompt_detail.html", context, fragment="versions", status=status)


@require_safe
@project_page(Role.VIEWER)
def prompt_version(request: HttpRequest, scope: ProjectScope, version_id: str) -> HttpResponse:
    """Leads from the id of a version to its page."""
    found = None if "\x00" in version_id else queries.versions(scope).filter(pk=version_id).first()
    if found is None:
        raise NotFound(_("There is no such version of a prompt in this project."))
    return HttpResponseRedirect(prompt_url(scope.project_id, found.prompt.name, found.number))


class TimelineEntry:
    def __init__(self, page: PromptPage, version: PromptVersion, comments: int) -> None:
        self.version, self.comments = version, comments
        self.labels = queries.labels_of(version, page.newest)
        self.author = author_of(version)
        self.is_shown = version.number == page.version.number
        self.is_compared = page.other is not None and version.number == page.other.number
        self.url = page.address(version=version.number, label=None, compare=None)
        self.compare_url = page.address(version=page.version.number, label=None, compare=version.number)


class PromptPage:
    """What the page of one prompt shows, each part read when it is asked for."""

    def __init__(self, request: HttpRequest, scope: ProjectScope, name: str) -> None:
        self.scope, self._query = scope, request.GET
        self._request = request
        self.version = self._chosen(name)
        self.prompt = self.version.prompt
        self.newest = self.version.newest
        self.tab = request.GET.get("tab", "") if request.GET.get("tab", "") in TABS else TABS[0]
        self.period = period_from(request.GET) if {"range", "from", "to"} & request.GET.keys() else Period.named(RANGE)

    def _chosen(self, name: str) -> PromptVersion:
        """The one asked for by `version` or `label`; else the newest. Raises NotFound."""
        asked, label = self._query.get("version", ""), text_from(self._query, "label")
        number = _number(asked)
        if asked and number is None:
            raise NotFound(_("There is no such prompt in this project, or it has no such version."))
        found = queries.find_version(self.scope, name, number=number, label=label or LATEST if number is None else "")
        if found is None:
            raise NotFound(_("There is no such prompt in this project, or it has no such version."))
        return found

    # --- Addresses --------------------------------------------------------------------------------------
    def address(self, **changes: Any) -> str:
        """The page as it is with other parameters; None takes one away."""
        query = self._query.copy()
        for name in ("before", "find", "older"):
            query.pop(name, None)
        for name, value in changes.items():
            query.pop(name, None)
            if value is not None:
                query[name] = str(value)
        return f"?{query.urlencode()}"

    @property
    def folders(self) -> list[tuple[str, str]]:
        return [(name, list_url(self.scope, path)) for name, path in folders_of(self.prompt.name)]

    @property
    def own_name(self) -> str:
        return self.prompt.name.rpartition("/")[2]

    def _with(self, view: str, **parameters: str | int) -> str:
        return f"{reverse(view, args=[self.scope.project_id])}?{urlencode(parameters)}"

    @property
    def edit_url(self) -> str:
        return self._with("prompts:prompt-new", **{"from": self.prompt.name}, version=self.version.number)

    @property
    def duplicate_url(self) -> str:
        return self._with("prompts:prompt-duplicate", name=self.prompt.name, version=self.version.number)

    @property
    def delete_url(self) -> str:
        return self._with("prompts:prompt-delete", name=self.prompt.name)

    @property
    def delete_version_url(self) -> str:
        return self._with("prompts:prompt-delete", name=self.prompt.name, version=self.version.number)

    @property
    def export_url(self) -> str:
        return self._with("prompts:prompt-export", name=self.prompt.name)

    @property
    def tabs(self) -> list[tuple[str, str, bool]]:
        labels = {
            "prompt": _("Prompt"),
            "config": _("Config"),
            "uses": _("Use it"),
            "metrics": _("Metrics"),
            "generations": _("Generations"),
        }
        return [
            (labels[name], self.address(tab=name, compare=None), name == self.tab and self.other is None)
            for name in TABS
        ]

    # --- The timeline -----------------------------------------------------------------------------------
    @property
    def find(self) -> str:
        return text_from(self._query, "find")

    @cached_property
    def _timeline(self) -> list[PromptVersion]:
        found = queries.versions(self.scope).filter(prompt=self.prompt).select_related("author")
        found = found.defer("content", "config").order_by("-number")
        older = _number(self._query.get("older", ""))
        if older:
            found = found.filter(number__lt=older)
        if self.find:
            words = self.find.removeprefix("#").removeprefix("v")
            says = Q(commit_message__icontains=self.find) | Q(labels__name__icontains=self.find)
            says |= Q(author__name__icontains=self.find) | Q(author__email__icontains=self.find)
            if words.isascii() and words.isdigit():
                says |= Q(number=min(int(words), 2**31 - 1))
            if LATEST.startswith(self.find):
                says |= Q(number=self.newest)
            found = found.filter(says).distinct()
        return list(found[: TIMELINE_SIZE + 1])

    @cached_property
    def timeline(self) -> list[TimelineEntry]:
        versions = self._timeline[:TIMELINE_SIZE]
        comments = count_comments(self.scope, CommentObjectType.PROMPT.value, [version.pk for version in versions])
        return [TimelineEntry(self, version, comments[version.pk]) for version in versions]

    @property
    def older_url(self) -> str:
        if len(self._timeline) <= TIMELINE_SIZE:
            return ""
        query = self._query.copy()
        query["older"] = str(self._timeline[TIMELINE_SIZE - 1].number)
        return f"?{query.urlencode()}"

    # --- The version ------------------------------------------------------------------------------------
    @property
    def labels(self) -> list[str]:
        return queries.labels_of(self.version, self.newest)

    @property
    def author(self) -> str:
        return author_of(self.version)

    @cached_property
    def label_choices(self) -> list[dict[str, Any]]:
        """Every label of the prompt, `production` too: where it stands, and whether this person moves it."""
        standing = queries.standing_labels(self.prompt)
        held = queries.protected_labels(self.scope)
        is_admin = self.scope.role.allows(Role.ADMIN)
        return [
            {
                "name": name,
                "number": standing.get(name),
                "is_here": standing.get(name) == self.version.number,
                "is_protected": name in held,
                "may_move": is_admin or name not in held,
            }
            for name in dict.fromkeys([PRODUCTION, *standing])
        ]

    @property
    def has_references(self) -> bool:
        return bool(self.references)

    @cached_property
    def references(self) -> list[tuple[str, str, str]]:
        """Name, version or label, and address of each prompt that is embedded."""
        return [(one.name, which(one), reference_url(self.scope, one)) for one in self._references]

    @cached_property
    def _references(self) -> list[content.Reference]:
        try:
            return content.references(self.version.said)
        except Invalid:
            return []

    @cached_property
    def embedded_by(self) -> list[tuple[str, int, str]]:
        found = queries.embedded_by(self.scope, self.version, self.labels)
        return [(name, number, prompt_url(self.scope.project_id, name, number)) for name, number in found]

    @property
    def variables(self) -> list[str]:
        return content.variables(self._said)

    @property
    def placeholders(self) -> list[str]:
        return content.placeholders(self.version.said)

    @property
    def is_resolved(self) -> bool:
        return self.has_references and self._query.get("view") == "resolved"

    @cached_property
    def _resolved(self) -> tuple[content.Content, str]:
        """What it says with everything put in, or as it is and why not."""
        try:
            return resolve(self.scope, self.version).content, ""
        except Conflict as error:
            return self.version.said, error.message

    @property
    def _said(self) -> content.Content:
        return self._resolved[0] if self.is_resolved else self.version.said

    @property
    def resolution_problem(self) -> str:
        return self._resolved[1] if self.has_references else ""

    @cached_property
    def drawn(self) -> Drawn:
        return draw(self.scope, self._said, is_whole=self._query.get("whole") == "1")

    @property
    def raw(self) -> str:
        """As it is copied: the text, or the messages as JSON."""
        said = self._said
        return said if isinstance(said, str) else config_text(said)

    @property
    def config_text(self) -> str:
        return config_text(self.version.config)

    @cached_property
    def snippets(self) -> list[Snippet]:
        label = next((name for name in self.labels if name != LATEST), "")
        return snippets_of(self.version, label, self._request.build_absolute_uri("/").rstrip("/"))

    @cached_property
    def node(self) -> Node:
        return Node(self.scope, prompt_id=self.version.pk)

    # --- Comparing --------------------------------------------------------------------------------------
    @cached_property
    def other(self) -> PromptVersion | None:
        """The version that this one is compared with."""
        number = _number(self._query.get("compare", ""))
        if number is None:
            return None
        return queries.find_version(self.scope, self.prompt.name, number=number)

    @cached_property
    def pair(self) -> tuple[PromptVersion, PromptVersion]:
        """The older of the two first."""
        other = self.other or self.version
        return (other, self.version) if other.number < self.version.number else (self.version, other)

    @property
    def is_inline(self) -> bool:
        return self._query.get("diff") == "inline"

    @cached_property
    def differences(self) -> list[tuple[str, str, Difference]]:
        """Of content and of config: id, title and what changed."""
        old, new = self.pair
        return [
            ("content-diff", _("Prompt"), compare(as_text(old.said), as_text(new.said))),
            ("config-diff", _("Config"), compare(config_text(old.config), config_text(new.config))),
        ]

    @property
    def compare_previous_url(self) -> str:
        """Compares with the version before; empty for the first."""
        found = queries.versions(self.scope).filter(prompt=self.prompt, number__lt=self.version.number)
        before = found.order_by("-number").values_list("number", flat=True).first()
        return self.address(version=self.version.number, label=None, compare=before) if before else ""

    @cached_property
    def numbers(self) -> list[int]:
        """Of all versions, newest first: what can be chosen to compare."""
        found = queries.versions(self.scope).filter(prompt=self.prompt).order_by("-number")
        return list(found.values_list("number", flat=True)[:1000])

    # --- Figures ----------------------------------------------------------------------------------------
    def read_figures(self) -> None:
        """Reads what comes from the analytics store, where that may be refused. Raises TooExpensive, Unavailable."""
        if self.other is None and self.tab == "metrics":
            self.uses  # noqa: B018
        if self.other is None and self.tab == "generations":
            self.generations  # noqa: B018

    @cached_property
    def uses(self) -> dict[int, VersionUse]:
        return uses_by_version(self.scope, self.prompt.name, self.period)

    @cached_property
    def metrics(self) -> list[tuple[int, list[str], VersionUse, list[Any], bool]]:
        """Number, labels, figures and scores of each version that was used, the newest first; and whether it is this
        one. Versions that were deleted, or never were here, are told like the others."""
        labels: dict[int, list[str]] = {}
        for name, number in queries.standing_labels(self.prompt).items():
            labels.setdefault(number, []).append(name)
        labels.setdefault(self.newest, []).append(LATEST)
        rows = []
        for number in sorted(self.uses, reverse=True):
            use = self.uses[number]
            scores = [
                (use.scores.get(name) if is_own else use.trace_scores.get(name)) for name, is_own in self.score_columns
            ]
            rows.append((number, labels.get(number, []), use, scores, number == self.version.number))
        return rows

    @cached_property
    def score_columns(self) -> list[tuple[str, bool]]:
        """Names of scores of the generations (True), then of their traces (False)."""
        own = sorted({name for use in self.uses.values() for name in use.scores})
        of_traces = sorted({name for use in self.uses.values() for name in use.trace_scores})
        return [*((name, True) for name in own), *((name, False) for name in of_traces)]

    @cached_property
    def generations(self) -> explorer.Page:
        wanted = Wanted(
            Noun.OBSERVATIONS,
            explorer.parse(self.own_query, Noun.OBSERVATIONS),
            self.period,
            before=text_from(self._query, "before"),
        )
        return explorer.list_page(self.scope, wanted)

    @property
    def own_query(self) -> str:
        """The explorer's query for all that used this version."""
        return f"{write_term('prompt', self.prompt.name)} {write_term('prompt_version', str(self.version.number))}"


def _number(text: str) -> int | None:
    """A version's number; nonsense is none."""
    if not (text.isascii() and text.isdigit() and len(text) < 11):
        return None
    return int(text) if 0 < int(text) < 2**31 else None
