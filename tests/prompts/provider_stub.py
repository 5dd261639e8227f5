"""A provider of language models on this machine: it speaks the formats of OpenAI (chat and responses), Anthropic,
Gemini and Bedrock, and the name of the model says what happens.

Models: `hello` (text), `thinker`, `tools`, `refuses`, `filtered`, `short` (hits its limit), `echo` (tells what it was
asked), `split` (bytes cut inside characters and lines), `odd` (events that nobody knows), `whole` (no stream), `cut`
(breaks off in the middle), `unfinished` (ends without an end), `hangs` (a word, then nothing until the client leaves),
`silent`, `drip` (words with pauses), `flow` (each as it is let), `held` (the whole answer once it is let), `broken`
(no JSON), `strange` (JSON of no sense), `page` (HTML as 200), `failing` (an error in the stream), `moved` (redirect),
and a status by number: `401`, `404`, `429`, `500`.
"""

from __future__ import annotations

import binascii
import json
import select
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HELLO = "Grüße, 世界 👋!"
THOUGHT = "Let me think."
ARGUMENTS = {"city": "Zürich", "days": 2}
REFUSAL = "I cannot help with that."
ERROR = "The stub says no."
KEY = "sk-stub-0123456789abcdef"
RETRY_AFTER = 7
_PAUSE_SECONDS = 0.15
_HANG_SECONDS = 60


@dataclass
class Seen:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Say:
    """What the model is to do, in no format."""

    text: list[str] = field(default_factory=list)
    thinking: list[str] = field(default_factory=list)
    tool: bool = False
    refusal: str = ""
    #: stop, length, tools, refusal, filter
    reason: str = "stop"


_SAYS = {
    "hello": Say(list(HELLO)),
    "split": Say([HELLO]),
    "odd": Say([HELLO]),
    "whole": Say([HELLO]),
    "cut": Say([HELLO]),
    "unfinished": Say([HELLO]),
    "hangs": Say([HELLO]),
    "drip": Say(["One ", "two ", "three."]),
    "held": Say([HELLO]),
    "flow": Say(["1 2 3 ", "4 5 6 ", "7 8 9"]),
    "failing": Say([HELLO]),
    "thinker": Say(["42"], thinking=["Let me ", "think."]),
    "tools": Say(tool=True, reason="tools"),
    "refuses": Say(refusal=REFUSAL, reason="refusal"),
    "filtered": Say(reason="filter"),
    "short": Say(["Once upon"], reason="length"),
}


class ProviderStub:
    """Use as a context manager. `url` is what stands before the paths of each provider."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.requests: list[Seen] = []
        #: set when somebody asked
        self.was_asked = threading.Event()
        #: set when a client left while it was kept waiting
        self.was_left = threading.Event()
        #: what `flow` may send after its first word: `let.release()` for each of its frames
        self.let = threading.Semaphore(0)
        handler = type("Handler", (_Handler,), {"stub": self})
        self._server = _Quiet((host, 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def last(self) -> Seen:
        return self.requests[-1]

    def __enter__(self) -> ProviderStub:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stub: ProviderStub

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.stub.requests.append(Seen(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        self.stub.was_asked.set()
        wire = _wire_of(self.path)
        model = _model_of(self.path, body)
        key = " ".join(
            self.headers.get(name, "") for name in ("authorization", "x-api-key", "api-key", "x-goog-api-key")
        )
        if model == "401" or ("sk-" in key and KEY not in key):
            self._refuse(401, wire)
        elif model.isdigit():
            self._refuse(int(model), wire)
        elif model == "moved":
            self.send_response(307)
            self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif model == "page":
            self._answer(200, b"<!doctype html><title>Welcome</title>", "text/html; charset=utf-8")
        elif model == "silent":
            self._wait_until_left()
        elif model == "echo":
            said = Say([json.dumps(body, ensure_ascii=False)])
            self._stream(wire, model, said)
        elif model in _SAYS:
            if model == "held":
                self.stub.let.acquire(timeout=_HANG_SECONDS)
            is_streamed = body.get("stream") is True or "stream" in self.path
            if model == "whole" or not is_streamed:
                whole = wire.whole(_SAYS[model], model) if is_streamed else wire.one_piece(_SAYS[model], model)
                self._answer(200, json.dumps(whole).encode(), "application/json")
            else:
                self._stream(wire, model, _SAYS[model])
        elif model == "strange":
            strange = {name: [7] for name in ("choices", "candidates", "response", "delta", "item", "content_block")}
            frame = wire.frame("contentBlockDelta", {**strange, "type": wire.strange_type})
            self._answer(200, frame, wire.content_type)
        elif model == "broken":
            self._answer(200, wire.frame("x", "{no json"), wire.content_type)
        else:
            self._refuse(404, wire)

    def _refuse(self, status: int, wire: type[_Wire]) -> None:
        more = {"Retry-After": str(RETRY_AFTER)} if status == 429 else {}
        self._answer(status, json.dumps(wire.error(ERROR)).encode(), "application/json", **more)

    def _answer(self, status: int, body: bytes, content_type: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": content_type, "x-request-id": "req_stub", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, wire: type[_Wire], model: str, say: Say) -> None:
        self.send_response(200)
        self.send_header("Content-Type", wire.content_type)
        self.send_header("x-request-id", "req_stub")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        frames = [wire.frame(name, data) for name, data in wire.frames(say, model)]
        if model == "odd":
            odd = [wire.frame("surprise", {"type": "surprise", "object": "surprise"})]
            frames = [*odd, *frames[:1], *odd, *frames[1:]]
            frames = [b": a comment\n\n", b"retry: 10\n\n", *frames] if wire is not _Bedrock else frames
        if model == "failing":
            frames = [*frames[: wire.first_word], wire.failure()]
        if model in ("cut", "hangs"):
            frames = frames[: wire.first_word]
        if model == "unfinished":
            frames = frames[: wire.first_word]
        pieces = _crumbs(b"".join(frames)) if model == "split" else frames
        for place, piece in enumerate(pieces):
            if model == "flow" and place >= wire.first_word:
                self.stub.let.acquire(timeout=_HANG_SECONDS)
            self._chunk(piece)
            if model == "drip":
                self.stub.was_left.wait(_PAUSE_SECONDS)
        if model == "hangs":
            self._wait_until_left()
        elif model == "cut":
            self.close_connection = True
            self.connection.close()
        else:
            self._chunk(b"")

    def _chunk(self, piece: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.flush()

    def _wait_until_left(self) -> None:
        ready, _, _ = select.select([self.connection], [], [], _HANG_SECONDS)
        if ready and not self.connection.recv(1):
            self.stub.was_left.set()
        self.close_connection = True


def _crumbs(data: bytes) -> Iterator[bytes]:
    """Never a whole character, never a whole line."""
    for start in range(0, len(data), 3):
        yield data[start : start + 3]


def _wire_of(path: str) -> type[_Wire]:
    if path.endswith("/responses"):
        return _Responses
    if path.endswith("/messages"):
        return _Anthropic
    if "enerateContent" in path:
        return _Gemini
    if path.endswith(("/converse-stream", "/converse")):
        return _Bedrock
    return _Chat


def _model_of(path: str, body: Any) -> str:
    if "/models/" in path:
        return path.rpartition("/models/")[2].partition(":")[0]
    if "/model/" in path:
        return path.rpartition("/model/")[2].partition("/")[0]
    return str(body.get("model", ""))


class _Wire:
    content_type = "text/event-stream"
    #: how many frames come before the model's first word is out
    first_word = 1
    #: of an event whose inside is read
    strange_type = ""

    @classmethod
    def frame(cls, name: str, data: Any) -> bytes:
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        head = f"event: {name}\n" if name else ""
        return f"{head}data: {text}\n\n".encode()

    @classmethod
    def frames(cls, say: Say, model: str) -> list[tuple[str, Any]]:
        raise NotImplementedError

    @classmethod
    def whole(cls, say: Say, model: str) -> Any:
        raise NotImplementedError

    @classmethod
    def one_piece(cls, say: Say, model: str) -> Any:
        """The answer to a call that asked for no stream."""
        return cls.whole(say, model)

    @classmethod
    def error(cls, message: str) -> Any:
        return {"error": {"message": message, "type": "stub_error", "code": "stub"}}

    @classmethod
    def failure(cls) -> bytes:
        return cls.frame("", cls.error(ERROR))


class _Chat(_Wire):
    first_word = 2
    _reasons = {
        "stop": "stop",
        "length": "length",
        "tools": "tool_calls",
        "refusal": "stop",
        "filter": "content_filter",
    }
    _usage = {
        "prompt_tokens": 11,
        "completion_tokens": 7,
        "total_tokens": 18,
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }

    @classmethod
    def _chunk(cls, delta: Any, reason: str | None = None) -> tuple[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return "", {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "stub-1", "choices": [choice]}

    @classmethod
    def frames(cls, say: Say, model: str) -> list[tuple[str, Any]]:
        found = [cls._chunk({"role": "assistant", "content": ""})]
        found += [cls._chunk({"reasoning_content": piece}) for piece in say.thinking]
        found += [cls._chunk({"content": piece}) for piece in say.text]
        if say.refusal:
            found += [cls._chunk({"refusal": piece}) for piece in (say.refusal[:8], say.refusal[8:])]
        if say.tool:
            arguments = json.dumps(ARGUMENTS, ensure_ascii=False)
            first = {"name": "weather", "arguments": ""}
            found.append(
                cls._chunk({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": first}]})
            )
            for piece in (arguments[:9], arguments[9:]):
                found.append(cls._chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}))
        found.append(cls._chunk({}, cls._reasons[say.reason]))
        usage = {"id": "chatcmpl-1", "model": "stub-1", "choices": [], "usage": cls._usage}
        return [*found, ("", usage), ("", "[DONE]")]

    @classmethod
    def whole(cls, say: Say, model: str) -> Any:
        message = {"role": "assistant", "content": "".join(say.text)}
        choice = {"index": 0, "message": message, "finish_reason": cls._reasons[say.reason]}
        return {"id": "chatcmpl-1", "model": "stub-1", "choices": [choice], "usage": cls._usage}


class _Responses(_Wire):
    first_word = 2
    strange_type = "response.completed"
    _usage = {
        "input_tokens": 11,
        "output_tokens": 7,
        "total_tokens": 18,
        "input_tokens_details": {"cached_tokens": 3},
        "output_tokens_details": {"reasoning_tokens": 2},
    }

    @classmethod
    def frame(cls, name: str, data: Any) -> bytes:
        if isinstance(data, dict) and "type" not in data:
            data = {"type": name, **data}
        return super().frame(name, data)

    @classmethod
    def frames(cls, say: Say, model: str) -> list[tuple[str, Any]]:
        found: list[tuple[str, Any]] = [("response.created", {"response": {"id": "resp_1", "status": "in_progress"}})]
        found += [("response.reasoning_summary_text.delta", {"output_index": 0, "delta": one}) for one in say.thinking]
        found += [("response.output_text.delta", {"output_index": 1, "delta": one}) for one in say.text]
        if say.refusal:
            found.append(("response.refusal.delta", {"output_index": 1, "delta": say.refusal}))
        if say.tool:
            arguments = json.dumps(ARGUMENTS, ensure_ascii=False)
            item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": ""}
            found.append(("response.output_item.added", {"output_index": 0, "item": item}))
            for piece in (arguments[:9], arguments[9:]):
                found.append(("response.function_call_arguments.delta", {"output_index": 0, "delta": piece}))
        return [*found, cls._end(say)]

    @classmethod
    def _end(cls, say: Say) -> tuple[str, Any]:
        response: dict[str, Any] = {"id": "resp_1", "model": "stub-1", "status": "completed", "usage": cls._usage}
        why = {"length": "max_output_tokens", "filter": "content_filter"}.get(say.reason)
        if not why:
            return "response.completed", {"response": response}
        return "response.incomplete", {
            "response": {**response, "status": "incomplete", "incomplete_details": {"reason": why}}
        }

    @classmethod
    def whole(cls, say: Say, model: str) -> Any:
        message = {"type": "message", "content": [{"type": "output_text", "text": "".join(say.text)}]}
        return {"id": "resp_1", "model": "stub-1", "status": "completed", "output": [message], "usage": cls._usage}

    @classmethod
    def failure(cls) -> bytes:
        return cls.frame("response.failed", {"response": {"status": "failed", "error": {"message": ERROR}}})


class _Anthropic(_Wire):
    first_word = 3
    strange_type = "content_block_delta"
    _reasons = {
        "stop": "end_turn",
        "length": "max_tokens",
        "tools": "tool_use",
        "refusal": "refusal",
        "filter": "refusal",
    }
    _usage = {"input_tokens": 8, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 0, "output_tokens": 1}

    @classmethod
    def error(cls, message: str) -> Any:
        return {"type": "error", "error": {"type": "stub_error", "message": message}}

    @classmethod
    def frame(cls, name: str, data: Any) -> bytes:
        if isinstance(data, dict) and "type" not in data:
            data = {"type": name, **data}
        return super().frame(name, data)

    @classmethod
    def frames(cls, say: Say, model: str) -> list[tuple[str, Any]]:
        message = {"id": "msg_1", "model": "stub-1", "role": "assistant", "content": [], "usage": cls._usage}
        found: list[tuple[str, Any]] = [("message_start", {"message": message})]
        if say.thinking:
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in say.thinking]
            deltas.append({"type": "signature_delta", "signature": "c2lnbmVk"})
            found += cls._block(0, {"type": "thinking", "thinking": ""}, deltas)
        texts = say.text or ([say.refusal] if say.refusal else [])
        if texts:
            deltas = [{"type": "text_delta", "text": piece} for piece in texts]
            found += cls._block(1, {"type": "text", "text": ""}, deltas)
        if say.tool:
            arguments = json.dumps(ARGUMENTS, ensure_ascii=False)
            start = {"type": "tool_use", "id": "call_1", "name": "weather", "input": {}}
            pieces = ("", arguments[:9], arguments[9:])
            found += cls._block(2, start, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces])
        found.append(("ping", {}))
        delta = {"stop_reason": cls._reasons[say.reason], "stop_sequence": None}
        return [*found, ("message_delta", {"delta": delta, "usage": {"output_tokens": 7}}), ("message_stop", {})]

    @classmethod
    def _block(cls, index: int, start: Any, deltas: list[Any]) -> list[tuple[str, Any]]:
        pieces = [("content_block_delta", {"index": index, "delta": delta}) for delta in deltas]
        return [
            ("content_block_start", {"index": index, "content_block": start}),
            *pieces,
            ("content_block_stop", {"index": index}),
        ]

    @classmethod
    def whole(cls, say: Say, model: str) -> Any:
        return {
            "type": "message",
            "id": "msg_1",
            "model": "stub-1",
            "content": [{"type": "text", "text": "".join(say.text)}],
            "stop_reason": "end_turn",
            "usage": {**cls._usage, "output_tokens": 7},
        }

    @classmethod
    def failure(cls) -> bytes:
        return cls.frame("error", cls.error(ERROR))


class _Gemini(_Wire):
    _reasons = {"stop": "STOP", "length": "MAX_TOKENS", "tools": "STOP", "refusal": "SAFETY", "filter": "SAFETY"}
    _usage = {
        "promptTokenCount": 11,
        "cachedContentTokenCount": 3,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 2,
        "totalTokenCount": 18,
    }

    @classmethod
    def _chunk(cls, part: Any = None, reason: str = "") -> tuple[str, Any]:
        candidate: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": [part] if part else []}}
        if reason:
            candidate["finishReason"] = reason
        return "", {
            "candidates": [candidate],
            "usageMetadata": cls._usage,
            "modelVersion": "stub-1",
            "responseId": "resp-1",
        }

    @classmethod
    def frames(cls, say: Say, model: str) -> list[tuple[str, Any]]:
        found = [cls._chunk({"text": piece, "thought": True}) for piece in say.thinking]
        found += [cls._chunk({"text": piece}) for piece in say.text or ([say.refusal] if say.refusal else [])]
        if say.tool:
            call = {"name": "weather", "args": ARGUMENTS}
            found.append(cls._chunk({"functionCall": call, "thoughtSignature": "c2lnbmVk"}))
        return [*found, cls._chunk(reason=cls._reasons[say.reason])]

    @classmethod
    def whole(cls, say: Say, model: str) -> Any:
        return [data for _, data in cls.frames(say, model)]

    @classmethod
    def one_piece(cls, say: Say, model: str) -> Any:
        return cls._chunk({"text": "".join(say.text)}, "STOP")[1]


class _Bedrock(_Wire):
    """AWS's framing: lengths, headers, body, and a checksum after each of head and whole."""

    content_type = "application/vnd.amazon.eventstream"
    first_word = 2
    _reasons = {
        "stop": "end_turn",
        "length": "max_tokens",
        "tools": "tool_use",
        "refusal": "content_filtered",
        "filter": "guardrail_intervened",
    }
    _usage = {"inputTokens": 8, "outputTokens": 7, "totalTokens": 18, "cacheReadInputTokens": 3}

    @classmethod
    def frame(cls, name: str, data: Any, kind: str = "event") -> bytes:
        payload = data.encode() if isinstance(data, str) else json.dumps(data).encode()
        word = "event" if kind == "event" else "exception"
        headers = cls._header(":message-type", kind) + cls._header(f":{word}-type", name)
        start = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
        message = start + struct.pack("!I", binascii.crc32(start)) + headers + payload
        return message + struct.pack("!I", binascii.crc32(message))

    @staticmethod
    def _header(name: str, value: str) -> bytes:
        return bytes([len(name)]) + name.encode() + b"\x07" + struct.pack("!H", len(value)) + value.encode()

    @classmethod
    def frames(cls, say: Say, model: str) -> list[tuple[str, Any]]:
        found: list[tuple[str, Any]] = [("messageStart", {"role": "assistant"})]
        found += [cls._delta(0, {"reasoningContent": {"text": piece}}) for piece in say.thinking]
        found += [cls._delta(1, {"text": piece}) for piece in say.text or ([say.refusal] if say.refusal else [])]
        if say.tool:
            start = {"toolUse": {"toolUseId": "call_1", "name": "weather"}}
            found.append(("contentBlockStart", {"contentBlockIndex": 2, "start": start}))
            arguments = json.dumps(ARGUMENTS, ensure_ascii=False)
            found += [cls._delta(2, {"toolUse": {"input": piece}}) for piece in (arguments[:9], arguments[9:])]
        found.append(("messageStop", {"stopReason": cls._reasons[say.reason]}))
        return [*found, ("metadata", {"usage": cls._usage, "metrics": {"latencyMs": 1}})]

    @classmethod
    def _delta(cls, index: int, delta: Any) -> tuple[str, Any]:
        return "contentBlockDelta", {"contentBlockIndex": index, "delta": delta}

    @classmethod
    def whole(cls, say: Say, model: str) -> Any:
        content = [{"text": "".join(say.text)}]
        return {"output": {"message": {"content": content}}, "stopReason": "end_turn", "usage": cls._usage}

    @classmethod
    def error(cls, message: str) -> Any:
        return {"message": message}

    @classmethod
    def failure(cls) -> bytes:
        return cls.frame("modelStreamErrorException", {"message": ERROR}, "exception")
