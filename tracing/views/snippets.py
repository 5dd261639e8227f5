"""The ways to send a first trace, ready to paste."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from django.utils.translation import gettext as _


@dataclass(frozen=True, slots=True)
class Snippet:
    id: str
    title: str
    install: str
    code: str


_OPENAI = """\
from langfuse import get_client
from langfuse.openai import openai

answer = openai.chat.completions.create(
    model="gpt-4o-mini",
    messages=[{"role": "user", "content": "Say hello."}],
)
get_client().flush()
"""
_DECORATOR = """\
from langfuse import get_client, observe

@observe()
def answer(question: str) -> str:
    return look_up(question)

@observe(as_type="tool")
def look_up(question: str) -> str:
    return "42"

answer("What is the answer?")
get_client().flush()
"""
_LANGCHAIN = """\
from langfuse import get_client
from langfuse.langchain import CallbackHandler
from langchain_openai import ChatOpenAI

model = ChatOpenAI(model="gpt-4o-mini")
model.invoke("Say hello.", config={"callbacks": [CallbackHandler()]})
get_client().flush()
"""

_THUMBS = """\
Was this helpful? <button data-thumb="1">Yes</button> <button data-thumb="0">No</button>

<script type="module">
  // Your server knows the trace that answered, and sends its id along.
  const traceId = "TRACE_ID";

  const send = (value) =>
    fetch("HOST/api/public/scores", {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: "Bearer PUBLIC_KEY" },
      // With the same id a second click changes the first.
      body: JSON.stringify({ id: `thumbs-${traceId}`, traceId, name: "thumbs", dataType: "BOOLEAN", value }),
      keepalive: true, // also when the page is left
    });

  for (const button of document.querySelectorAll("[data-thumb]"))
    button.addEventListener("click", () => send(Number(button.dataset.thumb)));
</script>
"""
_THUMBS_BY_SDK = """\
import { LangfuseWeb } from "langfuse"; // version 3

const langfuse = new LangfuseWeb({ publicKey: "PUBLIC_KEY", baseUrl: "HOST" });

export const thumbs = (traceId, value) =>
  langfuse.score({ id: `thumbs-${traceId}`, traceId, name: "thumbs", dataType: "BOOLEAN", value });
"""


def environment(host: str, public_key: str, secret_key: str) -> str:
    return (
        f'export LANGFUSE_HOST="{host}"\n'
        f'export LANGFUSE_PUBLIC_KEY="{public_key}"\n'
        f'export LANGFUSE_SECRET_KEY="{secret_key}"\n'
    )


def _otlp(host: str, public_key: str, secret_key: str) -> str:
    if "…" in secret_key:
        token = f"$(printf '%s' '{public_key}:{secret_key}' | base64 | tr -d '\\n')"
    else:
        token = base64.b64encode(f"{public_key}:{secret_key}".encode()).decode()
    return (
        f'export OTEL_EXPORTER_OTLP_ENDPOINT="{host}/api/public/otel"\n'
        'export OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf"\n'
        f'export OTEL_EXPORTER_OTLP_HEADERS="Authorization=Basic {token}"\n'
    )


def snippets(host: str, public_key: str, secret_key: str) -> list[Snippet]:
    return [
        Snippet("environment", _("Environment"), "", environment(host, public_key, secret_key)),
        Snippet("openai", _("OpenAI"), "pip install langfuse openai", _OPENAI),
        Snippet("decorator", "@observe", "pip install langfuse", _DECORATOR),
        Snippet("langchain", "LangChain", "pip install langfuse langchain langchain-openai", _LANGCHAIN),
        Snippet("otlp", "OpenTelemetry", "", _otlp(host, public_key, secret_key)),
    ]


def feedback(host: str, public_key: str) -> list[Snippet]:
    """Thumbs up and down in a web page. The public key alone may be seen by everybody who opens it."""
    return [
        Snippet("feedback", _("In any page"), "", _filled(_THUMBS, host, public_key)),
        Snippet("feedback-sdk", "LangfuseWeb", "npm install langfuse@3", _filled(_THUMBS_BY_SDK, host, public_key)),
    ]


def _filled(code: str, host: str, public_key: str) -> str:
    return code.replace("HOST", host).replace("PUBLIC_KEY", public_key)
