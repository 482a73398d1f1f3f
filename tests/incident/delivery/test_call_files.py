"""Lists as they come back: from other programs, in other countries, and with what nobody meant to send."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from incident.delivery.call_files import COLUMNS, read_results
from incident.delivery.call_results import CallReport, CallResult
from incident.errors import BadInput

CODE, OTHER = "K7P2-4M9Q-X5G", "M2QX-7D4R-9WN"
CALLED_AT = datetime(2026, 3, 5, 10, 15, tzinfo=UTC)


def read(text: str) -> tuple[list[CallReport], int]:
    return read_results(text, when=lambda said: CALLED_AT)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_a_list_is_read_as_spreadsheet_programs_write_it(separator: str, ending: str) -> None:
    lines = [
        ["List", " CODE ", "Result", "called_at", "by", "note", "phone"],
        ["1", CODE, "told", "2026-03-05 10:15", "agent 7", "", "+8613800138000"],
        ["1", OTHER, "", "", "", "", ""],
    ]
    text = "\ufeff" + ending.join(separator.join(line) for line in lines) + ending
    assert read(text) == ([CallReport(CODE, CallResult.TOLD, 1, CALLED_AT, "agent 7", "", "line 2")], 1)


def test_what_is_quoted_may_hold_any_separator() -> None:
    [report], _ = read(f'code;result;note\n{CODE};told;"a, b; c\td"\n')
    assert report.note == "a, b; c d"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_name_of_a_column_holds_a_separator(separator: str) -> None:
    assert not any(separator in name for name in COLUMNS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column code"),
        ("\0c\0o\0d\0e\0,\0r", "no column code"),
        (f"code,result\n{CODE};told\n", "1 cells"),
        (f"code;result\n{CODE},told\n", "1 cells"),
        (f"code,result\n{CODE},{'x' * 10_000_000}\n", "no file of comma-separated values"),
        (f"code,result\n{CODE},{'x' * 100_000}\n", "is no result"),
        (f"list,code,result\n{'9' * 100_000},{CODE},told\n", "is no number of a list"),
        (f"code,result\n{CODE},told\ud800\n", "is no result"),
    ],
)
def test_what_is_no_list_is_refused_in_few_words(text: str, said: str) -> None:
    with pytest.raises(BadInput) as refused:
        read(text)
    assert said in str(refused.value) and len(str(refused.value)) < 600
