"""The helper that keeps a missing program from hiding a test in CI."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.tools import need_tool

ABSENT = "no-program-has-this-name"


def test_a_program_that_is_here_is_found() -> None:
    assert Path(need_tool("sh", "dash")).name == "sh"


def test_without_the_program_the_test_is_skipped_and_says_which_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TOCSIN_CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs the Debian package some-package"):
        need_tool(ABSENT, "some-package")


def test_in_ci_the_test_fails_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_CI", "1")
    with pytest.raises(pytest.fail.Exception, match=r"some-package .*\.ci/run"):
        need_tool(ABSENT, "some-package")
