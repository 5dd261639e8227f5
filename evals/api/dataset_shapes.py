"""What the routes of datasets and their items take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from config.api.describe import Given, PageMeta, Shape


class DatasetShape(Shape):
    id: str
    projectId: str
    name: str
    description: str | None
    metadata: Any
    inputSchema: dict[str, Any] | None
    expectedOutputSchema: dict[str, Any] | None
    createdAt: datetime
    updatedAt: datetime


class DatasetPage(Shape):
    data: list[DatasetShape]
    meta: PageMeta


class NewDataset(Given):
    name: str
    description: str | None = None
    metadata: Any = None
    inputSchema: dict[str, Any] | None = None
    expectedOutputSchema: dict[str, Any] | None = None


class ItemMediaShape(Shape):
    mediaId: str
    contentType: str
    contentLength: int
    url: str
    urlExpiry: str


class ItemMediaReference(Shape):
    field: Literal["input", "expectedOutput", "metadata"]
    referenceString: str
    jsonPath: str
    media: ItemMediaShape


class DatasetItemShape(Shape):
    """`version` is when what the item says became current."""

    id: str
    status: Literal["ACTIVE", "ARCHIVED"]
    input: Any
    expectedOutput: Any
    metadata: Any
    sourceTraceId: str | None
    sourceObservationId: str | None
    datasetId: str
    datasetName: str
    createdAt: datetime
    updatedAt: datetime
    version: datetime | None
    mediaReferences: list[ItemMediaReference]


class DatasetItemPage(Shape):
    data: list[DatasetItemShape]
    meta: PageMeta


class NewDatasetItem(Given):
    datasetName: str
    id: str | None = None
    input: Any = None
    expectedOutput: Any = None
    metadata: Any = None
    sourceTraceId: str | None = None
    sourceObservationId: str | None = None
    status: Literal["ACTIVE", "ARCHIVED"] | None = None


class DatasetV1Shape(DatasetShape):
    status: Literal["ACTIVE", "ARCHIVED"]


class ListedDatasetV1(DatasetShape):
    """`items` are ids, `runs` names."""

    items: list[str]
    runs: list[str]


class DatasetV1Page(Shape):
    data: list[ListedDatasetV1]
    meta: PageMeta


class WholeDatasetV1(DatasetShape):
    """`runs` are names."""

    items: list[DatasetItemShape]
    runs: list[str]
