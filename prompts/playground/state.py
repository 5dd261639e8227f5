"""A playground's document: windows beside each other, and the values of variables and placeholders that they share.

All that people type is kept as it was typed, so that half-written JSON survives a reload: what is kept has the right
shape and no more. What it says is looked at when a window runs (`prompts.playground.calls`).

    {"windows": [window, …], "variables": {name: text}, "placeholders": {name: text}}

A window has `id`, `title`, `connection` (a provider's name), `model`, `parameters` (name -> text), `options` (text),
`messages`, `tools` (`name`, `description`, `parameters`: texts), `tool_choice`, `output_schema` (None, or `name` and
`schema`: texts), `stream`, `prompt` (None, or `name` and `version`) and `source` (None, or `trace_id` and
`observation_id`). A message is `{"id", "role", "content"}` with what else it came with, or
`{"id", "type": "placeholder", "name"}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from django.utils.translation import gettext as _

from config.errors import Invalid, TooLarge, issue
from prompts.content import PLACEHOLDER, VARIABLE
from prompts.models.connections import MODEL_LENGTH, PROVIDER_LENGTH
from prompts.models.playground import TITLE_LENGTH

State = dict[str, Any]
Window = dict[str, Any]
Path = tuple[str | int, ...]

MOST_WINDOWS = 10
MOST_BYTES = 4 * 1024 * 1024
MOST_MESSAGES, MOST_TOOLS, MOST_VALUES = 500, 128, 500
PARAMETERS = (
    "temperature",
    "top_p",
    "max_tokens",
    "stop",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "reasoning_effort",
    "reasoning_budget",
)
CHOICES = ("auto", "none", "required")
_WINDOW_ID = re.compile(r"[a-z0-9]{1,12}", re.ASCII)
_LONGEST_NAME = 300


def empty_window(window_id: str = "a", **given: Any) -> Window:
    """A window as a new playground has it, with what is `given` in place."""
    window: Window = {
        "id": window_id,
        "title": "",
        "connection": "",
        "model": "",
        "parameters": {},
        "options": "",
        "messages": [
            {"id": "m1", "role": "system", "content": ""},
            {"id": "m2", "role": "user", "content": ""},
        ],
        "tools": [],
        "tool_choice": "",
        "output_schema": None,
        "stream": True,
        "prompt": None,
        "source": None,
    }
    return {**window, **given}


def state_of(*windows: Window) -> State:
    return {"windows": list(windows), "variables": {}, "placeholders": {}}


def written(state: State) -> str:
    """The document as it is stored. Raises TooLarge."""
    raw = orjson.dumps(state)
    if len(raw) > MOST_BYTES:
        raise TooLarge(_("A playground holds %(most)d MB at most. Give pictures by their address.") % {"most": 4})
    return raw.decode()


def checked(given: Any) -> State:
    """The state with all that it may hold and nothing else. Raises Invalid with the path of each thing that is wrong,
    and TooLarge."""
    check = _Check()
    state = check.state(given)
    if check.issues:
        raise Invalid(_("This is not the state of a playground."), issues=check.issues)
    written(state)
    return state


def window_of(state: State, window_id: str) -> Window | None:
    return next((window for window in state["windows"] if window["id"] == window_id), None)


def models_of(state: State) -> list[str]:
    """One a window, empty for none. (PostgreSQL's JSON takes no zero character, which the document does.)"""
    return [window["model"].replace("\x00", "") for window in state["windows"]]


# --- Texts that end an answer ---------------------------------------------------------------------------
def stops_of(typed: str) -> list[str]:
    """One a line, in which `\\n` stands for a line's end."""
    return [line.replace("\\n", "\n") for line in typed.split("\n") if line]


def stop_text(stops: list[str]) -> str:
    """As people type them."""
    return "\n".join(stop.replace("\n", "\\n") for stop in stops if stop)


# --- Variables and placeholders --------------------------------------------------------------------------
def is_placeholder(message: Mapping[str, Any]) -> bool:
    return message.get("type") == PLACEHOLDER


def texts_of(message: Mapping[str, Any]) -> Iterator[str]:
    """Every text of a message in which variables may stand."""
    content = message.get("content")
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        yield from (
            part["text"]
            for part in content
            if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)
        )


def variables_in(window: Window) -> list[str]:
    """Names in the order in which they first occur."""
    found = (name for message in window["messages"] for text in texts_of(message) for name in VARIABLE.findall(text))
    return list(dict.fromkeys(found))


def placeholders_in(window: Window) -> list[str]:
    names = (message["name"] for message in window["messages"] if is_placeholder(message))
    return list(dict.fromkeys(filter(None, names)))


def variables(state: State) -> list[dict[str, Any]]:
    """Every variable of the windows with the ids of those, and whether it has a value. Those that come with embedded
    prompts are not among them: `prompts.queries.playground.variables` has them, too."""
    return _used(state, {window["id"]: variables_in(window) for window in state["windows"]}, "variables")


def placeholders(state: State) -> list[dict[str, Any]]:
    """The same of placeholders."""
    return _used(state, {window["id"]: placeholders_in(window) for window in state["windows"]}, "placeholders")


def used_variables(state: State, by_window: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """`variables` for names that were found otherwise, by window."""
    return _used(state, by_window, "variables")


def _used(state: State, by_window: Mapping[str, list[str]], values: str) -> list[dict[str, Any]]:
    windows: dict[str, list[str]] = {}
    for window_id, names in by_window.items():
        for name in names:
            windows.setdefault(name, []).append(window_id)
    return [{"name": name, "windows": ids, "is_set": bool(state[values].get(name))} for name, ids in windows.items()]


# --- Shape -----------------------------------------------------------------------------------------------
class _Check:
    """Reads what was sent; what is wrong is in `issues`."""

    def __init__(self) -> None:
        self.issues: list[dict[str, object]] = []

    def wrong(self, path: Path, message: str) -> None:
        self.issues.append(issue(path, message))

    def state(self, given: Any) -> State:
        found = self.object(given, ())
        windows = self.list(found.get("windows"), ("windows",), MOST_WINDOWS)
        if not windows:
            self.wrong(("windows",), _("A playground has at least one window."))
        state: State = {
            "windows": [self.window(window, ("windows", place)) for place, window in enumerate(windows)],
            "variables": self.values(found.get("variables"), ("variables",)),
            "placeholders": self.values(found.get("placeholders"), ("placeholders",)),
        }
        ids = [window["id"] for window in state["windows"]]
        for place, window_id in enumerate(ids):
            if window_id in ids[:place]:
                self.wrong(("windows", place, "id"), _("Two windows have the same id."))
        return state

    def window(self, given: Any, path: Path) -> Window:
        found = self.object(given, path)
        window_id = self.text(found.get("id"), (*path, "id"))
        if not _WINDOW_ID.fullmatch(window_id):
            self.wrong((*path, "id"), _("The id of a window has 1 to 12 small letters and digits."))
        messages = self.list(found.get("messages"), (*path, "messages"), MOST_MESSAGES)
        tools = self.list(found.get("tools"), (*path, "tools"), MOST_TOOLS)
        return {
            "id": window_id,
            "title": self.text(found.get("title"), (*path, "title"), TITLE_LENGTH),
            "connection": self.text(found.get("connection"), (*path, "connection"), PROVIDER_LENGTH),
            "model": self.text(found.get("model"), (*path, "model"), MODEL_LENGTH),
            "parameters": self.parameters(found.get("parameters"), (*path, "parameters")),
            "options": self.text(found.get("options"), (*path, "options")),
            "messages": [self.message(one, (*path, "messages", place)) for place, one in enumerate(messages)],
            "tools": [self.tool(one, (*path, "tools", place)) for place, one in enumerate(tools)],
            "tool_choice": self.text(found.get("tool_choice"), (*path, "tool_choice"), _LONGEST_NAME),
            "output_schema": self.schema(found.get("output_schema"), (*path, "output_schema")),
            "stream": found.get("stream") is not False,
            "prompt": self.prompt(found.get("prompt"), (*path, "prompt")),
            "source": self.source(found.get("source"), (*path, "source")),
        }

    def parameters(self, given: Any, path: Path) -> dict[str, str]:
        found = self.object(given, path)
        for name in found.keys() - set(PARAMETERS):
            self.wrong((*path, str(name)[:100]), _("There is no such parameter."))
        read = {name: self.text(found.get(name), (*path, name)) for name in PARAMETERS}
        return {name: text for name, text in read.items() if text}

    def message(self, given: Any, path: Path) -> dict[str, Any]:
        found = self.object(given, path)
        message_id = self.text(found.get("id"), (*path, "id"), _LONGEST_NAME)
        if is_placeholder(found):
            name = self.text(found.get("name"), (*path, "name"), _LONGEST_NAME)
            return {"id": message_id, "type": PLACEHOLDER, "name": name}
        role = self.text(found.get("role"), (*path, "role"), _LONGEST_NAME)
        content = found.get("content")
        if not isinstance(content, str | list | None):
            self.wrong((*path, "content"), _("The content of a message is a text or a list of parts."))
        rest = {key: value for key, value in found.items() if key not in ("id", "role", "content", "type")}
        calls = rest.get("tool_calls")
        if calls is not None and not (isinstance(calls, list) and all(isinstance(one, dict) for one in calls)):
            self.wrong((*path, "tool_calls"), _("Tool calls are a list of objects."))
        return {"id": message_id, "role": role, "content": content if content is not None else "", **rest}

    def tool(self, given: Any, path: Path) -> dict[str, str]:
        found = self.object(given, path)
        lengths = {"name": _LONGEST_NAME, "description": None, "parameters": None}
        return {name: self.text(found.get(name), (*path, name), most) for name, most in lengths.items()}

    def schema(self, given: Any, path: Path) -> dict[str, str] | None:
        if given is None:
            return None
        found = self.object(given, path)
        return {
            "name": self.text(found.get("name"), (*path, "name"), _LONGEST_NAME),
            "schema": self.text(found.get("schema"), (*path, "schema")),
        }

    def prompt(self, given: Any, path: Path) -> dict[str, Any] | None:
        if given is None:
            return None
        found = self.object(given, path)
        version = found.get("version")
        if not isinstance(version, int) or isinstance(version, bool) or not 0 < version < 2**31:
            self.wrong((*path, "version"), _("The version of a prompt is a whole number."))
        return {"name": self.text(found.get("name"), (*path, "name"), _LONGEST_NAME), "version": version}

    def source(self, given: Any, path: Path) -> dict[str, str] | None:
        if given is None:
            return None
        found = self.object(given, path)
        return {name: self.text(found.get(name), (*path, name), 1000) for name in ("trace_id", "observation_id")}

    def values(self, given: Any, path: Path) -> dict[str, str]:
        found = self.object(given, path)
        if len(found) > MOST_VALUES:
            self.wrong(path, _("At most %(most)d of these are kept.") % {"most": MOST_VALUES})
        return {str(name): self.text(text, (*path, str(name))) for name, text in found.items()}

    def object(self, given: Any, path: Path) -> dict[str, Any]:
        if isinstance(given, dict):
            return given
        if given is not None or not path:
            self.wrong(path, _("This has to be an object."))
        return {}

    def list(self, given: Any, path: Path, most: int) -> list[Any]:
        if isinstance(given, list):
            if len(given) > most:
                self.wrong(path, _("There are more than %(most)d of these.") % {"most": most})
            return given[:most]
        if given is not None:
            self.wrong(path, _("This has to be a list."))
        return []

    def text(self, given: Any, path: Path, most: int | None = None) -> str:
        if given is None:
            return ""
        if not isinstance(given, str):
            self.wrong(path, _("This has to be a text."))
            return ""
        if most is not None and len(given) > most:
            self.wrong(path, _("This has at most %(most)d characters.") % {"most": most})
        return given
