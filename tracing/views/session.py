"""A session as a conversation: its turns in the index, what was said in each beside them, near what is looked at."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.roles import Role
from config.rendering import render_page
from tracing.forms import cursor_from, text_from
from tracing.queries import groups, people
from tracing.queries.explorer import write_term
from tracing.queries.explorer.nouns import Noun
from tracing.queries.paging import Cursor
from tracing.queries.people import Step, Turn, TurnPage
from tracing.views import conversation
from tracing.views.acts.node import Node
from tracing.views.conversation import Content, Message

#: a pause between two turns that is worth a mark
IDLE = timedelta(minutes=5)
#: A session that was active within this is looked at again every few seconds, others now and then.
_LIVELY = timedelta(minutes=15)
_STEPS = {"talk": ("TOOL",), "steps": ("GENERATION", "TOOL"), "compact": ()}
_COMPACT_SIZE = 50
PARTS = ("talk", "earlier", "later", "tail", "index", "more_turns", "session_facts")
_BESIDE = {"tail": "tracing/_session_beside.html"}


@dataclass(frozen=True)
class ShownStep:
    """A step of a turn; of a model call only what it was newly told, and its answer."""

    step: Step

    @property
    def is_model_call(self) -> bool:
        return self.step.type == "GENERATION"

    @cached_property
    def asked(self) -> tuple[Message, ...]:
        return _new_messages(conversation.read(self.step.input))

    @cached_property
    def input(self) -> Content:
        return conversation.read(self.step.input or self.step.input_preview)

    @cached_property
    def output(self) -> Content:
        return conversation.read(self.step.output or self.step.output_preview, default_role="assistant")


@dataclass(frozen=True)
class ShownTurn:
    """A turn, the pause before it, and what was said in it that was not said before. `number` is 0 where it is not
    known."""

    number: int
    turn: Turn
    idle: timedelta | None = None
    url: str = ""

    @cached_property
    def asked(self) -> tuple[Message, ...]:
        return _new_messages(conversation.read(self.turn.input))

    @cached_property
    def input(self) -> Content:
        return conversation.read(self.turn.input or self.turn.input_preview)

    @cached_property
    def output(self) -> Content:
        return conversation.read(self.turn.output or self.turn.output_preview, default_role="assistant")

    @cached_property
    def steps(self) -> list[ShownStep]:
        return [ShownStep(step) for step in self.turn.steps]

    @property
    def words(self) -> str:
        return _said(self.asked) or self.turn.asked or one_line(self.turn.input_preview)

    @property
    def answer(self) -> str:
        return one_line(self.turn.output_preview, default_role="assistant")


def _new_messages(content: Content) -> tuple[Message, ...]:
    """Chat clients send the whole history each time: only what follows the last answer is new."""
    if content.kind != "messages":
        return ()
    new: list[Message] = []
    for message in reversed(content.messages):
        if message.role == "assistant" and new:
            break
        if message.role not in ("system", "developer"):
            new.append(message)
    return tuple(reversed(new))


def one_line(preview: str, *, default_role: str = "") -> str:
    """What was newly said in a preview; the preview itself where that is cut, or no conversation."""
    content = conversation.read(preview, default_role=default_role)
    return _said(_new_messages(content)) or content.text or preview


def _said(messages: tuple[Message, ...]) -> str:
    return " ".join(part.text for message in messages for part in message.parts if part.kind == "text")  # type: ignore[union-attr]


class SessionPage:
    """What the template shows, each part read when it is asked for."""

    def __init__(self, request: HttpRequest, scope: ProjectScope, session_id: str) -> None:
        self.scope, self.id, self._query = scope, session_id, request.GET
        self.view = request.GET.get("view", "") if request.GET.get("view", "") in _STEPS else "talk"
        self.find = text_from(request.GET, "find")
        self.wanted = text_from(request.GET, "turn")
        #: whether only the turns before those on the page are asked for
        self.is_earlier_part = request.headers.get("HX-Target") == "earlier"

    @cached_property
    def session(self) -> groups.Group:
        return groups.get_group(self.scope, Noun.SESSIONS, self.id)

    @cached_property
    def node(self) -> Node:
        """What people said about it: scores and comments."""
        return Node(self.scope, session_id=self.id)

    @property
    def scores(self) -> list[Any]:
        return [shown.score for shown in self.node.scores]

    @cached_property
    def chosen(self) -> Cursor | None:
        """The turn that the address names."""
        return people.find_turn(self.scope, self.id, self.wanted) if self.wanted else None

    @property
    def said_count(self) -> int:
        return len(self.node.scores) + len(self.node.comments)

    # --- The index
    @cached_property
    def index(self) -> TurnPage:
        after = cursor_from(self._query, "index_after")
        if after is None and self.chosen is not None and not self.find:
            # The index begins some turns before the one that is looked at, if that is far down.
            ahead = people.list_turns(self.scope, self.id, before=self.chosen, limit=people.INDEX_SIZE // 2)
            after = ahead.earlier and _just_before(ahead.earlier)
        return people.list_turns(self.scope, self.id, after=after, find=self.find)

    @cached_property
    def turns(self) -> list[ShownTurn]:
        return self._numbered(self.index.turns, is_all=not self.find)

    @property
    def more_turns_url(self) -> str:
        return self._url(index_after=self.index.later) if self.index.later else ""

    # --- The conversation
    @cached_property
    def talk(self) -> TurnPage:
        after, before = cursor_from(self._query, "after"), cursor_from(self._query, "until")
        if after is None and before is None and self.chosen is not None:
            after = _just_before(self.chosen)
        page = people.read_turns(
            self.scope,
            self.id,
            after=after,
            before=before,
            step_types=_STEPS[self.view],
            with_step_content=self.view == "steps",
            limit=_COMPACT_SIZE if self.view == "compact" else people.TALK_SIZE,
        )
        if page.turns and page.earlier and not before and not self._has_before(page.turns[0]):
            return TurnPage(page.turns, None, page.later)
        return page

    def _has_before(self, turn: Turn) -> bool:
        return people.count_turns(self.scope, self.id, turn.cursor) > 0

    @cached_property
    def said(self) -> list[ShownTurn]:
        return self._numbered(self.talk.turns)

    @property
    def before_tail(self) -> list[ShownTurn]:
        return self.said if self.talk.later else self.said[:-1]

    @property
    def tail(self) -> list[ShownTurn]:
        """The last turn of the session, which may still go on, and those that came since the page was opened."""
        if "live" in self._query:
            return self.said
        return [] if self.talk.later else self.said[-1:]

    @property
    def earlier_url(self) -> str:
        return self._url(until=self.talk.earlier) if self.talk.earlier else ""

    @property
    def later_url(self) -> str:
        return self._url(after=self.talk.later) if self.talk.later else ""

    @property
    def tail_url(self) -> str:
        """Asks for the last turn and all since, and says what of them is shown already."""
        if not self.tail:
            return ""
        after = cursor_from(self._query, "after") if "live" in self._query else self._before_tail
        return self._url(after=after, live="1", seen=self.digest)

    @property
    def _before_tail(self) -> Cursor:
        if self.before_tail:
            return self.before_tail[-1].turn.cursor
        return cursor_from(self._query, "after") or _just_before(self.tail[0].turn.cursor)

    @property
    def digest(self) -> str:
        facts = [
            (
                item.turn.trace_id,
                item.turn.sums,
                item.turn.output_preview,
                len(item.turn.output),
                [(mean.name, mean.value, mean.text) for mean in item.turn.scores.values()],
            )
            for item in self.tail
        ]
        return hashlib.sha256(orjson.dumps(facts, default=str)).hexdigest()[:12]

    @property
    def is_unchanged(self) -> bool:
        return self._query.get("seen", "") == self.digest

    @property
    def pause_seconds(self) -> int:
        return 5 if datetime.now(UTC) - self.session.last_at < _LIVELY else 60

    # --- Around it
    @property
    def views(self) -> list[tuple[str, str, str]]:
        names = {"talk": _("Conversation"), "steps": _("All steps"), "compact": _("Compact")}
        return [
            (name, label, self._url(view="" if name == "talk" else name, keep=("turn", "find")))
            for name, label in names.items()
        ]

    @property
    def traces_query(self) -> str:
        return write_term("session", self.id)

    @property
    def json_url(self) -> str:
        return self._url(keep=(), **{"as": "json"})

    @property
    def text_url(self) -> str:
        return self._url(keep=(), **{"as": "text"})

    def turn_url(self, trace_id: str) -> str:
        """A permanent link."""
        return self._url(turn=trace_id, keep=("view", "find"))

    def _url(self, *, keep: tuple[str, ...] = ("view",), **values: Any) -> str:
        query = QueryDict(mutable=True)
        for name in keep:
            if name not in values and self._query.get(name):
                query[name] = self._query[name]
        query.update({name: str(value) for name, value in values.items() if value})
        address = reverse("tracing:session-detail", args=[self.scope.project_id, self.id])
        return f"{address}?{query.urlencode()}" if query else address

    def _numbered(self, turns: list[Turn], *, is_all: bool = True) -> list[ShownTurn]:
        if not turns or not is_all:
            return [ShownTurn(0, turn, url=self.turn_url(turn.trace_id)) for turn in turns]
        first = people.count_turns(self.scope, self.id, turns[0].cursor) + 1
        before = self._turn_before(turns[0]) if first > 1 else None
        shown = []
        for number, turn in enumerate(turns, first):
            gap = turn.timestamp - before.ended_at if before is not None else timedelta()
            shown.append(ShownTurn(number, turn, gap if gap >= IDLE else None, self.turn_url(turn.trace_id)))
            before = turn
        return shown

    def _turn_before(self, turn: Turn) -> Turn | None:
        found = people.list_turns(self.scope, self.id, before=turn.cursor, limit=1).turns
        return found[-1] if found else None


def _just_before(place: Cursor) -> Cursor:
    """A place after which the turn itself comes first: ids of traces are never empty."""
    return Cursor(place.at, "") if place.id else place


@require_safe
@project_page(Role.VIEWER)
def session_detail(request: HttpRequest, scope: ProjectScope, session_id: str) -> HttpResponseBase:
    shown = SessionPage(request, scope, session_id)
    if request.GET.get("as") in ("json", "text"):
        return _download(shown, is_json=request.GET["as"] == "json")
    if "live" in request.GET and request.headers.get("HX-Target") == "tail" and shown.is_unchanged:
        return HttpResponse(status=204)
    context = {"scope": scope, "page": shown, "session": shown.session}
    return render_page(request, "tracing/session_detail.html", context, fragment=PARTS, beside=_BESIDE)


# --- Taking it along -------------------------------------------------------------------------------------
def _download(shown: SessionPage, *, is_json: bool) -> HttpResponseBase:
    session = shown.session  # raises before anything is sent
    parts = _as_json(shown, session) if is_json else _as_text(shown)
    kind = "application/json" if is_json else "text/markdown; charset=utf-8"
    response = StreamingHttpResponse(parts, content_type=kind)
    if is_json:
        response["Content-Disposition"] = 'attachment; filename="session.json"'
    response["Cache-Control"] = "private, no-store"
    return response


def _as_json(shown: SessionPage, session: groups.Group) -> Iterator[bytes]:
    head = {
        "id": session.id, "firstAt": session.first_at, "lastAt": session.last_at, "traces": session.traces,
        "users": session.users, "environments": session.environments, "tokens": session.sums.tokens,
        "cost": str(session.sums.cost), "errors": session.sums.errors,
    }  # fmt: skip
    yield orjson.dumps(head)[:-1] + b',"turns":['
    for place, turn in enumerate(people.every_turn(shown.scope, shown.id)):
        yield (b"," if place else b"") + orjson.dumps(_turn_as_json(turn))
    yield b"]}"


def _turn_as_json(turn: Turn) -> dict[str, Any]:
    return {
        "traceId": turn.trace_id,
        "timestamp": turn.timestamp,
        "name": turn.name,
        "userId": turn.user_id,
        "latencySeconds": None if turn.sums.latency_us is None else turn.sums.latency_us / 1_000_000,
        "tokens": turn.sums.tokens,
        "cost": str(turn.sums.cost),
        "errors": turn.sums.errors,
        "input": conversation.parse(turn.input or turn.input_preview),
        "output": conversation.parse(turn.output or turn.output_preview),
        "scores": [
            {"name": mean.name, "value": mean.value, "text": mean.text, "count": mean.count}
            for mean in turn.scores.values()
        ],
    }


def _as_text(shown: SessionPage) -> Iterator[str]:
    yield f"# {shown.id}\n"
    for number, turn in enumerate(people.every_turn(shown.scope, shown.id), 1):
        item = ShownTurn(number, turn)
        yield f"\n## {number}. {turn.name or turn.trace_id} ({turn.timestamp.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC)\n"
        yield _spoken(item.asked, _("user"), item.input)
        yield _spoken(item.output.messages, _("assistant"), item.output)


def _spoken(messages: tuple[Message, ...], role: str, content: Content) -> str:
    if not messages:
        return f"\n**{role}:** {content.text or content.raw}\n" if content.kind != "empty" else ""
    return "".join(f"\n**{message.role}:** {_written(message)}\n" for message in messages)


def _written(message: Message) -> str:
    lines = []
    for part in message.parts:
        if part.kind in ("text", "thinking"):
            lines.append(part.text)  # type: ignore[union-attr]
        elif part.kind == "call":
            lines.append(f"`{part.name}({_compact(part.arguments)})`")  # type: ignore[union-attr]
        elif part.kind == "result":
            lines.append(f"`{_compact(part.content)}`")  # type: ignore[union-attr]
        elif part.kind == "data":
            lines.append(f"`{_compact(part.value)}`")  # type: ignore[union-attr]
        else:
            lines.append(f"[{getattr(part, 'content_type', '') or part.kind}]")
    return "\n\n".join(lines)


def _compact(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
