# Lends the generated API client to a test: a line on stdin is a call as JSON, a line on stdout is its answer.
# Values come and go as on the wire; in between they are the client's own types, so what does not fit them fails.
import asyncio
import inspect
import json
import operator
import os
import sys
import typing

from langfuse import Langfuse
from langfuse.api.core import pydantic_utilities

parse = getattr(pydantic_utilities, "parse_obj_as", None) or pydantic_utilities.pydantic_v1.parse_obj_as
clients: dict = {}
loop = asyncio.new_event_loop()


def client(keys):
    if tuple(keys) not in clients:
        public_key, secret_key = keys
        host = os.environ["LANGFUSE_HOST"]
        clients[tuple(keys)] = Langfuse(public_key=public_key, secret_key=secret_key, host=host)
    return clients[tuple(keys)]


def methods(area, path=()):
    """Every public method of the client, with the areas that lead to it."""
    for name in sorted(dir(area)):
        if name.startswith("_") or name == "with_raw_response":
            continue
        found = getattr(area, name)
        if inspect.ismethod(found):
            yield ".".join([*path, name])
        elif type(found).__name__.endswith("Client"):
            yield from methods(found, [*path, name])


def arguments(method, body):
    """Keywords of a method in its own types, from the names on the wire."""
    hints = typing.get_type_hints(method)
    if "request" in hints:
        return {"request": parse(hints["request"], body)}
    names = {name.replace("_", "").lower(): name for name in hints}
    return {names[key.lower()]: parse(hints[names[key.lower()]], value) for key, value in body.items()}


def called(call):
    langfuse = client(call["keys"])
    is_async = call.get("async", False)
    method = operator.attrgetter(call["method"])(langfuse.async_api if is_async else langfuse.api)
    answer = method(*call["args"], **arguments(method, call["body"]))
    return loop.run_until_complete(answer) if is_async else answer


def answer_to(call):
    if call["method"] == "":
        return {"answer": list(methods(client(call["keys"]).api))}
    try:
        answer = called(call)
    except Exception as error:
        kinds = [each.__name__ for each in type(error).__mro__]
        status = getattr(error, "status_code", None)
        return {"error": kinds, "status": status, "body": getattr(error, "body", None), "text": repr(error)}
    return {"answer": None if answer is None else json.loads(answer.json())}


for line in sys.stdin:
    print(json.dumps(answer_to(json.loads(line)), default=str), flush=True)
os._exit(0)  # nothing is left to be sent, and some generations join threads for seconds
