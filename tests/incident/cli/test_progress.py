"""How far reading has come: at most a line a second, and no time left where the size is not known."""

from __future__ import annotations

from incident.cli.progress import Progress, progress_line
from incident.record.row_files import ReadSoFar

NOTHING = ReadSoFar(0, 0, None)


def test_rates_and_the_time_left_are_told() -> None:
    assert progress_line(NOTHING, ReadSoFar(120_000, 12_000_000, 12_000_000_000), seconds=2) == (
        "120,000 rows, 12 MB, 60,000 rows/s, 6.0 MB/s, 0:33:18 left"
    )
    begun = ReadSoFar(60_000, 6_000_000, 12_000_000_000)
    assert progress_line(begun, ReadSoFar(120_000, 12_000_000, 12_000_000_000), seconds=2) == (
        "120,000 rows, 12 MB, 30,000 rows/s, 3.0 MB/s, 1:06:36 left"
    )


def test_a_pipe_has_no_time_left_and_a_file_that_grows_none_below_zero() -> None:
    assert "left" not in progress_line(NOTHING, ReadSoFar(10, 1000, None), seconds=2)
    assert progress_line(NOTHING, ReadSoFar(10, 1000, 900), seconds=2).endswith("0:00:00 left")
    stuck = ReadSoFar(10, 1000, 9000)
    assert progress_line(stuck, stuck, seconds=2).endswith("0 rows/s, 0.0 MB/s")


def test_people_that_come_from_no_file_have_no_bytes() -> None:
    assert progress_line(NOTHING, ReadSoFar(10, 0, None), seconds=2) == "10 rows, 5 rows/s"


def test_at_most_a_line_a_second_is_said() -> None:
    said: list[str] = []
    ticks = iter([10.0, 10.5, 11.0, 11.9, 12.0])
    progress = Progress(said.append, "crm.csv", clock=lambda: next(ticks))
    for rows in (1, 2, 3, 4, 5):
        progress(ReadSoFar(rows, rows, None))
    assert [line.split(",")[0] for line in said] == ["  crm.csv: 3 rows", "  crm.csv: 5 rows"]
