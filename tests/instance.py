"""The whole product as a child process, started the way `make run` starts it. For tests, pictures and measurements."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import psycopg

ROOT = Path(__file__).resolve().parent.parent
PROJECT = "demo-project"
EMAIL, PASSWORD = "alice@example.com", "correct-horse-battery"
_PARTS = {
    "broker": ("valkey", "redis-server"),
    "analytics": ("tracing.analytics.server",),
    "web": ("granian",),
    "worker": ("celery",),
}
#: Names of settings that would point a test at somebody's real stores.
_FOREIGN = ("LANGFUSE_", "CLICKHOUSE_", "REDIS_", "DORIS_", "SPANWISE_", "NEXTAUTH_", "DATABASE_URL", "PORT", "OTEL_")
#: that of the stores which the tests themselves are run on (tests/environment.py)
_DATABASE_URL: str = json.loads(os.environ.get("SPANWISE_TEST_STORES", "{}")).get("DATABASE_URL", "")


def _new_database(beside: str) -> str:
    """The address of an empty database on the same server."""
    name = f"instance_{uuid.uuid4().hex}"
    with psycopg.connect(beside, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return urlsplit(beside)._replace(path=f"/{name}").geturl()


@dataclass
class Instance:
    """A running product: its address, keys, data folder and processes."""

    folder: Path
    port: int
    public_key: str = "pk-lf-test"
    secret_key: str = "sk-lf-test"
    project_id: str = PROJECT
    email: str = EMAIL
    password: str = PASSWORD
    pid: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    #: `web` or `worker` alone, on stores that the environment names; empty for the whole product
    role: str = ""

    def __post_init__(self) -> None:
        """Where the tests run on PostgreSQL, so does the product, on a database of its own."""
        if _DATABASE_URL and "DATABASE_URL" not in self.environment:
            self.environment = {**self.environment, "DATABASE_URL": _new_database(_DATABASE_URL)}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def project_name(self) -> str:
        return "Assistants" if self.project_id == PROJECT else self.project_id

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def log_file(self) -> Path:
        return self.folder / "log.txt"

    @property
    def auth(self) -> tuple[str, str]:
        return self.public_key, self.secret_key

    def start(self, *, timeout_seconds: float = 180) -> float:
        """Start and wait until it is ready. Returns the seconds that took."""
        began = time.monotonic()
        process = self.launch()
        self.wait_until_ready(timeout_seconds, still_alive=lambda: process.poll() is None)
        return time.monotonic() - began

    def launch(self) -> subprocess.Popen[bytes]:
        """Start, and do not wait."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "config.supervisor", *([self.role] if self.role else [])],
                cwd=ROOT,
                env=self.full_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = process.pid
        return process

    def wait_until_ready(self, timeout_seconds: float, still_alive: Callable[[], bool] = lambda: True) -> None:
        deadline = time.monotonic() + timeout_seconds
        while not self.is_ready():
            if not still_alive() or time.monotonic() > deadline:
                raise RuntimeError(f"The product did not start:\n{self.log()[-4000:]}")
            time.sleep(0.02)

    def is_ready(self) -> bool:
        if self.role == "worker":  # it answers nobody
            return bool(self.part("worker"))
        try:
            return httpx.get(f"{self.url}/api/public/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self, timeout_seconds: float = 30) -> None:
        """End it as Ctrl-C does, and whatever is left by force."""
        if not self.pid:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            supervisor = psutil.Process(self.pid)
            everything = [*supervisor.children(recursive=True), supervisor]
            supervisor.send_signal(signal.SIGTERM)
            _, alive = psutil.wait_procs(everything, timeout=timeout_seconds)
            for process in alive:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(alive, timeout=5)
        self.pid = 0

    def kill_everything(self) -> None:
        """SIGKILL to all processes at once, as a power cut does. Returns when they are gone, and their ports free."""
        killed = self.processes()
        for process in killed:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(killed, timeout=30)
        self.pid = 0

    def processes(self) -> list[psutil.Process]:
        if not self.pid:
            return []
        try:
            supervisor = psutil.Process(self.pid)
            return [supervisor, *supervisor.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def part(self, name: str) -> list[psutil.Process]:
        """The processes of `broker`, `analytics`, `web` or `worker`."""
        found = []
        for process in self.processes()[1:]:
            with contextlib.suppress(psutil.NoSuchProcess):
                if any(word in " ".join(process.cmdline()) for word in _PARTS[name]):
                    found.append(process)
        return found

    def kill(self, name: str) -> None:
        for process in self.part(name):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def client(self, *, timeout_seconds: float = 30) -> httpx.Client:
        """The public API with the project's keys."""
        return httpx.Client(base_url=self.url, auth=self.auth, timeout=timeout_seconds)

    def services(self) -> dict[str, object]:
        """Addresses and passwords of the local stores, as the supervisor wrote them down."""
        loaded = json.loads((self.data_dir / "run" / "services.json").read_text())
        return loaded if isinstance(loaded, dict) else {}

    def with_project(self, project_id: str) -> Instance:
        """The same product with another project, made where it is not there: its user sees nobody else's traces."""
        keys = {"public_key": f"pk-lf-{project_id}", "secret_key": f"sk-lf-{project_id}"}
        other = replace(self, project_id=project_id, **keys)
        command = [sys.executable, "manage.py", "bootstrap", "--verbosity=0"]
        subprocess.run(command, cwd=ROOT, env=other.full_environment(), check=True)
        return other

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def full_environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        return {
            **inherited,
            "PORT": str(self.port),
            "SPANWISE_DATA_DIR": str(self.data_dir),
            "LANGFUSE_INIT_ORG_ID": "demo-org",
            "LANGFUSE_INIT_ORG_NAME": "Nimbus Retail",
            "LANGFUSE_INIT_PROJECT_ID": self.project_id,
            "LANGFUSE_INIT_PROJECT_NAME": self.project_name,
            "LANGFUSE_INIT_PROJECT_PUBLIC_KEY": self.public_key,
            "LANGFUSE_INIT_PROJECT_SECRET_KEY": self.secret_key,
            "LANGFUSE_INIT_USER_EMAIL": self.email,
            "LANGFUSE_INIT_USER_NAME": "Alice",
            "LANGFUSE_INIT_USER_PASSWORD": self.password,
            **self.environment,
        }

    def to_json(self) -> str:
        return json.dumps({**asdict(self), "folder": str(self.folder)})

    @classmethod
    def from_json(cls, text: str) -> Instance:
        facts = json.loads(text)
        return cls(**{**facts, "folder": Path(facts["folder"])})
