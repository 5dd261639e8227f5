"""Prompts that embed other prompts: what they say with everything put in, and which prompts that took."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from accounts.access import ProjectScope
from config.errors import Conflict
from prompts import content
from prompts.content import Content, Reference
from prompts.models import PromptType, PromptVersion
from prompts.queries.prompts import find_version

DEEPEST = 5
#: What embeds more than this, or becomes longer, is no prompt.
_MOST_REFERENCES = 500
_LONGEST = 5_000_000


@dataclass(frozen=True, slots=True)
class Resolved:
    """`graph` is None where nothing is embedded."""

    content: Content
    graph: dict[str, Any] | None


def resolve(scope: ProjectScope, version: PromptVersion) -> Resolved:
    """Raises Conflict where a prompt is missing, embeds itself, lies too deep or is no text."""
    return resolve_draft(scope, version.said, version.prompt.name, version.number, version.id)


def resolve_draft(scope: ProjectScope, said: Content, name: str, number: int, version_id: str = "") -> Resolved:
    """The same for what is not stored yet."""
    work = _Resolution(scope)
    found = work.content(said, version_id, (name,))
    if not work.dependencies:
        return Resolved(found, None)
    root = {"name": name, "version": number, "id": version_id}
    return Resolved(found, {"root": root, "dependencies": work.dependencies})


@dataclass(slots=True)
class _Resolution:
    scope: ProjectScope
    dependencies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _known: dict[Reference, PromptVersion] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict)
    _size: int = 0

    def content(self, said: Content, version_id: str, path: tuple[str, ...]) -> Content:
        """`path` are the names that lead here."""
        references = content.references(said)
        if not references:
            return said
        if len(path) > DEEPEST:
            raise Conflict(f"Prompts are embedded more than {DEEPEST} deep: {' > '.join(path)}")
        by = {}
        listed = self.dependencies.setdefault(version_id, [])
        for reference in references:
            child = self._child(reference, path)
            shown = {"name": child.prompt.name, "version": child.number, "id": child.id}
            if shown not in listed:
                listed.append(shown)
            by[reference.text] = self._text(child, (*path, child.prompt.name))
        found = content.replaced(said, by)
        self._size += sum(map(len, content.texts(found)))
        if self._size > _LONGEST:
            raise Conflict("With everything embedded, this prompt is too long.")
        return found

    def _text(self, child: PromptVersion, path: tuple[str, ...]) -> str:
        if child.id not in self._texts:
            found = self.content(child.content, child.id, path)
            assert isinstance(found, str)
            self._texts[child.id] = found
        return self._texts[child.id]

    def _child(self, reference: Reference, path: tuple[str, ...]) -> PromptVersion:
        if reference.name in path:
            raise Conflict(f"A prompt embeds itself: {' > '.join((*path, reference.name))}")
        child = self._known.get(reference)
        if child is None:
            if len(self._known) >= _MOST_REFERENCES:
                raise Conflict(f"A prompt embeds more than {_MOST_REFERENCES} others.")
            child = find_version(self.scope, reference.name, number=reference.number, label=reference.label)
            if child is None:
                raise Conflict(f"Prompt dependency not found: {reference.address}")
            self._known[reference] = child
        if child.prompt.type != PromptType.TEXT:
            raise Conflict(f"Only text prompts can be embedded, and {reference.name} is a chat prompt.")
        return child
