"""What the frame around every page shows: where one is, where one can go, and the chosen theme."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import Project
from accounts.queries import projects_of
from config.posting import page_of

LAST_PROJECT = "last_project_id"
THEME_COOKIE = "theme"
THEMES = ("light", "dark")


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the navigation. It is current on every page whose URL name starts with one of `names`."""

    icon: str
    label: str | Promise
    url_name: str
    names: tuple[str, ...] = ()
    #: left out at the thumb, where there is room for five
    desktop_only: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    name: str
    icon: str
    label: str | Promise
    url: str
    is_current: bool
    desktop_only: bool


@dataclass(frozen=True, slots=True)
class Group:
    title: str | Promise
    links: tuple[Link, ...]

    @property
    def desktop_only(self) -> bool:
        return all(link.desktop_only for link in self.links)


GROUPS: tuple[tuple[str | Promise, tuple[Item, ...]], ...] = (
    (
        "",
        (
            Item("home", _("Home"), "tracing:project-home"),
            Item(
                "dashboard",
                _("Dashboards"),
                "tracing:dashboard-list",
                ("tracing:dashboard-", "tracing:widget-"),
                True,
            ),
        ),
    ),
    (
        _("Observe"),
        (
            Item("trace", _("Traces"), "tracing:trace-list", ("tracing:trace-",)),
            Item("span", _("Observations"), "tracing:observation-list", ("tracing:observation-",), True),
            Item("chat", _("Sessions"), "tracing:session-list", ("tracing:session-",)),
            Item("user", _("Users"), "tracing:user-list", ("tracing:user-",)),
        ),
    ),
    (
        _("Prompts"),
        (
            Item("prompt", _("Prompts"), "prompts:prompt-list", ("prompts:prompt-",)),
            Item("play", _("Playground"), "prompts:playground-list", ("prompts:playground",)),
        ),
    ),
    (
        _("Evaluate"),
        (
            Item("chart", _("Scores"), "evals:score-list", ("evals:score-",), True),
            Item(
                "scale",
                _("Evaluators"),
                "evals:evaluator-list",
                ("evals:evaluator-", "evals:rule-", "evals:judgement-"),
                True,
            ),
            Item("dataset", _("Datasets"), "evals:dataset-list", ("evals:dataset-",), True),
            Item("flask", _("Experiments"), "evals:experiment-list", ("evals:experiment-",), True),
            Item("checklist", _("Annotation queues"), "evals:queue-list", ("evals:queue-",), True),
        ),
    ),
    (
        _("Set up"),
        (
            Item("start", _("Get started"), "tracing:onboarding", desktop_only=True),
            Item("inbox", _("Ingestion problems"), "tracing:dead-letter-list", ("tracing:dead-letter-",), True),
            Item("clock", _("Jobs"), "tracing:job-list", ("tracing:job-",), True),
        ),
    ),
)
FOOT = (Item("gear", _("Settings"), "accounts:project-settings", ("accounts:",)),)


class Frame:
    """Built once per request and read lazily: fragments touch none of it, so they pay for none of it."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        match = request.resolver_match
        self._here = page_of(match)
        self._project_id = match.kwargs.get("project_id", "") if match else ""

    @cached_property
    def projects(self) -> list[Project]:
        """The projects this person may open, by organization and name."""
        return list(projects_of(self._request.user))

    @cached_property
    def project(self) -> Project | None:
        """The one of the page, else the last one looked at, else the first."""
        wanted = self._project_id or self._request.session.get(LAST_PROJECT, "")
        found = [project for project in self.projects if project.pk == wanted]
        return next(iter(found or self.projects), None)

    @cached_property
    def groups(self) -> list[Group]:
        groups = [Group(title, self._links(items)) for title, items in GROUPS]
        return [group for group in groups if group.links]

    @cached_property
    def foot(self) -> tuple[Link, ...]:
        return self._links(FOOT)

    @property
    def theme(self) -> str:
        """`light`, `dark`, or "" for the system's."""
        theme = self._request.COOKIES.get(THEME_COOKIE, "")
        return theme if theme in THEMES else ""

    def _links(self, items: tuple[Item, ...]) -> tuple[Link, ...]:
        project = self.project
        if project is None:
            return ()
        return tuple(self._link(item, project.pk) for item in items)

    def _link(self, item: Item, project_id: str) -> Link:
        is_current = self._here == item.url_name or self._here.startswith(item.names or ("\0",))
        url = reverse(item.url_name, args=[project_id])
        return Link(item.url_name.partition(":")[2], item.icon, item.label, url, is_current, item.desktop_only)


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `frame`."""
    return {"frame": Frame(request)}


def remember_project(request: HttpRequest) -> None:
    """The project of this page is the one that `/` opens next time."""
    match = request.resolver_match
    project_id = match.kwargs.get("project_id") if match else None
    if project_id and request.user.is_authenticated and request.session.get(LAST_PROJECT) != project_id:
        request.session[LAST_PROJECT] = project_id
