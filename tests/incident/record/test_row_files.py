"""Files of rows: every format gives back what was written, and what is broken is refused with its line."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.record.row_files import (
    SUFFIXES,
    NumberedRow,
    ReadSoFar,
    RowFile,
    RowFormat,
    format_of,
    open_rows,
    read_rows,
)

HEADER = ("reference", "姓名", "note")
OF_TEXT = [each for each in RowFormat if each is not RowFormat.PARQUET]


def read_bytes(
    content: bytes, encoding: str = "utf-8", format: RowFormat = RowFormat.CSV
) -> tuple[tuple[str, ...], list[NumberedRow]]:
    rows = read_rows(io.BytesIO(content), encoding=encoding, name="list", format=format)
    return rows.header, list(rows.numbered)


def written(rows: list[list[str]], format: RowFormat) -> str:
    out = io.StringIO(newline="")
    if format is RowFormat.JSONL:
        for row in rows:
            out.write(json.dumps(dict(zip(HEADER, row, strict=True)), ensure_ascii=False) + "\n")
    else:
        writer = csv.writer(out, delimiter="," if format is RowFormat.CSV else "\t")
        writer.writerows([list(HEADER), *rows])
    return out.getvalue()


# All but half characters and the character zero, which no list holds and which are refused.
text = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=12)
hostile = text | st.sampled_from(
    ['"', '""', ",", "\t", "\n", "\r\n", "\r", "\\", "{", "\ufeff", "=cmd()", "\u2028", "𠀀"]
)


@pytest.mark.parametrize("format", OF_TEXT)
@given(
    rows=st.lists(st.lists(hostile, min_size=3, max_size=3), min_size=1, max_size=5),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]),
)
@example(rows=[["", " ", ""], ["C1", '"', "\n"]], encoding="utf-16")
def test_what_was_written_is_read_back_in_every_format_and_encoding(
    format: RowFormat, rows: list[list[str]], encoding: str
) -> None:
    header, found = read_bytes(written(rows, format).encode(encoding), encoding, format)
    assert header == HEADER
    assert [cells for _, cells in found] == [row for row in rows if any(cell.strip() for cell in row)]
    assert [number for number, _ in found] == [
        number for number, row in enumerate(rows, start=1) if any(cell.strip() for cell in row)
    ]


@pytest.mark.parametrize("format", OF_TEXT)
@given(
    content=st.binary(max_size=200) | st.text(max_size=80).map(str.encode),
    encoding=st.sampled_from(["utf-8", "gb18030", "utf-16", "utf-7", "latin-1"]),
)
@example(content=b"[" * 5000, encoding="utf-8")
@example(content=b'{"a": ' * 5000, encoding="utf-8")
@example(content=b'{"a": NaN}', encoding="utf-8")
def test_no_bytes_whatever_raise_anything_but_bad_input(
    format: RowFormat, content: bytes, encoding: str
) -> None:
    for head in (b"", b'{"reference": "C1"}\n' if format is RowFormat.JSONL else b"reference\n"):
        try:
            read_bytes(head + content, encoding, format)
        except BadInput as error:
            assert error.where and error.next_step


def test_numbers_in_json_stay_as_they_are_written_and_nothing_is_an_empty_cell() -> None:
    header, rows = read_bytes(
        b'{"phone": 13800138000, "share": 1.50, "left": true, "name": null}\n\n{"name": "Bo"}\n',
        format=RowFormat.JSONL,
    )
    assert header == ("phone", "share", "left", "name")
    assert rows == [(1, ["13800138000", "1.50", "true", ""]), (3, ["", "", "", "Bo"])]


@pytest.mark.parametrize(
    ("line", "said", "where"),
    [
        ('{"id": "C2", "colour": "red"}', "no 'colour'", "line 2"),
        ('{"id": "C2", "id": "C3"}', "each key once", "line 2"),
        ('{"id": "C2"} {"id": "C3"}', "no JSON object", "line 2"),
        ('{"id": ["C2"]}', "'id' holds an object or a list", "line 2"),
        ('{"id": {"a": 1}}', "'id' holds an object or a list", "line 2"),
        ('{"id": Infinity}', "no JSON object", "line 2"),
        ('["C2"]', "but no object", "line 2"),
        ('{"id": "\\ud800"}', "no text", "line 2"),
        ('{"id": "a\\u0000"}', "no text", "line 2"),
    ],
)
def test_a_line_of_json_that_is_no_flat_object_is_refused_with_its_number(
    line: str, said: str, where: str
) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        read_bytes(f'{{"id": "C1"}}\n{line}\n'.encode(), format=RowFormat.JSONL)
    assert caught.value.where is not None and where in caught.value.where
    assert caught.value.next_step


def test_a_quote_that_is_never_closed_does_not_swallow_the_people_after_it() -> None:
    for content in ('reference,name\nC1,"Bo\nC2,Li\n', 'reference,name\nC1,"Bo\nC2,Li\nC3,"Wu"\n', '"a\n'):
        with pytest.raises(BadInput, match="no CSV") as caught:
            read_bytes(content.encode())
        assert caught.value.where is not None and "line" in caught.value.where
    with pytest.raises(BadInput, match="no TSV"):
        read_bytes(b'reference\tname\nC1\t"Bo\n', format=RowFormat.TSV)


@pytest.mark.parametrize(
    ("content", "encoding", "said"),
    [
        ("姓名,邮箱\n张三,a@example.org\n".encode("gb18030"), "utf-8", "not in the encoding utf-8"),
        ("email\na@example.org\n".encode("utf-16-le"), "utf-8", "bytes that are no text"),
        ("email\na@example.org\n".encode("utf-16-le")[:-1], "utf-16-le", "not in the encoding utf-16"),
        (b"email\n+2AA-\n", "utf-7", "bytes that are no text"),
        (b"email\n\xff\n", "ascii", "not in the encoding ascii"),
        (b"email\n" + b"a" * 1_000_001, "utf-8", "longer than 1,000,000 characters"),
    ],
)
def test_a_file_in_another_encoding_is_refused_with_advice(content: bytes, encoding: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        read_bytes(content, encoding)
    assert caught.value.next_step


@pytest.mark.parametrize("encoding", ["klingon", "hex", "base64", "rot13", "", "utf-8\0"])
def test_what_is_no_encoding_of_texts_is_refused(encoding: str) -> None:
    with pytest.raises(BadInput, match="there is no encoding") as caught:
        read_bytes(b"reference\n", encoding)
    assert caught.value.next_step is not None and "gb18030" in caught.value.next_step


def test_the_line_of_a_fault_is_told_far_into_a_file() -> None:
    good = b"reference,name\n" + b"C1,Bo\n" * 200_000
    for broken, said in ((b"C2,\xff\n", "after line 200001"), (b"C2,\0\n", "line 200002")):
        with pytest.raises(BadInput) as caught:
            read_bytes(good + broken + good)
        assert caught.value.where == f"list, {said}"


@given(
    lines=st.lists(st.sampled_from(["C1,Bo", '"C\n2",', "", "，,𠀀"]), max_size=30),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    pieces=st.integers(min_value=1, max_value=7),
    encoding=st.sampled_from(["utf-8", "gb18030", "utf-16"]),
)
def test_rows_are_the_same_in_whatever_pieces_the_bytes_come(
    lines: list[str], end: str, pieces: int, encoding: str
) -> None:
    content = end.join(["reference,name", *lines]).encode(encoding)

    class InPieces(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(pieces)

    rows = read_rows(InPieces(content), encoding=encoding, name="list", format=RowFormat.CSV)
    whole = list(csv.reader(io.StringIO(content.decode(encoding), newline=""), strict=True))[1:]
    assert list(rows.numbered) == [
        (number, row) for number, row in enumerate(whole, start=1) if "".join(row).strip()
    ]


@pytest.mark.parametrize(
    ("content", "format"),
    [
        *((content, format) for format in OF_TEXT for content in (b"", b"\n\n", "\ufeff".encode())),
        (b" , ,\n", RowFormat.CSV),
        (b" \t \n", RowFormat.TSV),
        (b"{}\n", RowFormat.JSONL),
        (b'{"": "C1"}\n', RowFormat.JSONL),
    ],
)
def test_a_file_without_a_header_is_refused(content: bytes, format: RowFormat) -> None:
    with pytest.raises(BadInput, match="the file is empty") as caught:
        read_bytes(content, format=format)
    assert caught.value.next_step


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_name_says_the_format_in_any_case_and_the_call_may_say_another(suffix: str) -> None:
    assert format_of(RowFile(Path(f"list{suffix.upper()}"))) is SUFFIXES[suffix]
    assert format_of(RowFile(Path(f"list{suffix}"), format=RowFormat.TSV)) is RowFormat.TSV


@pytest.mark.parametrize("name", ["list", "list.xlsx", "list.txt", "list.csv.gz", "-"])
def test_a_name_that_does_not_say_the_format_is_not_guessed(name: str) -> None:
    with pytest.raises(BadInput, match="does not say in which format") as caught:
        format_of(RowFile(Path(name)))
    assert caught.value.next_step is not None and "--format" in caught.value.next_step


def test_a_file_is_hashed_and_counted_as_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    content = b"reference\n" + b"".join(b"C%d\n" % number for number in range(100_000))
    file.write_bytes(content)
    with open_rows(RowFile(file)) as opened:
        next(opened.rows.numbered)
        begun = opened.read_so_far(1)
        assert opened.sha256 is None, "it is not known before the end"
        assert 0 < begun.bytes_read < len(content)
        assert sum(1 for _ in opened.rows.numbered) == 99_999
        assert opened.read_so_far(100_000) == ReadSoFar(100_000, len(content), len(content))
        assert opened.sha256 == hashlib.sha256(content).hexdigest()


def test_a_pipe_is_read_to_its_end_and_has_no_size(tmp_path: Path) -> None:
    pipe = tmp_path / "list.jsonl"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b'{"reference": "C1"}\n',))
    writer.start()
    with open_rows(RowFile(pipe)) as opened:
        assert list(opened.rows.numbered) == [(1, ["C1"])]
        assert opened.read_so_far(1) == ReadSoFar(1, 20, None)
        assert opened.sha256 == hashlib.sha256(b'{"reference": "C1"}\n').hexdigest()
    writer.join()
