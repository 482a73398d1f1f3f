"""People's data stays sealed: no output, no log line, no plain column and no byte on disk holds it.

Names, addresses and numbers that occur nowhere else are planted in the list of people; then the whole job is done and
everything that came out is searched. The list itself, the mail that was sent, and the commands that reveal are the
exceptions, on purpose.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.commands import Answer, sql
from tests.support.estates import Estate
from tests.support.relays import RecordingRelay, recording_relay

PEOPLE = [
    # reference, name, email, phone, language, data, birth date, guardian's name and address
    [
        "ZQ-771001",
        "Quirinius Zimmerfall",
        "quirinius@example.org",
        "13912345671",
        "en",
        "phone_number",
        "1970-01-01",
    ],
    ["ZQ-771002", "欧阳婵娟", "chanjuan@example.org", "13912345672", "zh-Hans", "location", "1980-02-02"],
    [
        "ZQ-771003",
        "Ottoline Vexley",
        "refused@example.org",
        "13912345673",
        "en",
        "phone_number",
        "1990-03-03",
    ],
    ["ZQ-771004", "Wilhelmina Yarrow", "", "13912345674", "en", "phone_number", "1991-04-04"],
    [
        "ZQ-771005",
        "Peregrine Ashby",
        "peregrine@example.org",
        "13912345675",
        "en",
        "phone_number",
        "2018-05-05",
    ],
]
WHY = ("--reason", "A caller asks")
GUARDIANS = {"ZQ-771005": ("Thaddeus Ashby", "thaddeus@example.org")}
# Second number, push token, address, since when the number is held, how to contact them safely; no mail is sent
# to whoever has such a note, so it stands with a person who has no address.
MORE = {
    "ZQ-771004": ("13912345688", "tok-88zq", "Zwirngasse 17", "2019-07-07", "nowhere near the Zwirngasse")
}
FAULTY = [
    "ZQ-771006",
    "Balthazar Crumb",
    "no-address-at-all",
    "13912345676",
    "en",
    "phone_number",
    "1992-06-06",
]
PLANTED = sorted(
    {cell for row in [*PEOPLE, FAULTY] for cell in (*row[:4], row[6]) if cell}
    | {cell for row in (*GUARDIANS.values(), *MORE.values()) for cell in row}
    | {"Zimmerfall", "Quirinius", "Vexley", "Balthazar"}
)


@dataclass
class Lived:
    """A workspace in which the whole job was done, and everything that its commands said."""

    estate: Estate
    relay: RecordingRelay
    said: list[tuple[tuple[str, ...], Answer]] = field(default_factory=list)

    def call(self, *words: str, stdin: str = "") -> Answer:
        answer = self.estate.run(*words, stdin=stdin)
        self.said.append((words, answer))
        return answer


def _found(text: str | bytes) -> list[str]:
    raw = text.encode() if isinstance(text, str) else text
    return [
        word
        for word in PLANTED
        if any(word.encode(encoding) in raw for encoding in ("utf-8", "utf-16-le", "gb18030"))
    ]


@pytest.fixture(scope="module")
def lived(first_estate: Estate, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    folder = tmp_path_factory.mktemp("privacy")
    estate = first_estate.copy_to(folder / "workspace")
    people = folder / "people.csv"
    with people.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        names = ("reference", "name", "email", "phone", "language", "data", "birth_date")
        more = ("phone2", "push_token", "address", "held_since", "safe_contact")
        writer.writerow([*names, "guardian_name", "guardian_email", *more])
        for row in [*PEOPLE, FAULTY]:
            writer.writerow([*row, *GUARDIANS.get(row[0], ("", "")), *MORE.get(row[0], [""] * 5)])
    refusal = "550 5.1.1 <refused@example.org>: Ottoline Vexley does not live here"
    with recording_relay() as relay:
        relay.at_rcpt = lambda to: refusal if to.startswith("refused") else None
        estate.change_settings("port = 9", f"port = {relay.port}")
        lived = Lived(estate, relay)
        for words in (
            ("people", "import", estate.id, str(people)),
            ("people", "import", estate.id, str(people), "--dry-run", "--keep-problems"),
            ("people", "import", estate.id, str(people), "--keep-problems"),
            ("people", "stats", estate.id),
            ("people", "problems", estate.id),
            ("people", "show", estate.id, "ZQ-771004"),
            ("notice", "check", estate.id),
            ("notice", "preview", estate.id),
            ("notice", "preview", estate.id, "--channel", "sms", "--with", "longest"),
            ("notice", "preview", estate.id, "--language", "en", "--with", "shortest", "--json"),
            ("--as", "anna", "notice", "release", estate.id),
            ("--as", "bo", "notice", "release", estate.id),
            ("notice", "send", estate.id),
            ("notice", "status", estate.id),
            ("notice", "status", estate.id, "--json"),
            ("notice", "send", estate.id),
            ("show", estate.id),
            ("show", estate.id, "--json"),
            ("timeline", estate.id),
            ("timeline", estate.id, "--json"),
            ("duties", estate.id, "--why", "--all"),
            ("ask", estate.id, "--all"),
            ("ask", estate.id, "--json"),
            ("report", estate.id, "--json"),
            ("runs", "--json"),
            ("list", "--json"),
            ("verify", "--json"),
            ("doctor", "--json"),
            ("notice", "verify", estate.id, "AAAA-AAAA-AAA"),
            ("purge", estate.id, "--dry-run"),
        ):
            lived.call(*words)
    return lived


def test_the_job_was_truly_done(lived: Lived) -> None:
    [campaign] = lived.estate.done("notice", "status", lived.estate.id, "--json").document["campaigns"]
    assert (campaign["expected"], campaign["accepted"]) == (6, 3)
    assert campaign["adds_up"] is True
    sent = b"".join(mail.message.as_bytes() for mail in lived.relay.taken).decode("utf-8", "replace")
    assert len(lived.relay.taken) == 4
    assert "quirinius@example.org" in sent


def test_no_output_of_any_command_holds_anybody(lived: Lived) -> None:
    for words, answer in lived.said:
        assert _found(answer.text) == [], words


def test_no_byte_of_the_database_the_keyring_or_the_blobs_holds_anybody(lived: Lived) -> None:
    files = [file for file in lived.estate.root.rglob("*") if file.is_file()]
    assert any(file.name == "incident.db" for file in files)
    for file in files:
        assert _found(file.read_bytes()) == [], file


def test_no_plain_column_holds_anybody(lived: Lived) -> None:
    names = [
        name for (name,) in sql(lived.estate.root, "SELECT name FROM sqlite_master WHERE type = 'table'")
    ]
    assert "person" in names
    for name in names:
        for row in sql(lived.estate.root, f"SELECT * FROM {name}"):  # noqa: S608
            assert _found(repr(row)) == [], name


def test_sealed_means_that_equal_people_look_different(lived: Lived) -> None:
    sealed = [value for (value,) in sql(lived.estate.root, "SELECT sealed FROM person")]
    assert len(sealed) == len(set(sealed)) == 6
    assert len({value[:40] for value in sealed}) == 6


def test_logs_say_what_failed_and_of_nobody(lived: Lived, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        lived.estate.run("notice", "send", lived.estate.id)
        lived.estate.run("verify")
        lived.estate.run("notice", "status", lived.estate.id)
    assert _found(caplog.text) == []


def test_a_refused_list_is_told_by_row_and_reason_only(lived: Lived) -> None:
    words, refused = lived.said[0]
    assert words[:2] == ("people", "import")
    assert refused.code == 1
    assert "row 6, email" in refused.err


def test_what_was_published_names_nobody(lived: Lived) -> None:
    pages = list((lived.estate.root / "public").rglob("*.html"))
    assert len(pages) == 2
    for page in pages:
        assert _found(page.read_bytes()) == []


def test_deliveries_show_nobody_unless_somebody_signs_for_it(lived: Lived) -> None:
    answer = lived.estate.done("deliveries", lived.estate.id, "--json")
    assert len(answer.document) == 7
    assert _found(answer.text) == []
    assert {row["code"] for row in answer.document} >= {250, 550}
    lived.estate.refused("deliveries", lived.estate.id, "--reveal", "--reason", "Why", says=["--as"])
    lived.estate.refused("--as", "anna", "deliveries", lived.estate.id, "--reveal", says=["--reason"])
    lived.estate.refused(
        "--as", "anna", "deliveries", lived.estate.id, "--reveal", "--reason", " ", says=["--reason"]
    )


def test_a_look_in_clear_is_signed_and_on_record(lived: Lived) -> None:
    before = sql(lived.estate.root, "SELECT count(*) FROM decision WHERE subject_kind = 'reveal'")
    shown = lived.estate.done("--as", "anna", "deliveries", lived.estate.id, "--reveal", *WHY, "--json")
    assert "ZQ-771003" in shown.text and "5.1.1" in shown.text
    rows = lived.estate.done("--as", "carl", "people", "problems", lived.estate.id, "--reveal", *WHY)
    assert "Balthazar Crumb" in rows.out
    person = lived.estate.done(
        "--as", "anna", "people", "show", lived.estate.id, "ZQ-771004", "--reveal", *WHY
    )
    assert all(cell in person.out for cell in MORE["ZQ-771004"] if not cell.isdigit())
    after = sql(lived.estate.root, "SELECT count(*) FROM decision WHERE subject_kind = 'reveal'")
    assert after[0][0] == before[0][0] + 3
    assert "a look at people's data" in lived.estate.done("timeline", lived.estate.id).out
    lived.estate.done("verify")


def test_the_path_of_the_plain_list_is_named_so_that_it_can_be_deleted(lived: Lived) -> None:
    imported = [answer for words, answer in lived.said if words[1] == "import" and "--dry-run" not in words]
    kept = imported[-1]
    assert Path(lived.said[0][0][3]).name in kept.text
