"""Reads of prompts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Max, OuterRef, Q, QuerySet, Subquery

from accounts.access import ProjectScope
from config.errors import NotFound
from prompts.models import LATEST, PRODUCTION, Prompt, PromptReference, PromptVersion, ProtectedLabel
from tracing.queries.paging import Numbered, PageNumber


@dataclass(frozen=True, slots=True)
class Listed:
    """A name with those of its versions that match, oldest first."""

    prompt: Prompt
    versions: list[PromptVersion]

    @property
    def newest(self) -> PromptVersion:
        return self.versions[-1]


def prompts(scope: ProjectScope) -> QuerySet[Prompt]:
    return Prompt.objects.filter(project_id=scope.project_id)


def versions(scope: ProjectScope) -> QuerySet[PromptVersion]:
    """With prompt and labels at hand."""
    found = PromptVersion.objects.filter(prompt__project_id=scope.project_id)
    return found.select_related("prompt").prefetch_related("labels")


def get_prompt(scope: ProjectScope, name: str) -> Prompt:
    found = None if "\x00" in name else prompts(scope).filter(name=name).first()
    if found is None:
        raise NotFound(f"Prompt not found: '{name}'")
    return found


def get_version(scope: ProjectScope, name: str, *, number: int | None = None, label: str = "") -> PromptVersion:
    """By number, or by label: `production` where neither is given. Raises NotFound in the words that clients know."""
    label = label or ("" if number is not None else PRODUCTION)
    found = find_version(scope, name, number=number, label=label)
    if found is None:
        which = f"with version {number}" if number is not None else f"with label '{label}'"
        raise NotFound(f"Prompt not found: '{name}' {which}")
    return found


def find_version(scope: ProjectScope, name: str, *, number: int | None = None, label: str = "") -> PromptVersion | None:
    """With `newest`, the highest number of its prompt."""
    if "\x00" in name + label or (number is not None and not 0 < number < 2**31):
        return None
    siblings = PromptVersion.objects.filter(prompt=OuterRef("prompt")).order_by("-number")
    found = versions(scope).filter(prompt__name=name).annotate(highest=Subquery(siblings.values("number")[:1]))
    if number is not None:
        found = found.filter(number=number)
    if label and label != LATEST:
        found = found.filter(labels__name=label)
    return found.order_by("-number").first()


def labels_of(version: PromptVersion, newest: int) -> list[str]:
    """Names of the labels that stand there, `latest` last. `newest` is the highest number of the prompt."""
    named = [label.name for label in version.labels.all()]
    return [*named, LATEST] if version.number == newest else named


def newest_numbers(prompt_ids: Iterable[str]) -> dict[str, int]:
    """The highest number of each prompt."""
    found = PromptVersion.objects.filter(prompt_id__in=list(prompt_ids)).order_by()
    return {row["prompt_id"]: row["highest"] for row in found.values("prompt_id").annotate(highest=Max("number"))}


def list_prompts(scope: ProjectScope, number: PageNumber, matching: QuerySet[PromptVersion]) -> Numbered[Listed]:
    """By name; of each those versions that match, and no name without any."""
    names = prompts(scope).filter(pk__in=matching.order_by().values("prompt_id"))
    page = list(names.order_by("name")[number.offset : number.offset + number.limit])
    found: dict[str, list[PromptVersion]] = {prompt.pk: [] for prompt in page}
    for version in matching.filter(prompt__in=page).distinct().order_by("number"):
        found[version.prompt_id].append(version)
    return Numbered([Listed(prompt, found[prompt.pk]) for prompt in page], number, names.count())


def with_label(scope: ProjectScope, found: QuerySet[PromptVersion], label: str) -> QuerySet[PromptVersion]:
    if label != LATEST:
        return found.filter(labels__name=label)
    newest = newest_numbers(prompts(scope).values_list("pk", flat=True))
    ids = [
        pk for pk, prompt_id, number in found.values_list("pk", "prompt_id", "number") if newest[prompt_id] == number
    ]
    return found.filter(pk__in=ids)


def with_tag(scope: ProjectScope, tag: str) -> list[str]:
    """Ids of the prompts that have it. (What JSON columns can be asked differs between databases.)"""
    return [pk for pk, tags in prompts(scope).values_list("pk", "tags") if tag in tags]


def embedding(scope: ProjectScope, name: str, removed: Iterable[PromptVersion], labels: set[str]) -> list[str]:
    """Names of prompts that embed one of these versions, or one of these labels of the prompt, which would be gone.

    A prompt's own other versions count as well."""
    removed = list(removed)
    numbers = [version.number for version in removed]
    found = PromptReference.objects.filter(version__prompt__project_id=scope.project_id, name=name)
    found = found.filter(Q(number__in=numbers) | Q(label__in=labels)).exclude(version__in=removed)
    return sorted(set(found.values_list("version__prompt__name", flat=True)))


def embedded_by(scope: ProjectScope, version: PromptVersion, labels: Iterable[str]) -> list[tuple[str, int]]:
    """Name and number of the versions that embed this one, by its number or by a label that stands there."""
    found = PromptReference.objects.filter(version__prompt__project_id=scope.project_id, name=version.prompt.name)
    found = found.filter(Q(number=version.number) | Q(label__in=list(labels)))
    return sorted(set(found.values_list("version__prompt__name", "version__number")), key=lambda one: (one[0], -one[1]))


def has_version(scope: ProjectScope, version_id: str) -> bool:
    return "\x00" not in version_id and versions(scope).filter(pk=version_id).exists()


def version_ids(project_id: str, wanted: set[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """Ids of versions by name and number, of those that exist; for ingestion, which links what was traced."""
    names = {name for name, _number in wanted if "\x00" not in name}
    numbers = {number for _name, number in wanted if 0 < number < 2**31}
    found = PromptVersion.objects.filter(
        prompt__project_id=project_id, prompt__name__in=names, number__in=numbers
    ).order_by()
    ids = {(name, number): pk for name, number, pk in found.values_list("prompt__name", "number", "pk")}
    return {key: pk for key, pk in ids.items() if key in wanted}


def protected_labels(scope: ProjectScope) -> set[str]:
    return set(ProtectedLabel.objects.filter(project_id=scope.project_id).values_list("name", flat=True))


def standing_labels(prompt: Prompt) -> dict[str, int]:
    """Every label of the prompt with the number of the version where it stands; `latest` is not among them."""
    return dict(prompt.labels.order_by("name").values_list("name", "version__number"))
