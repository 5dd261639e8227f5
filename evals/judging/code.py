"""Evaluators that are a Python function: run by Monty, an interpreter that can reach nothing but what it is given.

The source defines `evaluate(input, output, metadata, tool_calls, expected_output, experiment_item_metadata, trace,
conversation)`, or takes as many of these as it names. It returns a number, a truth or a text, or a dict
`{"value": …, "reasoning": "…"}`, or None for nothing to score.
"""

from __future__ import annotations

import ast
import math
import threading
from collections.abc import Mapping
from typing import Any

import orjson
from django.utils.translation import gettext as _

from evals.judging.mapping import all_sources
from evals.judging.output import LONGEST_TEXT, Judged, plain

FUNCTION = "evaluate"
_SECONDS = 5.0
_MEMORY_BYTES = 128 * 1024 * 1024
_DEEPEST = 200
_WORKERS = 2
#: what the interpreter says where code reached for what is outside
_REFUSED = "suspension limit"

_lock = threading.Lock()
_pool: Any = None


class Broken(Exception):
    """The code did not come to a value. `is_final`: it never will. `message` names the line, where there is one."""

    def __init__(self, message: str, *, line: int | None = None, is_final: bool = True) -> None:
        if line is not None:
            message = _("Line %(line)d: %(what)s") % {"line": line, "what": message}
        super().__init__(message)
        self.message, self.line, self.is_final = message, line, is_final


def parameters_of(source: str) -> list[str]:
    """What `evaluate` wants to be given. Raises Broken where there is no such function."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise Broken(_("The code cannot be read: %(why)s") % {"why": error.msg}, line=error.lineno) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise Broken(_("The code cannot be read: %(why)s") % {"why": error}) from None
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == FUNCTION:
            names = [one.arg for one in (*node.args.args, *node.args.kwonlyargs)]
            unknown = [name for name in names if name not in all_sources()]
            if unknown or node.args.vararg or node.args.kwarg or node.args.posonlyargs:
                said = {"names": ", ".join(unknown) or "*", "all": ", ".join(all_sources())}
                raise Broken(_("evaluate can be given %(all)s, but not %(names)s.") % said, line=node.lineno)
            return names
    raise Broken(_("The code has no function called evaluate."))


def run(source: str, document: Mapping[str, Any]) -> Judged | None:
    """Raises Broken."""
    names = parameters_of(source)
    most_lines = source.count("\n") + 1
    given = {name: orjson.loads(orjson.dumps(document.get(name), default=str)) for name in names}
    called = f"{source}\n\n{FUNCTION}({', '.join(f'{name}=given_{name}' for name in names)})\n"
    return _judged(_fed(called, {f"given_{name}": value for name, value in given.items()}, most_lines))


def _fed(source: str, inputs: dict[str, Any], most_lines: int) -> Any:
    """`most_lines` of it are somebody's own, the rest calls them."""
    import pydantic_monty as monty

    limits: Any = {
        "max_turn_duration_secs": _SECONDS,
        "max_memory": _MEMORY_BYTES,
        "max_recursion_depth": _DEEPEST,
        "max_suspensions": 0,
        "max_total_sleep_secs": 0.0,
    }
    try:
        with _workers().checkout(limits=limits) as session:
            return session.feed_run(source, inputs=inputs, print_callback=_drop)
    except monty.MontyCrashedError as error:
        raise Broken(_("The code ended its interpreter: %(why)s") % {"why": str(error)[:500]}) from None
    except monty.MontyError as error:
        line = _line_of(error, most_lines)
        raise Broken(_why(error, source, line), line=line) from None
    except TimeoutError:
        raise Broken(_("No worker was free to run the code."), is_final=False) from None


def _drop(*_printed: Any) -> None:
    """What the code prints is for nobody."""


def _line_of(error: Any, most_lines: int) -> int | None:
    """The innermost line of somebody's own code that it came from."""
    frames = error.traceback() if hasattr(error, "traceback") else []
    return next((frame.line for frame in reversed(frames) if frame.line <= most_lines), None)


def _why(error: Any, source: str, line: int | None) -> str:
    said = str(error)[:2000]
    if _REFUSED not in said:
        return said
    # The interpreter asks outside for every name that it does not know, and is refused.
    asked = source.splitlines()[line - 1].strip()[:200] if line else ""
    return _(
        "“%(asked)s” asks for something that is not there: a name that is not defined, or a module, file or network "
        "that code here cannot reach."
    ) % {"asked": asked}


def _workers() -> Any:
    """The processes that run code, started with the first that is to be run."""
    global _pool
    with _lock:
        if _pool is None:
            import pydantic_monty

            pool = pydantic_monty.Monty(
                max_processes=_WORKERS, checkout_timeout=60.0, request_timeout=2 * _SECONDS, max_checkouts_per_worker=1
            )
            pool.__enter__()
            _pool = pool
        return _pool


def _judged(found: Any) -> Judged | None:
    reasoning = ""
    if isinstance(found, dict):
        if "value" not in found:
            raise Broken(_("evaluate returned a dict without “value”."))
        reasoning = plain(str(found.get("reasoning") or ""))
        found = found["value"]
    if found is None:
        return None
    if isinstance(found, bool):
        return Judged(found, reasoning)
    if isinstance(found, int | float):
        if not math.isfinite(found) or abs(found) > 1e300:
            raise Broken(_("evaluate returned a number that is not finite."))
        return Judged(float(found), reasoning)
    if isinstance(found, str) and 0 < len(plain(found)) <= LONGEST_TEXT:
        return Judged((plain(found),), reasoning)
    raise Broken(_("evaluate returned no number, truth or text of 1 to %(most)d characters.") % {"most": LONGEST_TEXT})
