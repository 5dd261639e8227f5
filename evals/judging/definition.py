"""What an evaluator asks, whom, and what may come of it; as it is kept in versions and trials, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.utils.translation import gettext as _

from config.errors import Invalid, issue
from evals.judging import code
from evals.judging.mapping import check_mapping, variables_of
from evals.judging.output import Issue, OutputDefinition, read_output
from evals.models import EvaluatorKind, EvaluatorVersion
from prompts.llm import Parameters
from prompts.models.connections import MODEL_LENGTH, PROVIDER_LENGTH

ROLES = ("system", "user", "assistant")
LANGUAGES = ("PYTHON", "TYPESCRIPT")
LONGEST_PROMPT = 200_000
LONGEST_SOURCE = 100_000
_MOST_MESSAGES = 100
#: name -> what it has to be: the smallest and largest number, or None for a text
_PARAMETERS: dict[str, tuple[type, float, float]] = {
    "temperature": (float, 0, 2),
    "top_p": (float, 0, 1),
    "max_tokens": (int, 1, 1_000_000),
    "seed": (int, -(2**31), 2**31),
    "frequency_penalty": (float, -2, 2),
    "presence_penalty": (float, -2, 2),
    "reasoning_budget": (int, 0, 1_000_000),
}


@dataclass(frozen=True, slots=True)
class JudgeModel:
    """A model of one of the project's connections, which `provider` names."""

    provider: str
    model: str
    parameters: Parameters = field(default_factory=Parameters)

    def as_json(self) -> dict[str, Any]:
        said = {name: getattr(self.parameters, name) for name in (*_PARAMETERS, "reasoning_effort", "stop")}
        parameters = {name: value for name, value in said.items() if value not in (None, "", (), [])}
        return {"provider": self.provider, "model": self.model, "parameters": parameters}


@dataclass(frozen=True, slots=True)
class Definition:
    """`output` and `model` are None for code; `model` also where the project's default judge is asked."""

    kind: str
    messages: Sequence[Mapping[str, str]] = ()
    output: OutputDefinition | None = None
    model: JudgeModel | None = None
    #: None where nobody has mapped the variables yet
    mapping: list[dict[str, Any]] | None = None
    source_code: str = ""
    source_language: str = ""

    @property
    def variables(self) -> list[str]:
        return variables_of(self.messages)

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "messages": [dict(one) for one in self.messages],
            "output": self.output.as_json() if self.output else None,
            "model": self.model.as_json() if self.model else None,
            "mapping": self.mapping,
            "source_code": self.source_code,
            "source_language": self.source_language,
        }

    def as_columns(self) -> dict[str, str]:
        """Of an EvaluatorVersion."""
        return {
            "prompt_text": _dumped(list(self.messages)) if self.messages else "",
            "source_code": self.source_code,
            "source_language": self.source_language,
            "output_text": _dumped(self.output.as_json()) if self.output else "",
            "model_text": _dumped(self.model.as_json()) if self.model else "",
            "mapping_text": "" if self.mapping is None else _dumped(self.mapping),
        }


def _dumped(value: Any) -> str:
    return orjson.dumps(value).decode()


def definition_of(version: EvaluatorVersion, kind: str) -> Definition:
    return Definition(
        kind=kind,
        messages=version.messages,
        output=read_output(version.output) if version.output_text else None,
        model=model_of(version.model),
        mapping=version.mapping,
        source_code=version.source_code,
        source_language=version.source_language,
    )


def from_json(said: dict[str, Any]) -> Definition:
    """What `as_json` said."""
    output = read_output(said["output"]) if said["output"] else None
    return Definition(**{**said, "output": output, "model": model_of(said["model"])})


def model_of(said: Mapping[str, Any] | None) -> JudgeModel | None:
    """As it was kept."""
    if not said:
        return None
    return JudgeModel(said["provider"], said["model"], Parameters(**(said.get("parameters") or {})))


# --- Checked ---------------------------------------------------------------------------------------------
def check_definition(
    *,
    kind: str,
    messages: Any = (),
    output: Any = None,
    model: Any = None,
    mapping: Any = None,
    source_code: Any = "",
    source_language: Any = "",
) -> Definition:
    """Raises Invalid with an issue for all that is wrong, under the names of the API's fields."""
    issues: list[Issue] = []
    if kind not in EvaluatorKind.values:
        raise Invalid(
            issues=[issue(("type",), _("Choose one of: %(all)s.") % {"all": ", ".join(EvaluatorKind.values)})]
        )
    if kind == EvaluatorKind.CODE:
        _check_code(source_code, source_language, issues)
        if issues:
            raise Invalid(issues=issues)
        return Definition(kind=kind, source_code=source_code, source_language=source_language)
    checked = _messages(messages, issues)
    read = _collected(issues, ("outputDefinition",), lambda: read_output(output))
    asked = _collected(issues, (), lambda: check_model(model)) if model is not None else None
    mapped = None
    if mapping is not None and checked:
        mapped = _collected(issues, (), lambda: check_mapping(mapping, variables_of(checked)))
    if issues:
        raise Invalid(issues=issues)
    return Definition(kind=kind, messages=checked, output=read, model=asked, mapping=mapped)


def _collected(issues: list[Issue], at: tuple[Any, ...], check: Any) -> Any:
    try:
        return check()
    except Invalid as error:
        found = error.issues or [issue((), error.message)]
        issues += [{**one, "path": [*at, *one["path"]]} for one in found]  # type: ignore[misc]
        return None


def _messages(given: Any, issues: list[Issue]) -> list[dict[str, str]]:
    if not isinstance(given, list | tuple) or not 1 <= len(given) <= _MOST_MESSAGES:
        issues.append(issue(("prompt",), _("Write at least one message.")))
        return []
    found: list[dict[str, str]] = []
    for number, one in enumerate(given):
        role, content = (one.get("role"), one.get("content")) if isinstance(one, Mapping) else (None, None)
        if role not in ROLES:
            message = _("The role is one of: %(all)s.") % {"all": ", ".join(ROLES)}
            issues.append(issue(("prompt", number, "role"), message))
        elif not isinstance(content, str):
            issues.append(issue(("prompt", number, "content"), _("This is a text.")))
        else:
            found.append({"role": role, "content": content.replace("\x00", "")})
    if found and not any(one["content"].strip() for one in found):
        issues.append(issue(("prompt",), _("Write what is to be judged.")))
    if sum(len(one["content"]) for one in found) > LONGEST_PROMPT:
        message = _("Together the messages have at most %(most)d characters.") % {"most": LONGEST_PROMPT}
        issues.append(issue(("prompt",), message))
    return found


def _check_code(source: Any, language: Any, issues: list[Issue]) -> None:
    if language not in LANGUAGES:
        issues.append(issue(("sourceCodeLanguage",), _("Choose PYTHON.")))
    elif language != "PYTHON":
        message = _("Only Python is run here: there is no safe way to run TypeScript on this server.")
        issues.append(issue(("sourceCodeLanguage",), message))
    if not isinstance(source, str) or not source.strip() or len(source) > LONGEST_SOURCE or "\x00" in source:
        message = _("Write the function: a text of at most %(most)d characters.") % {"most": LONGEST_SOURCE}
        issues.append(issue(("sourceCode",), message))
    elif language == "PYTHON":
        try:
            code.parameters_of(source)
        except code.Broken as error:
            issues.append(issue(("sourceCode",), error.message))


def check_model(given: Any) -> JudgeModel:
    """Of `{"provider", "model", "parameters"?}`. That the connection is there is for those who use it."""
    at = "modelConfig"
    if not isinstance(given, Mapping):
        raise Invalid(issues=[issue((at,), _("Name a provider and a model."))])
    issues: list[Issue] = []
    for name, most in (("provider", PROVIDER_LENGTH), ("model", MODEL_LENGTH)):
        value = given.get(name)
        if not isinstance(value, str) or not value.strip() or len(value) > most or "\x00" in value:
            issues.append(issue((at, name), _("This is a text of 1 to %(most)d characters.") % {"most": most}))
    parameters = _parameters(given.get("parameters") or {}, (at, "parameters"), issues)
    if issues:
        raise Invalid(issues=issues)
    return JudgeModel(given["provider"], given["model"], parameters)


def _parameters(given: Any, at: tuple[Any, ...], issues: list[Issue]) -> Parameters:
    if not isinstance(given, Mapping):
        issues.append(issue(at, _("Parameters are an object.")))
        return Parameters()
    said: dict[str, Any] = {}
    for name, value in given.items():
        if value is None or value == "":
            continue
        if name in _PARAMETERS:
            kind, low, high = _PARAMETERS[name]
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not low <= value <= high or (kind is int and value != int(value)):
                message = _("A number from %(low)g to %(high)g.") % {"low": low, "high": high}
                issues.append(issue((*at, name), message))
            else:
                said[name] = kind(value)
        elif name == "reasoning_effort" and isinstance(value, str) and len(value) <= 20:
            said[name] = value
        elif name == "stop" and isinstance(value, list) and all(isinstance(one, str) for one in value):
            said[name] = value[:10]
        else:
            issues.append(issue((*at, str(name)), _("There is no such parameter.")))
    return Parameters(**said)
