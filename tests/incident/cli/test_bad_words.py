"""Words, ids, names and keys that are off: one clear error each, nothing changed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.estates import Estate, make_key
from tests.support.tools import need_tool

NOBODY = "INC-1999-0001"


@pytest.mark.parametrize(
    "words",
    [
        ["frobnicate"],
        ["show"],
        ["show", "INC-1", "--frobnicate"],
        ["open"],
        ["notice", "frobnicate"],
        ["--as"],
        ["serve", "coffee"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_code_2(estate: Estate, words: list[str]) -> None:
    estate.refused(*words, code=2)


@pytest.mark.parametrize(
    "words",
    [
        ["show", NOBODY],
        ["set", NOBODY, "persons=3"],
        ["log", NOBODY, "text"],
        ["timeline", NOBODY],
        ["close", NOBODY],
        ["duties", NOBODY],
        ["ask", NOBODY],
        ["answer", NOBODY, "persons", "3"],
        ["grade", NOBODY],
        ["people", "stats", NOBODY],
        ["people", "problems", NOBODY],
        ["run", "personal-data-breach", "--on", NOBODY],
        ["runs", NOBODY],
        ["notice", "draft", NOBODY],
        ["notice", "check", NOBODY],
        ["notice", "preview", NOBODY],
        ["notice", "send", NOBODY],
        ["notice", "status", NOBODY],
        ["--as", "anna", "notice", "release", NOBODY],
        ["deliveries", NOBODY],
        ["report", NOBODY],
        ["evidence", "list", NOBODY],
        ["evidence", "verify", NOBODY],
        ["verify", NOBODY],
        ["purge", NOBODY, "--dry-run"],
        ["--as", "anna", "purge", NOBODY],
    ],
    ids=" ".join,
)
def test_an_unknown_incident_is_named_and_where_the_known_ones_are_listed(
    estate: Estate, words: list[str]
) -> None:
    estate.refused(*words, says=[NOBODY, "there is no incident", "incident list"])


def test_evidence_for_an_unknown_incident_leaves_no_folder(estate: Estate, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("x")
    estate.refused("evidence", "add", NOBODY, file, says=["there is no incident"])
    assert not (estate.root / "blobs" / NOBODY).exists()


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["persn=3"], 1, ["persn", "persons"]),
        (["persons=many"], 1, ["persons", "many", "unknown"]),
        (["persons"], 2, ["persons", "FIELD=VALUE"]),
        ([], 2, ["FIELD=VALUE"]),
        (["persons=3", "--sure", "maybe"], 2, ["--sure", "maybe", "confirmed"]),
        (["persons=3", "--known-at", "soon"], 1, ["--known-at", "soon"]),
        (["data_categories=shoe_size"], 1, ["shoe_size"]),
        (["persons=3", "persn=3"], 1, ["persn"]),
    ],
)
def test_a_fact_that_cannot_be_taken_is_refused(
    estate: Estate, words: list[str], code: int, says: list[str]
) -> None:
    estate.refused("set", estate.id, *words, code=code, says=says)


def test_an_incident_is_not_opened_before_the_question_of_state_secrets_is_answered(estate: Estate) -> None:
    for answer in ("", "y\n", "yes\n", "maybe\n"):
        estate.refused("open", "--title", "x", stdin=answer, says=["state secret", "--not-state-secret"])
    for answer in ("n\n", "no\n", "否\n"):
        assert "state secrets" in estate.done("open", "--title", "x", stdin=answer).err


def test_an_incident_needs_a_title(estate: Estate) -> None:
    estate.refused("open", "--title", "  ", "--not-state-secret", code=2, says=["--title", "empty"])


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--regime", "xx"], 1, ["xx", "eu-gdpr"]),
        (["--regime", "eu-gdpr", "--phase", "xx"], 1, ["xx", "initial"]),
        (["--phase", "xx"], 1, ["xx"]),
        (["--format", "pdf"], 2, ["pdf", "html"]),
        (["--regime", "eu-gdpr", "--language", "fr"], 2, ["fr", "en"]),
        (["--submitted", "portal"], 2, ["--regime"]),
        (
            ["--regime", "eu-gdpr", "--submitted", "portal", "--at", "2040-01-01 10:00"],
            1,
            ["2040", "still to come"],
        ),
    ],
)
def test_a_report_that_nobody_can_make_is_refused(
    estate: Estate, words: list[str], code: int, says: list[str]
) -> None:
    estate.refused("report", estate.id, *words, code=code, says=says)


def test_a_report_that_lacks_items_is_not_recorded_as_handed_in(estate: Estate) -> None:
    opened = estate.done("open", "--title", "x", "--not-state-secret", "--json").document["incident"]
    estate.done(
        "set", opened, "personal_data_breach=actual", "aware_at=2026-11-20 08:00", "eu_data_subjects=yes"
    )
    words = ("report", opened, "--regime", "eu-gdpr", "--submitted", "portal")
    answer = estate.refused(*words, says=["lacks", "33(3)", "incident set"])
    assert "FIELD=unknown" in answer.err


def test_a_report_is_handed_in_once(estate: Estate) -> None:
    words = ("report", estate.id, "--regime", "eu-gdpr", "--submitted", "portal", "--reference", "A-1")
    assert estate.done(*words, "--json").document["duty"] == "eu-gdpr/authority"
    estate.refused(*words, says=["eu-gdpr/authority", "already", "--phase supplement"])
    estate.refused(*words, "--phase", "initial", says=["eu-gdpr/authority", "already"])


def test_names_that_nobody_has_are_refused(estate: Estate) -> None:
    estate.refused("run", "nothing", "--on", estate.id, says=["nothing", "personal-data-breach"])
    words = ("run", "personal-data-breach", "--on", estate.id, "--var")
    estate.refused(*words, "colour=red", says=["colour", "containment_url"])
    estate.refused(*words, "colour", code=2, says=["NAME=VALUE"])
    estate.refused("playbook", "show", "nothing", says=["nothing"])
    estate.refused("source", "test", "nothing", says=["nothing", "source list"])
    estate.refused("--as", "zed", "notice", "release", estate.id, says=["zed", "operator list"])
    estate.refused("operator", "retire", "zed", says=["zed"])
    estate.refused("notice", "preview", estate.id, "--language", "fr", code=2, says=["fr"])
    estate.refused("notice", "preview", estate.id, "--channel", "fax", code=2, says=["fax", "public"])
    estate.refused("notice", "verify", estate.id, "nonsense", says=["verification code"])
    estate.refused("deliveries", estate.id, "--format", "xls", code=2, says=["xls", "csv"])
    estate.refused("cancel", "RUN-1999-0001-1", says=["RUN-1999-0001-1", "incident runs"])
    estate.refused("show", estate.id, "--as-of", "yesterday", says=["--as-of", "yesterday"])


def test_a_decision_needs_a_name_a_role_and_the_right_key(estate: Estate, tmp_path: Path) -> None:
    release = ("notice", "release", estate.id)
    estate.refused(*release, says=["--as NAME"])
    estate.refused("--as", "carl", *release, says=["carl", "approver"])
    other = str(estate.keys / "bo")
    estate.refused(
        "--as", "anna", *release, says=["anna", "INCIDENT_SIGNING_KEY"], INCIDENT_SIGNING_KEY=other
    )
    missing = str(tmp_path / "none")
    estate.refused("--as", "anna", *release, says=["none", "No such file"], INCIDENT_SIGNING_KEY=missing)
    (estate.root / "signing-keys.json").unlink()
    estate.refused("--as", "anna", *release, says=["anna", "INCIDENT_SIGNING_KEY"])
    (estate.root / "signing-keys.json").write_text("[")
    estate.refused("--as", "anna", *release, says=["signing-keys.json", "INCIDENT_SIGNING_KEY"])


def test_a_retired_operator_decides_nothing(estate: Estate) -> None:
    estate.done("operator", "retire", "bo")
    estate.refused("--as", "bo", "notice", "release", estate.id, says=["bo", "retired"])


def test_an_encrypted_key_without_its_passphrase_is_refused(estate: Estate, tmp_path: Path) -> None:
    key = tmp_path / "key"
    keygen = need_tool("ssh-keygen", "openssh-client")
    subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "a passphrase", "-f", str(key)], check=True)
    estate.done("operator", "add", "dora", "--key", key)
    release = ("--as", "dora", "notice", "release", estate.id)
    estate.refused(*release, says=[str(key), "INCIDENT_SIGNING_PASSPHRASE"])
    # An older form of key file does not tell its public half without the passphrase.
    old = tmp_path / "old"
    made = [keygen, "-q", "-t", "rsa", "-m", "PEM", "-N", "a passphrase", "-f", str(old)]
    subprocess.run(made, check=True)
    old.with_suffix(".pub").unlink()
    estate.refused("operator", "add", "eli", "--key", old, says=[str(old), "INCIDENT_SIGNING_PASSPHRASE"])


def test_an_operator_that_cannot_be_added_is_refused(estate: Estate, tmp_path: Path) -> None:
    make_key(tmp_path / "new")
    new = tmp_path / "new.pub"
    estate.refused("operator", "add", "x", "--key", tmp_path / "none", says=["none", "No such file"])
    estate.refused("operator", "add", "x", "--key", estate.settings_file, says=["ssh-keygen"])
    estate.refused("operator", "add", "a b", "--key", new, says=["a b"])
    estate.refused("operator", "add", "x", "--key", new, "--roles", "king", says=["king", "approver"])
    estate.refused("operator", "add", "x", "--key", estate.keys / "anna.pub", says=["anna"])
    estate.refused("operator", "add", "anna", "--key", new, says=["anna"])


def test_a_step_is_answered_in_the_way_it_asks_for(estate: Estate) -> None:
    started = estate.done("run", "personal-data-breach", "--on", estate.id, "--json").document
    run, step = started["run"], started["waits_for"][0]["step"]
    estate.refused("--as", "anna", "approve", run, step, says=[step, f"incident done {run} {step}"])
    estate.refused("--as", "anna", "reject", run, step, says=[step, "not for a decision"])
    estate.refused("done", run, "no-such-step", says=["no-such-step", step])
    estate.refused("done", run, step, "--value", "colour", code=2, says=["NAME=VALUE"])
    while (waits := estate.done("runs", "--json").document[0]["waits_for"])[0].endswith("(done)"):
        name = waits[0].split(" ")[0]
        asked = "contained_at=2026-11-23 08:00" if "cut" in name else None
        estate.done("done", run, name, *(["--value", asked] if asked else []))
    name = waits[0].split(" ")[0]
    assert "approve" in waits[0]
    estate.refused("done", run, name, says=[name, "signed", f"approve {run} {name}"])
    estate.refused("approve", run, name, says=["--as NAME"])
    estate.refused("--as", "carl", "approve", run, name, says=["carl"])
    estate.done("cancel", run, "--reason", "a test")
    estate.refused("--as", "anna", "approve", run, name, says=[run])


def test_the_short_id_that_lists_show_names_the_entry_to_correct(estate: Estate) -> None:
    said = estate.done("log", estate.id, "saw it at the wrong hour")
    short = said.out.split()[-1]
    estate.done("log", estate.id, "saw it at eight", "--corrects", short)
    assert "[corrected later]" in estate.done("timeline", estate.id).out
    estate.refused("log", estate.id, "again", "--corrects", short, says=[short, "already"])


def test_a_closed_incident_takes_nothing_more(estate: Estate, tmp_path: Path) -> None:
    estate.done("close", estate.id, "--reason", "over")
    file = tmp_path / "f"
    file.write_text("x")
    for words in (
        ("set", estate.id, "persons=3"),
        ("log", estate.id, "text"),
        ("close", estate.id),
        ("evidence", "add", estate.id, file),
    ):
        estate.refused(*words, says=[estate.id, "closed"])
