"""Files as answers, in part where a part is asked for: browsers seek in sound and film that way."""

from __future__ import annotations

import re
from typing import IO, Any

from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)


class _Part:
    """The next so many bytes of a file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(chunk)
        return chunk

    def close(self) -> None:
        self._file.close()


def answer_file(request: HttpRequest, file: IO[bytes], size: int, **options: Any) -> HttpResponseBase:
    """The file, or the one range of it that the request asks for. `options` are those of FileResponse."""
    wanted = _wanted(request, size)
    if wanted is None:
        response = FileResponse(file, **options)
        response["Content-Length"] = str(size)
    elif len(wanted) == 0:
        file.close()
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    else:
        file.seek(wanted.start)
        response = FileResponse(_Part(file, len(wanted)), status=206, **options)
        response["Content-Length"] = str(len(wanted))
        response["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{size}"
    response["Accept-Ranges"] = "bytes"
    return response


def _wanted(request: HttpRequest, size: int) -> range | None:
    """Positions of the bytes asked for, empty if the file has none of them; None for the whole file.

    Several ranges at once, and those that hang on a version, are answered with the whole, as RFC 9110 allows.
    """
    found = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    if found is None or found[0] == "bytes=-" or "If-Range" in request.headers:
        return None
    first, last = (int(digits) if digits and len(digits) < 20 else None for digits in found.groups())
    if first is None:
        return range(size - min(last or 0, size), size)
    if last is not None and last < first:
        return None
    return range(first, size if last is None else min(last + 1, size))
