"""Datasets: what applications are tried on, with the state of every item at every time.

JSON that clients send is kept as text: a JSON column would sort its keys and refuse zero characters. Empty is null.
"""

from __future__ import annotations

from typing import Any

import orjson
from django.db import models
from django.utils.translation import gettext_lazy as _

from config.sealing import unseal
from evals.models.ids import new_id
from prompts.models.headers import SealedHeaders

DATASET_NAME_LENGTH = 255
ITEM_ID_LENGTH = 255


def json_of(text: str) -> Any:
    """What a column of JSON text says."""
    return orjson.loads(text) if text else None


class ItemStatus(models.TextChoices):
    ACTIVE = "ACTIVE", _("Active")
    ARCHIVED = "ARCHIVED", _("Archived")


class Dataset(SealedHeaders):
    """A set of items under a name. What stands before the last / of the name is its folder.

    The sealed headers belong to its remote trigger: the address that is asked to run an experiment.
    """

    id = models.CharField(primary_key=True, max_length=255, default=new_id, editable=False)
    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="datasets")
    name = models.CharField(max_length=DATASET_NAME_LENGTH)
    description = models.TextField(blank=True, default="")
    metadata_text = models.TextField(blank=True, default="")
    #: JSON schemas that inputs and expected outputs have to fit; empty for any
    input_schema_text = models.TextField(blank=True, default="")
    expected_output_schema_text = models.TextField(blank=True, default="")

    remote_url = models.CharField(max_length=2000, blank=True, default="")
    #: what triggers are signed with; empty where there is no address
    sealed_remote_secret = models.TextField(blank=True, default="")
    #: JSON that a trigger sends unless whoever starts it says something else
    remote_payload_text = models.TextField(blank=True, default="")

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="evals_dataset_name")]
        indexes = [models.Index(fields=["project", "-created_at"], name="evals_dataset_newest")]

    def __str__(self) -> str:
        return self.name

    @property
    def metadata(self) -> Any:
        return json_of(self.metadata_text)

    @property
    def input_schema(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = json_of(self.input_schema_text)
        return found

    @property
    def expected_output_schema(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = json_of(self.expected_output_schema_text)
        return found

    @property
    def remote_secret(self) -> str:
        """Raises `config.sealing.Unreadable`."""
        return unseal(self.sealed_remote_secret) if self.sealed_remote_secret else ""


class DatasetItem(models.Model):
    """That there is an item of this id in the project. What it says are its versions."""

    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="+")
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="items")
    item_id = models.CharField(max_length=ITEM_ID_LENGTH)
    #: of its first version
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "item_id"], name="evals_item_id")]

    def __str__(self) -> str:
        return self.item_id


class DatasetItemVersion(models.Model):
    """What an item said from one time until another. A deleted item has none that is current."""

    item = models.ForeignKey(DatasetItem, models.CASCADE, related_name="versions")
    #: that of the item, since versions are listed by dataset and time
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="item_versions")
    status = models.CharField(max_length=10, choices=ItemStatus.choices, default=ItemStatus.ACTIVE)
    input_text = models.TextField(blank=True, default="")
    expected_output_text = models.TextField(blank=True, default="")
    metadata_text = models.TextField(blank=True, default="")
    source_trace_id = models.CharField(max_length=255, blank=True, default="")
    source_observation_id = models.CharField(max_length=255, blank=True, default="")

    valid_from = models.DateTimeField()
    #: not included; None while it is current
    valid_to = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item"], condition=models.Q(valid_to=None), name="evals_item_one_current_version"
            )
        ]
        indexes = [
            # Both with the number: thousands that one import wrote began at the same time, and walks go on behind one.
            models.Index(fields=["dataset", "valid_to", "valid_from", "id"], name="evals_item_version_by_end"),
            models.Index(fields=["dataset", "valid_from", "id"], name="evals_item_version_by_start"),
            models.Index(fields=["item", "-valid_from"], name="evals_item_version_of_item"),
            models.Index(fields=["source_trace_id"], name="evals_item_version_source"),
        ]

    def __str__(self) -> str:
        return f"{self.item_id} from {self.valid_from}"

    @property
    def input(self) -> Any:
        return json_of(self.input_text)

    @property
    def expected_output(self) -> Any:
        return json_of(self.expected_output_text)

    @property
    def metadata(self) -> Any:
        return json_of(self.metadata_text)


class DatasetImport(models.Model):
    """A file that is to become items. The bytes are in the storage of files until all of it is written."""

    id = models.CharField(primary_key=True, max_length=255, default=new_id, editable=False)
    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="+")
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="imports")
    file_name = models.CharField(max_length=255)
    #: csv or jsonl
    format = models.CharField(max_length=10)
    #: what stands between the cells of a CSV
    delimiter = models.CharField(max_length=1, blank=True, default="")
    #: names, in their order
    columns = models.JSONField(default=list)
    rows = models.PositiveIntegerField(default=0)
    #: of the job that writes it; empty until somebody has said which column is what
    job_id = models.CharField(max_length=255, blank=True, default="")
    is_kept = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["is_kept", "created_at"], name="evals_import_kept")]

    def __str__(self) -> str:
        return self.file_name

    @property
    def storage_key(self) -> str:
        return f"imports/{self.pk}"


class DatasetImportProblem(models.Model):
    """A row of a file that is no item, and why."""

    dataset_import = models.ForeignKey(DatasetImport, models.CASCADE, related_name="problems")
    #: from 0, in the order of the file
    row = models.PositiveIntegerField()
    #: where it begins, from 1
    line = models.PositiveIntegerField()
    #: field or column, as far as it is one
    place = models.CharField(max_length=500, blank=True, default="")
    message = models.TextField()

    class Meta:
        ordering = ["row"]
        constraints = [models.UniqueConstraint(fields=["dataset_import", "row"], name="evals_import_problem_once")]

    def __str__(self) -> str:
        return f"{self.line}: {self.message}"
