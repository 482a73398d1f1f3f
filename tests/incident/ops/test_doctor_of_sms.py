"""What SMS need is known weeks before the day: a centre, its declaration, and texts that were approved."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from incident.carrier_settings import SmppSettings
from incident.ops.doctor import examine
from incident.ops.doctor_sms import examine_sms, how_reached, typical_segments
from incident.ops.examined import Examined, State
from incident.response.housework import House
from incident.settings import Fallback, Promises
from incident.workspace import shipped
from tests.support.breaches import make_breach
from tests.support.faulty_centre import (
    LOOPBACK,
    Answer,
    FaultyCentre,
    Receipt,
    Talk,
    Together,
    faulty_centre,
)
from tests.support.message_centre import message_centre

POLICY = "我们会将收集到的个人信息存储于中华人民共和国境内。"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return make_breach(tmp_path_factory.mktemp("house")).house


@pytest.fixture
def server() -> Iterator[FaultyCentre]:
    with faulty_centre() as running:
        yield running


@pytest.fixture
def centre(tmp_path: Path, server: FaultyCentre) -> dict[str, Any]:
    """A centre that lets us in, and of which everything is said."""
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n", encoding="utf-8")
    return {
        "host": LOOPBACK,
        "port": server.port,
        "system_id": "tocsin",
        "password": f"file:{secret}",
        "sender": "10000",
        "processor": "our own centre",
        "country": "cn",
        "sender_registered": "SIGN-2026-0007",
        "template_approved": "TPL-2026-0112",
    }


def changed(
    house: House,
    centre: dict[str, Any] | None,
    *,
    means: tuple[str, ...] = ("email", "sms"),
    most_segments: int = 20,
    **promises: Any,
) -> House:
    smpp = None if centre is None else SmppSettings.model_validate(centre)
    sms = house.settings.sms.model_copy(update={"smpp": smpp, "most_segments": most_segments})
    settings = house.settings.model_copy(
        update={
            "sms": sms,
            "fallback": Fallback.model_validate({"means": means}),
            "promises": Promises.model_validate(promises),
        }
    )
    return House(house.workspace, settings, house.store, house.clock)


def found(house: House, what: str) -> list[Examined]:
    return [each for each in examine_sms(house) if each.what == what]


def faults(house: House) -> list[Examined]:
    return [each for each in examine_sms(house) if each.state is not State.OK]


def test_of_a_workspace_that_tells_nobody_by_sms_nothing_is_said(house: House) -> None:
    assert list(examine_sms(changed(house, None, means=("email", "letter")))) == []


def test_a_means_without_a_centre_is_named_with_what_to_fill(house: House) -> None:
    [one] = found(changed(house, None), "SMS carrier")
    assert one.state is State.WARN
    assert "by hand" in one.finding and "[sms.smpp]" in one.next_step


def test_a_centre_that_no_means_uses_is_named(house: House, centre: dict[str, Any]) -> None:
    [one] = faults(changed(house, centre, means=("email",)))
    assert (one.what, one.state) == ("SMS carrier", State.WARN)
    assert "[fallback] means" in one.finding


def test_a_centre_that_lets_us_in_is_no_finding(
    house: House, centre: dict[str, Any], server: FaultyCentre
) -> None:
    looked_at = changed(house, centre, keep_in=["cn"])
    assert faults(looked_at) == []
    [one] = found(looked_at, "SMS carrier")
    assert one.finding == f"{LOOPBACK}:{server.port}, our own centre, cn: bound"
    assert server.binds[0][:2] == ("tocsin", "s3cret")
    assert server.complaints == []
    [approved] = found(looked_at, "SMS approvals")
    assert "SIGN-2026-0007" in approved.finding and "TPL-2026-0112" in approved.finding


@pytest.mark.parametrize("key", ["host", "system_id", "sender", "processor", "country"])
def test_each_key_that_is_missing_is_named(house: House, centre: dict[str, Any], key: str) -> None:
    [one] = faults(changed(house, {**centre, key: ""}))
    assert one.state is State.FAIL
    assert f"sms.smpp.{key}" in one.finding


def test_all_that_is_wrong_is_told_at_once(house: House, centre: dict[str, Any]) -> None:
    wrong = {**centre, "sender": "", "password": None, "ca_file": "ca.pem"}
    told = " ".join(each.finding for each in faults(changed(house, wrong)))
    for key in ("sms.smpp.sender", "sms.smpp.password", "sms.smpp.ca_file"):
        assert key in told


def test_a_secret_that_is_not_there_is_named_by_its_place(house: House, centre: dict[str, Any]) -> None:
    [one] = faults(changed(house, {**centre, "password": "file:/nowhere/secret"}))
    assert one.state is State.FAIL
    assert "file:/nowhere/secret" in one.finding


def test_certificates_that_are_not_there_are_named(house: House, centre: dict[str, Any]) -> None:
    [one] = faults(changed(house, {**centre, "ca_file": "ca.pem"}))
    assert one.state is State.FAIL
    assert str(house.workspace.root / "ca.pem") in one.finding


@pytest.mark.parametrize(
    ("wrong", "says"), [({"system_id": "s" * 16}, "system id"), ({"sender": "A sender too long"}, "sender")]
)
def test_what_no_centre_takes_is_told_before_it_is_asked(
    house: House, centre: dict[str, Any], server: FaultyCentre, wrong: dict[str, str], says: str
) -> None:
    [one] = faults(changed(house, {**centre, **wrong}))
    assert one.state is State.FAIL and says in one.finding
    assert server.binds == []


def test_certificates_that_are_none_are_named(house: House, centre: dict[str, Any]) -> None:
    (house.workspace.root / "none.pem").write_text("nothing", encoding="utf-8")
    [one] = faults(changed(house, {**centre, "tls": True, "ca_file": "none.pem"}))
    assert one.state is State.FAIL and "none.pem" in one.finding


def test_what_the_centre_says_to_a_bind_is_told(house: House, centre: dict[str, Any]) -> None:
    with faulty_centre(Talk(bind=(Answer(0x0E),))) as refuses:
        [one] = faults(changed(house, {**centre, "port": refuses.port}))
    assert one.state is State.FAIL
    assert "ESME_RINVPASWD" in one.finding and "[sms.smpp]" in one.next_step
    assert "s3cret" not in one.finding


def test_a_server_that_others_wrote_lets_us_in_or_says_why_not(house: House, centre: dict[str, Any]) -> None:
    with message_centre(system_id="tocsin", password="s3cret") as other:
        own = {**centre, "port": other.port}
        [let_in] = found(changed(house, own), "SMS carrier")
        [kept_out] = faults(changed(house, {**own, "system_id": "nobody"}))
    assert let_in.state is State.OK
    assert kept_out.state is State.FAIL and "at auth" in kept_out.finding


def test_an_account_that_is_bound_already_is_no_fault(house: House, centre: dict[str, Any]) -> None:
    with faulty_centre(Talk(bind=(Answer(0x05),))) as busy:
        [one] = found(changed(house, {**centre, "port": busy.port}), "SMS carrier")
    assert one.state is State.OK and "bound already" in one.finding


def test_a_centre_that_is_not_there_is_named_with_its_place(house: House, centre: dict[str, Any]) -> None:
    with faulty_centre() as gone:
        port = gone.port
    [one] = faults(changed(house, {**centre, "port": port}))
    assert one.state is State.FAIL and f"{LOOPBACK}:{port}, at connect" in one.finding


def test_a_receipt_that_comes_meanwhile_is_left_to_a_worker(house: House, centre: dict[str, Any]) -> None:
    talk = Talk(bind=(Together((Answer(), Receipt(message_id="7"))),))
    with faulty_centre(talk) as says:
        [one] = found(changed(house, {**centre, "port": says.port}), "SMS carrier")
        answered = [each.status for each in says.responses]
    assert one.state is State.OK
    assert 0 not in answered, "a receipt was taken that nothing wrote down"


def test_in_clear_to_another_machine_needs_to_be_said(house: House, centre: dict[str, Any]) -> None:
    elsewhere = {**centre, "host": "smsc.example.com", "port": 2775}
    [one] = faults(changed(house, elsewhere))
    assert one.state is State.FAIL
    assert "in clear" in one.finding and "private_line = true" in one.next_step
    said = SmppSettings.model_validate({**elsewhere, "private_line": True})
    assert how_reached(said) == (
        "smsc.example.com:2775, our own centre, cn, in clear over a line declared as private"
    )


def test_a_broken_promise_is_quoted(house: House, centre: dict[str, Any]) -> None:
    wording = {"zh-Hans": POLICY}
    abroad = changed(house, {**centre, "country": "sg"}, keep_in=["cn"], wording=wording)
    [one] = faults(abroad)
    assert one.state is State.FAIL
    assert one.finding.startswith("sms.smpp.country: ") and f"“{POLICY}”" in one.finding


def test_a_centre_that_breaks_a_promise_is_no_fault_of_the_mail_relay(
    house: House, centre: dict[str, Any]
) -> None:
    abroad = changed(house, {**centre, "country": "sg"}, keep_in=["cn"])
    told = [each for each in examine(abroad) if "keep personal data in cn" in each.finding]
    assert [each.what for each in told] == ["SMS carrier"]


@pytest.mark.parametrize("key", ["sender_registered", "template_approved"])
def test_what_no_centre_can_be_asked_for_is_asked_of_the_settings(
    house: House, centre: dict[str, Any], key: str
) -> None:
    [one] = faults(changed(house, {**centre, key: ""}))
    assert (one.what, one.state) == ("SMS approvals", State.WARN)
    assert "weeks" in one.finding and key in one.next_step


@contextmanager
def own_text(house: House, language: str, text: str) -> Iterator[None]:
    file = house.workspace.root / "templates" / "notice" / language / "sms.txt.j2"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        file.unlink()


def test_the_shipped_texts_fit_in_every_language(house: House, centre: dict[str, Any]) -> None:
    languages = house.settings.workspace.model_copy(update={"languages": ["zh-Hans", "zh-Hant", "en"]})
    plain = changed(house, centre)
    spoken = House(
        house.workspace,
        plain.settings.model_copy(update={"workspace": languages}),
        house.store,
        house.clock,
    )
    [one] = found(spoken, "SMS texts")
    assert one.state is State.OK
    for language in languages.languages:
        assert f"{language} in {typical_segments(spoken, language)} segments" in one.finding


def test_a_text_that_needs_too_many_segments_is_named_with_its_file(
    house: House, centre: dict[str, Any]
) -> None:
    needed = typical_segments(house, "en")
    assert needed is not None and needed > 1
    warned = [each for each in faults(changed(house, centre, most_segments=1)) if "en:" in each.finding]
    assert [(each.what, each.state) for each in warned] == [("SMS texts", State.WARN)]
    assert f"{needed} segments" in warned[0].finding
    assert "templates/notice/en/sms.txt.j2" in warned[0].next_step


def test_a_text_of_the_workspace_s_own_is_the_one_that_is_looked_at(
    house: House, centre: dict[str, Any]
) -> None:
    before = typical_segments(house, "en")
    long = "{{ slots.person_name }} {{ slots.data_types_of_person }} {{ slots.code }} " + "long " * 300
    with own_text(house, "en", long):
        after = typical_segments(house, "en")
    assert before is not None and after is not None and after > before
    with own_text(house, "en", "{{ nothing_of_this_name }}"):
        [one] = faults(changed(house, centre))
    assert (one.what, one.state) == ("SMS texts", State.FAIL)
    assert "sms.txt.j2" in one.finding


def test_a_language_without_a_text_is_named(house: House, centre: dict[str, Any]) -> None:
    own = house.workspace.root / "templates" / "notice" / "vi"
    own.mkdir(parents=True)
    for name in ("language.yaml", "catalogue.yaml"):
        shutil.copy(shipped("templates") / "notice" / "en" / name, own)
    looked_at = changed(house, centre)
    spoken = looked_at.settings.workspace.model_copy(update={"languages": ["en", "vi"]})
    settings = looked_at.settings.model_copy(update={"workspace": spoken})
    [one] = faults(House(house.workspace, settings, house.store, house.clock))
    assert (one.what, one.state) == ("SMS texts", State.WARN)
    assert "no text in vi" in one.finding and "another language" in one.finding
    assert "templates/notice/vi/sms.txt.j2" in one.next_step
