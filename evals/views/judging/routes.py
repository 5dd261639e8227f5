"""Addresses of evaluators, rules and judgements, below projects/<project_id>/."""

from __future__ import annotations

from django.urls import path

from evals.views.judging import editor, evaluators, log, rules, selecting

urlpatterns = [
    path("evaluators/", evaluators.evaluator_list, name="evaluator-list"),
    path("evaluators/gallery/", editor.evaluator_gallery, name="evaluator-gallery"),
    path("evaluators/new/", editor.evaluator_new, name="evaluator-new"),
    path("evaluators/save/", editor.evaluator_save, name="evaluator-save"),
    path("evaluators/tests/<str:trial_id>/", editor.evaluator_trial, name="evaluator-trial"),
    path("evaluators/default-model/", editor.evaluator_default_model, name="evaluator-default-model"),
    path("evaluators/default-model/save/", editor.evaluator_default_model_save, name="evaluator-default-model-save"),
    path("evaluators/switch/", evaluators.evaluator_switch, name="evaluator-switch"),
    path("evaluators/delete/", evaluators.evaluator_delete, name="evaluator-delete"),
    path("evaluators/delete/confirm/", evaluators.evaluator_delete_confirm, name="evaluator-delete-confirm"),
    path("evaluators/<str:evaluator_id>/", evaluators.evaluator_detail, name="evaluator-detail"),
    path("evaluators/<str:evaluator_id>/edit/", editor.evaluator_edit, name="evaluator-edit"),
    path("evaluation-rules/", rules.rule_list, name="rule-list"),
    path("evaluation-rules/new/", rules.rule_new, name="rule-new"),
    path("evaluation-rules/save/", rules.rule_save, name="rule-save"),
    path("evaluation-rules/switch/", rules.rule_switch, name="rule-switch"),
    path("evaluation-rules/delete/", rules.rule_delete, name="rule-delete"),
    path("evaluation-rules/backfill/", rules.rule_backfill_start, name="rule-backfill-start"),
    path("evaluation-rules/<str:rule_id>/", rules.rule_detail, name="rule-detail"),
    path("evaluation-rules/<str:rule_id>/edit/", rules.rule_edit, name="rule-edit"),
    path("evaluation-rules/<str:rule_id>/backfill/", rules.rule_backfill, name="rule-backfill"),
    path("judge/", selecting.judge_one, name="judge-one"),
    path("judge/traces/", selecting.judge_traces, name="judge-traces"),
    path("judge/observations/", selecting.judge_observations, name="judge-observations"),
    path("judgements/", log.judgement_list, name="judgement-list"),
    path("judgements/retry/", log.judgement_retry, name="judgement-retry"),
    path("judgements/cancel/", log.judgement_cancel, name="judgement-cancel"),
    path("judgements/of-score/<id:score_id>/", log.judgement_of_score, name="judgement-of-score"),
    path("judgements/<str:judgement_id>/", log.judgement_detail, name="judgement-detail"),
]
