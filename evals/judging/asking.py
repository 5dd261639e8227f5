"""A judge's question and the reading of its answer: by schema, by tool, or in words, whichever way the model knows.

Each call that is made is kept as an `Entry`: the log of a judgement, and what its trace is made of.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db import IntegrityError
from django.db import connection as database
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from config.crew import DATABASE_AWAY
from config.outgoing import Limits
from config.sealing import Unreadable as UnreadableSecret
from evals.judging import code
from evals.judging.answers import read_text
from evals.judging.costs import cost_of
from evals.judging.definition import Definition, JudgeModel, model_of
from evals.judging.mapping import cut, fill, resolve
from evals.judging.output import Judged, OutputDefinition, Unreadable
from evals.models import DefaultJudge, EvaluatorKind, ModelAbility
from prompts.llm import Answer, Call, Finished, FinishReason, ProviderError, Tool, Trouble, stream
from prompts.llm.hiding import hiding
from prompts.llm.words import explained
from prompts.models import LlmConnection
from prompts.playground.calls import to_json

log = logging.getLogger(__name__)

TOOL = "give_score"
#: what is kept of requests and answers, in characters of each text
KEPT = 20_000
_MOST_BYTES = 4 * 1024 * 1024
#: statuses with which a provider says that it does not know a part of the request
_NOT_KNOWN = (400, 404, 405, 415, 422, 501)
#: statuses with which it says that nothing comes of asking until somebody changes something, and why
_PAUSING = {401: "key_refused", 402: "no_credit", 403: "key_not_allowed"}


class Way(StrEnum):
    """How a model is brought to give an answer that can be read, the surest first."""

    SCHEMA = "schema"
    TOOL = "tool"
    TEXT = "text"


_WAYS = (Way.SCHEMA, Way.TOOL, Way.TEXT)


@dataclass(slots=True)
class Entry:
    """One call. Texts are bounded and hold no secret; `cost` is in US dollars as text, None without a price."""

    at: str
    seconds: float = 0.0
    way: str = ""
    provider: str = ""
    model: str = ""
    request: dict[str, Any] = field(default_factory=dict)
    response: Any = None
    usage: dict[str, int] = field(default_factory=dict)
    cost: str | None = None
    status: int | None = None
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Failed(Exception):
    """No answer. `is_final`: asking again the same way brings the same; else `retry_after` are the seconds that the
    provider wants to be left alone for. `pauses` is a word for why nothing can be asked of this evaluator."""

    def __init__(self, message: str, *, is_final: bool = False, retry_after: float = 0.0, pauses: str = "") -> None:
        super().__init__(message)
        self.message, self.is_final, self.retry_after, self.pauses = message, is_final, retry_after, pauses


@dataclass(slots=True)
class Question:
    """What is asked about one target. `log` gets an entry for each call, also where `ask` raises."""

    scope: ProjectScope
    definition: Definition
    mapping: Sequence[Mapping[str, Any]]
    document: Mapping[str, Any]
    is_cancelled: Callable[[], bool]
    #: how many ways to pass over, since their answers could not be read
    skipped: int = 0
    log: list[Entry] = field(default_factory=list)

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The log, as rows keep it."""
        return [one.as_json() for one in self.log]

    def ask(self) -> Judged | None:
        """None where code says that there is nothing to score. Raises Failed, and Cancelled."""
        if self.definition.kind == EvaluatorKind.CODE:
            return self._run()
        model = self._model()
        connection = LlmConnection.objects.filter(project_id=self.scope.project_id, provider=model.provider).first()
        if connection is None:
            said = _("The connection “%(name)s” is not there.") % {"name": model.provider}
            raise Failed(said, pauses="no_connection")
        messages = self._messages()
        assert self.definition.output is not None
        return self._asked(connection, model, messages, self.definition.output)

    def _run(self) -> Judged | None:
        entry = Entry(at=_now(), way="code")
        self.log.append(entry)
        began = time.monotonic()
        try:
            judged = code.run(self.definition.source_code, self.document)
        except code.Broken as error:
            entry.problem = error.message
            raise Failed(error.message, is_final=error.is_final) from None
        finally:
            entry.seconds = time.monotonic() - began
        entry.response = None if judged is None else {"score": _plain(judged), "reasoning": judged.reasoning}
        return judged

    def _model(self) -> JudgeModel:
        if self.definition.model is not None:
            return self.definition.model
        default = DefaultJudge.objects.filter(project_id=self.scope.project_id).first()
        found = model_of(default.model) if default else None
        if found is None:
            said = _("The evaluator names no model, and the project has no default judge.")
            raise Failed(said, pauses="no_model")
        return found

    def _messages(self) -> list[dict[str, str]]:
        resolved = resolve(self.document, self.mapping)
        problems = [
            f"{{{{{name}}}}}: {resolved[name].problem if name in resolved else _('It is not mapped to anything.')}"
            for name in self.definition.variables
            if name not in resolved or resolved[name].problem
        ]
        if problems:
            raise Failed("\n".join(problems), is_final=True)
        values = {name: found.value for name, found in resolved.items()}
        return [{**message, "content": fill(message["content"], values)} for message in self.definition.messages]

    def _asked(
        self, connection: LlmConnection, model: JudgeModel, messages: list[dict[str, str]], output: OutputDefinition
    ) -> Judged:
        known = ModelAbility.objects.filter(connection=connection, model=model.model).first()
        first = _WAYS.index(Way(known.way)) if known else 0
        ways = _WAYS[min(first + self.skipped, len(_WAYS) - 1) :]
        for way in ways:
            try:
                judged = self._call(connection, model, messages, output, way)
            except _WayNotKnown as error:
                if way is ways[-1]:
                    raise error.failed from None
                continue
            if known is None or known.way != way:
                _remember(connection, model.model, way)
            return judged
        raise AssertionError("there is always a last way")

    def _call(
        self,
        connection: LlmConnection,
        model: JudgeModel,
        messages: list[dict[str, str]],
        output: OutputDefinition,
        way: Way,
    ) -> Judged:
        call = _call_of(model, messages, output, way)
        entry = Entry(at=_now(), way=way.value, provider=connection.provider, model=model.model)
        self.log.append(entry)
        hide = _hiding(connection)
        entry.request = _shown_request(call, hide)
        began = time.monotonic()
        answer = Answer()
        try:
            for event in stream(self.scope, connection, call, is_cancelled=self.is_cancelled, limits=_limits()):
                answer.add(event)
            return _read(output, answer)
        except ProviderError as error:
            entry.status = error.provider_status
            entry.problem = hide(_words(error))
            entry.response = hide(error.body)[:KEPT] or None
            raise _failed(error, entry.problem) from None
        except Unreadable as error:
            entry.problem = hide(str(error))
            said = _("The answer could not be read: %(why)s") % {"why": entry.problem}
            raise Failed(said) from None
        except UnreadableSecret as error:
            entry.problem = error.message
            raise Failed(error.message, pauses="no_connection") from None
        finally:
            entry.seconds = time.monotonic() - began
            if answer.finished is not None:
                self._note(entry, answer, answer.finished, hide)

    def _note(self, entry: Entry, answer: Answer, finished: Finished, hide: Callable[[str], str]) -> None:
        entry.response = _shown_answer(answer, hide)
        entry.usage = {str(kind): int(units) for kind, units in finished.usage.items()}
        entry.status = entry.status or 200
        at = datetime.fromisoformat(entry.at)
        # Some servers answer with the name of a file: the one that was asked for may have a price then.
        for model in dict.fromkeys((finished.model or entry.model, entry.model)):
            try:
                cost = cost_of(self.scope.project_id, model, entry.usage, at)
            except DATABASE_AWAY as error:
                _passed_over("what a call cost", error)
                return
            if cost is not None:
                entry.model, entry.cost = model, str(cost)
                break


def _remember(connection: LlmConnection, model: str, way: Way) -> None:
    try:
        ModelAbility.objects.update_or_create(connection=connection, model=model, defaults={"way": way.value})
    except (*DATABASE_AWAY, IntegrityError) as error:  # away, or the connection was deleted meanwhile
        _passed_over("how a model answers", error)


def _passed_over(what: str, error: Exception) -> None:
    """An answer is there and paid for: it is not lost over what is merely good to know."""
    log.warning("The database cannot be asked for %s: %s", what, error)
    if not database.in_atomic_block:
        database.close()


def _limits() -> Limits:
    patience = settings.JUDGEMENT_TIMEOUT_SECONDS
    connecting = min(10, patience)
    return Limits(connect_seconds=connecting, silence_seconds=patience, total_seconds=patience, most_bytes=_MOST_BYTES)


class _WayNotKnown(Exception):
    def __init__(self, failed: Failed) -> None:
        self.failed = failed


def _plain(judged: Judged) -> Any:
    return list(judged.value) if isinstance(judged.value, tuple) else judged.value


def _now() -> str:
    return timezone.now().isoformat()


def _call_of(model: JudgeModel, messages: list[dict[str, str]], output: OutputDefinition, way: Way) -> Call:
    # In one piece: nobody watches it grow, and every provider knows that form.
    call = Call(model=model.model, messages=messages, parameters=model.parameters, stream=False)
    if way is Way.SCHEMA:
        return replace(call, output_schema=output.schema())
    if way is Way.TOOL:
        tool = Tool(TOOL, "Hands in the judgement.", output.schema())
        return replace(call, tools=(tool,), tool_choice=TOOL)
    told = [dict(one) for one in messages]
    if told[-1]["role"] == "user":
        told[-1]["content"] += f"\n\n{output.in_words()}"
    else:
        told.append({"role": "user", "content": output.in_words()})
    return replace(call, messages=told)


def _read(output: OutputDefinition, answer: Answer) -> Judged:
    """Raises Unreadable. Models answer in words where a tool was asked for, and the other way round."""
    reason = answer.finished.finish_reason if answer.finished else None
    if answer.refusal or reason is FinishReason.REFUSAL:
        said = (answer.refusal or answer.text)[:300]
        raise Unreadable(_("The model refused: %(said)s") % {"said": said} if said else _("The model refused."))
    if reason is FinishReason.LENGTH:
        # What is cut off may still look whole: 0.9 of 0.95.
        raise Unreadable(_("The answer hit the limit of tokens: raise max_tokens."))
    for _index, asked in sorted(answer.tool_calls.items()):
        return read_text(output, asked.arguments)
    return read_text(output, answer.text)


def _words(error: ProviderError) -> str:
    """In one line, as lists show it."""
    said = explained(error)
    details = " ".join(part for part in (said.said, said.advice) if part)
    return f"{said.title}: {details}" if details else said.title


def _failed(error: ProviderError, words: str) -> Exception:
    status = error.provider_status if error.trouble is Trouble.STATUS else None
    if status in _PAUSING:
        return Failed(words, pauses=_PAUSING[status])
    if status in _NOT_KNOWN:
        # A model that is not there is not there in words either; but some servers answer 404 to tools.
        return _WayNotKnown(Failed(words, is_final=True, pauses="model_not_found" if status == 404 else ""))
    if error.trouble is Trouble.CALL:
        return _WayNotKnown(Failed(words, is_final=True))
    if error.trouble in (Trouble.SETUP, Trouble.ADDRESS_REFUSED):
        return Failed(words, pauses="no_connection")
    return Failed(words, is_final=not error.may_pass, retry_after=error.retry_after_seconds or 0.0)


# --- What is kept ------------------------------------------------------------------------------------------
def _hiding(connection: LlmConnection) -> Callable[[str], str]:
    """Takes the connection's own secrets out of a text, and what no database keeps. Where they cannot be read, nothing
    was asked with them either."""
    try:
        masked_in = hiding(connection)
    except UnreadableSecret:
        masked_in = str
    return lambda text: masked_in(text).replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _bounded(text: str, hide: Callable[[str], str]) -> str:
    text = hide(text)
    return text if len(text) <= KEPT else cut(text, KEPT)


def _shown_request(call: Call, hide: Callable[[str], str]) -> dict[str, Any]:
    said = to_json(call)
    said["messages"] = [{**one, "content": _bounded(str(one["content"]), hide)} for one in said["messages"]]
    return {name: value for name, value in said.items() if value not in (None, [], {}, "")}


def _shown_answer(answer: Answer, hide: Callable[[str], str]) -> dict[str, Any]:
    found = answer.as_message()
    found["content"] = _bounded(answer.text or answer.refusal, hide)
    for asked in found.get("tool_calls", ()):
        asked["function"]["arguments"] = _bounded(asked["function"]["arguments"], hide)
    return found


def total_cost(entries: Sequence[Mapping[str, Any]]) -> Decimal | None:
    """Over all calls; None where none had a price."""
    known = [Decimal(one["cost"]) for one in entries if one.get("cost") is not None]
    return sum(known, Decimal(0)) if known else None


def ended_at(entry: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(entry["at"]) + timedelta(seconds=entry.get("seconds") or 0.0)
