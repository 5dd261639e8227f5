"""What happens to prompts, told to automations: in the transaction of the change, so that neither is there without the
other, and sent once it is safe.

Where no automation listens, a change pays for one query. `gathered` writes down together what is told inside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.access import ProjectScope
from accounts.audit import Actor
from accounts.models import User
from config.api.values import iso, to_json
from config.errors import Conflict
from prompts.actions import sending
from prompts.composition import resolve
from prompts.models import LATEST, Automation, Delivery, Prompt, PromptAction, PromptEvent, PromptVersion

#: label -> id of the version where it stands, `latest` among them
Standing = dict[str, str]


@dataclass(slots=True)
class _Gathering:
    """Events of one transaction with those who are to hear of them."""

    project_id: str
    automations: list[Automation]
    told: list[tuple[PromptEvent, list[Automation]]] = field(default_factory=list)
    people: dict[str, dict[str, Any] | None] = field(default_factory=dict)

    def write(self) -> None:
        if not self.told:
            return
        PromptEvent.objects.bulk_create([event for event, _ in self.told])
        Delivery.objects.bulk_create(
            Delivery(automation=automation, event=event, next_at=event.happened_at)
            for event, automations in self.told
            for automation in automations
        )
        transaction.on_commit(sending.call_worker)


_gathering: ContextVar[_Gathering | None] = ContextVar("gathering", default=None)


@contextmanager
def gathered(scope: ProjectScope) -> Iterator[None]:
    """For changes of many prompts: one transaction, and what was told in it is written at its end."""
    with transaction.atomic():
        gathering = _listening(scope)
        mark = _gathering.set(gathering)
        try:
            yield
        finally:
            _gathering.reset(mark)
        gathering.write()


class Watch:
    """Looks at a prompt before and after a change, inside its transaction, and tells what became of it."""

    def __init__(self, scope: ProjectScope, prompt: Prompt) -> None:
        self._scope, self._prompt = scope, prompt
        outer = _gathering.get()
        self._is_own = outer is None or outer.project_id != scope.project_id
        self._gathering = _listening(scope) if outer is None or self._is_own else outer
        self._before = _standing(prompt) if self._gathering.automations else {}

    def tell(
        self,
        actor: Actor,
        *,
        created: PromptVersion | None = None,
        deleted: Sequence[PromptVersion] = (),
        tags_changed: bool = False,
    ) -> None:
        """First what went, then what lost a label, then what is new or has gained one."""
        if not self._gathering.automations:
            return
        after = _standing(self._prompt)
        for version in deleted:
            self._add(PromptAction.DELETED, version, _labels_at(self._before, version.pk), set(), actor)
        gone = {version.pk for version in deleted}
        for version, lost in self._updated(after, gone, created, tags_changed):
            self._add(PromptAction.UPDATED, version, _labels_at(after, version.pk), lost - set(after), actor)
        if created is not None:
            self._add(PromptAction.CREATED, created, _labels_at(after, created.pk), set(), actor)
        if self._is_own:
            self._gathering.write()

    def _updated(
        self, after: Standing, gone: set[str], created: PromptVersion | None, tags_changed: bool
    ) -> list[tuple[PromptVersion, set[str]]]:
        """Versions whose labels changed, with those that they lost: losers first. Tags belong to all versions; told of
        are those that programs ask for, which have a label."""
        before = self._before
        lost: dict[str, set[str]] = {}
        for label, version_id in before.items():
            if after.get(label) != version_id:
                lost.setdefault(version_id, set()).add(label)
        gained = [version_id for label, version_id in after.items() if before.get(label) != version_id]
        wanted = dict.fromkeys([*lost, *gained, *(after.values() if tags_changed else ())])
        found = PromptVersion.objects.filter(pk__in=set(wanted) - gone - {created.pk if created else ""})
        by_id = found.select_related("prompt").in_bulk()
        return [(by_id[pk], lost.get(pk, set())) for pk in wanted if pk in by_id]

    def _add(
        self, action: PromptAction, version: PromptVersion, labels: list[str], vanished: set[str], actor: Actor
    ) -> None:
        """`vanished`: labels that the version had and that no version has now; whoever waits for them is told, too."""
        name = self._prompt.name
        hearing = [one for one in self._gathering.automations if is_for(one, action, name, {*labels, *vanished})]
        if not hearing:
            return
        event = PromptEvent(
            project_id=self._scope.project_id,
            action=action,
            prompt_name=name,
            number=version.number,
            labels=labels,
            facts=self._facts(version, labels, actor),
            happened_at=timezone.now(),
        )
        self._gathering.told.append((event, hearing))

    def _facts(self, version: PromptVersion, labels: list[str], actor: Actor) -> str:
        facts: dict[str, Any] = {"prompt": prompt_facts(self._scope, self._prompt, version, labels)}
        people = self._gathering.people
        if actor.id not in people:
            people[actor.id] = _person(actor)
        if person := people[actor.id]:
            facts["user"] = person
        return to_json(facts).decode()


def is_for(automation: Automation, action: str, name: str, labels: Iterable[str]) -> bool:
    """Whether the automation wants to hear of this."""
    if action not in automation.events:
        return False
    if automation.names and not any(_fits(pattern, name) for pattern in automation.names):
        return False
    return not automation.labels or not set(automation.labels).isdisjoint(labels)


def _fits(pattern: str, name: str) -> bool:
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return name.startswith(pattern) if pattern.endswith("/") else name == pattern


def prompt_facts(scope: ProjectScope, prompt: Prompt, version: PromptVersion, labels: list[str]) -> dict[str, Any]:
    """A version as messages have it: with everything embedded put in, as programs get it."""
    version.prompt = prompt
    try:
        said: Any = resolve(scope, version).content
    except Conflict:
        said = version.said  # what it embeds is gone, or in a circle by now
    return {
        "id": version.pk,
        "name": prompt.name,
        "version": version.number,
        "projectId": prompt.project_id,
        "labels": labels,
        "prompt": said,
        "type": prompt.type,
        "config": version.config,
        "commitMessage": version.commit_message or None,
        "tags": list(prompt.tags),
        "createdAt": iso(version.created_at),
        "updatedAt": iso(version.updated_at),
    }


def _person(actor: Actor) -> dict[str, Any] | None:
    """Keys have no name that anybody would know."""
    user = User.objects.filter(pk=actor.id).first() if actor.id else None
    return {"id": user.pk, "name": user.name or None, "email": user.email} if user else None


def _listening(scope: ProjectScope) -> _Gathering:
    found = Automation.objects.filter(project_id=scope.project_id, is_on=True)
    return _Gathering(scope.project_id, list(found.order_by("created_at", "id")))


def _standing(prompt: Prompt) -> Standing:
    found: Standing = dict(prompt.labels.order_by("id").values_list("name", "version_id"))
    newest = PromptVersion.objects.filter(prompt=prompt).order_by("-number").values_list("pk", flat=True).first()
    return {**found, LATEST: newest} if newest else found


def _labels_at(standing: Standing, version_id: str) -> list[str]:
    return [label for label, at in standing.items() if at == version_id]
