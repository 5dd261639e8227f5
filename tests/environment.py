"""Loaded before Django's settings (`-p tests.environment`): a data folder, and services, of the test run's own.

`SPANWISE_TEST_STORES` holds more settings as JSON, which name stores that run already (tests/stores/product.py).
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from config.ports import free_port

if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    # Hundreds of processes start in a run, each of which would compile all of it again. It is kept where `make clean`
    # finds it.
    sys.dont_write_bytecode = False
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(Path(__file__).parents[1] / ".build" / "bytecode")

DATA_DIR = Path(tempfile.mkdtemp(prefix="spanwise-test-"))
(DATA_DIR / "static").mkdir()
atexit.register(shutil.rmtree, DATA_DIR, ignore_errors=True)

PRODUCTION_STORES: dict[str, str] = json.loads(os.environ.get("SPANWISE_TEST_STORES", "{}"))
_OURS = ("LANGFUSE_", "CLICKHOUSE_", "REDIS_", "DORIS_", "SPANWISE_", "DATABASE_URL", "PORT")
for name in [name for name in os.environ if name.startswith(_OURS) and not name.startswith("SPANWISE_TEST_")]:
    del os.environ[name]

os.environ |= {
    # Playwright keeps an event loop running in the thread of the tests, which Django takes for asynchronous code.
    "DJANGO_ALLOW_ASYNC_UNSAFE": "true",
    "SPANWISE_DATA_DIR": str(DATA_DIR),
    "SPANWISE_STATIC_DIR": str(DATA_DIR / "static"),
    "SECRET_KEY": "test-secret",
    "SALT": "test-salt",
    "ENCRYPTION_KEY": "0" * 64,
    "REDIS_HOST": "127.0.0.1",
    "REDIS_PORT": str(free_port()),
    "DJANGO_SETTINGS_MODULE": "config.settings",
}
os.environ |= PRODUCTION_STORES
if "REDIS_HOST" not in PRODUCTION_STORES:  # the broker is the test run's own, as the supervisor would say
    (DATA_DIR / "run").mkdir()
    (DATA_DIR / "run" / "services.json").write_text(json.dumps({"redis_port": int(os.environ["REDIS_PORT"])}))
