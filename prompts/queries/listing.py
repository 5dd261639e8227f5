"""The list of prompts as a page shows it: folders, rows, what they can be narrowed by, and where words were found.

A project has thousands of prompts at most, so names, types and tags are read at once and sifted here; what is long, the
contents, is searched by the database and read only of the rows that are shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.db.models import Max, Q

from accounts.access import ProjectScope
from prompts import content
from prompts.models import LATEST, Prompt, PromptLabel, PromptType, PromptVersion
from prompts.queries.prompts import prompts, versions

PAGE_SIZE = 100
SORTS = ("name", "-newest")
#: characters of a snippet before and after what was found
_AROUND = 60


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which prompts: below a folder, with words in name, tags or content, of one type, label and tag."""

    folder: str = ""
    text: str = ""
    type: str = ""
    label: str = ""
    tag: str = ""
    sort: str = SORTS[0]
    page: int = 1

    @property
    def is_narrowed(self) -> bool:
        return bool(self.text or self.type or self.label or self.tag)


@dataclass(frozen=True, slots=True)
class Folder:
    """`path` is its whole name, `prompts` counts those in it, however deep."""

    name: str
    path: str
    prompts: int
    newest_at: datetime


@dataclass(frozen=True, slots=True)
class Snippet:
    """Where the words are in the content of a version."""

    version: int
    before: str
    found: str
    after: str


@dataclass(frozen=True, slots=True)
class Row:
    """`labels`: name and the number of the version where it stands, the newest version's first."""

    prompt: Prompt
    newest: PromptVersion
    labels: list[tuple[str, int]]
    snippet: Snippet | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """One page. `total` counts prompts that match, `every` those of the whole project."""

    folders: list[Folder]
    rows: list[Row]
    total: int
    every: int
    has_more: bool
    types: list[tuple[str, int]]
    labels: list[tuple[str, int]]
    tags: list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class _Known:
    pk: str
    name: str
    type: str
    tags: Sequence[str]
    newest_at: datetime


def list_prompts(scope: ProjectScope, wanted: Wanted) -> Listing:
    every = _known(scope)
    start = f"{wanted.folder}/" if wanted.folder else ""
    here = [one for one in every if one.name.startswith(start)]
    labels = _labels(scope)
    found = _narrowed(scope, here, wanted, labels)
    folders: list[Folder] = []
    if not wanted.is_narrowed:
        folders, found = _folders(found, start)
    if wanted.sort == "-newest":
        found.sort(key=lambda one: one.newest_at, reverse=True)
        folders.sort(key=lambda one: one.newest_at, reverse=True)
    begin = (wanted.page - 1) * PAGE_SIZE
    shown = found[begin : begin + PAGE_SIZE]
    return Listing(
        folders=folders if wanted.page == 1 else [],
        rows=_rows(scope, shown, wanted.text),
        total=len(found),
        every=len(every),
        has_more=len(found) > begin + PAGE_SIZE,
        types=_counted(one.type for one in here),
        labels=_counted(label for one in here for label in labels.get(one.pk, ())),
        tags=_counted(tag for one in here for tag in one.tags),
    )


def label_counts(scope: ProjectScope) -> list[tuple[str, int]]:
    """Every label of the project with the number of prompts that have it, by name."""
    found = Counter(PromptLabel.objects.filter(prompt__project_id=scope.project_id).values_list("name", flat=True))
    return sorted(found.items())


def names_below(scope: ProjectScope, folder: str) -> list[str]:
    """Of all prompts in a folder, however deep; of the project for an empty one."""
    start = f"{folder}/" if folder else ""
    return sorted(name for name in prompts(scope).values_list("name", flat=True) if name.startswith(start))


def embeddable(scope: ProjectScope, text: str, *, limit: int) -> list[Row]:
    """Text prompts with these words in their names: what a reference may name."""
    wanted = text.casefold()
    found = [one for one in _known(scope) if one.type == PromptType.TEXT and wanted in one.name.casefold()]
    return _rows(scope, found[:limit], "")


def _known(scope: ProjectScope) -> list[_Known]:
    """All of the project by name."""
    rows = prompts(scope).annotate(newest_at=Max("versions__created_at")).order_by("name")
    return [_Known(*row) for row in rows.values_list("pk", "name", "type", "tags", "newest_at") if row[-1]]


def _labels(scope: ProjectScope) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    rows = PromptLabel.objects.filter(prompt__project_id=scope.project_id).values_list("prompt_id", "name")
    for prompt_id, name in rows:
        found.setdefault(prompt_id, []).append(name)
    return found


def _narrowed(scope: ProjectScope, here: list[_Known], wanted: Wanted, labels: dict[str, list[str]]) -> list[_Known]:
    found = here
    if wanted.type:
        found = [one for one in found if one.type == wanted.type]
    if wanted.label and wanted.label != LATEST:
        found = [one for one in found if wanted.label in labels.get(one.pk, ())]
    if wanted.tag:
        found = [one for one in found if wanted.tag in one.tags]
    if wanted.text:
        inside = set(_versions_with(scope, wanted.text, [one.pk for one in found]))
        words = wanted.text.casefold()
        found = [
            one
            for one in found
            if one.pk in inside or words in one.name.casefold() or any(words in tag.casefold() for tag in one.tags)
        ]
    return list(found)


def _folders(found: list[_Known], start: str) -> tuple[list[Folder], list[_Known]]:
    """The folders right below, and the prompts that are in none of them."""
    inside: dict[str, list[_Known]] = {}
    loose = []
    for one in found:
        name, slash, _rest = one.name.removeprefix(start).partition("/")
        if slash:
            inside.setdefault(name, []).append(one)
        else:
            loose.append(one)
    folders = [
        Folder(name, f"{start}{name}", len(those), max(one.newest_at for one in those))
        for name, those in inside.items()
    ]
    return sorted(folders, key=lambda folder: folder.name), loose


def _versions_with(scope: ProjectScope, text: str, prompt_ids: Collection[str]) -> dict[str, int]:
    """The newest version of each of these prompts that says this, in any case of A to Z."""
    # In stored messages, quotes and lines' ends are written as JSON writes them.
    written = orjson.dumps(text).decode()[1:-1]
    says = Q(prompt__type=PromptType.TEXT, content__icontains=text) | Q(
        prompt__type=PromptType.CHAT, content__icontains=written
    )
    wanted = set(prompt_ids)
    newest: dict[str, int] = {}
    for version in versions(scope).filter(says).order_by("number").iterator(chunk_size=200):
        if version.prompt_id in wanted and (version.prompt.type == PromptType.TEXT or _place(version, text)):
            newest[version.prompt_id] = version.number
    return newest


def _place(version: PromptVersion, text: str) -> tuple[str, int] | None:
    """The text in which the words are, and where. (In JSON a key may be called so.)"""
    for said in (*content.texts(version.said), *content.placeholders(version.said)):
        at = said.casefold().find(text.casefold())
        if at >= 0:
            return said, at
    return None


def _rows(scope: ProjectScope, shown: Sequence[_Known], text: str) -> list[Row]:
    ids = [one.pk for one in shown]
    rows = {prompt.pk: prompt for prompt in prompts(scope).filter(pk__in=ids)}
    newest: dict[str, PromptVersion] = {}
    light = versions(scope).defer("content", "config").select_related("author").filter(prompt__in=ids)
    for version in light.order_by("number"):
        newest[version.prompt_id] = version
    standing: dict[str, list[tuple[str, int]]] = {}
    labels = PromptLabel.objects.filter(prompt__in=ids).order_by("-version__number", "id")
    for prompt_id, name, number in labels.values_list("prompt_id", "name", "version__number"):
        standing.setdefault(prompt_id, []).append((name, number))
    snippets = _snippets(scope, ids, text) if text else {}
    return [
        Row(rows[pk], newest[pk], standing.get(pk, []), snippets.get(pk)) for pk in ids if pk in rows and pk in newest
    ]


def _snippets(scope: ProjectScope, ids: Sequence[str], text: str) -> dict[str, Snippet]:
    found: dict[str, Snippet] = {}
    for prompt_id, number in _versions_with(scope, text, ids).items():
        version = versions(scope).filter(prompt=prompt_id, number=number).first()
        place = _place(version, text) if version else None
        if place:
            said, at = place
            end = at + len(text)
            found[prompt_id] = Snippet(number, said[max(0, at - _AROUND) : at], said[at:end], said[end : end + _AROUND])
    return found


def _counted(values: Any) -> list[tuple[str, int]]:
    """Most common first."""
    return sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0]))
