"""A local server that answers like OpenAI's API: chat completions (streamed too), tool calls, embeddings, errors.

`python openai_stub.py PORT`, or `running()` in a test. Standard library only. Answers depend on the request alone.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: What every answer is billed, so that a test can name the tokens it expects.
PROMPT_TOKENS, COMPLETION_TOKENS = 25, 12
ANSWER = "这是回答 · an answer to: "


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self._body() or b"{}")
        path = self.path.split("?")[0].removeprefix("/v1")
        if path == "/chat/completions" and str(request.get("model", "")).startswith("broken"):
            self._json(429, {"error": {"message": "Rate limit reached for 免费 tier", "type": "rate_limit_error"}})
        elif path == "/chat/completions" and request.get("stream"):
            self._stream(request)
        elif path == "/chat/completions":
            self._json(200, completion(request))
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

    def _stream(self, request: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for chunk in chunks(request):
            self.wfile.write(f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode())
            self.wfile.flush()
        self.wfile.write(b"data: [DONE]\n\n")
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
    answer = _answer(request)
    yield {**head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
    for start in range(0, len(answer), 8):
        delta = {"content": answer[start : start + 8]}
        yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        time.sleep(0.005)
    yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    if (request.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": usage()}


def embeddings(request: dict[str, Any]) -> dict[str, Any]:
    texts = request.get("input")
    count = len(texts) if isinstance(texts, list) else 1
    data = [{"object": "embedding", "index": index, "embedding": [0.01] * 8} for index in range(count)]
    usage = {"prompt_tokens": PROMPT_TOKENS, "total_tokens": PROMPT_TOKENS}
    return {"object": "list", "model": request.get("model"), "data": data, "usage": usage}


def usage() -> dict[str, int]:
    total = PROMPT_TOKENS + COMPLETION_TOKENS
    return {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": COMPLETION_TOKENS, "total_tokens": total}


def _head(request: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-stub", "object": kind, "created": int(time.time()), "model": request.get("model")}


def _answer(request: dict[str, Any]) -> str:
    messages = request.get("messages") or [{}]
    content = messages[-1].get("content") or ""
    if isinstance(content, list):
        content = " ".join(part.get("text", "") for part in content)
    return f"{ANSWER}{content}"


def _tool_calls(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Every offered tool is called once; with a tool's result at hand the answer is text."""
    tools = request.get("tools") or []
    if not tools or (request.get("messages") or [{}])[-1].get("role") == "tool":
        return []
    return [
        {
            "id": f"call_{index}",
            "type": "function",
            "function": {"name": tool["function"]["name"], "arguments": _ARGUMENTS},
        }
        for index, tool in enumerate(tools)
    ]


_ARGUMENTS = json.dumps({"city": "上海"}, ensure_ascii=False)


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
