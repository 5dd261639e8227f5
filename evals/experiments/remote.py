"""The message that asks a program to run an experiment: as Langfuse sends it, and signed like its webhooks."""

from __future__ import annotations

from datetime import datetime

import orjson

from config.api.values import to_json
from evals.models import Dataset
from prompts.messages import SIGNATURE, USER_AGENT, Message, signature


def message_of(dataset: Dataset, message_id: str, payload: str, at: datetime) -> Message:
    """`{projectId, datasetId, datasetName, payload}`, with an id that is the same however often it is sent. Raises
    `config.sealing.Unreadable`."""
    said = {
        "id": message_id,
        "projectId": dataset.project_id,
        "datasetId": dataset.pk,
        "datasetName": dataset.name,
        "payload": orjson.loads(payload) if payload.strip() else None,
    }
    body, secret, own = to_json(said), dataset.remote_secret, dataset.headers
    ours = {"content-type": "application/json", "user-agent": USER_AGENT, SIGNATURE: signature(secret, body, at)}
    kept = {name: text for name, text in own.items() if name.lower() not in ours}
    hidden = frozenset(name.lower() for name in own)
    secrets = (secret, *(text for text in own.values() if len(text) > 3))
    return Message(dataset.remote_url, {**kept, **ours}, body, hidden, secrets)
