"""Parquet: every kind of column that a list of people may have comes out as text, and what is broken is refused."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from incident.errors import BadInput
from incident.record.parquet_rows import read_parquet
from incident.record.row_files import RowFile, RowFormat, open_rows


def written(columns: dict[str, Any], *, rows_a_group: int = 2, **options: Any) -> bytes:
    out = io.BytesIO()
    parquet.write_table(pa.table(columns), out, row_group_size=rows_a_group, **options)
    return out.getvalue()


def cells(values: Sequence[Any], kind: pa.DataType | None = None) -> list[str]:
    """What one column becomes, beside one that is never empty."""
    content = written({"it": pa.array(values, kind), "row": [str(number) for number in range(len(values))]})
    _, rows = read_parquet(io.BytesIO(content), name="list.parquet")
    return [row[0] for _, row in rows]


text = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=12)


@given(st.lists(st.tuples(text, text), min_size=1, max_size=9))
def test_texts_come_back_and_rows_without_any_are_left_out(rows: list[tuple[str, str]]) -> None:
    content = written({"客户编号": [first for first, _ in rows], "name": [second for _, second in rows]})
    header, found = read_parquet(io.BytesIO(content), name="list.parquet")
    assert header == ("客户编号", "name")
    assert list(found) == [
        (number, list(row)) for number, row in enumerate(rows, start=1) if "".join(row).strip()
    ]


@pytest.mark.parametrize(
    ("values", "kind", "read"),
    [
        (["a", None, "张"], pa.large_string(), ["a", "", "张"]),
        (["a", None, "a"], pa.dictionary(pa.int32(), pa.string()), ["a", "", "a"]),
        ([13800138000, None, -1], pa.int64(), ["13800138000", "", "-1"]),
        ([2**64 - 1], pa.uint64(), [str(2**64 - 1)]),
        # A column of numbers in which one is missing, as pandas writes it.
        ([13800138000.0, float("nan"), 1.5], pa.float64(), ["13800138000", "", "1.5"]),
        ([float("inf"), float("-inf")], pa.float64(), ["inf", "-inf"]),
        ([Decimal("13800138000.00"), Decimal("1.50"), None], pa.decimal128(20, 2), ["13800138000", "1.5", ""]),
        ([True, False, None], pa.bool_(), ["true", "false", ""]),
        ([date(2019, 7, 7), None], pa.date32(), ["2019-07-07", ""]),
        ([datetime(2019, 7, 7), datetime(2019, 7, 7, 8, 30)], pa.timestamp("ns"), ["2019-07-07", "2019-07-07T08:30:00"]),  # noqa: DTZ001 - without a zone on purpose
        ([datetime(2019, 7, 7, 8, tzinfo=UTC)], pa.timestamp("ms", tz="UTC"), ["2019-07-07T08:00:00+00:00"]),
        ([["phone_number", "location"], [], None, ["name", None]], pa.list_(pa.string()), ["phone_number;location", "", "", "name"]),
        ([None, None], pa.null(), ["", ""]),
    ],
)  # fmt: skip
def test_each_kind_of_column_becomes_text(values: list[Any], kind: pa.DataType, read: list[str]) -> None:
    assert cells(values, kind) == read


def test_nanoseconds_are_no_reason_to_fail() -> None:
    assert cells([1_562_486_400_000_000_123], pa.timestamp("ns")) == ["2019-07-07T08:00:00"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([b"\x89PNG"], pa.binary()),
        ([{"a": 1}], pa.struct([("a", pa.int32())])),
        ([[("a", 1)]], pa.map_(pa.string(), pa.int32())),
        ([[b"x"]], pa.list_(pa.binary())),
        ([1], pa.duration("s")),
    ],
)
def test_a_column_that_is_no_text_is_refused_by_its_name(values: list[Any], kind: pa.DataType) -> None:
    with pytest.raises(BadInput, match="column 'it' holds"):
        cells(values, kind)


def test_a_day_beyond_the_calendar_is_refused_with_the_row_before_it() -> None:
    with pytest.raises(BadInput, match="damaged") as raised:
        cells([0, 2**31 - 1], pa.date32())
    assert raised.value.where == "list.parquet"


def test_the_character_zero_is_refused_with_its_row() -> None:
    with pytest.raises(BadInput) as raised:
        cells(["a", "b\0"])
    assert raised.value.where == "list.parquet, row 2"


def test_two_columns_of_one_name_and_no_columns_are_refused() -> None:
    out = io.BytesIO()
    parquet.write_table(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["x", "x"]), out)
    with pytest.raises(BadInput, match="several columns are called x"):
        read_parquet(io.BytesIO(out.getvalue()), name="list")
    with pytest.raises(BadInput, match="no columns"):
        read_parquet(io.BytesIO(written({"": ["a"]})), name="list")


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
def test_a_file_that_is_cut_off_or_changed_is_refused_or_read_never_a_crash(compression: str) -> None:
    whole = written({"reference": [f"C{n}" for n in range(50)]}, rows_a_group=10, compression=compression)
    _, rows = read_parquet(io.BytesIO(whole), name="list")
    assert len(list(rows)) == 50
    for size in range(0, len(whole), 7):
        with pytest.raises(BadInput):
            _, rows = read_parquet(io.BytesIO(whole[:size]), name="list")
            list(rows)


@given(st.binary(max_size=300))
def test_bytes_that_are_no_parquet_are_refused(content: bytes) -> None:
    for each in (content, b"PAR1" + content + b"PAR1"):
        with pytest.raises(BadInput, match="no Parquet file"):
            read_parquet(io.BytesIO(each), name="list")


def test_a_file_is_hashed_whole_once_it_was_read_to_its_end(tmp_path: Path) -> None:
    content = written({"reference": [f"C{number}" for number in range(10_000)]}, rows_a_group=1000)
    file = tmp_path / "list.parquet"
    file.write_bytes(content)
    with open_rows(RowFile(file)) as opened:
        first = next(opened.rows.numbered)
        assert (first, opened.sha256) == ((1, ["C0"]), None)
        assert opened.read_so_far(1).size == len(content)
        assert len(list(opened.rows.numbered)) == 9_999
        assert opened.sha256 == hashlib.sha256(content).hexdigest()
        assert opened.read_so_far(10_000).bytes_read == len(content)


def test_a_pipe_is_refused_as_parquet_is_read_from_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(b"PAR1"))
    writer.start()
    with (
        pytest.raises(BadInput, match="a pipe does not have"),
        open_rows(RowFile(pipe, format=RowFormat.PARQUET)),
    ):
        pass
    writer.join(10)


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(BadInput) as raised:
        read_parquet(io.BytesIO(b""), name="list.parquet")
    assert raised.value.next_step == "pip install 'tocsin[bigdata]'"
