"""The compose files: what they set is understood, by containers that have nothing in common but their stores."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
FILES = ("docker-compose.yml", "docker-compose.doris.yml")
#: Langfuse's, with nothing to choose here: they may stay in the environment.
WITHOUT_EFFECT = {
    "TELEMETRY_ENABLED",
    "LANGFUSE_ENABLE_EXPERIMENTAL_FEATURES",
    "CLICKHOUSE_MIGRATION_URL",
    "LANGFUSE_USE_AZURE_BLOB",
    "LANGFUSE_INGESTION_QUEUE_DELAY_MS",
    "LANGFUSE_INGESTION_CLICKHOUSE_WRITE_INTERVAL_MS",
    "LANGFUSE_ENABLE_BACKGROUND_MIGRATIONS",
    "TZ",
    *(
        f"LANGFUSE_S3_BATCH_EXPORT_{name}"
        for name in (
            *("ENABLED", "BUCKET", "PREFIX", "REGION", "ENDPOINT", "EXTERNAL_ENDPOINT"),
            *("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "FORCE_PATH_STYLE"),
        )
    ),
}
_DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")
_TELL = """
import django, json
django.setup()
from django.conf import settings
from config import stores
from tracing.analytics import backends
print(json.dumps({
    "database": settings.DATABASES["default"]["HOST"],
    "broker": settings.REDIS.url,
    "inbox": settings.INBOX_BUCKET.endpoint_url + "/" + settings.INBOX_BUCKET.name,
    "media": [settings.STORAGES["default"]["OPTIONS"][name] for name in ("endpoint_url", "client_endpoint_url")],
    "analytics": backends.current().__name__.rpartition(".")[2],
    "missing": stores.missing_for_one_role(),
}))
"""


def services(file: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / "deploy" / file).read_text(encoding="utf-8"))["services"]


def environment(file: str, service: str) -> dict[str, str]:
    """As compose makes it where nobody has set anything."""
    named = services(file)[service]["environment"]
    return {name: _DEFAULT.sub(r"\1", str(value)) for name, value in named.items()}


@pytest.mark.parametrize("service", ["langfuse-web", "langfuse-worker"])
@pytest.mark.parametrize("file", FILES)
def test_what_is_set_is_documented_or_known_to_have_no_effect(file, service):
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", page))
    assert set(environment(file, service)) - documented == set(environment(file, service)) & WITHOUT_EFFECT


@pytest.mark.parametrize("service", ["langfuse-web", "langfuse-worker"])
@pytest.mark.parametrize(
    ("file", "prefix", "analytics"), [(FILES[0], "", "clickhouse"), (FILES[1], "langfuse-", "doris")]
)
def test_containers_find_their_stores(tmp_path, file, prefix, analytics, service):
    told = subprocess.run(
        [sys.executable, "-c", _TELL],
        cwd=ROOT,
        env={
            "PATH": "/usr/bin",
            "SPANWISE_DATA_DIR": str(tmp_path),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            **environment(file, service),
        },
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    media = "http://localhost:19090" if prefix else "http://localhost:9090"
    assert json.loads(told) == {
        "database": f"{prefix}postgres",
        "broker": f"redis://:myredissecret@{prefix}redis:6379/0",
        "inbox": f"http://{prefix}minio:9000/langfuse",
        "media": [f"http://{prefix}minio:9000", media],
        "analytics": analytics,
        "missing": [],
    }


@pytest.mark.parametrize("file", FILES)
def test_every_container_that_is_waited_for_says_when_it_is_ready(file):
    all_services = services(file)
    for service in all_services.values():
        for other in service.get("depends_on", ()):
            assert "healthcheck" in all_services[other]


@pytest.mark.parametrize("file", FILES)
def test_what_is_built_is_a_target_of_the_dockerfile(file):
    targets = set(re.findall(r"^FROM \S+ AS (\w+)$", (ROOT / "deploy" / "Dockerfile").read_text(), re.MULTILINE))
    built = [service["build"]["target"] for service in services(file).values() if "build" in service]
    assert sorted(built) == ["web", "worker"]
    assert set(built) <= targets


def test_every_image_says_whether_it_works():
    stages = re.split(r"^FROM ", (ROOT / "deploy" / "Dockerfile").read_text(), flags=re.MULTILINE)
    checked = {stage.partition("\n")[0] for stage in stages if "\nHEALTHCHECK " in stage}
    assert checked == {"base AS web", "base AS worker"}  # `everything` is made from web


def test_the_doris_that_is_started_can_be_used():
    """`docs/doris.md` names the oldest that will do."""
    images = [services("docker-compose.doris.yml")[name]["image"] for name in ("doris_fe", "doris_be")]
    versions = [tuple(map(int, image.rpartition("-")[2].split("."))) for image in images]
    assert min(versions) >= (4, 0, 6)
