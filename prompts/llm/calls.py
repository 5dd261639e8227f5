"""A call to a language model, from connection to events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from accounts.access import ProjectScope
from accounts.roles import Role
from config.errors import NotFound
from config.outgoing import Limits
from config.sealing import Unreadable
from prompts.llm import transport
from prompts.llm.types import Call, Cancelled, Event, Finished, ProviderError, Trouble
from prompts.llm.wires import wire_for
from prompts.llm.wires.common import Wire
from prompts.models import LlmConnection

#: `is_cancelled` may ask the broker
_ASK_SECONDS = 0.2
#: what reading JSON of another shape raises
_SHAPELESS = (AttributeError, TypeError, KeyError, ValueError)


def stream(
    scope: ProjectScope,
    connection: LlmConnection,
    call: Call,
    *,
    is_cancelled: Callable[[], bool] = lambda: False,
    limits: Limits = transport.LIMITS,
) -> Iterator[Event]:
    """Events as they come; `Finished` is the last one, and an answer without it raises ProviderError.

    `is_cancelled` is asked a few times a second, also while the provider is silent; then Cancelled is raised and the
    connection closed, as it is when the iterator is dropped. Raises Forbidden, and NotFound for connections of other
    projects.
    """
    scope.require(Role.MEMBER)
    if connection.project_id != scope.project_id:
        raise NotFound("There is no such connection.")
    return _events(connection, call, _asking(is_cancelled), limits)


def _asking(is_cancelled: Callable[[], bool]) -> Callable[[], None]:
    next_at = 0.0

    def ask() -> None:
        nonlocal next_at
        if time.monotonic() < next_at:
            return
        if is_cancelled():
            raise Cancelled("The call was stopped.")
        next_at = time.monotonic() + _ASK_SECONDS

    return ask


def _events(connection: LlmConnection, call: Call, ask: Callable[[], None], limits: Limits) -> Iterator[Event]:
    ask()
    wire = wire_for(connection, call, ask)
    try:
        request = wire.request()
    except Unreadable as error:
        raise ProviderError(Trouble.SETUP, error.message) from error
    except _SHAPELESS as error:
        raise ProviderError(Trouble.CALL, "The messages or tools of this call are not as they should be.") from error
    with transport.opened(request, ask, limits) as answer:
        try:
            for event in _understood(_told(wire, answer)):
                ask()
                if isinstance(event, Finished):
                    yield replace(event, raw={**event.raw, "request_id": answer.request_id})
                    return
                yield event
        except ProviderError as error:
            error.request_id = error.request_id or answer.request_id
            raise
        raise ProviderError(
            Trouble.CUT_OFF, "The answer ended before its end.", provider_status=200, request_id=answer.request_id
        )


def _understood(events: Iterator[Event]) -> Iterator[Event]:
    """Whoever answers may send any JSON: what has not the shape it should have is an answer that is none."""
    try:
        yield from events
    except _SHAPELESS as error:
        message = "What came is not in the form that this kind of provider answers in."
        raise ProviderError(Trouble.NOT_UNDERSTOOD, message, provider_status=200) from error


def _told(wire: Wire, answer: transport.Opened) -> Iterator[Event]:
    if answer.whole is None:
        return wire.events(answer.frames)
    return wire.events(iter(wire.frames_of(answer.whole)))
