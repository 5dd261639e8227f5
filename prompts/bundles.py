"""Prompts as one JSON file: written out whole, and read in again after it was looked through.

`{"format": "spanwise-prompts", "prompts": [{"name", "type", "tags", "versions": [{"version", "prompt", "config",
"labels", "commitMessage"}]}]}`. What the prompt API answers (one prompt, or a list of them) is read as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from accounts.audit import Actor
from accounts.roles import Role
from config.api.values import iso
from config.errors import Forbidden, Invalid
from prompts import content
from prompts.actions import prompts as actions
from prompts.actions.events import gathered
from prompts.actions.prompts import NewVersion
from prompts.models import LATEST, Prompt, PromptType
from prompts.queries import prompts as queries

FORMAT = "spanwise-prompts"
#: bytes of a file
LARGEST = 10 << 20
_MOST_VERSIONS = 5_000


@dataclass(frozen=True, slots=True)
class Bundled:
    """A prompt of a file with its versions, oldest first."""

    name: str
    type: str
    tags: list[str] | None
    versions: list[NewVersion]


@dataclass(slots=True)
class Planned:
    """What reading a prompt in would do. `known` versions are there already, word for word, and are left out."""

    bundled: Bundled
    is_new: bool
    fresh: list[NewVersion] = field(default_factory=list)
    known: int = 0
    problem: str = ""


# --- Out -------------------------------------------------------------------------------------------------
def written(scope: ProjectScope, names: Iterable[str]) -> Iterator[bytes]:
    """The file, prompt by prompt."""
    yield f'{{"format":"{FORMAT}","prompts":['.encode()
    separator = b""
    for name in names:
        prompt = queries.prompts(scope).filter(name=name).first()
        if prompt is not None:
            yield separator + b"\n" + orjson.dumps(_told(scope, prompt))
            separator = b","
    yield b"\n]}\n"


def _told(scope: ProjectScope, prompt: Prompt) -> dict[str, Any]:
    versions = queries.versions(scope).filter(prompt=prompt).order_by("number")
    return {
        "name": prompt.name,
        "type": prompt.type,
        "tags": prompt.tags,
        "versions": [
            {
                "version": version.number,
                "prompt": version.said,
                "config": version.config,
                "labels": [label.name for label in version.labels.all()],
                "commitMessage": version.commit_message,
                "createdAt": iso(version.created_at),
            }
            for version in versions
        ],
    }


# --- In --------------------------------------------------------------------------------------------------
def read(text: str) -> list[Bundled]:
    """Raises Invalid for what is no such file, in words that say where."""
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        where = {"line": error.lineno, "column": error.colno}
        raise Invalid(_("This is no JSON: look at line %(line)d, column %(column)d.") % where) from None
    rows = given.get("prompts", given.get("data", [given])) if isinstance(given, dict) else given
    if not isinstance(rows, list) or not rows:
        raise Invalid(_("The file holds no prompts: it is a list of them, or an object with the key prompts."))
    found: dict[str, Bundled] = {}
    for place, row in enumerate(rows, 1):
        bundled = _prompt(row, place)
        before = found.setdefault(bundled.name, bundled)
        if before is not bundled:
            if before.type != bundled.type:
                raise Invalid(_("Prompt %(place)d: %(name)s is text and chat in one.") % _at(place, bundled.name))
            before.versions.extend(bundled.versions)
    if sum(len(one.versions) for one in found.values()) > _MOST_VERSIONS:
        raise Invalid(_("A file has %(most)d versions at most.") % {"most": _MOST_VERSIONS})
    return list(found.values())


def _prompt(row: Any, place: int) -> Bundled:
    if not isinstance(row, dict) or not isinstance(row.get("name"), str):
        raise Invalid(_("Prompt %(place)d has no name.") % {"place": place})
    name, tags = row["name"], row.get("tags")
    kind = row.get("type") or ("text" if isinstance(row.get("prompt"), str) else "chat")
    versions = row.get("versions")
    if not isinstance(versions, list) or not all(isinstance(one, dict) for one in versions):
        versions = [row] if "prompt" in row else []
    if not versions:
        raise Invalid(_("Prompt %(place)d (%(name)s) has no versions.") % _at(place, name))
    if kind not in PromptType.values or not _are_texts(tags):
        raise Invalid(
            _("Prompt %(place)d (%(name)s): its type is text or chat, its tags are texts.") % _at(place, name)
        )
    versions = sorted(versions, key=lambda one: one["version"] if isinstance(one.get("version"), int) else 0)
    return Bundled(name, kind, tags, [_version(name, kind, tags, one, place) for one in versions])


def _version(name: str, kind: str, tags: list[str] | None, given: dict[str, Any], place: int) -> NewVersion:
    labels, message = given.get("labels") or [], given.get("commitMessage") or ""
    if not _are_texts(labels) or not isinstance(message, str):
        raise Invalid(_("Prompt %(place)d (%(name)s): labels and commitMessage are texts.") % _at(place, name))
    try:
        said = content.checked(kind, given.get("prompt"))
    except Invalid as error:
        words = " ".join(str(issue["message"]) for issue in error.issues or [])
        raise Invalid(_("Prompt %(place)d (%(name)s): %(words)s") % {**_at(place, name), "words": words}) from None
    return NewVersion(
        name=name,
        type=kind,
        content=said,
        config=given.get("config"),
        labels=[label for label in labels if label != LATEST],
        tags=tags,
        commit_message=message,
    )


def _are_texts(values: Any) -> bool:
    return values is None or (isinstance(values, list) and all(isinstance(value, str) for value in values))


def _at(place: int, name: str) -> dict[str, Any]:
    return {"place": place, "name": name}


def plan(scope: ProjectScope, bundle: list[Bundled]) -> list[Planned]:
    """What reading it in would do, prompt by prompt."""
    return [_planned(scope, one) for one in bundle]


def _planned(scope: ProjectScope, bundled: Bundled) -> Planned:
    try:
        actions.check_name(bundled.name)
    except Invalid as error:
        return Planned(bundled, True, problem=" ".join(str(issue["message"]) for issue in error.issues or []))
    prompt = queries.prompts(scope).filter(name=bundled.name).first()
    if prompt is None:
        return Planned(bundled, True, fresh=bundled.versions)
    if prompt.type != bundled.type:
        said = _("There is a prompt of this name of the other type: text stays text, and chat stays chat.")
        return Planned(bundled, False, problem=said)
    there = [(one.said, one.config) for one in queries.versions(scope).filter(prompt=prompt)]
    fresh = [one for one in bundled.versions if (one.content, {} if one.config is None else one.config) not in there]
    return Planned(bundled, False, fresh=fresh, known=len(bundled.versions) - len(fresh))


def import_prompts(scope: ProjectScope, bundle: list[Bundled], *, actor: Actor) -> int:
    """Writes all versions that are not there yet, or none. Returns how many. Raises Invalid and Forbidden."""
    scope.require(Role.MEMBER)
    with gathered(scope):
        planned = plan(scope, bundle)
        for one in planned:
            if one.problem:
                raise Invalid(f"{one.bundled.name}: {one.problem}")
        return _write(scope, [list(one.fresh) for one in planned if one.fresh], actor)


def _write(scope: ProjectScope, waiting: list[list[NewVersion]], actor: Actor) -> int:
    """What embeds others waits until these are there."""
    count = 0
    while waiting:
        refusal: Invalid | None = None
        progress = 0
        for versions in waiting:
            while versions:
                try:
                    with transaction.atomic():
                        actions.create_version(scope, versions[0], actor=actor)
                except Invalid as error:
                    refusal = Invalid(f"{versions[0].name}: {_words(error)}")
                    break
                except Forbidden as error:
                    raise Forbidden(f"{versions[0].name}: {error.message}") from None
                versions.pop(0)
                progress += 1
        count += progress
        waiting = [versions for versions in waiting if versions]
        if waiting and not progress and refusal is not None:
            raise refusal
    return count


def _words(error: Invalid) -> str:
    return " ".join(str(issue["message"]) for issue in error.issues or []) or error.message
