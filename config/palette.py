"""Going anywhere by a few letters: what can be found, and who finds it. Each room registers its finders at start."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from config.errors import SpanwiseError

if TYPE_CHECKING:
    from accounts.access import ProjectScope

log = logging.getLogger(__name__)

#: of one kind; who looks for more has a list
MOST = 6


@dataclass(frozen=True, slots=True)
class Found:
    """A place to go to. `kind` is the heading it stands under, `detail` tells it from others of the same title."""

    kind: str | Promise
    title: str | Promise
    url: str
    icon: str
    detail: str | Promise = ""


Finder = Callable[[HttpRequest, "ProjectScope", str], Iterable[Found]]
_registered: list[str] = []


def register(finder: str) -> None:
    """`finder` is the dotted name of a `Finder`: it is imported when somebody first looks for something."""
    if finder not in _registered:
        _registered.append(finder)


@cache
def _finder(name: str) -> Finder:
    finder: Finder = import_string(name)
    return finder


def find(request: HttpRequest, scope: ProjectScope, text: str) -> list[Found]:
    """What there is of that name or id, in the order of the rooms. A finder that cannot read is left out."""
    found: list[Found] = []
    for name in _registered:
        try:
            found.extend(_finder(name)(request, scope, text))
        except SpanwiseError as error:
            log.warning("Nothing is found by %s: %s", name, error)
    return found


def fits(text: str, *names: str | Promise) -> bool:
    """Whether every word of what was typed is in one of the names."""
    said = " ".join(str(name) for name in names).casefold()
    return all(word in said for word in text.casefold().split())
