"""Every page there is, by a name that is also its picture's."""

from __future__ import annotations

from tests.browser.demo_data import DemoData
from tests.instance import Instance


def all_pages(server: Instance, demo: DemoData) -> dict[str, str]:
    project = f"/projects/{server.project_id}"
    return {
        "traces": f"{project}/traces/?range=all",
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
        "project-settings": f"{project}/settings/",
        "organization": "/organizations/demo-org/",
        "account": "/user/settings/",
        "api-reference": "/api-reference/",
        "api-operation": "/api-reference/getTracesTraceId/",
    }
