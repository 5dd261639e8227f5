"""A generated API client, in an environment or language of its own, called from a test as if it were here."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import threading
from typing import Any

from tests.clients.conftest import PROGRAMS, command_of, variables_of
from tests.instance import Instance

ENVIRONMENT = "sdk-methods"
_CALL_SECONDS = 60
_PROGRAMS = {"langfuse-js-3": "api_bridge_js3.mjs", "langfuse-js-5": "api_bridge_js5.mjs"}

#: Our name of a method, then what the clients call it whose name differs. An empty name: it has no such method.
_P2, _P3, _P4, _P5, _J3, _J5 = (
    *(f"langfuse-python-{major}" for major in (2, 3, 4, 5)),
    "langfuse-js-3",
    "langfuse-js-5",
)
ALL = (_P2, _P3, _P4, _P5, _J3, _J5)


def _names(old: str = "", v4: str = "", p5: str = "", **others: str) -> dict[str, str]:
    """By client: `old` are Python 2 and 3 and JavaScript 3, `v4` are Python 4 and JavaScript 5."""
    names = dict.fromkeys((_P2, _P3, _J3), old) | dict.fromkeys((_P4, _J5), v4) | {_P5: p5}
    return names | {{"p2": _P2, "p3": _P3, "j3": _J3}[short]: name for short, name in others.items()}


_RENAMED: dict[str, dict[str, str]] = {
    "observations_v1.get": _names("observations.get", "legacy.observations_v1.get"),
    "observations_v1.list": _names("observations.get_many", "legacy.observations_v1.get_many"),
    "observations_v2.list": _names(
        "", "observations.get_many", "observations.get_many", p3="observations_v_2.get_many"
    ),
    "metrics_v1": _names("metrics.metrics", "legacy.metrics_v1.metrics", p2=""),
    "metrics_v2": _names("", "metrics.metrics", "metrics.metrics", p3="metrics_v_2.metrics"),
    "metrics.daily": _names(p2="metrics.daily"),
    "scores.create": _names("score.create", "scores.create"),
    "scores.create_v1": _names("", "legacy.score_v1.create"),
    "scores.create_many": _names(p5="scores.create"),
    "scores.delete": _names("score.delete", "legacy.score_v1.delete", "scores.delete"),
    "scores_v1.get": _names(p2="score.get_by_id"),
    "scores_v1.list": _names(p2="score.get"),
    "scores_v2.get": _names("", "scores.get_by_id", p3="score_v_2.get_by_id", j3="score_v2.get_by_id"),
    "scores_v2.list": _names("", "scores.get_many", p3="score_v_2.get", j3="score_v2.get"),
    "scores_v3.list": _names("", "scores_v3.get_many_v3", "scores.get_many"),
}


class Refused(Exception):
    """An error that the client raised: the names of its class and of those above it, the status and the body."""

    def __init__(self, method: str, answer: dict[str, Any]) -> None:
        super().__init__(f"{method}: {answer['status']} {answer['body']} {answer['text']}")
        self.kinds: list[str] = answer["error"]
        self.status: int | None = answer["status"]
        self.body: Any = answer["body"]


class Sdk:
    """One client's process. Values are those of the wire, whatever the client makes of them in between.

    The names of the methods that are called go into `called`.
    """

    def __init__(self, name: str, server: Instance, called: set[str]) -> None:
        self.name = name
        self.server = server
        self.called = called
        program = PROGRAMS / _PROGRAMS.get(name, "api_bridge.py")
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - as long as the process
        self._process = subprocess.Popen(
            command_of(name, program),
            env=variables_of(server, "", ENVIRONMENT),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
        )
        self.methods = frozenset(self._ask("", {}, (), server.auth, is_async=False)["answer"])

    def close(self) -> None:
        """Ends the process; it has nothing left to send."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    @property
    def is_python(self) -> bool:
        return "python" in self.name

    def has(self, name: str) -> bool:
        return self.spelled(name) in self.methods

    def spelled(self, name: str) -> str:
        """What this client calls a method of ours."""
        own = _RENAMED.get(name, {}).get(self.name, "" if name in _RENAMED else name)
        if self.is_python:
            return own
        camel = [re.sub(r"_(\w)", lambda match: match[1].upper(), part) for part in own.split(".")]
        if self.name == _J3:  # one level: traceDeleteMultiple
            return "".join([*camel[:1], *(part[:1].upper() + part[1:] for part in camel[1:])])
        return ".".join(camel)

    def __call__(
        self, method: str, /, *args: str, keys: tuple[str, str] | None = None, is_async: bool = False, **body: Any
    ) -> Any:
        """The typed answer as JSON again. Raises Refused."""
        return self.send(method, body, *args, keys=keys, is_async=is_async)

    def send(
        self, name: str, body: Any, *args: str, keys: tuple[str, str] | None = None, is_async: bool = False
    ) -> Any:
        """As calling, for a body that is no object."""
        method = self.spelled(name)
        assert method in self.methods, f"{self.name} has no {name}"
        self.called.add(method)
        answer = self._ask(method, body, args, keys or self.server.auth, is_async=is_async)
        if "error" in answer:
            raise Refused(method, answer)
        return answer["answer"]

    def _ask(
        self, method: str, body: Any, args: tuple[str, ...], keys: tuple[str, str], *, is_async: bool
    ) -> dict[str, Any]:
        call = {"method": method, "args": args, "body": body, "keys": keys, "async": is_async}
        sent, received = self._process.stdin, self._process.stdout
        assert sent is not None
        assert received is not None
        deadline = threading.Timer(_CALL_SECONDS, self._process.kill)
        deadline.start()
        try:
            sent.write(json.dumps(call) + "\n")
            sent.flush()
            line = received.readline()
        finally:
            deadline.cancel()
        assert line, f"{self.name} ended at {method}:\n{self._log()}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _log(self) -> str:
        self._errors.seek(0)
        return self._errors.read()[-3000:]
