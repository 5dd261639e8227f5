"""Rows of the relational store that evals owns."""

from __future__ import annotations

from evals.models.datasets import (
    Dataset,
    DatasetImport,
    DatasetImportProblem,
    DatasetItem,
    DatasetItemVersion,
    ItemStatus,
)
from evals.models.experiments import Experiment, ExperimentItem, RunStatus
from evals.models.judging import (
    Arrival,
    Assessment,
    Assignment,
    Candidate,
    DefaultJudge,
    Evaluator,
    EvaluatorKind,
    EvaluatorStatus,
    EvaluatorVersion,
    Judgement,
    JudgementStatus,
    ModelAbility,
    Rule,
    TargetKind,
    Trial,
)
from evals.models.queues import AnnotationQueue, QueueAssignee, QueueItem, QueueItemStatus, QueueObject
from evals.models.score_configs import CONFIG_NAME_LENGTH, ScoreConfig, ScoreConfigType

__all__ = [
    "CONFIG_NAME_LENGTH",
    "AnnotationQueue",
    "Arrival",
    "Assessment",
    "Assignment",
    "Candidate",
    "Dataset",
    "DatasetImport",
    "DatasetImportProblem",
    "DatasetItem",
    "DatasetItemVersion",
    "DefaultJudge",
    "Evaluator",
    "EvaluatorKind",
    "EvaluatorStatus",
    "EvaluatorVersion",
    "Experiment",
    "ExperimentItem",
    "ItemStatus",
    "Judgement",
    "JudgementStatus",
    "ModelAbility",
    "QueueAssignee",
    "QueueItem",
    "QueueItemStatus",
    "QueueObject",
    "Rule",
    "RunStatus",
    "ScoreConfig",
    "ScoreConfigType",
    "TargetKind",
    "Trial",
]
