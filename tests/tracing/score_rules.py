"""What a score config demands, until there are score configs."""

from dataclasses import dataclass, field


@dataclass
class Rules:
    name: str = "configured"
    data_type: str = "NUMERIC"
    is_archived: bool = False
    min_value: float | None = None
    max_value: float | None = None
    labels: dict[str, float] = field(default_factory=dict)
