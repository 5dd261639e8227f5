"""What the product's own tests expect holds on production stores, too: the same tests, the same answers."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.stores.certificates import make_certificates
from tests.stores.postgres import Postgres
from tests.stores.product import run_tests
from tests.stores.redis_server import redis_server
from tests.stores.swift import Swift

#: Those that lock, wait for each other, sort, count, page, or keep files: where stores differ.
FILES = (
    "tests/test_claims.py",
    "tests/test_deleted_meanwhile.py",
    "tests/accounts/test_actions.py",
    "tests/contract/test_annotation_queues.py",
    "tests/contract/test_dashboards.py",
    "tests/contract/test_dataset_runs.py",
    "tests/contract/test_datasets_at_once.py",
    "tests/contract/test_media.py",
    "tests/contract/test_projects.py",
    "tests/contract/test_prompts.py",
    "tests/contract/test_prompts_at_once.py",
    "tests/evals/test_dataset_pages.py",
    "tests/evals/test_experiment_runs.py",
    "tests/evals/test_experiment_times.py",
    "tests/evals/test_item_versions.py",
    "tests/evals/test_judging_pruning.py",
    "tests/evals/test_judging_work.py",
    "tests/prompts/test_automations.py",
    "tests/prompts/test_playground_runs.py",
    "tests/tracing/test_exports.py",
    "tests/tracing/test_ingest_flow.py",
    "tests/tracing/test_media_buckets.py",
    "tests/tracing/test_saved_views.py",
)


@pytest.fixture(scope="module")
def outcomes(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: Postgres, swift_server: Swift
) -> Iterator[dict[str, Counter[str]]]:
    folder = tmp_path_factory.mktemp("product")
    redis = redis_server(folder / "redis", make_certificates(folder / "certificates"), wants_certificates=True)
    redis.start()
    bucket = f"media-{uuid.uuid4().hex}"
    swift_server.client().create_bucket(Bucket=bucket)
    environment = {
        **redis.environment,
        **swift_server.environment("MEDIA", bucket, prefix="media/"),
        "DATABASE_URL": postgres_server.make_database(f"product-{uuid.uuid4().hex[:8]}"),
    }
    yield run_tests(FILES, environment, folder / "report.xml")
    redis.stop()


@pytest.mark.parametrize("file", FILES)
def test_of_the_product_on_production_stores(outcomes: dict[str, Counter[str]], file: str) -> None:
    outcome = outcomes[file]
    assert outcome["passed"] > 0
    assert not {name: count for name, count in outcome.items() if name not in ("passed", "skipped")}
