"""The room that SMS leave from: receipts are acknowledged when they are safe, and a centre is tried before it is needed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, sleep

import pytest

from incident.carrier_settings import SmppSettings
from incident.delivery.centre_room import CentreRoom, centre_from, must_be_usable
from incident.errors import BadInput, CarrierUnavailable, StoreAway
from notifiers.smpp.centre import Centre
from notifiers.sms.message import SmsMessage
from notifiers.sms.receipt import SmsReceipt
from tests.support.faulty_centre import USUAL, Answer, FaultyCentre, Receipt, Talk, faulty_centre
from tests.support.message_centre import message_centre
from tests.support.smpp_octets import Command
from tests.support.sms_sendings import centre_settings

HELLO = SmsMessage("+8613800000020", ("hello",), ucs2=False, reference=1)
ALREADY_BOUND, BAD_PASSWORD = 0x05, 0x0E
OK, AGAIN = 0x00, 0x64
_LATEST = 20.0


def centre_at(port: int, tmp_path: Path, **more: object) -> Centre:
    table = centre_settings(port, tmp_path / "password", **more)["smpp"]
    return centre_from(SmppSettings.model_validate(table), root=tmp_path)


def wait_for(holds: Callable[[], bool]) -> None:
    until = monotonic() + _LATEST
    while not holds():
        assert monotonic() < until
        sleep(0.01)


def receipted(centre: FaultyCentre) -> list[int]:
    """The statuses with which receipts were answered."""
    return [pdu.status for pdu in centre.responses if pdu.command == Command.DELIVER_SM_RESP]


def test_a_receipt_for_what_is_not_on_record_is_asked_for_again_and_then_let_go(tmp_path: Path) -> None:
    asked: list[SmsReceipt] = []
    said: list[str] = []

    def take(receipts: Sequence[SmsReceipt]) -> list[bool]:
        asked.extend(receipts)
        return [False] * len(receipts)

    with (
        faulty_centre(Talk(further=(*USUAL, Receipt()))) as centre,
        CentreRoom(centre_at(centre.port, tmp_path), take, says=said.append) as room,
    ):
        room.hand_over(HELLO, may_go=lambda: True).result()
        wait_for(lambda: receipted(centre) == [OK])
        room.hand_over(HELLO, may_go=lambda: True).result()
        wait_for(lambda: receipted(centre) == [OK, OK])
    assert len(asked) > 2
    assert len(said) == 1 and "not on record" in said[0]


def test_a_receipt_that_cannot_be_written_down_comes_again(tmp_path: Path) -> None:
    said: list[str] = []

    def take(receipts: Sequence[SmsReceipt]) -> list[bool]:
        raise StoreAway("the database is away")

    with (
        faulty_centre(Talk(further=(*USUAL, Receipt()))) as centre,
        CentreRoom(centre_at(centre.port, tmp_path), take, says=said.append) as room,
    ):
        room.hand_over(HELLO, may_go=lambda: True).result()
        wait_for(lambda: receipted(centre) == [AGAIN])
    assert said == ["receipts of SMS cannot be taken: the database is away"]


def test_a_fault_of_ours_in_taking_receipts_silences_no_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    faults = [ValueError("ours")]

    def take(receipts: Sequence[SmsReceipt]) -> list[bool]:
        if faults:
            raise faults.pop()
        return [True] * len(receipts)

    with (
        faulty_centre(Talk(further=(*USUAL, Receipt()))) as centre,
        CentreRoom(centre_at(centre.port, tmp_path), take, says=lambda text: None) as room,
    ):
        room.hand_over(HELLO, may_go=lambda: True).result()
        wait_for(lambda: receipted(centre) == [AGAIN])
        room.hand_over(HELLO, may_go=lambda: True).result()
        wait_for(lambda: receipted(centre) == [AGAIN, OK])
    assert "a fault while receipts of SMS were taken" in caplog.text


def test_who_stays_is_bound_again_after_the_centre_let_go(tmp_path: Path) -> None:
    with (
        message_centre() as centre,
        CentreRoom(centre_at(centre.port, tmp_path), lambda receipts: [], says=lambda text: None, stays=True),
    ):
        centre.await_events("bind", 1)
        centre.drop_all()
        centre.await_events("bind", 2)


def test_places_are_as_many_as_the_window(tmp_path: Path) -> None:
    room = CentreRoom(centre_at(9, tmp_path, window=2), lambda receipts: [], says=lambda text: None)
    assert [room.take_place() for _ in range(3)] == [True, True, False]
    room.leave_place()
    assert room.take_place()


def test_a_centre_is_tried_before_it_is_needed(tmp_path: Path) -> None:
    refusing = faulty_centre(Talk(bind=(Answer(BAD_PASSWORD),)))
    with refusing as centre, pytest.raises(CarrierUnavailable, match="ESME_RINVPASWD"):
        must_be_usable(centre_at(centre.port, tmp_path))
    with faulty_centre(Talk(bind=(Answer(ALREADY_BOUND),))) as centre:
        must_be_usable(centre_at(centre.port, tmp_path))
    with message_centre() as kept:
        must_be_usable(centre_at(kept.port, tmp_path))
        kept.await_events("unbind", 1)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"sender": "a name that is too long"}, "sender"),
        ({"host": "smsc.example"}, "unprotected"),
        ({"system_id": "x" * 16}, "system id"),
    ],
)
def test_settings_that_make_no_centre_are_named(tmp_path: Path, wrong: dict[str, str], word: str) -> None:
    with pytest.raises(BadInput, match=word) as raised:
        centre_at(2775, tmp_path, **wrong)
    assert raised.value.where == "[sms.smpp] in incident.toml"


def test_the_limit_of_a_second_is_kept_by_the_ledger_and_not_twice(tmp_path: Path) -> None:
    assert centre_at(2775, tmp_path, per_second=5).per_second is None
    assert dataclasses.replace(centre_at(2775, tmp_path)).window == 10
