"""A local server that answers like OpenAI's API: chat completions and responses (streamed too), tool calls, structured
output, embeddings, errors.

`python -m tests.clients.openai_stub PORT`, or `running()` in a test. Standard library only. Answers depend on the
request alone.
"""

from __future__ import annotations

import base64
import json
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.clients import openai_responses

#: What every answer is billed, so that a test can name the tokens it expects.
PROMPT_TOKENS, COMPLETION_TOKENS = 25, 12
ANSWER = "这是回答 · an answer to: "
#: What a streamed answer waits between two pieces, so that a first token is told from the last.
_PAUSE_SECONDS = 0.005


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self._body() or b"{}")
        path = self.path.split("?")[0].removeprefix("/v1")
        if path == "/chat/completions" and str(request.get("model", "")).startswith("broken"):
            self._json(429, {"error": {"message": "Rate limit reached for 免费 tier", "type": "rate_limit_error"}})
        elif path == "/chat/completions" and request.get("stream"):
            self._stream([*map(_line, chunks(request)), "data: [DONE]\n\n"])
        elif path == "/chat/completions":
            self._json(200, completion(request))
        elif path == "/responses" and request.get("stream"):
            events = openai_responses.events(request, response_output(request), usage())
            self._stream([f"event: {event['type']}\n{_line(event)}" for event in events])
        elif path == "/responses":
            self._json(200, openai_responses.response(request, response_output(request), usage()))
        elif path == "/embeddings":
            self._json(200, embeddings(request))
        else:
            self._json(404, {"error": {"message": f"no such path: {self.path}", "type": "invalid_request_error"}})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _json(self, status: int, body: Any) -> None:
        data = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, lines: list[str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for line in lines:
            self.wfile.write(line.encode())
            self.wfile.flush()
            time.sleep(_PAUSE_SECONDS)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def completion(request: dict[str, Any]) -> dict[str, Any]:
    calls = _tool_calls(request)
    message: dict[str, Any] = {"role": "assistant", "content": None if calls else _answer(request)}
    if calls:
        message["tool_calls"] = calls
    reason = "tool_calls" if calls else "stop"
    return {
        **_head(request, "chat.completion"),
        "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
        "usage": usage(),
    }


def chunks(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    head = _head(request, "chat.completion.chunk")

    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    calls = _tool_calls(request)
    yield chunk({"role": "assistant", "content": None if calls else ""})
    for index, call in enumerate(calls):
        yield chunk({"tool_calls": [{**call, "index": index}]})
    answer = "" if calls else _answer(request)
    for start in range(0, len(answer), 8):
        yield chunk({"content": answer[start : start + 8]})
    yield chunk({}, "tool_calls" if calls else "stop")
    if (request.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": usage()}


def response_output(request: dict[str, Any]) -> list[dict[str, Any]]:
    """What the Responses API answers: calls of all functions that were offered, or a message."""
    text, is_result = openai_responses.asked(request)
    functions = [tool for tool in request.get("tools") or [] if tool.get("type") == "function"]
    if functions and not is_result:
        return [
            openai_responses.function_call(index, tool["name"], _structured(tool.get("parameters")))
            for index, tool in enumerate(functions)
        ]
    wanted = (request.get("text") or {}).get("format") or {}
    return [openai_responses.message(_structured(wanted.get("schema")) or f"{ANSWER}{text}")]


def embeddings(request: dict[str, Any]) -> dict[str, Any]:
    texts = request.get("input")
    count = len(texts) if isinstance(texts, list) else 1
    vector: Any = [0.01] * 8
    if request.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack("<8f", *vector)).decode()
    data = [{"object": "embedding", "index": index, "embedding": vector} for index in range(count)]
    usage = {"prompt_tokens": PROMPT_TOKENS, "total_tokens": PROMPT_TOKENS}
    return {"object": "list", "model": request.get("model"), "data": data, "usage": usage}


def usage() -> dict[str, int]:
    total = PROMPT_TOKENS + COMPLETION_TOKENS
    return {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": COMPLETION_TOKENS, "total_tokens": total}


def _line(event: dict[str, Any]) -> str:
    return f"data: {json.dumps(event, ensure_ascii=False)}\n\n"


def _head(request: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-stub", "object": kind, "created": int(time.time()), "model": request.get("model")}


def _answer(request: dict[str, Any]) -> str:
    messages = request.get("messages") or [{}]
    content = messages[-1].get("content") or ""
    if isinstance(content, list):
        content = " ".join(part.get("text", "") for part in content)
    wanted = (request.get("response_format") or {}).get("json_schema") or {}
    return _structured(wanted.get("schema")) or f"{ANSWER}{content}"


def _structured(schema: dict[str, Any] | None) -> str:
    """JSON that fits a schema, "" where none is asked for."""
    return json.dumps(_example(schema), ensure_ascii=False) if schema else ""


def _example(schema: dict[str, Any]) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        return {name: _example(each) for name, each in (schema.get("properties") or {}).items()}
    if schema.get("type") == "array":
        return [_example(schema.get("items") or {})]
    return {"integer": 21, "number": 21.5, "boolean": True}.get(str(schema.get("type")), "上海")


def _tool_calls(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Every offered tool is called once; with a tool's result at hand the answer is text."""
    tools = request.get("tools") or []
    if not tools or (request.get("messages") or [{}])[-1].get("role") == "tool":
        return []
    return [
        {
            "id": f"call_{index}",
            "type": "function",
            "function": {"name": function["name"], "arguments": _structured(function.get("parameters"))},
        }
        for index, function in enumerate(tool["function"] for tool in tools)
    ]


@contextmanager
def running(port: int = 0) -> Iterator[str]:
    """The address to give as OPENAI_BASE_URL."""
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
