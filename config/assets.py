"""Static files: hashed names that browsers may keep for ever, compressed once at set-up."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage

PACKAGES = Path(settings.BASE_DIR) / "node_modules"


class StaticStorage(CompressedManifestStaticFilesStorage):
    """WhiteNoise's manifest storage whose ES modules may import each other by relative path."""

    support_js_module_import_aggregation = True

    def stored_name(self, name: str) -> str:
        # Before `collectstatic` has run (tests, a fresh checkout) there is no manifest: plain names then, not an error.
        if not self.hashed_files:
            return name
        return super().stored_name(name)  # type: ignore[no-any-return]


class _OneFile(FileSystemStorage):
    """A file of a package under a name of ours."""

    prefix = "vendor"

    def __init__(self, source: Path) -> None:
        super().__init__(location=source.parent)
        self._source = source

    def path(self, name: str) -> str:
        return str(self._source)


class VendorFinder(BaseFinder):
    """Finds `VENDOR_FILES`, and nothing else of their packages."""

    def __init__(self, app_names: Any = None, *args: Any, **kwargs: Any) -> None:
        self._files = {name: PACKAGES / source for name, source in settings.VENDOR_FILES.items()}

    def check(self, **kwargs: Any) -> list[Any]:
        return []

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        source = self._files.get(path.removeprefix("vendor/")) if path.startswith("vendor/") else None
        found = str(source) if source is not None and source.is_file() else None
        if find_all:
            return [found] if found else []
        return found or []

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterable[Any]:
        return [(name, _OneFile(source)) for name, source in self._files.items() if source.is_file()]
