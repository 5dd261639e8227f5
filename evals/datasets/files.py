"""Files of items, CSV and JSON lines: read row by row, with the place of everything that cannot be read."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

import orjson
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config.api.body import parse_json
from config.errors import Invalid, wrong
from evals.datasets import values
from evals.datasets.changes import KEEP, ItemChange
from evals.models import DatasetImport

CSV, JSONL = "csv", "jsonl"
LARGEST = 50 << 20
MOST_COLUMNS = 300
MOST_ROWS = 200_000
_CHUNK = 1 << 20
#: One cell may be a whole document. (The limit of the module is for all of the process.)
csv.field_size_limit(LARGEST)
#: Columns of ours, in files of bad rows: what they say is no part of an item.
OWN = ("_line", "_problem")
#: what a column can be -> how files of ours call it
TARGETS = {
    "input": "input",
    "expected_output": "expectedOutput",
    "metadata": "metadata",
    "id": "id",
    "status": "status",
    "source_trace_id": "sourceTraceId",
    "source_observation_id": "sourceObservationId",
}
_VALUES = ("input", "expected_output", "metadata")
_MEANT = {
    "input": "input inputs question prompt query request",
    "expected_output": "expectedoutput expected output outputs answer reference target label groundtruth completion",
    "metadata": "metadata meta",
    "id": "id itemid",
    "status": "status",
    "source_trace_id": "sourcetraceid",
    "source_observation_id": "sourceobservationid",
}
_GUESSES = {word: target for target, words in _MEANT.items() for word in words.split()}
_WORDS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Described:
    """What a file is: its columns in their order, and how many rows it has, those that cannot be read among them."""

    format: str
    delimiter: str
    columns: list[str]
    rows: int


@dataclass(frozen=True, slots=True)
class Row:
    """`number` from 0, `line` from 1; `cells` by column, or the problem that leaves none. `raw`: as it stood there."""

    number: int
    line: int
    cells: dict[str, Any]
    raw: Any
    problem: str = ""


# --- Text -------------------------------------------------------------------------------------------------
def as_utf8(source: IO[bytes], target: IO[bytes]) -> None:
    """Copies text in UTF-8, or in UTF-16 that says so, as UTF-8 without a mark. Raises Invalid naming the place of what
    is no text."""
    start = source.read(4)
    source.seek(0)
    if start.startswith(b"PK\x03\x04"):
        raise Invalid(_("This is a workbook or an archive. Save the table as CSV first."))
    is_wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    decoder = codecs.getincrementaldecoder("utf-16" if is_wide else "utf-8-sig")()
    line = 1
    while True:
        chunk = source.read(_CHUNK)
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            line += error.object[: error.start].count(b"\n")
            said = _("The file is not in UTF-8: line %(line)d cannot be read. Save it as UTF-8 and try again.")
            raise Invalid(said % {"line": line}) from None
        if "\x00" in text:
            raise Invalid(_("The file is not text: it holds NUL characters."))
        line += text.count("\n")
        target.write(text.encode())
        if not chunk:
            return


def describe(file: IO[bytes], name: str) -> Described:
    """Of UTF-8 text. Reads all of it. Raises Invalid where it is no table."""
    file.seek(0)
    head = file.read(64 << 10).lstrip()
    file.seek(0)
    if not head:
        raise Invalid(_("The file is empty."))
    ending = name.rpartition(".")[2].lower()
    is_lines = head.startswith(b"{") if ending not in ("csv", "tsv") else False
    if head.startswith(b"[") and ending not in ("csv", "tsv"):
        raise Invalid(_("A JSON array is not read. Write each item as an object in a line of its own."))
    found = _describe_lines(file) if is_lines else _describe_csv(file, head)
    if not found.rows:
        raise Invalid(_("The file has no rows."))
    if len(found.columns) > MOST_COLUMNS:
        raise Invalid(_("The file has more than %(most)d columns.") % {"most": MOST_COLUMNS})
    return found


def _describe_csv(file: IO[bytes], head: bytes) -> Described:
    first = head.split(b"\n", 1)[0].decode("utf-8", "replace")
    delimiter = max(",;\t|", key=lambda sign: (first.count(sign), sign == ","))
    columns: list[str] = []
    for position, title in enumerate(_header(file, delimiter)):
        name = title.strip() or _("column %(n)d") % {"n": position + 1}
        while name in columns:
            name += "′"
        columns.append(name)
    file.seek(0)
    return Described(CSV, delimiter, columns, sum(1 for _row in _bounded(_read_csv(file, delimiter, columns))))


def _header(file: IO[bytes], delimiter: str) -> list[str]:
    try:
        return next(iter(_reader(file, delimiter)), [])
    except csv.Error as error:
        raise Invalid(_("The first line is no line of a CSV: %(why)s.") % {"why": error}) from None


def _describe_lines(file: IO[bytes]) -> Described:
    columns: dict[str, None] = {}
    rows = 0
    for row in _bounded(_read_lines(file)):
        rows += 1
        if len(columns) <= MOST_COLUMNS:
            columns.update(dict.fromkeys(row.cells))
    return Described(JSONL, "", list(columns), rows)


def _bounded(rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        if row.number >= MOST_ROWS:
            raise Invalid(_("The file has more than %(most)d rows. Split it into several.") % {"most": MOST_ROWS})
        yield row


def forget_files(imports: Iterable[DatasetImport]) -> None:
    """Removes the bytes of these, which are about to go. What cannot be removed now is only room that is taken."""
    for kept in imports:
        if kept.is_kept:
            with suppress(OSError):
                default_storage.delete(kept.storage_key)


# --- Rows -------------------------------------------------------------------------------------------------
def read(file: IO[bytes], described: Described) -> Iterator[Row]:
    file.seek(0)
    if described.format == CSV:
        return _read_csv(file, described.delimiter, described.columns)
    return _read_lines(file)


def _reader(file: IO[bytes], delimiter: str) -> Any:
    file.seek(0)
    text = io.TextIOWrapper(io.BufferedReader(_Open(file), _CHUNK), encoding="utf-8", newline="")
    return csv.reader(text, delimiter=delimiter, strict=True)


class _Open(io.RawIOBase):
    """Lends a file to a wrapper, which would close it when it is let go."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _read_csv(file: IO[bytes], delimiter: str, columns: Sequence[str]) -> Iterator[Row]:
    reader = _reader(file, delimiter)
    number, is_head = 0, True
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(number, line, {}, [], _("This is no line of a CSV: %(why)s.") % {"why": error})
            number += 1
            continue
        if is_head:
            is_head = False
        elif cells:
            yield _csv_row(number, line, cells, columns)
            number += 1


def _csv_row(number: int, line: int, cells: list[str], columns: Sequence[str]) -> Row:
    if len(cells) != len(columns):
        said = ngettext(
            "It has %(n)d cell, and the first line names %(m)d columns.",
            "It has %(n)d cells, and the first line names %(m)d columns.",
            len(cells),
        )
        return Row(number, line, {}, cells, said % {"n": len(cells), "m": len(columns)})
    return Row(number, line, dict(zip(columns, cells, strict=True)), cells)


def _read_lines(file: IO[bytes]) -> Iterator[Row]:
    number = 0
    for position, raw in enumerate(file):
        if not raw.strip():
            continue
        cells, problem = {}, ""
        try:
            value = parse_json(raw)
            if isinstance(value, dict):
                cells = value
            else:
                problem = _("It is no object.")
        except ValueError as error:
            problem = _("It is not JSON: %(why)s.") % {"why": str(error)[:200]}
        yield Row(number, position + 1, cells, raw, problem)
        number += 1


# --- What a row says --------------------------------------------------------------------------------------
def guess(columns: Sequence[str]) -> dict[str, str]:
    """What each column may be meant as, by its name; the rest is nothing. A file has an input."""
    found = {name: "" if name in OWN else _GUESSES.get(_WORDS.sub("", name).lower(), "") for name in columns}
    if "input" not in found.values() and (free := [name for name, target in found.items() if not target]):
        first = next((name for name in free if name not in OWN), "")
        if first:
            found[first] = "input"
    return found


def change_of(row: Row, mapping: Mapping[str, str], *, reads_json: bool, is_csv: bool, new_id: str) -> ItemChange:
    """The item that a row is. Several columns of one field are an object of them; one is its value. `reads_json`: texts
    that are JSON are what they say. Raises Invalid naming column and reason."""
    if row.problem:
        raise Invalid(row.problem)
    said: dict[str, Any] = {}
    for target in TARGETS:
        named = [name for name, meant in mapping.items() if meant == target and name in row.cells]
        if not named:
            continue
        if target not in _VALUES:
            said[target] = _text_of(named[0], row.cells[named[0]])
        elif sum(meant == target for meant in mapping.values()) == 1:
            said[target] = _value(row.cells[named[0]], reads_json=reads_json, is_csv=is_csv)
        else:
            said[target] = {name: _value(row.cells[name], reads_json=reads_json, is_csv=is_csv) for name in named}
    if all(said.get(target) in (None, {}) for target in _VALUES):
        raise Invalid(_("Nothing of it is an input, an expected output or metadata."))
    status = said.pop("status", "").upper() or KEEP
    if status not in ("ACTIVE", "ARCHIVED", KEEP):
        raise wrong({"status": _("A status is ACTIVE or ARCHIVED.")})
    sources = {name: said.pop(name) for name in ("source_trace_id", "source_observation_id") if said.get(name)}
    for name in ("source_trace_id", "source_observation_id"):
        said.pop(name, None)
    return ItemChange(id=said.pop("id", "") or new_id, status=status, **said, **sources)


def id_of(row: Row, column: str) -> str:
    """Empty where it says none there, or nothing that can be one."""
    try:
        return _text_of(column, row.cells.get(column))
    except Invalid:
        return ""


def _text_of(column: str, cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return _unquoted(cell.strip())
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return str(cell)
    raise wrong({column: _("It is no text.")})


def _value(cell: Any, *, reads_json: bool, is_csv: bool) -> Any:
    if is_csv and not cell.strip():
        return None
    if isinstance(cell, str) and reads_json:
        return values.cleaned(cell)
    return values.without_control(cell)


# --- Cells of ours ----------------------------------------------------------------------------------------
_FORMULA = re.compile(r"^\s*[=+\-@\t\r＝＋－＠'\"]")


def cell_of(value: Any) -> str:
    """A value as it stands in a CSV: nothing for null, texts as they are where they are not taken for anything else (by
    us for JSON, by a spreadsheet for a formula), all else as JSON."""
    if value is None:
        return ""
    if isinstance(value, str) and not _needs_quotes(value):
        return value
    return orjson.dumps(value).decode()


def text_cell(text: str) -> str:
    return orjson.dumps(text).decode() if _FORMULA.match(text) else text


def _needs_quotes(text: str) -> bool:
    if not text.strip() or _FORMULA.match(text):
        return True
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _unquoted(text: str) -> str:
    """The other way round of `text_cell`."""
    if text.startswith('"'):
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
        return value if isinstance(value, str) else text
    return text
