"""Files that items name: a text that is nothing but a reference to a file stands for it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from accounts.access import ProjectScope
from config.errors import Invalid, issue
from tracing.models.media import Media, MediaLink

_REFERENCE = re.compile(r"@@@langfuseMedia:type=([^|@]+)\|id=([^|@]+)\|source=([^|@]+)@@@")
_MARK = "@@@langfuseMedia:"


@dataclass(frozen=True, slots=True)
class Named:
    """A file in a field (input, expectedOutput or metadata), and where: a path such as $['pictures'][0]."""

    field: str
    text: str
    path: str
    media_id: str


def named(field: str, text: str) -> list[Named]:
    """The files that a field's JSON text names."""
    return list(_walk(field, orjson.loads(text), "$")) if _MARK in text else []


def _walk(field: str, value: Any, path: str) -> Iterator[Named]:
    if isinstance(value, str):
        if found := _REFERENCE.fullmatch(value):
            yield Named(field, value, path, found[2])
    elif isinstance(value, list):
        for position, one in enumerate(value):
            yield from _walk(field, one, f"{path}[{position}]")
    elif isinstance(value, dict):
        for key, one in value.items():
            escaped = key.replace("\\", "\\\\").replace("'", "\\'")
            yield from _walk(field, one, f"{path}['{escaped}']")


def find_media(scope: ProjectScope, ids: Collection[str]) -> dict[str, Media]:
    """Those of the project, by id."""
    wanted = [one for one in set(ids) if len(one) <= 64 and "\x00" not in one]
    return {one.media_id: one for one in Media.objects.filter(project_id=scope.project_id, media_id__in=wanted)}


def check_known(scope: ProjectScope, files: Sequence[Named]) -> None:
    """Raises Invalid naming each reference to a file that the project does not have."""
    if not files:
        return
    known = find_media(scope, {one.media_id for one in files})
    issues = [
        issue(one.field, f"There is no media {one.media_id}, named at {one.path}")
        for one in files
        if one.media_id not in known
    ]
    if issues:
        raise Invalid(issues=issues)


def link(scope: ProjectScope, dataset_id: str, item_id: str, files: Sequence[Named]) -> None:
    """Notes that the item uses them, so that they stay when the traces go that they came with."""
    if not files:
        return
    known = find_media(scope, {one.media_id for one in files})
    links = {(one.media_id, one.field): known[one.media_id] for one in files if one.media_id in known}
    MediaLink.objects.bulk_create(
        [
            MediaLink(
                project_id=scope.project_id, media=media, dataset_id=dataset_id, dataset_item_id=item_id, field=field
            )
            for (_id, field), media in links.items()
        ],
        ignore_conflicts=True,
    )
