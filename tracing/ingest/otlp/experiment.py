"""Experiment attributes, which SDKs repeat on every span of an item."""

from __future__ import annotations

from tracing.analytics.records import Observation
from tracing.ingest.otlp.spans import Attributes
from tracing.ingest.otlp.values import parsed_object, text_of, time_from_text
from tracing.ingest.text import as_text, flatten

_PREFIX = "langfuse.experiment."
_FIELDS = {
    "id": "experiment_id",
    "name": "experiment_name",
    "description": "experiment_description",
    "dataset.id": "experiment_dataset_id",
    "item.id": "experiment_item_id",
    "item.root_observation_id": "experiment_item_root_id",
    "item.expected_output": "experiment_item_expected_output",
}


def add_experiment(observation: Observation, attributes: Attributes) -> None:
    for name, field in _FIELDS.items():
        value = attributes.get(_PREFIX + name)
        if value:
            setattr(observation, field, text_of(value))
    observation.experiment_item_version = time_from_text(attributes.get(f"{_PREFIX}item.version"))
    observation.experiment_metadata = _map(attributes, f"{_PREFIX}metadata")
    observation.experiment_item_metadata = _map(attributes, f"{_PREFIX}item.metadata")


def _map(attributes: Attributes, key: str) -> dict[str, str]:
    found = flatten(parsed_object(attributes.get(key)))
    prefix = f"{key}."
    for name, value in attributes.items():
        if name.startswith(prefix):
            found[name.removeprefix(prefix)] = as_text(value)
    return found
