"""An experiment while somebody writes down what it shall run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from config.errors import SpanwiseError
from evals.actions.experiment_runs import items_of
from evals.experiments.plan import Plan
from evals.models import Dataset, Evaluator, EvaluatorStatus
from evals.queries.datasets import datasets
from prompts.models import PromptVersion
from prompts.playground.origins import window_of_version
from prompts.playground.state import PARAMETERS, variables_in
from prompts.queries.connections import list_connections, models_of
from prompts.queries.prompts import find_version, prompts
from prompts.views.problems import issues_of
from tracing.queries.periods import is_known_year

_LONGEST = 200_000
_MOST_CHOICES = 1_000
#: a field for each variable begins with it
_VALUE = "value-"


@dataclass(slots=True)
class Draft:
    """All as it was typed. `errors` by field; the empty one is for the whole."""

    dataset_id: str = ""
    prompt: str = ""
    version: str = ""
    name: str = ""
    description: str = ""
    connection: str = ""
    model: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    options: str = ""
    output_schema: str = ""
    #: by variable
    values: dict[str, str] = field(default_factory=dict)
    dataset_version: str = ""
    repetitions: str = "1"
    evaluators: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)

    def plan(self) -> Plan:
        return Plan(
            prompt=self.prompt,
            version=_whole(self.version),
            connection=self.connection,
            model=self.model,
            parameters={name: text for name, text in self.parameters.items() if text},
            options=self.options,
            output_schema=self.output_schema,
            values={name: text for name, text in self.values.items() if text},
            dataset_version=_time(self.dataset_version),
            repetitions=_whole(self.repetitions),
            evaluators=self.evaluators,
        )

    def refuse(self, refusal: SpanwiseError) -> None:
        """Takes what an action found wrong into the fields."""
        for path, words in issues_of(refusal):
            name = str(path[0]) if path else ""
            self.errors[name] = f"{self.errors[name]} {words}" if name in self.errors else words


def of_query(data: QueryDict) -> Draft:
    """What was typed, or what an address says."""

    def text(name: str) -> str:
        return data.get(name, "").replace("\x00", "").strip()[:_LONGEST]

    return Draft(
        dataset_id=text("dataset"),
        prompt=text("prompt"),
        version=text("version"),
        name=text("name"),
        description=text("description"),
        connection=text("connection"),
        model=text("model"),
        parameters={name: data.get(name, "").replace("\x00", "")[:_LONGEST] for name in PARAMETERS if data.get(name)},
        options=text("options"),
        output_schema=text("output_schema"),
        values={key.removeprefix(_VALUE): text(key) for key in list(data)[:_MOST_CHOICES] if key.startswith(_VALUE)},
        dataset_version=text("dataset_version"),
        repetitions=text("repetitions") or "1",
        evaluators=list(dict.fromkeys(one.replace("\x00", "") for one in data.getlist("evaluator")))[:100],
    )


def check_times(draft: Draft) -> None:
    """What is typed as a time and is none."""
    if draft.dataset_version and not _time(draft.dataset_version):
        draft.errors["dataset_version"] = _("This is no time: write it as 2026-01-31 18:00.")


def complete(scope: ProjectScope, draft: Draft) -> PromptVersion | None:
    """Fills in what the prompt's version says of model and settings, where nobody has said it; and a name."""
    version = _version_of(scope, draft)
    if version is None:
        return None
    draft.version = str(version.number)
    window = window_of_version(scope, version)
    if not draft.connection and not draft.model:
        draft.connection, draft.model = window["connection"], window["model"]
        draft.parameters = draft.parameters or dict(window["parameters"])
        draft.options = draft.options or window["options"]
        schema = window["output_schema"]
        draft.output_schema = draft.output_schema or (schema["schema"] if schema else "")
    if not draft.name:
        now = timezone.localtime()
        draft.name = f"{version.prompt.name} v{version.number} · {now:%Y-%m-%d %H:%M:%S}"
    return version


def _version_of(scope: ProjectScope, draft: Draft) -> PromptVersion | None:
    if not draft.prompt:
        return None
    number = _whole(draft.version)
    found = find_version(scope, draft.prompt, number=number) if number else None
    return found or find_version(scope, draft.prompt)


def choices(scope: ProjectScope, draft: Draft, version: PromptVersion | None) -> dict[str, Any]:
    """What the form offers, and what it would run on."""
    connections = [(one, models_of(one)) for one in list_connections(scope).items]
    dataset = datasets(scope).filter(pk=draft.dataset_id).first()
    window = window_of_version(scope, version) if version else None
    return {
        "datasets": datasets(scope).order_by("name")[:_MOST_CHOICES],
        "dataset": dataset,
        "prompts": prompts(scope).order_by("name").values_list("name", flat=True)[:_MOST_CHOICES],
        "version": version,
        "numbers": _numbers(version),
        "variables": [(name, draft.values.get(name, "")) for name in variables_in(window)] if window else [],
        "connections": connections,
        "models": _models(draft, connections),
        "evaluators": Evaluator.objects.filter(project_id=scope.project_id, status=EvaluatorStatus.ACTIVE).order_by(
            "name", "id"
        ),
        "size": _size(dataset, draft),
    }


def _numbers(version: PromptVersion | None) -> list[int]:
    if version is None:
        return []
    siblings = PromptVersion.objects.filter(prompt=version.prompt).order_by("-number")
    return list(siblings.values_list("number", flat=True)[:_MOST_CHOICES])


def _models(draft: Draft, connections: Iterable[tuple[Any, list[str]]]) -> list[str]:
    """Those of the chosen connection first."""
    of_chosen = [name for one, names in connections if one.provider == draft.connection for name in names]
    return list(dict.fromkeys([*of_chosen, *(name for _one, names in connections for name in names)]))


@dataclass(frozen=True, slots=True)
class Size:
    items: int
    repetitions: int

    @property
    def calls(self) -> int:
        return self.items * self.repetitions


def _size(dataset: Dataset | None, draft: Draft) -> Size | None:
    if dataset is None:
        return None
    return Size(items_of(dataset, draft.plan()).count(), max(_whole(draft.repetitions), 1))


def _whole(typed: str) -> int:
    """0 for what is no whole number."""
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else 0


def _time(typed: str) -> str:
    """ISO 8601; a time without a zone is UTC. Empty for what is no time."""
    try:
        at = datetime.fromisoformat(typed.strip().replace("Z", "+00:00")) if typed.strip() else None
    except ValueError:
        return ""
    if at is None:
        return ""
    zoned = at if at.tzinfo else at.replace(tzinfo=UTC)
    return zoned.isoformat() if is_known_year(zoned) else ""
