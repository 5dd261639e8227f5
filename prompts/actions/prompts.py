"""What people and programs can do with prompts: one function a change."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from django.db import IntegrityError, transaction

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from accounts.roles import Role
from config.errors import Conflict, Forbidden, Invalid, NotFound, issue
from prompts import content, delivery
from prompts.actions.events import Watch, gathered
from prompts.composition import resolve_draft
from prompts.models import (
    BY_API,
    LATEST,
    MESSAGE_LENGTH,
    NAME_LENGTH,
    PRODUCTION,
    TAG_LENGTH,
    Prompt,
    PromptLabel,
    PromptReference,
    PromptType,
    PromptVersion,
    ProtectedLabel,
)
from prompts.queries import prompts as queries

#: Two that begin a name at the same moment: the second one finds it and goes on from there. So does who finds a prompt
#: whose last version is deleted.
_TRIES = 5
_MARKUP = re.compile(r"<[^>]*>")
#: addresses of pages below the list
_TAKEN = frozenset({"new", "metrics", "import", "export", "settings"})
_LONGEST_CONTENT = 2_000_000
_MOST_NAMES = 100

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NewVersion:
    """`tags` of None leave those of the prompt as they are; `content` is text, or messages."""

    name: str
    type: str
    content: Any
    config: Any = None
    labels: Sequence[str] = ()
    tags: Sequence[str] | None = None
    commit_message: str = ""


def create_version(scope: ProjectScope, new: NewVersion, *, actor: Actor) -> PromptVersion:
    """The next version of a prompt, or the first. Labels move to it. Raises Invalid, and Forbidden for labels that
    only admins move."""
    scope.require(Role.MEMBER)
    said = _checked(scope, new)
    for _ in range(_TRIES - 1):
        try:
            return _create(scope, new, said, actor)
        except (IntegrityError, NotFound):
            continue
    try:
        return _create(scope, new, said, actor)
    except (IntegrityError, NotFound):
        raise Invalid("Others wrote versions of this prompt at the same moment. Try again.") from None


def check_version(scope: ProjectScope, new: NewVersion) -> None:
    """Raises Invalid and Forbidden as `create_version` would, and writes nothing."""
    scope.require(Role.MEMBER)
    _checked(scope, new)


def duplicate_prompt(scope: ProjectScope, name: str, new_name: str, *, number: int | None, actor: Actor) -> None:
    """One version as the first of a new prompt, or all versions with their labels; the tags come along. Raises Invalid
    where there is a prompt of the new name, and Forbidden for labels that only admins move."""
    scope.require(Role.MEMBER)
    prompt = queries.get_prompt(scope, name)
    check_name(new_name)
    if queries.prompts(scope).filter(name=new_name).exists():
        raise Invalid(issues=[issue("name", f"There is a prompt called {new_name}.")])
    found = queries.versions(scope).filter(prompt=prompt).order_by("number")
    if number is not None:
        found = found.filter(number=number)
    with gathered(scope):
        for version in found:
            new = NewVersion(
                name=new_name,
                type=prompt.type,
                content=version.said,
                config=version.config,
                labels=_labels(version) if number is None else (),
                tags=prompt.tags,
                commit_message=version.commit_message,
            )
            create_version(scope, new, actor=actor)


def set_labels(
    scope: ProjectScope, name: str, number: int, labels: Collection[str], *, actor: Actor, exactly: bool = False
) -> PromptVersion:
    """Moves labels to a version; those that stand there stay, unless it shall have `exactly` these."""
    scope.require(Role.MEMBER)
    _check_labels(labels)
    if LATEST in labels:
        raise Invalid(f"The label {LATEST} is always on the newest version.")
    with _changing(scope), transaction.atomic():
        _locked(queries.get_version(scope, name, number=number).prompt)
        version = queries.get_version(scope, name, number=number)
        before, watch = _labels(version), Watch(scope, version.prompt)
        wanted = set(labels) if exactly else {*labels, *before}
        _check_may_move(scope, wanted ^ set(before))
        version.labels.exclude(name__in=wanted).delete()
        _move(version, [label for label in labels if label not in before])
        record(actor, "prompt.label", version, before={"labels": before}, after={"labels": sorted(wanted)})
        version.save(update_fields=["updated_at"])
        watch.tell(actor)
        return queries.get_version(scope, name, number=number)


def set_tags(scope: ProjectScope, name: str, tags: Sequence[str], *, actor: Actor) -> Prompt:
    """Of the prompt, and so of all its versions."""
    scope.require(Role.MEMBER)
    checked = _checked_tags(tags)
    with _changing(scope), transaction.atomic():
        prompt = _locked(queries.get_prompt(scope, name))
        watch = Watch(scope, prompt)
        before, prompt.tags = prompt.tags, checked
        prompt.save(update_fields=["tags", "updated_at"])
        record(actor, "prompt.tags", prompt, before={"tags": before}, after={"tags": checked})
        watch.tell(actor, tags_changed=before != checked)
    return prompt


def delete_versions(scope: ProjectScope, name: str, *, number: int | None = None, label: str = "", actor: Actor) -> int:
    """All versions that match; the prompt goes with its last one. Raises NotFound where none does, Invalid where other
    prompts embed one of them."""
    scope.require(Role.MEMBER)
    with _changing(scope), transaction.atomic():
        prompt = _locked(queries.get_prompt(scope, name))
        every = list(queries.versions(scope).filter(prompt=prompt))
        newest = max((version.number for version in every), default=0)
        doomed = [one for one in every if _matches(one, newest, number, label)]
        if not doomed:
            raise NotFound(f"Prompt not found: '{name}'")
        _check_not_embedded(scope, prompt, every, doomed)
        _check_may_move(scope, {label for version in doomed for label in _labels(version)})
        watch = Watch(scope, prompt)
        PromptVersion.objects.filter(pk__in=[version.pk for version in doomed]).delete()
        numbers = [version.number for version in doomed]
        record(actor, "prompt.delete", prompt, before={"name": name, "versions": numbers})
        watch.tell(actor, deleted=doomed)
        if len(doomed) == len(every):
            prompt.delete()
    return len(doomed)


def protect_label(scope: ProjectScope, label: str, *, protected: bool, actor: Actor) -> None:
    """Whether only admins move this label in the pages."""
    scope.require(Role.ADMIN)
    _check_labels([label])
    if label == LATEST:
        raise Invalid(f"The label {LATEST} moves by itself.")
    with transaction.atomic():
        known = ProtectedLabel.objects.filter(project_id=scope.project_id, name=label).first()
        if protected and known is None:
            known = ProtectedLabel.objects.create(project_id=scope.project_id, name=label)
            record(actor, "prompt.label.protect", known, after={"label": label})
        elif not protected and known is not None:
            record(actor, "prompt.label.unprotect", known, before={"label": label})
            known.delete()


def delete_project_prompts(project_id: str) -> None:
    """Removes the prompts of a project that was deleted."""
    Prompt.objects.filter(project_id=project_id).delete()
    ProtectedLabel.objects.filter(project_id=project_id).delete()


# --- Creating --------------------------------------------------------------------------------------------
def _create(scope: ProjectScope, new: NewVersion, said: content.Content, actor: Actor) -> PromptVersion:
    with _changing(scope), transaction.atomic():
        prompt, _is_new = Prompt.objects.get_or_create(
            project_id=scope.project_id, name=new.name, defaults={"type": new.type}
        )
        prompt = _locked(prompt)
        if prompt.type != new.type:
            raise Invalid(f"Versions of one prompt are of one type, and {new.name} is a {prompt.type} prompt.")
        watch = Watch(scope, prompt)
        number = queries.newest_numbers([prompt.pk]).get(prompt.pk, 0) + 1
        version = PromptVersion.objects.create(
            prompt=prompt,
            number=number,
            content=content.stored(said),
            config={} if new.config is None else new.config,
            commit_message=new.commit_message,
            created_by=scope.user_id or BY_API,
            author_id=scope.user_id or None,
        )
        PromptReference.objects.bulk_create(
            PromptReference(version=version, name=one.name, number=one.number, label=one.label)
            for one in content.references(said)
        )
        _move(version, [label for label in dict.fromkeys(new.labels) if label != LATEST])
        if new.tags is not None:
            prompt.tags = _checked_tags(new.tags)
        prompt.save(update_fields=["tags", "updated_at"])
        record(actor, "prompt.create", version, after={"name": new.name, "version": number, "labels": list(new.labels)})
        watch.tell(actor, created=version)
        return queries.get_version(scope, new.name, number=number)


def _checked(scope: ProjectScope, new: NewVersion) -> content.Content:
    check_name(new.name)
    _check_labels(new.labels)
    _check_may_move(scope, set(new.labels) - {LATEST})
    if new.type not in PromptType.values:
        raise Invalid(issues=[issue("type", "A prompt is text or chat.")])
    if len(new.commit_message) > MESSAGE_LENGTH:
        raise Invalid(issues=[issue("commitMessage", f"The message has {MESSAGE_LENGTH} characters at most.")])
    said = content.checked(new.type, new.content)
    if len(content.stored(said)) > _LONGEST_CONTENT:
        raise Invalid(issues=[issue("prompt", f"A prompt has {_LONGEST_CONTENT:,} characters at most.")])
    try:
        resolve_draft(scope, said, new.name, 0)
    except Conflict as error:
        raise Invalid(error.message) from None
    return said


def check_name(name: str) -> None:
    """Raises Invalid for what is no name of a prompt."""
    problem = ""
    if not name.strip() or name != name.strip():
        problem = "A prompt has a name, without spaces around it."
    elif len(name) > NAME_LENGTH:
        problem = f"A name has {NAME_LENGTH} characters at most."
    elif _MARKUP.search(name) or "|" in name or not name.isprintable():
        problem = "A name has no markup, no | and no line in it."
    elif name.startswith("/") or name.endswith("/") or "//" in name:
        problem = "Slashes part folders: none stands at the beginning or the end, or beside another one."
    elif {".", ".."} & set(name.split("/")):
        problem = "No part of a name is . or .. only: addresses lose those."
    elif name in _TAKEN or name.split("/")[-2:-1] == ["versions"]:
        problem = f"{name} is the address of something else."
    if problem:
        raise Invalid(issues=[issue("name", problem)])


def _check_labels(labels: Collection[str]) -> None:
    if len(labels) > _MOST_NAMES:
        raise Invalid(issues=[issue("labels", f"A version has {_MOST_NAMES} labels at most.")])
    for label in labels:
        if not content.LABEL.fullmatch(label):
            message = "A label has 1 to 36 small letters, digits and _ - . only"
            raise Invalid(issues=[issue("labels", f"{message}: {label[:100]!r}")])


def _checked_tags(tags: Sequence[str]) -> list[str]:
    found = list(dict.fromkeys(tags))
    if len(found) > _MOST_NAMES or any(not tag.strip() or len(tag) > TAG_LENGTH for tag in found):
        raise Invalid(issues=[issue("tags", f"{_MOST_NAMES} tags at most, each of 1 to {TAG_LENGTH} characters.")])
    return found


# --- Labels ----------------------------------------------------------------------------------------------
def _labels(version: PromptVersion) -> list[str]:
    return [label.name for label in version.labels.all()]


def _move(version: PromptVersion, labels: Iterable[str]) -> None:
    for label in labels:
        PromptLabel.objects.update_or_create(prompt=version.prompt, name=label, defaults={"version": version})


def _check_may_move(scope: ProjectScope, labels: set[str]) -> None:
    """Keys may move any label; of people, only admins those that are protected."""
    if not scope.user_id or scope.role.allows(Role.ADMIN) or not labels:
        return
    held = ProtectedLabel.objects.filter(project_id=scope.project_id, name__in=labels).first()
    if held is not None:
        raise Forbidden(f"The label {held.name} is protected: only admins of the project move it.")


# --- Deleting --------------------------------------------------------------------------------------------
def _matches(version: PromptVersion, newest: int, number: int | None, label: str) -> bool:
    if number is not None and version.number != number:
        return False
    return not label or label in queries.labels_of(version, newest)


def _check_not_embedded(
    scope: ProjectScope, prompt: Prompt, every: Sequence[PromptVersion], doomed: Sequence[PromptVersion]
) -> None:
    gone = {label for version in doomed for label in _labels(version)}
    if len(doomed) == len(every):
        gone |= {LATEST, PRODUCTION}
    names = queries.embedding(scope, prompt.name, doomed, gone)
    if names:
        raise Invalid(f"Other prompts embed this one: {', '.join(names[:10])}. Change or delete them first.")


# --- Shared ----------------------------------------------------------------------------------------------
def _locked(prompt: Prompt) -> Prompt:
    """Whoever comes second waits until the first is done. Raises NotFound where that deleted it."""
    found = Prompt.objects.select_for_update().filter(pk=prompt.pk).first()
    if found is None:
        raise NotFound(f"Prompt not found: '{prompt.name}'")
    return found


class _changing:
    """Whatever was kept of the project's prompts is forgotten everywhere: before the change can be seen, should a
    process end in between, and again once it can, as somebody may have read meanwhile."""

    def __init__(self, scope: ProjectScope) -> None:
        self._tell: Callable[[], None] = partial(delivery.forget, scope.project_id)

    def __enter__(self) -> None:
        self._tell()

    def __exit__(self, *_: object) -> None:
        transaction.on_commit(self._tell)
        self._tell()
