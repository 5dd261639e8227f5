"""A window as a call: what was typed is read, variables and placeholders are put in, and what is wrong is told by its
place in the window."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from config.errors import SpanwiseError
from prompts import content
from prompts.composition import resolve_draft
from prompts.llm import Call, Parameters, Tool
from prompts.models import LlmConnection
from prompts.models.connections import MODEL_LENGTH
from prompts.playground.state import CHOICES, Path, State, Window, is_placeholder, stops_of, texts_of

ROLES = ("system", "developer", "user", "assistant", "tool")
EFFORTS_LENGTH = 40
_FRACTIONS = ("temperature", "top_p", "frequency_penalty", "presence_penalty")
_LARGEST = 2**31 - 1


@dataclass(slots=True)
class Prepared:
    """`issues`: path within the window (or to a variable, a placeholder) and words. `call` is None where there are
    some."""

    call: Call | None = None
    connection: LlmConnection | None = None
    issues: list[tuple[Path, str]] = field(default_factory=list)


def prepare(scope: ProjectScope, state: State, window: Window) -> Prepared:
    """What a window would send, or all that keeps it from being sent."""
    work = _Preparation(scope, state, window)
    return work.done()


def to_json(call: Call) -> dict[str, Any]:
    """A call as it is kept and shown."""
    parameters = {
        name: list(value) if name == "stop" else value
        for name in Parameters.__dataclass_fields__
        if (value := getattr(call.parameters, name)) not in (None, "", (), [])
    }
    return {
        "model": call.model,
        "messages": list(call.messages),
        "parameters": parameters,
        "tools": [
            {"name": tool.name, "description": tool.description, "parameters": tool.parameters} for tool in call.tools
        ],
        "tool_choice": call.tool_choice,
        "output_schema": call.output_schema,
        "options": dict(call.options),
        "stream": call.stream,
    }


def from_json(found: dict[str, Any]) -> Call:
    return Call(
        model=found["model"],
        messages=found["messages"],
        parameters=Parameters(**found["parameters"]),
        tools=[Tool(**tool) for tool in found["tools"]],
        tool_choice=found["tool_choice"],
        output_schema=found["output_schema"],
        options=found["options"],
        stream=found["stream"],
    )


class _Preparation:
    def __init__(self, scope: ProjectScope, state: State, window: Window) -> None:
        self.scope, self.state, self.window = scope, state, window
        self.issues: list[tuple[Path, str]] = []

    def wrong(self, path: Path, words: str) -> None:
        if (path, words) not in self.issues:
            self.issues.append((path, words))

    def done(self) -> Prepared:
        window = self.window
        connection = self._connection()
        model = window["model"].strip()
        if not model:
            self.wrong(("model",), _("Choose a model."))
        elif len(model) > MODEL_LENGTH or not model.isprintable():
            self.wrong(("model",), _("The name of a model is one line."))
        tools = self._tools()
        call = Call(
            model=model,
            messages=self._messages(),
            parameters=self._parameters(),
            tools=tools,
            tool_choice=self._choice(tools),
            output_schema=self._schema(),
            options=self._options(),
            stream=window["stream"],
        )
        return Prepared(None if self.issues else call, connection, self.issues)

    def _connection(self) -> LlmConnection | None:
        name = self.window["connection"]
        if not name:
            self.wrong(("connection",), _("Choose a connection."))
            return None
        known = LlmConnection.objects.filter(project_id=self.scope.project_id)
        found = None if "\x00" in name else known.filter(provider=name).first()
        if found is None:
            self.wrong(("connection",), _("The project has no connection %(name)s.") % {"name": name})
        return found

    # --- Messages ----------------------------------------------------------------------------------------
    def _messages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for place, message in enumerate(self.window["messages"]):
            path: Path = ("messages", place)
            if is_placeholder(message):
                found += self._held_by(message["name"], path)
            else:
                found.append(self._message(message, path))
        said = [message for message in found if not _is_blank(message)]
        if not said and not self.issues:
            self.wrong(("messages",), _("Write a message first."))
        return said

    def _message(self, message: dict[str, Any], path: Path) -> dict[str, Any]:
        if message["role"] not in ROLES:
            roles = ", ".join(ROLES)
            self.wrong((*path, "role"), _("The role of a message is one of these: %(roles)s.") % {"roles": roles})
        written = message["content"]
        if isinstance(written, str):
            said: Any = self._filled(written, (*path, "content"))
        else:
            said = [self._part(part, (*path, "content", place)) for place, part in enumerate(written)]
        if message["role"] == "tool" and not message.get("tool_call_id"):
            self.wrong((*path, "tool_call_id"), _("A tool's message names the call that it answers."))
        rest = {key: value for key, value in message.items() if key not in ("id", "content")}
        for place, call in enumerate(rest.get("tool_calls") or ()):
            self._check_call(call, (*path, "tool_calls", place))
        return {**rest, "content": said}

    def _part(self, part: Any, path: Path) -> Any:
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            self.wrong(path, _("A part of a message is an object with a type."))
            return part
        if part["type"] == "text" and isinstance(part.get("text"), str):
            return {**part, "text": self._filled(part["text"], path)}
        if part["type"] == "image_url":
            image = part.get("image_url")
            url = image.get("url") if isinstance(image, dict) else None
            if not isinstance(url, str) or not url.startswith(("https://", "data:image/")):
                self.wrong(path, _("A picture is given by an address with https, or as data:image/…"))
        return part

    def _check_call(self, call: dict[str, Any], path: Path) -> None:
        function = call.get("function")
        if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"]:
            self.wrong(path, _("A tool call names its function."))
            return
        arguments = function.get("arguments")
        if not isinstance(arguments, str) or not isinstance(_parsed(arguments or "{}"), dict):
            self.wrong((*path, "function", "arguments"), _("The arguments of a tool call are a JSON object."))

    def _filled(self, text: str, path: Path) -> str:
        """With embedded prompts and variables put in. Values are put in as they are: what looks like a variable in one
        is none."""
        if content.REFERENCE.search(text):
            try:
                text = str(resolve_draft(self.scope, text, "", 0).content)
            except SpanwiseError as error:
                self.wrong(path, error.message)
                return text
        values = self.state["variables"]
        for name in content.variables(text):
            if not values.get(name):
                self.wrong(("variables", name), _("The variable %(name)s has no value.") % {"name": name})
        return content.VARIABLE.sub(lambda match: values.get(match[1]) or match[0], text)

    def _held_by(self, name: str, at: Path) -> list[dict[str, Any]]:
        """The messages that stand for a placeholder."""
        if not name:
            self.wrong((*at, "name"), _("Give the placeholder a name."))
            return []
        path: Path = ("placeholders", name)
        text = self.state["placeholders"].get(name, "")
        if not text.strip():
            return []  # a conversation that has not begun
        messages = _parsed(text)
        if not isinstance(messages, list):
            self.wrong(path, _("The placeholder %(name)s holds no JSON list of messages.") % {"name": name})
            return []
        for place, message in enumerate(messages):
            is_message = isinstance(message, dict) and isinstance(message.get("role"), str)
            if not is_message or not isinstance(message.get("content", ""), str | list | None):
                words = _("Message %(number)d of the placeholder %(name)s has no role and content.")
                self.wrong((*path, place), words % {"number": place + 1, "name": name})
                return []
            if not _are_objects(message.get("tool_calls")):
                self.wrong((*path, place, "tool_calls"), _("Tool calls are a list of objects."))
                return []
        # Histories are as they were: no variable is put into them.
        return [self._history(message, (*path, place)) for place, message in enumerate(messages)]

    def _history(self, message: dict[str, Any], path: Path) -> dict[str, Any]:
        if message["role"] not in ROLES:
            roles = ", ".join(ROLES)
            self.wrong((*path, "role"), _("The role of a message is one of these: %(roles)s.") % {"roles": roles})
        for place, call in enumerate(message.get("tool_calls") or ()):
            self._check_call(call, (*path, "tool_calls", place))
        content_ = message.get("content")
        if isinstance(content_, list):
            for place, part in enumerate(content_):
                if not isinstance(part, dict) or not isinstance(part.get("type"), str):
                    self.wrong((*path, "content", place), _("A part of a message is an object with a type."))
        return {"content": "", **{key: value for key, value in message.items() if value is not None}}

    # --- What goes with them -----------------------------------------------------------------------------
    def _parameters(self) -> Parameters:
        typed = self.window["parameters"]
        read: dict[str, Any] = {name: self._fraction(name, typed.get(name, "")) for name in _FRACTIONS}
        read["max_tokens"] = self._whole("max_tokens", typed.get("max_tokens", ""), least=1)
        read["reasoning_budget"] = self._whole("reasoning_budget", typed.get("reasoning_budget", ""), least=0)
        read["seed"] = self._whole("seed", typed.get("seed", ""), least=-_LARGEST)
        read["stop"] = tuple(stops_of(typed.get("stop", "")))
        read["reasoning_effort"] = typed.get("reasoning_effort", "").strip()
        if len(read["reasoning_effort"]) > EFFORTS_LENGTH:
            self.wrong(("parameters", "reasoning_effort"), _("The effort is one word, such as low."))
        return Parameters(**read)

    def _fraction(self, name: str, typed: str) -> float | None:
        if not typed.strip():
            return None
        try:
            found = float(typed.strip().replace(",", ".")) if typed.isascii() and "_" not in typed else math.nan
        except ValueError:
            found = math.nan
        if not math.isfinite(found):
            self.wrong(("parameters", name), _("This is a number, such as 0.7."))
            return None
        return found

    def _whole(self, name: str, typed: str, *, least: int) -> int | None:
        text = typed.strip()
        if not text:
            return None
        digits = text.removeprefix("-")
        found = int(text) if digits.isascii() and digits.isdigit() and len(digits) < 11 else None
        if found is None or not least <= found <= _LARGEST:
            words = _("This is a whole number, at least %(least)d.") if least >= 0 else _("This is a whole number.")
            self.wrong(("parameters", name), words % {"least": least} if least >= 0 else words)
            return None
        return found

    def _tools(self) -> list[Tool]:
        found: list[Tool] = []
        for place, tool in enumerate(self.window["tools"]):
            path: Path = ("tools", place)
            name = tool["name"].strip()
            if not name:
                self.wrong((*path, "name"), _("Give the tool a name."))
            elif name in (known.name for known in found):
                self.wrong((*path, "name"), _("Two tools have this name."))
            schema = _parsed(tool["parameters"]) if tool["parameters"].strip() else {"type": "object", "properties": {}}
            if not isinstance(schema, dict):
                self.wrong((*path, "parameters"), _no_object(tool["parameters"]))
                schema = {}
            found.append(Tool(name, tool["description"], schema))
        return found

    def _choice(self, tools: list[Tool]) -> str:
        choice: str = self.window["tool_choice"]
        if not tools and choice in ("", *CHOICES):
            return ""  # providers refuse a choice among none
        if choice and choice not in CHOICES and choice not in (tool.name for tool in tools):
            self.wrong(("tool_choice",), _("There is no tool %(name)s in this window.") % {"name": choice})
        return choice

    def _schema(self) -> dict[str, Any] | None:
        given = self.window["output_schema"]
        if given is None:
            return None
        found = _parsed(given["schema"])
        if not isinstance(found, dict):
            self.wrong(("output_schema", "schema"), _no_object(given["schema"]))
            return None
        return found

    def _options(self) -> dict[str, Any]:
        text = self.window["options"]
        if not text.strip():
            return {}
        found = _parsed(text)
        if not isinstance(found, dict):
            self.wrong(("options",), _no_object(text))
            return {}
        return found


def _is_blank(message: dict[str, Any]) -> bool:
    """Whether it says nothing: a row that was left empty. Empty answers of tools are answers."""
    return (
        not message.get("tool_calls")
        and message["role"] != "tool"
        and not any(text.strip() for text in texts_of(message))
        and not _other_parts(message)
    )


def _other_parts(message: dict[str, Any]) -> bool:
    parts = message.get("content")
    return isinstance(parts, list) and any(isinstance(part, dict) and part.get("type") != "text" for part in parts)


def _are_objects(given: Any) -> bool:
    return given is None or (isinstance(given, list) and all(isinstance(one, dict) for one in given))


def _parsed(text: str) -> Any:
    """None for what is no JSON."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _no_object(text: str) -> str:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        place = {"line": error.lineno, "column": error.colno}
        return _("This is no JSON: look at line %(line)d, column %(column)d.") % place
    return _("This has to be a JSON object.")
