"""Files in a folder of this machine."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from django.core.files.storage import FileSystemStorage


class Folder(FileSystemStorage):
    """A file has its name only when all of it was written: whoever finds it may rely on it, whatever crashed before.

    Names stand for contents here, so a file that is written again replaces the one of its name, as in a bucket.
    """

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name

    def _save(self, name: str, content: Any) -> str:
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
        try:
            with draft.open("xb") as file:
                for chunk in content.chunks():
                    file.write(chunk)
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        return name
