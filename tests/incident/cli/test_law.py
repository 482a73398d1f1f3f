"""Regimes: read before they are approved, approved by counsel as their file stands, and the workspace's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.commands import snapshot, sql
from tests.support.estates import Estate, make_key

SOON = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
REGIME = "eu-gdpr"


@pytest.fixture
def estate_with_counsel(estate: Estate, tmp_path: Path) -> Estate:
    make_key(tmp_path / "lex")
    estate.done("operator", "add", "lex", "--key", tmp_path / "lex", "--roles", "counsel")
    return estate


def approve(estate: Estate, *more: str) -> None:
    estate.done("--as", "lex", "law", "approve", REGIME, "--until", SOON, *more)


def review(estate: Estate, regime: str = REGIME) -> str:
    listed = estate.done("law", "list", "--json").document
    return next(str(row["review"]) for row in listed if row["regime"] == regime)


def own_copy(estate: Estate, regime: str = REGIME) -> Path:
    """The shipped file as the workspace's own, under its own id."""
    from incident.law.regimes import SHIPPED

    file = estate.root / "regimes" / f"{regime}.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes((SHIPPED / file.name).read_bytes())
    return file


def test_an_approval_shows_by_whom_and_until_when_in_the_list_the_duties_and_in_verify(
    estate_with_counsel: Estate,
) -> None:
    estate = estate_with_counsel
    assert review(estate) == "UNREVIEWED"
    approve(estate, "--note", "compared with the text of the OJ")
    assert review(estate) == f"until {SOON} by lex"
    shown = estate.done("law", "show", REGIME, "--json").document
    assert shown["reviewed"] is True
    assert estate.done("verify", "--json").document["sound"]


def test_an_approval_can_be_withdrawn_and_a_second_replaces_the_first(estate_with_counsel: Estate) -> None:
    estate = estate_with_counsel
    approve(estate)
    approve(estate)
    standing = "SELECT count(*) FROM regime_review WHERE withdrawn_at IS NULL"
    assert sql(estate.root, standing) == [(1,)]
    estate.done("--as", "lex", "law", "approve", REGIME, "--withdraw")
    assert review(estate) == "UNREVIEWED"
    estate.refused("--as", "lex", "law", "approve", REGIME, "--withdraw", says=["no approval"])


def test_any_change_of_the_file_voids_the_approval(estate_with_counsel: Estate) -> None:
    estate = estate_with_counsel
    file = own_copy(estate)
    approve(estate)
    assert review(estate) == f"until {SOON} by lex"
    file.write_text(file.read_text("utf-8") + "\n# a word\n", encoding="utf-8")
    assert review(estate) == "UNREVIEWED: the file changed since lex approved it"
    assert estate.done("law", "show", REGIME, "--json").document["reviewed"] is False


def test_only_counsel_approves_and_only_for_days_that_can_be(estate_with_counsel: Estate) -> None:
    estate = estate_with_counsel
    before = snapshot(estate.root)
    late = (datetime.now(UTC) + timedelta(days=800)).date().isoformat()
    words = ("law", "approve", REGIME, "--until")
    estate.refused("--as", "anna", *words, SOON, says=["anna is no counsel"])
    estate.refused("--as", "lex", *words, "2020-01-01", says=["is over already"])
    estate.refused("--as", "lex", *words, late, says=["two years at most"])
    estate.refused("--as", "lex", *words, "soon", says=["--until", "soon"])
    estate.refused(*words, SOON, says=["--as NAME"])
    assert snapshot(estate.root) == before


def test_a_longer_day_than_was_signed_counts_for_nothing_and_verify_says_so(
    estate_with_counsel: Estate,
) -> None:
    estate = estate_with_counsel
    approve(estate)
    sql(estate.root, "UPDATE regime_review SET until_day = '2099-01-01'")
    assert "signature of lex does not hold" in review(estate)
    found = estate.run("verify", "--json").document["findings"]
    assert any("signature does not hold: approval of eu-gdpr" in each["detail"] for each in found)


def test_a_regime_is_read_in_either_language(estate: Estate) -> None:
    english = estate.done("law", "show", REGIME).out
    chinese = estate.done("law", "show", REGIME, INCIDENT_LANGUAGE="zh-Hans").out
    assert "Duty authority" in english and "SHA-256" in english and "UNREVIEWED" in english
    assert "义务 authority" in chinese and "未审核" in chinese
    assert "Within(" not in english


def test_a_copy_has_its_own_id_and_lint_looks_at_the_workspaces_own_files(estate: Estate) -> None:
    estate.done("law", "new", "own-clause", "--from", "cn-pipl-57")
    assert any(row["regime"] == "own-clause" for row in estate.done("law", "list", "--json").document)
    estate.refused("law", "new", "own-clause", "--from", "cn-pipl-57", says=["there already"])
    file = estate.root / "regimes" / "own-clause.yaml"
    file.write_text(file.read_text("utf-8").replace("country: CN", "country: China"), encoding="utf-8")
    linted = estate.run("law", "lint", "--json")
    assert linted.code == 1
    line = file.read_text("utf-8").splitlines().index("country: China") + 1
    assert any((row["file"], row["line"]) == (file.name, line) for row in linted.document)


def test_a_broken_file_of_ones_own_is_said_loudly_and_the_record_goes_on(estate: Estate) -> None:
    own = estate.root / "regimes"
    own.mkdir()
    (own / "broken.yaml").write_text("id: [no", encoding="utf-8")
    answer = estate.done("log", estate.id, "seen all the same")
    assert "broken.yaml" in answer.err and "NOT in use" in answer.err
    estate.done("set", estate.id, "persons=7")
    assert "broken.yaml" in estate.done("duties", estate.id).err
    assert any("broken.yaml" in str(row) for row in estate.run("doctor", "--json").document)


def test_a_report_says_unreviewed_to_who_hands_it_in_and_not_to_the_authority(
    estate_with_counsel: Estate,
) -> None:
    estate = estate_with_counsel
    words = ("report", estate.id, "--regime", REGIME, "--format", "text", "-o", "-")
    before = estate.done(*words)
    assert "UNREVIEWED" in before.err and "UNREVIEWED" not in before.out
    approve(estate)
    assert "UNREVIEWED" not in estate.done(*words).err
