"""A provider of judges on this machine, in OpenAI's format: what it says is set by the test, or by the model's name.

Models: `judge` (knows schemas and tools), `no-schema` (400 for schemas), `no-tools` (400 for schemas and tools),
`prose` (ignores both and answers in words), and a status by number: `401`, `404`, `500`.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-judge-0123456789abcdef"
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


class JudgeStub:
    """Use as a context manager. `script` is worked off first: a status (int), a text as it comes, or a float of seconds
    of silence after which it hangs up; then each answer is `score`."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.requests: list[dict[str, Any]] = []
        self.score: Any = 0.5
        self.reasoning = "Because of the stub."
        self.script: list[int | str | float] = []
        self.retry_after = ""
        self.finish_reason = "stop"
        #: cleared, answers wait until it is set
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.lock = threading.Lock()
        self._ended = threading.Event()
        handler = type("Handler", (_Handler,), {"stub": self})
        self._server = ThreadingHTTPServer((host, 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def be_silent(self, seconds: float) -> None:
        self._ended.wait(seconds)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        host = "localhost" if self.host == "127.0.0.1" else self.host
        return f"http://{host}:{self.port}/v1"

    def __enter__(self) -> JudgeStub:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.may_answer.set()
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stub: JudgeStub

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.stub.lock:
            self.stub.requests.append(body)
            scripted = self.stub.script.pop(0) if self.stub.script else None
        self.stub.may_answer.wait(60)
        if isinstance(scripted, float):
            self.stub.be_silent(scripted)
            self.close_connection = True
            return
        model = body["model"]
        has_schema, has_tools = "response_format" in body, bool(body.get("tools"))
        if isinstance(scripted, int):
            self._refuse(scripted)
        elif model.isdigit():
            self._refuse(int(model))
        elif (model in ("no-schema", "no-tools") and has_schema) or (model == "no-tools" and has_tools):
            self._refuse(400)
        elif isinstance(scripted, str):
            self._say({"role": "assistant", "content": scripted})
        else:
            self._judge(model, has_schema, has_tools)

    def _judge(self, model: str, has_schema: bool, has_tools: bool) -> None:
        said = json.dumps({"reasoning": self.stub.reasoning, "score": self.stub.score})
        if model == "prose":
            said = f"Let me think {{first}}.\n```json\n{said[:-1]},}}\n```\nThat is all."
        if has_tools and model != "prose":
            call = {"id": "call_1", "type": "function", "function": {"name": "give_score", "arguments": said}}
            self._say({"role": "assistant", "content": None, "tool_calls": [call]})
        elif has_schema or model == "prose":
            self._say({"role": "assistant", "content": said})
        else:
            self._say({"role": "assistant", "content": f"```\n{said}\n```"})

    def _say(self, message: dict[str, Any]) -> None:
        reason = "tool_calls" if message.get("tool_calls") else self.stub.finish_reason
        choice = {"index": 0, "message": message, "finish_reason": reason}
        self._answer(200, {"id": "chat-1", "model": "judge-1", "choices": [choice], "usage": USAGE})

    def _refuse(self, status: int) -> None:
        self._answer(status, {"error": {"message": f"The stub says {status} to {KEY}.", "type": "stub"}})

    def _answer(self, status: int, body: Any) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if status == 429 and self.stub.retry_after:
            self.send_header("Retry-After", self.stub.retry_after)
        self.end_headers()
        self.wfile.write(text)
