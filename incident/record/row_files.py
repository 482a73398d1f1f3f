"""Files of rows, whatever their shape: CSV, TSV, JSON Lines and Parquet, from a file or standard input.

One row is held at a time (of Parquet a piece), so the size of a file does not matter. Nothing is guessed: not the
encoding, and not the format where the name does not say it. What cannot be read ends with `BadInput` that names the line.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import json
import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from incident.errors import BadInput

LONGEST_LINE = 1_000_000
_BLOCK_BYTES = 1 << 18
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


class RowFormat(StrEnum):
    """How a file holds its rows.

    CSV and TSV as spreadsheets write them, with a header and quotes (RFC 4180); JSON Lines with one flat object a line,
    whose first object's keys are the header. Parquet says its encoding itself.
    """

    CSV = "csv"
    TSV = "tsv"
    JSONL = "jsonl"
    PARQUET = "parquet"


SUFFIXES = {
    ".csv": RowFormat.CSV,
    ".tsv": RowFormat.TSV,
    ".tab": RowFormat.TSV,
    ".jsonl": RowFormat.JSONL,
    ".ndjson": RowFormat.JSONL,
    ".parquet": RowFormat.PARQUET,
}
_DELIMITERS = {RowFormat.CSV: ",", RowFormat.TSV: "\t"}

# `(number, cells)`: numbers count from 1 at the first row after the header, also over rows without any text, which
# are left out.
NumberedRow = tuple[int, list[str]]


@dataclass(frozen=True)
class Rows:
    """A header and the rows below it, which can be read once. A row may have another number of cells than the header.

    `name` is how errors call the file.
    """

    name: str
    header: tuple[str, ...]
    numbered: Iterator[NumberedRow]


@dataclass(frozen=True)
class RowFile:
    """Where rows are and how to read them. `path` `-` is standard input; `format` None leaves it to the name."""

    path: Path
    encoding: str = "utf-8"
    format: RowFormat | None = None

    @property
    def is_standard_input(self) -> bool:
        return str(self.path) == "-"

    @property
    def name(self) -> str:
        """How errors and the record call it."""
        return "standard input" if self.is_standard_input else self.path.name


@dataclass(frozen=True)
class ReadSoFar:
    """How far a file was read. `size` is None where nobody knows the end; both are bytes."""

    rows: int
    bytes_read: int
    size: int | None


class OpenRowFile:
    """A file being read: its rows, and how much of it was read so far."""

    def __init__(self, rows: Rows, raw: _Counted, size: int | None) -> None:
        self.rows = rows
        self._raw = raw
        self._size = size

    def read_so_far(self, rows: int) -> ReadSoFar:
        """How far it was read when so many rows were taken; the bytes are a little ahead of them."""
        return ReadSoFar(rows, self._raw.count, self._size)

    @property
    def sha256(self) -> str | None:
        """The hash of the whole file, in hexadecimal; None before its end was reached."""
        return self._raw.digest.hexdigest() if self._raw.at_end else None


@contextmanager
def open_rows(file: RowFile) -> Iterator[OpenRowFile]:
    """Open a file and read its header. Raises `BadInput`, also from the rows while they are read."""
    with _opened(file) as source:
        format = format_of(file)
        counted = _Counted(source)
        if format is RowFormat.PARQUET:
            yield _parquet(file, source, counted)
            return
        rows = read_rows(counted, encoding=file.encoding, name=file.name, format=format)
        yield OpenRowFile(rows, counted, _size(source))


def _parquet(file: RowFile, source: BinaryIO, counted: _Counted) -> OpenRowFile:
    from incident.record.parquet_rows import read_parquet

    size = _size(source)
    if size is None:
        raise BadInput(
            "Parquet is read from its end, which a pipe does not have yet",
            where=file.name,
            next_step="write it to a file first and give that, or send CSV or JSON Lines",
        )
    header, numbered = read_parquet(source, name=file.name)

    def counted_rows() -> Iterator[NumberedRow]:
        for row in numbered:
            counted.count = min(source.tell(), size)
            yield row
        # The reader jumps in the file: its bytes are hashed in their order once all is read.
        source.seek(0)
        counted.count = 0
        while counted.read(_BLOCK_BYTES):
            pass

    return OpenRowFile(Rows(file.name, header, counted_rows()), counted, size)


def format_of(file: RowFile) -> RowFormat:
    """The declared format, else what the name ends with. Raises `BadInput`."""
    if file.format is not None:
        return file.format
    found = SUFFIXES.get(file.path.suffix.lower())
    if found is None:
        raise BadInput(
            "the name does not say in which format the rows are",
            where=file.name,
            next_step=f"say it with --format ({', '.join(RowFormat)}); save a spreadsheet as CSV first",
        )
    return found


def read_rows(source: ReadsBytes, *, encoding: str, name: str, format: RowFormat) -> Rows:
    """The rows in a source of bytes, of any format but Parquet.

    Raises `BadInput` for an unknown encoding and for a file that is empty, or is not in its format or encoding; the
    last two also from the rows.
    """
    lines = _Lines(source, encoding, name)
    if format is RowFormat.JSONL:
        return _json_rows(lines, name)
    return _delimited_rows(lines, name, _DELIMITERS[format])


class ReadsBytes(Protocol):
    """What gives at most so many bytes at a time, and none at its end."""

    def read(self, size: int, /) -> bytes: ...


class _Lines:
    """The lines of a source, decoded and checked to be text, a block at a time: looking at each line takes longer."""

    def __init__(self, source: ReadsBytes, encoding: str, name: str) -> None:
        self._source, self._name, self._encoding = source, name, encoding
        try:
            # It knows which encodings are of texts; there are others, such as hex.
            io.TextIOWrapper(io.BytesIO(), encoding=encoding)
            self._decoder = codecs.getincrementaldecoder(encoding)()
        except (LookupError, ValueError):
            raise BadInput(
                f"there is no encoding {encoding!r}", next_step="use utf-8, gb18030 or utf-16"
            ) from None

    def __iter__(self) -> Iterator[str]:
        begun, handed_out = "", 0
        for text in self._blocks():
            # A line ends as csv has it: with \n, \r or both. What has no end yet may go on in the next block.
            lines = list(io.StringIO(begun + text, newline=""))
            begun = "" if lines[-1].endswith("\n") else lines.pop()
            # Only what began in an earlier block can be so long.
            if len(lines[0] if lines else begun) >= LONGEST_LINE:
                raise BadInput(
                    f"the line is longer than {LONGEST_LINE:,} characters, so this is no list of people",
                    where=f"{self._name}, line {handed_out + 1}",
                    next_step="give a file with one person a row",
                )
            handed_out += len(lines)
            yield from lines
        if begun:
            yield begun

    def _blocks(self) -> Iterator[str]:
        """The text, checked; none of the blocks is empty. A byte-order mark is no part of it."""
        is_first, line_ends = True, 0
        while True:
            content = self._source.read(_BLOCK_BYTES)
            try:
                text = self._decoder.decode(content, final=not content)
            except UnicodeError as error:
                good = error.object[: error.start] if isinstance(error, UnicodeDecodeError) else b""
                line_ends += good.count(b"\n")
                raise BadInput(
                    f"the file is not in the encoding {self._encoding}",
                    where=f"{self._name}, after line {line_ends}",
                    next_step="name the right one, for example --encoding gb18030",
                ) from error
            if not _is_text(text):
                before, *_ = _NO_TEXT.split(text, maxsplit=1)
                raise BadInput(
                    "the line holds bytes that are no text, so the file is not in the encoding that was given",
                    where=f"{self._name}, line {line_ends + _line_ends(before) + 1}",
                    next_step="name the right one, for example --encoding utf-16",
                )
            line_ends += _line_ends(text)
            if text and is_first:
                text, is_first = text.removeprefix("\ufeff"), False
            if text:
                yield text
            if not content:
                return


def _is_text(text: str) -> bool:
    """Whether a text is without the character zero and halves of characters. Faster than a search for them."""
    if "\0" in text:
        return False
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _line_ends(text: str) -> int:
    return text.count("\n") or text.count("\r")


def _delimited_rows(lines: _Lines, name: str, delimiter: str) -> Rows:
    # Strict: a quote that is never closed would swallow the rows, and the people, that follow.
    reader = csv.reader(iter(lines), strict=True, delimiter=delimiter)

    def numbered() -> Iterator[NumberedRow]:
        try:
            for number, row in enumerate(reader, start=1):
                if "".join(row).strip():
                    yield number, row
        except csv.Error as error:
            raise _no_csv(error) from error

    def _no_csv(error: csv.Error) -> BadInput:
        return BadInput(
            f"the file is no {'CSV' if delimiter == ',' else 'TSV'} ({error})",
            where=f"{name}, line {reader.line_num}",
            next_step="close every quote, double those inside a cell, and separate cells by "
            + ("commas" if delimiter == "," else "tabs"),
        )

    try:
        header = next(reader, None)
    except csv.Error as error:
        raise _no_csv(error) from error
    if header is None or not any(cell.strip() for cell in header):
        raise BadInput(
            "the file is empty",
            where=name,
            next_step="give a file with a header row, for example: reference,name,email",
        )
    return Rows(name, tuple(header), numbered())


def _json_rows(lines: _Lines, name: str) -> Rows:
    objects = (
        (number, _object_of(line, where=f"{name}, line {number}"))
        for number, line in enumerate(lines, start=1)
        if line.strip()
    )
    first = next(objects, None)
    if first is None or not any(key.strip() for key in first[1]):
        raise BadInput(
            "the file is empty",
            where=name,
            next_step='give a file with an object a line, for example: {"reference": "C1", "name": "Bo"}',
        )
    header = tuple(first[1])

    def numbered() -> Iterator[NumberedRow]:
        for number, cells in chain([first], objects):
            unknown = cells.keys() - first[1].keys()
            if unknown:
                raise BadInput(
                    f"the first object has no {', '.join(repr(key) for key in sorted(unknown))}",
                    where=f"{name}, line {number}",
                    next_step="name every key in the first object, with null where it says nothing",
                )
            row = [cells.get(key, "") for key in header]
            if "".join(row).strip():
                yield number, row

    return Rows(name, header, numbered())


def _object_of(line: str, *, where: str) -> dict[str, str]:
    try:
        # Numbers stay as they are written: a phone number is no quantity.
        read = json.loads(
            line, object_pairs_hook=_pairs, parse_int=str, parse_float=str, parse_constant=_no_json
        )
    except (ValueError, RecursionError) as error:
        raise BadInput(
            "the line is no JSON object with each key once",
            where=where,
            next_step='write one object a line, for example: {"reference": "C1", "name": "Bo"}',
        ) from error
    if not isinstance(read, dict):
        raise BadInput(
            "the line holds JSON, but no object",
            where=where,
            next_step='write one object a line, for example: {"reference": "C1", "name": "Bo"}',
        )
    cells: dict[str, str] = {}
    for key, value in read.items():
        if isinstance(value, dict | list):
            raise BadInput(
                f"{key!r} holds an object or a list",
                where=where,
                next_step="write a text, a number, true, false or null; several kinds of data as one text, with ;",
            )
        cells[key] = "" if value is None else str(value).lower() if isinstance(value, bool) else value
        # An escape such as \ud800 says in plain letters what no text can hold.
        if not _is_text(key + cells[key]):
            raise BadInput(
                f"{key!r} holds what is no text",
                where=where,
                next_step="remove escapes of half characters and of the character zero",
            )
    return cells


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_json(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


@contextmanager
def _opened(file: RowFile) -> Iterator[BinaryIO]:
    """The bytes of a file, or of standard input, which stays open."""
    if file.is_standard_input:
        yield sys.stdin.buffer
        return
    try:
        source = file.path.open("rb", buffering=0)
    except OSError as error:
        raise BadInput(
            f"the list cannot be read ({error.strerror})",
            where=str(file.path),
            next_step="check the path, and that this account may read it",
        ) from error
    with source:
        yield cast(BinaryIO, source)


class _Counted:
    """Bytes that are counted and hashed as they are read."""

    def __init__(self, source: BinaryIO) -> None:
        self.count = 0
        self.digest = hashlib.sha256()
        self.at_end = False
        self._source = source

    def read(self, size: int, /) -> bytes:
        try:
            content = self._source.read(size)
        except OSError as error:
            raise BadInput(
                f"the list cannot be read any further ({error.strerror})",
                where=f"after {self.count:,} bytes",
                next_step="check the disk or the connection it comes over, and call this again",
            ) from error
        self.digest.update(content)
        self.count += len(content)
        self.at_end = not content
        return content


def _size(source: BinaryIO) -> int | None:
    """The size of a file; None for a pipe, whose end nobody knows."""
    try:
        status = os.fstat(source.fileno())
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
