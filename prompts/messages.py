"""What automations send: one event as a webhook of Langfuse, a message for Slack or a dispatch for GitHub.

A webhook is `{id, timestamp, type: "prompt-version", apiVersion: "v1", action, user?, prompt: {…}}`, signed in
`x-langfuse-signature: t=<seconds>,v1=<hex>` by HMAC-SHA256 of `<seconds>.<body>`, so that what was written to receive
those of Langfuse receives ours.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
from django.conf import settings
from django.utils.translation import gettext as _

from config.api.values import iso, to_json
from config.sealing import masked
from prompts.drawing import prompt_url
from prompts.models import Automation, AutomationKind, Delivery, PromptAction, PromptEvent

SIGNATURE = "x-langfuse-signature"
#: begins as receivers of Langfuse's know it
USER_AGENT = "Langfuse/1.0 (compatible; Spanwise)"
#: what GitHub takes of a dispatch
_GITHUB_BYTES = 64 * 1024 - 1
_SLACK_CHARACTERS = 1_000
#: /hook is no secret
_SHORTEST_TARGET = 12


@dataclass(frozen=True, slots=True)
class Message:
    """A request that is to be made. `hidden` are names of headers whose values nobody sees, in small letters."""

    url: str
    headers: dict[str, str]
    body: bytes
    hidden: frozenset[str] = field(default_factory=frozenset)
    #: texts that are masked wherever they come back
    secrets: tuple[str, ...] = ()

    @property
    def shown_headers(self) -> dict[str, str]:
        return {name: masked(value) if name.lower() in self.hidden else value for name, value in self.headers.items()}

    def masked_in(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, masked(secret))
        return text


def message_of(automation: Automation, delivery: Delivery, at: datetime) -> Message:
    """Raises `config.sealing.Unreadable`."""
    match AutomationKind(automation.kind):
        case AutomationKind.SLACK:
            return _slack(automation, delivery.event)
        case AutomationKind.GITHUB:
            return _github(automation, delivery)
    return _webhook(automation, delivery, at)


def signature(secret: str, body: bytes, at: datetime) -> str:
    seconds = int(at.timestamp())
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


def sample_facts(project_id: str, labels: list[str], at: datetime) -> dict[str, Any]:
    """What a test tells of: a prompt that there is not, so that whoever acts on it changes nothing."""
    return {
        "prompt": {
            "id": "test",
            "name": "spanwise-test",
            "version": 1,
            "projectId": project_id,
            "labels": labels,
            "prompt": "This is a test of an automation. There is no such prompt: {{nothing}} changed.",
            "type": "text",
            "config": {},
            "commitMessage": _("A test message"),
            "tags": ["test"],
            "createdAt": iso(at),
            "updatedAt": iso(at),
        }
    }


def _payload(delivery: Delivery) -> dict[str, Any]:
    event = delivery.event
    said = event.said
    return {
        "id": delivery.key,
        "timestamp": iso(event.happened_at),
        "type": "prompt-version",
        "apiVersion": "v1",
        "action": event.action,
        **({"user": said["user"]} if "user" in said else {}),
        "prompt": said["prompt"],
    }


def _webhook(automation: Automation, delivery: Delivery, at: datetime) -> Message:
    body, secret, own = to_json(_payload(delivery)), automation.secret, automation.headers
    headers = {
        **_without(own, "user-agent", SIGNATURE),
        "Content-Type": "application/json",
        "User-Agent": next((text for name, text in own.items() if name.lower() == "user-agent"), USER_AGENT),
        SIGNATURE: signature(secret, body, at),
    }
    url = automation.url
    return Message(url, headers, body, frozenset(map(str.lower, own)), (secret, *_address(url), *_long(own)))


def _without(headers: dict[str, str], *names: str) -> dict[str, str]:
    return {name: text for name, text in headers.items() if name.lower() not in names}


def _address(url: str) -> tuple[str, ...]:
    """All of it, or what follows the host: many services put a key there."""
    target = httpx.URL(url).raw_path.decode()
    return (url, target) if len(target) > _SHORTEST_TARGET else (url,)


def _long(headers: dict[str, str]) -> tuple[str, ...]:
    """Values that are secrets, if they come back: a 1 is none, and stands everywhere."""
    return tuple(text for text in headers.values() if len(text) > 3)


# --- GitHub -----------------------------------------------------------------------------------------------
def _github(automation: Automation, delivery: Delivery) -> Message:
    token, payload = automation.secret, _payload(delivery)
    body = to_json({"event_type": automation.event_type, "client_payload": payload})
    if len(body) > _GITHUB_BYTES:
        short = {**payload["prompt"], "prompt": None, "config": {}}
        left_out = {"payloadTruncated": True, "truncatedFields": ["prompt.prompt", "prompt.config"]}
        shortened = {**payload, "prompt": short, "truncation": left_out}
        body = to_json({"event_type": automation.event_type, "client_payload": shortened})
    headers = {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "X-GitHub-Api-Version": "2022-11-28",
    }
    url = f"{automation.url.rstrip('/')}/repos/{automation.repository}/dispatches"
    return Message(url, headers, body, frozenset({"authorization"}), (token,))


# --- Slack ------------------------------------------------------------------------------------------------
def _slack(automation: Automation, event: PromptEvent) -> Message:
    facts = event.said["prompt"]
    name, number = _escaped(event.prompt_name), event.number
    title = {
        PromptAction.CREATED: _("%(name)s: version %(number)d was created"),
        PromptAction.UPDATED: _("%(name)s: labels or tags of version %(number)d changed"),
        PromptAction.DELETED: _("%(name)s: version %(number)d was deleted"),
    }[PromptAction(event.action)]
    about = {"name": name, "number": number}
    linked = {**about, "name": f"*{_link(event, name)}*"}
    lines = [title % linked, _("Labels: %(labels)s") % {"labels": _listed(facts["labels"])}]
    if facts["tags"]:
        lines.append(_("Tags: %(tags)s") % {"tags": _listed(facts["tags"])})
    if facts["commitMessage"]:
        lines.append("> " + _escaped(facts["commitMessage"][:_SLACK_CHARACTERS]).replace("\n", "\n> "))
    blocks: list[dict[str, Any]] = [{"type": "section", "text": {"type": "mrkdwn", "text": "\n".join(lines)}}]
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": _by(automation, event)}]})
    body = to_json({"text": title % about, "blocks": blocks})
    url, own = automation.url, automation.headers
    headers = {**own, "Content-Type": "application/json", "User-Agent": USER_AGENT}
    return Message(url, headers, body, frozenset(map(str.lower, own)), (*_address(url), *_long(own)))


def _link(event: PromptEvent, name: str) -> str:
    if event.is_test or event.action == PromptAction.DELETED:
        return name
    return f"<{settings.PUBLIC_URL}{prompt_url(event.project_id, event.prompt_name, event.number)}|{name}>"


def _by(automation: Automation, event: PromptEvent) -> str:
    user = event.said.get("user")
    words = {"project": _escaped(automation.project.name), "who": _escaped((user or {}).get("name") or "")}
    if user and not words["who"]:
        words["who"] = _escaped(user["email"])
    return _("%(project)s, by %(who)s") % words if user else words["project"]


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"`{_escaped(name)}`" for name in names[:20])
    return shown or _("none")


def _escaped(text: str) -> str:
    """Else `<!channel>` in a name would call everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
