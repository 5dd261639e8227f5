"""Stack traces line by line: the application's own frames stand out, those of libraries fold, causes are headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

#: longer ones are shown as they are
_MOST_LINES = 4_000

_FRAME = re.compile(
    r"""\s*(?:
      File\ "(?P<python>[^"]+)",\ line\ \d+.*         # Python
    | at\ (?P<js>.*?[(\s]?(?:node:|file:|/|[A-Za-z]:\\|https?:|<anonymous>|webpack).*)  # JavaScript
    | at\ (?P<java>[\w.$<>/]+\([^)]*\).*)               # Java, Kotlin, Scala
    | at\ (?P<dotnet>.+?\)(?:\ in\ .+)?)                # .NET
    | from\ (?P<ruby>\S+:\d+:in\ .+)
    | (?P<go>\S+\.go:\d+.*)
    | \d+:\s+(?P<rust>.+)
    )\Z""",
    re.VERBOSE,
)
_LIBRARY = re.compile(
    r"site-packages|dist-packages|node_modules|/lib/python\d|\\lib\\|<frozen |<string>|node:|internal/|"
    r"^(?:java|javax|jdk|sun|kotlin|scala|org\.springframework|org\.apache|reactor|io\.netty)\.|^(?:System|Microsoft)\.|"
    r"/usr/(?:local/)?(?:go|lib)/|/pkg/mod/|/gems/|^(?:std|core|tokio|alloc)::|<anonymous>"
)
_CAUSE = re.compile(
    r"\s*(?:The above exception was the direct cause of the following exception:"
    r"|During handling of the above exception, another exception occurred:"
    r"|Caused by: ?.*|\[cause\]: ?.*|--- End of (?:inner exception )?stack trace.*---|Suppressed: .*)\Z"
)
_HEADING = re.compile(r"Traceback \(most recent call last\):|goroutine \d+ .*|Stack trace:|stack backtrace:")


@dataclass(slots=True)
class Line:
    """`kind` is frame, source (a line of code below its frame), cause, heading or text."""

    kind: str
    text: str


@dataclass(slots=True)
class Block:
    """Lines that are shown or folded together."""

    is_library: bool
    lines: list[Line] = field(default_factory=list)

    @property
    def frames(self) -> int:
        return sum(line.kind == "frame" for line in self.lines)


def read(text: str) -> list[Block]:
    """All lines in their order. Frames of libraries between own ones are blocks of their own."""
    blocks: list[Block] = []
    for line, is_library in _lines(text):
        if not blocks or blocks[-1].is_library != is_library:
            blocks.append(Block(is_library))
        blocks[-1].lines.append(line)
    # Where everything is a library's there is nothing to make room for, and a lone frame is as short as its fold.
    has_own = any(line.kind == "frame" for block in blocks if not block.is_library for line in block.lines)
    for block in blocks:
        if block.is_library and (not has_own or block.frames < 2):
            block.is_library = False
    return blocks


def _lines(text: str) -> Iterator[tuple[Line, bool]]:
    split = text.split("\n")
    if len(split) > _MOST_LINES:
        yield Line("text", text), False
        return
    in_library = after_frame = False
    for line in split:
        frame = _FRAME.match(line) if len(line) < 2_000 else None
        if frame:
            in_library, after_frame = _is_library(next(filter(None, frame.groups()), "")), True
            yield Line("frame", line), in_library
        elif after_frame and line.startswith((" ", "\t")) and line.strip():
            yield Line("source", line), in_library
        else:
            in_library = after_frame = False
            yield Line(_kind(line), line), False


def _is_library(place: str) -> bool:
    return bool(_LIBRARY.search(place.strip()))


def _kind(line: str) -> str:
    if _CAUSE.match(line):
        return "cause"
    return "heading" if _HEADING.match(line) else "text"
