"""Routes of the public API."""

from __future__ import annotations

from django.urls import path

from evals.api import (
    annotation_queues,
    dataset_items,
    dataset_runs,
    datasets,
    evaluation_rules,
    evaluators,
    experiments,
    score_configs,
    unstable_evaluators,
)

urlpatterns = [
    # Names may hold slashes: what comes first is parsed from the right.
    path("datasets/<id:name>/runs/<id:run>", dataset_runs.OneDatasetRun.as_view()),
    path("datasets/<id:name>/runs", dataset_runs.DatasetRuns.as_view()),
    path("datasets", datasets.DatasetsV1.as_view()),
    path("datasets/<id:name>", datasets.OneDatasetV1.as_view()),
    path("v2/datasets", datasets.Datasets.as_view()),
    path("v2/datasets/<id:name>", datasets.OneDataset.as_view()),
    path("dataset-items", dataset_items.DatasetItems.as_view()),
    path("dataset-items/<id:item_id>", dataset_items.OneDatasetItem.as_view()),
    path("dataset-run-items", dataset_runs.DatasetRunItems.as_view()),
    path("experiments", experiments.Experiments.as_view()),
    path("experiment-items", experiments.ExperimentItems.as_view()),
    path("annotation-queues", annotation_queues.AnnotationQueues.as_view()),
    path("annotation-queues/<id:queue_id>/items/<id:item_id>", annotation_queues.OneQueueItem.as_view()),
    path("annotation-queues/<id:queue_id>/items", annotation_queues.QueueItems.as_view()),
    path("annotation-queues/<id:queue_id>/assignments", annotation_queues.QueueAssignments.as_view()),
    path("annotation-queues/<id:queue_id>", annotation_queues.OneAnnotationQueue.as_view()),
    path("v2/evaluators", evaluators.Evaluators.as_view()),
    path("v2/evaluators/<id:evaluator_id>/versions", evaluators.EvaluatorVersions.as_view()),
    path("v2/evaluators/<id:evaluator_id>", evaluators.OneEvaluator.as_view()),
    path("v2/evaluation-rules", evaluation_rules.EvaluationRules.as_view()),
    path("v2/evaluation-rules/<id:rule_id>", evaluation_rules.OneEvaluationRule.as_view()),
    path("unstable/evaluators", unstable_evaluators.UnstableEvaluators.as_view()),
    path("unstable/evaluators/<id:evaluator_id>", unstable_evaluators.OneUnstableEvaluator.as_view()),
    path("unstable/evaluation-rules", unstable_evaluators.UnstableRules.as_view()),
    path("unstable/evaluation-rules/<id:rule_id>", unstable_evaluators.OneUnstableRule.as_view()),
    path("score-configs", score_configs.ScoreConfigs.as_view()),
    path("score-configs/<id:config_id>", score_configs.OneScoreConfig.as_view()),
]
