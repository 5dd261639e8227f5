"""The three kinds of record the analytics store holds, each declared once.

A record is what ingestion produces, what the store keeps, and what queries, API and pages read.
Times are aware UTC datetimes (microseconds), money is `Decimal` US dollars, ids are strings, and
"absent" is the empty string or the empty map: only what must tell zero from unknown is `None`.
Field names equal the column names in `tables.py`; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Where there is no time: earlier than any that is stored, for clocks that start in 1970 are real.
NEVER = datetime(1900, 1, 1, tzinfo=UTC)
ZERO = Decimal(0)

#: Characters of input and output that lists show; full text is only read where one record is shown.
PREVIEW_CHARACTERS = 180


class ObservationType(StrEnum):
    SPAN = "SPAN"
    GENERATION = "GENERATION"
    EVENT = "EVENT"
    AGENT = "AGENT"
    TOOL = "TOOL"
    CHAIN = "CHAIN"
    RETRIEVER = "RETRIEVER"
    EMBEDDING = "EMBEDDING"
    EVALUATOR = "EVALUATOR"
    GUARDRAIL = "GUARDRAIL"


class Level(StrEnum):
    DEBUG = "DEBUG"
    DEFAULT = "DEFAULT"
    WARNING = "WARNING"
    ERROR = "ERROR"


class ScoreType(StrEnum):
    NUMERIC = "NUMERIC"
    BOOLEAN = "BOOLEAN"
    CATEGORICAL = "CATEGORICAL"
    TEXT = "TEXT"
    CORRECTION = "CORRECTION"


class ScoreSource(StrEnum):
    API = "API"
    EVAL = "EVAL"
    ANNOTATION = "ANNOTATION"


@dataclass(slots=True, kw_only=True)
class Observation:
    """One span. Unique by (project_id, trace_id, id); start_time never changes once stored."""

    project_id: str
    trace_id: str
    id: str
    start_time: datetime
    parent_id: str = ""
    type: str = ObservationType.SPAN.value
    name: str = ""
    end_time: datetime | None = None
    completion_start_time: datetime | None = None
    level: str = Level.DEFAULT.value
    status_message: str = ""
    #: no parent, or flagged as the root by the application (`langfuse.internal.is_app_root`)
    is_root: bool = False

    # The trace context it was sent with.
    trace_name: str = ""
    user_id: str = ""
    session_id: str = ""
    tags: list[str] = field(default_factory=list)
    public: bool = False
    environment: str = "default"
    release: str = ""
    version: str = ""

    # Content. Text as sent; anything else as JSON text.
    input: str = ""
    output: str = ""
    input_preview: str = ""
    output_preview: str = ""
    #: nested objects flattened to dotted names; values that were not text are JSON text
    metadata: dict[str, str] = field(default_factory=dict)
    #: span events (exceptions among them): JSON list of {name, time, attributes}; "" when there are none
    events: str = ""

    # Model and cost. `provided_*` is what the client sent, the plain maps are what is shown.
    model: str = ""
    model_id: str = ""
    model_parameters: str = ""  # JSON object
    provided_usage: dict[str, int] = field(default_factory=dict)
    provided_cost: dict[str, Decimal] = field(default_factory=dict)
    usage: dict[str, int] = field(default_factory=dict)
    cost: dict[str, Decimal] = field(default_factory=dict)
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    input_cost: Decimal = ZERO
    output_cost: Decimal = ZERO
    total_cost: Decimal = ZERO
    pricing_tier_id: str = ""
    pricing_tier_name: str = ""
    latency_us: int | None = None
    time_to_first_token_us: int | None = None

    prompt_id: str = ""
    prompt_name: str = ""
    prompt_version: int | None = None

    #: tool name -> JSON definition, as offered to the model
    tool_definitions: dict[str, str] = field(default_factory=dict)
    #: JSON list of {id, name, arguments, type, index}, as asked for by the model; "" when there are none
    tool_calls: str = ""
    called_tool_names: list[str] = field(default_factory=list)

    # Where it came from.
    source: str = ""  # "otel" or "ingestion"
    scope_name: str = ""
    scope_version: str = ""
    service_name: str = ""
    service_version: str = ""
    sdk_name: str = ""
    sdk_version: str = ""
    public_key: str = ""

    experiment_id: str = ""
    experiment_name: str = ""
    experiment_description: str = ""
    experiment_dataset_id: str = ""
    experiment_item_id: str = ""
    experiment_item_version: datetime | None = None
    experiment_item_root_id: str = ""
    experiment_item_expected_output: str = ""
    experiment_metadata: dict[str, str] = field(default_factory=dict)
    experiment_item_metadata: dict[str, str] = field(default_factory=dict)

    created_at: datetime = EPOCH
    updated_at: datetime = EPOCH
    #: microseconds; of two rows with the same key the higher one wins
    row_version: int = 0
    is_deleted: bool = False


@dataclass(slots=True, kw_only=True)
class Trace:
    """What belongs to a whole trace. Sums (cost, tokens, latency, counts) come from its observations.

    `timestamp` is the earliest time seen. Input and output are stored here only when the client set
    them on the trace; otherwise they are those of the observation `root_id`, and only previews are kept.
    """

    project_id: str
    id: str
    timestamp: datetime
    name: str = ""
    user_id: str = ""
    session_id: str = ""
    tags: list[str] = field(default_factory=list)
    public: bool = False
    bookmarked: bool = False
    environment: str = "default"
    release: str = ""
    version: str = ""
    input: str = ""
    output: str = ""
    input_preview: str = ""
    output_preview: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    root_id: str = ""
    root_type: str = ""

    # Bounds of the observations' start times, so that they are found by range and not by search; NEVER without any.
    first_start: datetime = NEVER
    last_start: datetime = NEVER

    #: field (or "metadata.<key>") -> microseconds of the event it was last set by: makes merging commutative
    set_at: dict[str, int] = field(default_factory=dict)

    created_at: datetime = EPOCH
    updated_at: datetime = EPOCH
    row_version: int = 0
    is_deleted: bool = False


@dataclass(slots=True, kw_only=True)
class Score:
    """A judgement on a trace, observation, session or dataset run. Its first write fixes `timestamp` and target."""

    project_id: str
    id: str
    timestamp: datetime
    name: str
    trace_id: str = ""
    observation_id: str = ""
    session_id: str = ""
    dataset_run_id: str = ""
    source: str = ScoreSource.API.value
    data_type: str = ScoreType.NUMERIC.value
    value: float | None = None
    string_value: str = ""
    comment: str = ""
    #: JSON text of whatever was sent; "" when absent
    metadata: str = ""
    environment: str = "default"
    config_id: str = ""
    queue_id: str = ""
    author_user_id: str = ""
    execution_trace_id: str = ""
    created_at: datetime = EPOCH
    updated_at: datetime = EPOCH
    row_version: int = 0
    is_deleted: bool = False
