"""The benchmark `letters`: both really set the same letters, and a turn that did not has no figure."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import letter_setters, letters
from benchmarks.measure import CommandFailed
from tests.support.printed import fonts_for_letters, pages_of

SETTERS = {"tocsin": letter_setters.prepare_tocsin, "weasyprint": letter_setters.prepare_weasyprint}


def need_weasyprint() -> None:
    fonts_for_letters()
    # Where Pango is missing it cannot even be loaded.
    try:
        import weasyprint  # noqa: F401
    except (ImportError, OSError):
        pytest.skip("the peers of benchmarks are installed by `make bench-peers`, and WeasyPrint needs Pango")


def test_both_set_the_same_letters_on_as_many_pages() -> None:
    need_weasyprint()
    result = letters.run(people=3, rounds=1)
    assert {line.who for line in result.lines} == {"tocsin", "weasyprint"}
    assert result.ratios.keys() == {"weasyprint"}
    assert all(line.figure > 0 and line.cpu > 0 for line in result.lines)
    assert result.notes[0].startswith("3 Chinese letters of 2 pages in one document, beside 3 documents")


def test_both_letters_say_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_weasyprint()
    from weasyprint.document import Document

    import incident.notice.letter_printing as printing

    made: dict[str, bytes] = {}
    write, document = Document.write_pdf, printing._Typesetter.document

    def keep_theirs(self: Document, *args: object, **more: object) -> bytes:
        made["weasyprint"] = write(self, *args, **more)
        return made["weasyprint"]

    def keep_ours(self: printing._Typesetter, *args: object) -> bytes:
        made["tocsin"] = document(self, *args)  # type: ignore[arg-type]
        return made["tocsin"]

    monkeypatch.setattr(Document, "write_pdf", keep_theirs)
    monkeypatch.setattr(printing._Typesetter, "document", keep_ours)
    said = {}
    for who, prepare in SETTERS.items():
        assert prepare()([letter_setters.somebody(7)])[:2] == (1, 2)
        text = "".join(page.text for page in pages_of(made[who], tmp_path))
        # Only the marks of lists are not the same.
        said[who] = sorted(re.sub("[.•·]", "", text))
    assert said["tocsin"] == said["weasyprint"]


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        (
            '{"letters": 2, "pages": 4, "size": 1, "wall": 1, "cpu": 1, "peak": 1}',
            "made 2 letters of 3, on 4 pages",
        ),
        (
            '{"letters": 3, "pages": 2, "size": 1, "wall": 1, "cpu": 1, "peak": 1}',
            "made 3 letters of 3, on 2 pages",
        ),
    ],
)
def test_a_turn_that_lost_letters_has_no_figure(
    monkeypatch: pytest.MonkeyPatch, printed: str, message: str
) -> None:
    monkeypatch.setattr(letters, "find_spec", lambda name: object())
    monkeypatch.setattr(subprocess, "run", answers(0, printed))
    with pytest.raises(CommandFailed, match=message):
        letters.run(people=3, rounds=1)


def test_a_turn_that_fails_shows_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "find_spec", lambda name: object())
    monkeypatch.setattr(subprocess, "run", answers(1, "", "no such font"))
    with pytest.raises(CommandFailed, match="no such font"):
        letters.run(people=3, rounds=1)


@pytest.mark.parametrize(
    ("gone", "step"), [("typst", r"tocsin\[paper\]"), ("weasyprint", "make bench-peers")]
)
def test_a_missing_package_is_told_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], gone: str, step: str
) -> None:
    monkeypatch.setattr(letters, "find_spec", lambda name: None if name == gone else object())
    with pytest.raises(CommandFailed, match=step):
        letters.run(people=3)
    assert command.main(["letters", "--people", "3"]) == 1
    assert f"{gone} is not here" in capsys.readouterr().err


def answers(code: int, out: str, errors: str = "") -> Callable[..., subprocess.CompletedProcess[str]]:
    return lambda *args, **more: subprocess.CompletedProcess(args, code, out, errors)
