"""A version of a prompt while it is written: as the form has it, checked, with what is wrong at each field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson
from django.http import QueryDict
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from config.errors import Invalid
from prompts import content
from prompts.actions.prompts import NewVersion
from prompts.difference import config_text
from prompts.models import LATEST, PRODUCTION, PromptType, PromptVersion
from prompts.playground.origins import config_of, messages_of, said_by
from prompts.playground.state import Window
from prompts.views.problems import issues_of

MESSAGE = "message"
ROLES = ("system", "user", "assistant", "developer", "tool")
_MOST_ROWS = 500


@dataclass(slots=True)
class MessageRow:
    """A message, or a placeholder, whose name is in `content`. `extra` is JSON of what else the message has."""

    kind: str = MESSAGE
    role: str = "user"
    content: str = ""
    extra: str = ""
    error: str = ""

    @property
    def roles(self) -> list[str]:
        return [*ROLES, *([self.role] if self.role and self.role not in ROLES else [])]


@dataclass(slots=True)
class Draft:
    """`base` and `base_number` name the version it comes from; `is_next` whether it becomes the next of the same.
    `playground` is the id of the one that it was written in."""

    name: str = ""
    type: str = PromptType.TEXT
    text: str = ""
    rows: list[MessageRow] = field(default_factory=lambda: [MessageRow(role="system"), MessageRow()])
    config: str = "{}"
    is_production: bool = False
    labels: str = ""
    tags: str = ""
    message: str = ""
    base: str = ""
    base_number: int | None = None
    is_next: bool = False
    playground: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def has_errors(self) -> bool:
        return bool(self.errors) or any(row.error for row in self.rows)

    @property
    def label_names(self) -> list[str]:
        words = self.labels.replace(",", " ").split()
        return list(dict.fromkeys([*([PRODUCTION] if self.is_production else []), *words]))

    @property
    def tag_names(self) -> list[str]:
        return [tag for part in self.tags.split(",") if (tag := part.strip())]


def of_version(version: PromptVersion, *, is_next: bool) -> Draft:
    said = version.said
    draft = Draft(
        name=version.prompt.name if is_next else "",
        type=version.prompt.type,
        config=config_text(version.config),
        base=version.prompt.name,
        base_number=version.number,
        is_next=is_next,
    )
    if isinstance(said, str):
        draft.text = said
    else:
        draft.rows = [_row(message) for message in said]
    return draft


def of_window(scope: ProjectScope, window: Window, base: PromptVersion | None) -> Draft:
    """What a playground's window says. It becomes the next version of `base` where it is of the same type still."""
    messages = said_by(window, messages_of(base.said) if base is not None else None)
    is_text = len(messages) == 1 and base is not None and base.prompt.type == PromptType.TEXT
    is_text = is_text and messages[0].keys() == {"role", "content"} and messages[0]["role"] == "user"
    is_text = is_text and isinstance(messages[0]["content"], str)
    kind = PromptType.TEXT if is_text else PromptType.CHAT
    is_next = base is not None and base.prompt.type == kind
    draft = Draft(
        name=base.prompt.name if base is not None and is_next else "",
        type=kind,
        config=config_text(config_of(scope, window, base.config if base is not None else None)),
        base=base.prompt.name if base is not None else "",
        base_number=base.number if base is not None else None,
        is_next=is_next,
    )
    if is_text:
        draft.text = messages[0]["content"]
    elif messages:
        draft.rows = [_row_of_message(message) for message in messages]
    return draft


def _row_of_message(message: dict[str, Any]) -> MessageRow:
    """A prompt's messages hold text: pictures and thoughts cannot go with them, and the row says so."""
    said = message.get("content")
    if not isinstance(said, list):
        return _row(message)
    texts = [part["text"] for part in said if isinstance(part, dict) and isinstance(part.get("text"), str)]
    row = _row({**message, "content": "\n\n".join(texts)})
    if len(texts) < len(said):
        row.error = _("Messages of prompts hold text only. What else this one has is left out.")
    return row


def _row(message: dict[str, Any]) -> MessageRow:
    if message.get("type") == content.PLACEHOLDER:
        return MessageRow(content.PLACEHOLDER, "", message["name"])
    rest = {key: value for key, value in message.items() if key not in ("role", "content")}
    return MessageRow(MESSAGE, message["role"], message["content"], orjson.dumps(rest).decode() if rest else "")


def of_post(data: QueryDict) -> Draft:
    number = data.get("version", "")
    columns = (data.getlist(name)[:_MOST_ROWS] for name in ("kind", "role", "content", "extra"))
    rows = [
        MessageRow(content.PLACEHOLDER if kind == content.PLACEHOLDER else MESSAGE, _plain(role), _plain(said), extra)
        for kind, role, said, extra in zip(*columns, strict=False)
    ]
    return Draft(
        name=data.get("name", "").replace("\x00", "").strip(),
        type=data.get("type", PromptType.TEXT),
        text=_plain(data.get("text", "")),
        rows=rows,
        config=_plain(data.get("config", "")),
        is_production=bool(data.get("production")),
        labels=data.get("labels", ""),
        tags=data.get("tags", "").replace("\x00", ""),
        message=_plain(data.get("message", "")).strip(),
        base=data.get("base", ""),
        base_number=int(number) if number.isascii() and number.isdigit() and len(number) < 11 else None,
        is_next=bool(data.get("next")),
        playground=data.get("playground", "").replace("\x00", ""),
    )


def change_shape(draft: Draft, wish: str) -> None:
    """Adds, removes and moves messages for whoever has no script: `add-message`, `remove:2`, `up:2`, `down:2`."""
    name, _colon, place = wish.partition(":")
    at = int(place) if place.isascii() and place.isdigit() and len(place) < 5 else -1
    if name == "add-message" and len(draft.rows) < _MOST_ROWS:
        draft.rows.append(MessageRow(role=next_role(draft.rows)))
    elif name == "add-placeholder" and len(draft.rows) < _MOST_ROWS:
        draft.rows.append(MessageRow(content.PLACEHOLDER, ""))
    elif 0 <= at < len(draft.rows):
        if name == "remove":
            del draft.rows[at]
        elif name == "up" and at:
            draft.rows.insert(at - 1, draft.rows.pop(at))
        elif name == "down":
            draft.rows.insert(at + 1, draft.rows.pop(at))


def next_role(rows: list[MessageRow]) -> str:
    """Who speaks next."""
    said = [row.role for row in rows if row.kind == MESSAGE]
    return "assistant" if said and said[-1] == "user" else "user"


def checked(draft: Draft) -> NewVersion | None:
    """What the draft says; None where something is wrong, which is in its errors then."""
    config = _config(draft)
    said: Any = draft.text if draft.type == PromptType.TEXT else [_message(row) for row in draft.rows]
    if draft.has_errors:
        return None
    return NewVersion(
        name=draft.name,
        type=draft.type,
        content=said,
        config=config,
        labels=[label for label in draft.label_names if label != LATEST],
        tags=draft.tag_names if draft.tags.strip() else None,
        commit_message=draft.message,
    )


def refused(draft: Draft, refusal: Invalid) -> None:
    """Puts what an action refused where it belongs."""
    for path, words in issues_of(refusal):
        head = path[0] if path else ""
        place = path[1] if len(path) > 1 else None
        if head == "prompt" and isinstance(place, int) and place < len(draft.rows):
            draft.rows[place].error = words
        else:
            names = {"prompt": "content", "commitMessage": "message"}
            draft.errors[names.get(str(head), str(head)) or "whole"] = words


def _config(draft: Draft) -> Any:
    if not draft.config.strip():
        return {}
    try:
        return orjson.loads(draft.config)
    except orjson.JSONDecodeError as error:
        place = {"line": error.lineno, "column": error.colno}
        draft.errors["config"] = _("This is no JSON: look at line %(line)d, column %(column)d.") % place
        return {}


def _message(row: MessageRow) -> dict[str, Any]:
    if row.kind == content.PLACEHOLDER:
        return {"type": content.PLACEHOLDER, "name": row.content.strip()}
    rest: Any = {}
    if row.extra:
        try:
            rest = orjson.loads(row.extra)
        except orjson.JSONDecodeError:
            row.error = _("What else this message had cannot be read.")
    rest = rest if isinstance(rest, dict) else {}
    return {**rest, "role": row.role, "content": row.content}


def _plain(text: str) -> str:
    """As it was typed: forms send lines' ends of their own, and no store takes the zero character."""
    return text.replace("\r\n", "\n").replace("\x00", "")
