"""How programs use a version: Python and JavaScript that run as they stand, with the project's keys in place."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from django.utils.translation import gettext as _

from prompts import content
from prompts.models import PromptType, PromptVersion


@dataclass(frozen=True, slots=True)
class Snippet:
    id: str
    title: str
    code: str


def snippets_of(version: PromptVersion, label: str, host: str) -> list[Snippet]:
    """By label where one stands there, as it can move; else by number."""
    return [
        Snippet("use-environment", _("Environment"), _environment(host)),
        Snippet("use-python", _("Python"), _python(version, label)),
        Snippet("use-javascript", _("JavaScript"), _javascript(version, label)),
        Snippet("use-http", _("HTTP"), _http(version, label, host)),
    ]


def _environment(host: str) -> str:
    keys = 'export LANGFUSE_PUBLIC_KEY="pk-lf-..."\nexport LANGFUSE_SECRET_KEY="sk-lf-..."\n'
    return f'{keys}export LANGFUSE_HOST="{host}"\nexport LANGFUSE_BASE_URL="{host}"\n'


def _python(version: PromptVersion, label: str) -> str:
    said, is_chat = version.said, version.prompt.type == PromptType.CHAT
    chosen = [json.dumps(version.prompt.name, ensure_ascii=False)]
    chosen.append(f"label={json.dumps(label)}" if label else f"version={version.number}")
    if is_chat:
        chosen.append('type="chat"')
    given = [f'{name}="..."' for name in content.variables(said) if name.isidentifier()]
    given += [f'{name}=[{{"role": "user", "content": "..."}}]' for name in content.placeholders(said)]
    result = "messages" if is_chat else "text"
    lines = [
        "from langfuse import get_client",
        "",
        "langfuse = get_client()",
        f"prompt = langfuse.get_prompt({', '.join(chosen)})",
        f"{result} = prompt.compile({', '.join(given)})",
        f"print({result}, prompt.config)",
        "",
        "# A generation that is given the prompt is counted for this version.",
        'with langfuse.start_as_current_observation(name="answer", as_type="generation", prompt=prompt) as generation:',
        '    generation.update(output="...")',
        "langfuse.flush()",
    ]
    return "\n".join(lines) + "\n"


def _javascript(version: PromptVersion, label: str) -> str:
    said, is_chat = version.said, version.prompt.type == PromptType.CHAT
    options = [f"label: {json.dumps(label)}" if label else f"version: {version.number}"]
    if is_chat:
        options.append('type: "chat"')
    name = json.dumps(version.prompt.name, ensure_ascii=False)
    variables = ", ".join(f'{name}: "..."' for name in content.variables(said))
    messages = '[{ role: "user", content: "..." }]'
    placeholders = ", ".join(f"{name}: {messages}" for name in content.placeholders(said))
    given = f"{{ {variables} }}" if variables else "{}" if placeholders else ""
    given += f", {{ {placeholders} }}" if placeholders else ""
    result = "messages" if is_chat else "text"
    lines = [
        'import { LangfuseClient } from "@langfuse/client";',
        'import { LangfuseSpanProcessor } from "@langfuse/otel";',
        'import { startObservation } from "@langfuse/tracing";',
        'import { NodeSDK } from "@opentelemetry/sdk-node";',
        "",
        "const sdk = new NodeSDK({ spanProcessors: [new LangfuseSpanProcessor()] });",
        "sdk.start();",
        "const langfuse = new LangfuseClient();",
        f"const prompt = await langfuse.prompt.get({name}, {{ {', '.join(options)} }});",
        f"const {result} = prompt.compile({given});",
        f"console.log({result}, prompt.config);",
        "",
        "// A generation that is given the prompt is counted for this version.",
        'const generation = startObservation("answer", { prompt }, { asType: "generation" });',
        'generation.update({ output: "..." }).end();',
        "await sdk.shutdown();",
    ]
    return "\n".join(lines) + "\n"


def _http(version: PromptVersion, label: str, host: str) -> str:
    asked = urlencode({"label": label} if label else {"version": version.number})
    address = f"{host}/api/public/v2/prompts/{quote(version.prompt.name, safe='')}?{asked}"
    return f'curl -u "$LANGFUSE_PUBLIC_KEY:$LANGFUSE_SECRET_KEY" "{address}"\n'
