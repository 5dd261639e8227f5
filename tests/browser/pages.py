"""Every page there is, by a name that is also its picture's."""

from __future__ import annotations

from tests.browser.demo_data import DemoData
from tests.instance import Instance


def all_pages(server: Instance, demo: DemoData) -> dict[str, str]:
    project = f"/projects/{server.project_id}"
    before, after = demo.experiments
    return {
        "traces": f"{project}/traces/?range=all",
        "observations": f"{project}/observations/?range=all",
        "peek": f"{project}/traces/?range=all&peek={demo.agent}",
        "trace": f"{project}/traces/{demo.chat}/?observation={demo.answer}",
        "trace-agent": f"{project}/traces/{demo.agent}/",
        "trace-5000": f"{project}/traces/{demo.big}/",
        "trace-failed": f"{project}/traces/{demo.failed}/",
        "sessions": f"{project}/sessions/?range=all",
        "session": f"{project}/sessions/{demo.session}/",
        "users": f"{project}/users/?range=all",
        "user": f"{project}/users/{demo.user}/",
        "ingestion-problems": f"{project}/ingestion-problems/",
        "onboarding": f"{project}/start/",
        "api-keys": f"{project}/settings/api-keys/",
        "members": f"{project}/settings/members/",
        "llm-connections": f"{project}/settings/llm-connections/",
        "llm-connection-choose": f"{project}/settings/llm-connections/new/",
        "llm-connection-new": f"{project}/settings/llm-connections/new/?preset=bedrock",
        "prompt-automations": f"{project}/settings/prompt-automations/",
        "prompt-automation-choose": f"{project}/settings/prompt-automations/new/",
        "prompt-automation-new": f"{project}/settings/prompt-automations/new/?kind=webhook",
        "prompt-automation-github": f"{project}/settings/prompt-automations/new/?kind=github",
        "model-prices": f"{project}/settings/models/?test=gemini-2.5-pro&input=300000",
        "model-new": f"{project}/settings/models/new/?name=acme-chat-2",
        "model-recompute": f"{project}/settings/models/recompute/?range=all",
        "trace-cost": f"{project}/trace-cost/?trace={demo.agent}",
        "prompts": f"{project}/prompts/",
        "prompts-found": f"{project}/prompts/?q=kind",
        "prompt": f"{project}/prompts/demo/answer/?version=2",
        "prompt-uses": f"{project}/prompts/demo/answer/?tab=uses",
        "prompt-metrics": f"{project}/prompts/demo/answer/?tab=metrics",
        "prompt-compared": f"{project}/prompts/demo/answer/?version=2&compare=1",
        "prompt-new": f"{project}/prompts/new/?type=chat",
        "prompt-next": f"{project}/prompts/new/?from=demo/answer&version=2",
        "prompt-delete": f"{project}/prompts-delete/?name=demo/answer",
        "prompt-duplicate": f"{project}/prompts-duplicate/?name=demo/answer",
        "prompt-import": f"{project}/prompts-import/",
        "playgrounds": f"{project}/playground/",
        "playground": f"{project}/playground/{demo.playground}/",
        "experiments": f"{project}/experiments/",
        "experiment": f"{project}/experiments/compare/?baseline={before}",
        "experiments-compared": f"{project}/experiments/compare/?baseline={before}&with={after}",
        "prompt-labels": f"{project}/settings/prompt-labels/",
        "evaluators": f"{project}/evaluators/",
        "evaluator-gallery": f"{project}/evaluators/gallery/?category=quality&template=helpfulness",
        "evaluator-new": f"{project}/evaluators/new/?template=goal-reached",
        "evaluator-default-model": f"{project}/evaluators/default-model/",
        "evaluation-rules": f"{project}/evaluation-rules/",
        "evaluation-rule-new": f"{project}/evaluation-rules/new/?target=session",
        "judgements": f"{project}/judgements/?range=all",
        "project-settings": f"{project}/settings/",
        "organization": "/organizations/demo-org/",
        "account": "/user/settings/",
        "api-reference": "/api-reference/",
        "api-operation": "/api-reference/getTracesTraceId/",
    }
