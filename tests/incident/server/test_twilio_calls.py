"""What is asked and told at /receipts/calls/ID.STEP.ROUND.MAC: answered where Twilio signed it and the address is ours."""

from __future__ import annotations

import logging
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from sqlmodel import select
from twilio.request_validator import RequestValidator

from incident.delivery.call_receipts import TAKEN
from incident.delivery.call_room import twilio_voice_from
from incident.delivery.call_rules import CALL_SETTLES
from incident.delivery.pausing import pause_campaign
from incident.delivery.states import CALL_JOB, DeliveryState, Rank
from incident.durable import put_job
from incident.errors import BadInput, Collided
from incident.ops.engine import put_the_brake_on
from incident.record.holds import Cover
from incident.response.housework import House
from incident.server.receipts import CALLS_PATH, receipt_routes, receipt_routes_or_none
from incident.store.tables import Batch, JournalEntry
from notifiers.twilio.call_callbacks import Step
from tests.support.breaches import Breach
from tests.support.call_sendings import call_breach, hooks_at_hand, kinds_told
from tests.support.holds import hold
from tests.support.postgres import PostgresServer
from tests.support.sms_sendings import by_sms_only
from tests.support.twilio.posting import Reply
from tests.support.twilio.reading import Gather, verbs_of
from tests.support.twilio.script import OTHER_TOKEN, TOKEN, Callee, Heard
from tests.support.twilio.server import twilio_api
from tests.support.twilio_sendings import secret_file

PUBLIC = "https://notices.example/in/receipts/calls"
GREETING, TEXT, NOT_HEARD = "automated call for", "Your code is", "did not receive your answer"
MACHINE, THANKS, WRONG = "Somebody gave us this number", "Thank you for listening", "not call this number"


@dataclass(frozen=True)
class Said:
    """What an answer says, and where a key goes ("" where none is asked for) that is pressed while the `question` is said."""

    status: int
    text: str = ""
    action: str = ""
    question: str = ""


@dataclass
class Served:
    """A breach in which one person was called, and the server that is asked what to say behind a proxy."""

    breach: Breach
    port: int
    sid: str
    url: str
    status_callback: str

    def ask(
        self,
        address: str = "",
        *,
        digit: str = "",
        answered_by: str = "human",
        status: str = "in-progress",
        token: str = TOKEN,
        **fields: str,
    ) -> Said:
        """Ask as Twilio does, first of all what is said to who answers."""
        form = {"CallSid": self.sid, "CallStatus": status, "AnsweredBy": answered_by, **fields}
        if digit:
            form["Digits"] = digit
        address = address or self.url
        answer = httpx.post(
            address.replace(PUBLIC, f"http://127.0.0.1:{self.port}{CALLS_PATH}".removesuffix("/"), 1),
            content=urllib.parse.urlencode(form).encode(),
            headers={
                "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
                "x-twilio-signature": RequestValidator(token).compute_signature(address, form),
            },
            trust_env=False,
            timeout=60,
        )
        if answer.status_code != 200:
            return Said(answer.status_code)
        complaints: list[str] = []
        reply = Reply(200, answer.headers["content-type"], answer.content)
        verbs = verbs_of(reply, complaints.append)
        assert complaints == []
        asked = next((each for each in verbs if isinstance(each, Gather)), None)
        before = verbs if asked is None else verbs[: verbs.index(asked)]
        says = [each.text for each in before if isinstance(each, Heard)]
        during = [each.text for each in asked.says] if asked else []
        return Said(200, " ".join([*says, *during]), asked.action if asked else "", " ".join(during))

    def end(self, status: str = "completed", **fields: str) -> int:
        return self.ask(self.status_callback, status=status, CallDuration="9", **fields).status

    def hear(self) -> Said:
        """The notice, as who says that they are the person hears it."""
        return self.ask(self.ask().action, digit="1")

    @property
    def state(self) -> tuple[str, str, int]:
        [delivery] = self.breach.deliveries()
        return delivery.state, delivery.reason, delivery.rank

    @property
    def journalled(self) -> int:
        with self.breach.made.store.read() as session:
            return len(session.exec(select(JournalEntry).where(JournalEntry.kind == TAKEN)).all())


@contextmanager
def one_called(tmp_path: Path, *, on: PostgresServer | None = None) -> Iterator[Served]:
    with hooks_at_hand() as hooks, twilio_api(callee=Callee(held=True)) as api:
        breach = call_breach(
            tmp_path,
            by_sms_only(1),
            api_port=api.port,
            callbacks=PUBLIC,
            calls={"callback_token_before": secret_file(tmp_path, "before", OTHER_TOKEN)},
            on=on,
        )
        breach.work()
        [call] = api.calls.called
        with hooks.served(breach.house):
            port = int(hooks.base.rpartition(":")[2])
            yield Served(breach, port, call.sid, call.url, call.status_callback)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with one_called(tmp_path) as found:
        yield found


CONFIRMED = (DeliveryState.ACCEPTED, "", Rank.ACKNOWLEDGED)
NOT_TOLD = (DeliveryState.UNREACHABLE, "no_answer", Rank.RETURNED)
WAITS = (DeliveryState.PENDING, "", Rank.NOTHING)


def test_the_notice_is_said_to_who_says_that_they_are_the_person_and_thanks_to_who_confirms(
    served: Served,
) -> None:
    greeted = served.ask()
    assert GREETING in greeted.text
    assert TEXT not in greeted.text
    heard = served.ask(greeted.action, digit="1")
    assert TEXT in heard.text
    assert served.state == WAITS
    assert THANKS in served.ask(heard.action, digit="1").text
    assert served.state == CONFIRMED


def test_nothing_of_a_person_is_said_to_a_machine_or_a_fax(served: Served) -> None:
    left = served.ask(answered_by="machine_end_beep")
    assert MACHINE in left.text
    assert left.action == ""
    assert served.ask(answered_by="fax") == Said(200)
    assert served.state == WAITS


def test_who_is_somebody_else_hears_no_notice_and_the_number_is_not_called_again(served: Served) -> None:
    said = served.ask(served.ask().action, digit="2")
    assert WRONG in said.text
    assert said.action == ""
    assert served.state == (DeliveryState.UNREACHABLE, "bad_address", Rank.RETURNED)
    assert served.end() == 204
    assert served.state == (DeliveryState.UNREACHABLE, "bad_address", Rank.RETURNED)
    assert served.hear() == Said(200)


def test_the_greeting_is_said_twice_more_at_most(served: Served) -> None:
    said = [served.ask()]
    while said[-1].action:
        said.append(served.ask(said[-1].action, digit="7"))
    assert [GREETING in each.text for each in said] == [True, True, True, False]
    assert NOT_HEARD in said[-1].text
    assert served.state == WAITS


def test_a_key_confirms_the_notice_only_once_all_of_it_was_said(served: Served) -> None:
    heard = served.hear()
    assert "Your code is" in heard.text and "Your code is" not in heard.question
    assert heard.question == "To confirm that you have heard this, press 1. To hear it again, press 2."


def test_the_notice_is_said_three_times_more_at_most(served: Served) -> None:
    said = [served.hear()]
    while said[-1].action:
        said.append(served.ask(said[-1].action, digit="2"))
    assert [TEXT in each.text for each in said] == [True] * 4 + [False]
    assert NOT_HEARD in said[-1].text
    assert served.state == WAITS


def test_another_key_than_the_one_asked_for_confirms_nothing(served: Served) -> None:
    assert NOT_HEARD in served.ask(served.hear().action, digit="*").text
    assert served.state == WAITS


@pytest.mark.parametrize("status", ["completed", "busy", "no-answer", "failed", "canceled"])
def test_a_call_that_ends_without_a_confirmation_told_nobody(served: Served, status: str) -> None:
    assert [served.end(status), served.end(status)] == [204, 204]
    assert served.state == NOT_TOLD
    assert served.journalled == 1


@pytest.mark.parametrize("status", ["queued", "ringing", "in-progress", "something-new"])
def test_a_call_that_has_not_ended_says_nothing(served: Served, status: str) -> None:
    assert served.end(status) == 204
    assert (served.state, served.journalled) == (WAITS, 0)


def test_a_number_that_the_network_does_not_know_is_a_bad_one(served: Served) -> None:
    assert served.end("failed", SipResponseCode="604") == 204
    assert served.state == (DeliveryState.UNREACHABLE, "bad_address", Rank.RETURNED)


def test_a_confirmation_that_comes_after_the_end_and_twice_settles_it_once(served: Served) -> None:
    action = served.hear().action
    assert served.end() == 204
    assert served.state == NOT_TOLD
    assert THANKS in served.ask(action, digit="1").text
    assert THANKS in served.ask(action, digit="1").text
    assert (served.state, served.journalled) == (CONFIRMED, 2)
    assert kinds_told(served.breach) == ["confirmed", "not_confirmed"]


def test_a_confirmation_long_after_the_call_was_given_up_still_counts(served: Served) -> None:
    action = served.hear().action
    served.breach.later(seconds=2 * CALL_SETTLES.total_seconds())
    served.breach.work()
    assert served.state == (DeliveryState.UNREACHABLE, "no_answer", Rank.NOTHING)
    assert THANKS in served.ask(action, digit="1").text
    assert served.state == CONFIRMED


def test_nothing_is_said_once_somebody_is_told(served: Served) -> None:
    heard = served.hear()
    served.ask(heard.action, digit="1")
    assert served.ask() == served.hear() == served.ask(heard.action, digit="2") == Said(200)


def test_the_general_brake_keeps_back_what_is_said(served: Served) -> None:
    heard = served.hear()
    put_the_brake_on(served.breach.made.store, by="ana", reason="a bad list", now=served.breach.made.clock())
    assert served.ask() == served.ask(heard.action, digit="2") == Said(200)
    # Who heard it before has heard it.
    assert THANKS in served.ask(heard.action, digit="1").text
    assert served.state == CONFIRMED


def test_a_hold_keeps_back_what_is_said(served: Served) -> None:
    greeted = served.ask()
    hold(served.breach, Cover.PEOPLE)
    assert served.ask() == served.ask(greeted.action, digit="1") == Said(200)
    assert served.ask(answered_by="machine_start") == Said(200)


def test_a_pause_keeps_back_what_is_said(served: Served) -> None:
    greeted = served.ask()
    made = served.breach.made
    with made.store.write(served.breach.id, kind="campaign.paused", actor="ana", now=made.clock()) as change:
        pause_campaign(change, served.breach.id)
    assert served.ask(greeted.action, digit="1") == Said(200)


def test_what_cannot_be_made_ends_the_call_and_nothing_of_a_person_is_logged(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    greeted = served.ask()
    made = served.breach.made
    made.store.keyring.destroy(served.breach.id, now=made.clock())
    with caplog.at_level(logging.DEBUG):
        assert served.ask() == served.ask(greeted.action, digit="1") == Said(200)
        assert served.ask(served.url.replace(".answer.", ".confirm."), digit="1").status == 404
        assert served.end() == 204
    assert "could not be made" in caplog.text
    assert "138" not in caplog.text


def test_thanks_are_only_said_once_the_confirmation_is_on_record(
    tmp_path: Path, own_postgres: PostgresServer
) -> None:
    with one_called(tmp_path, on=own_postgres) as served:
        action = served.hear().action
        own_postgres.stop()
        assert served.ask(action, digit="1") == Said(503)
        assert served.end() == 503
        own_postgres.start()
        assert served.state == WAITS
        assert THANKS in served.ask(action, digit="1").text
        assert served.state == CONFIRMED


def test_what_twilio_did_not_sign_is_refused(served: Served) -> None:
    assert served.ask(token="forged").status == 403
    assert served.ask(served.status_callback, token="forged", status="busy").status == 403
    assert served.ask(token=OTHER_TOKEN).status == 200
    assert served.state == WAITS


def test_the_address_of_one_step_is_none_of_another(served: Served) -> None:
    for step in (Step.hear, Step.confirm, Step.status):
        assert served.ask(served.url.replace(".answer.", f".{step}."), digit="1").status == 404
    assert served.ask(served.url.replace(".0.", ".1.")).status == 404
    assert served.ask(f"{PUBLIC}/anything").status == 404
    assert served.state == WAITS


def test_what_says_nothing_of_a_call_is_no_event(served: Served) -> None:
    assert served.ask(status="").status == 400
    assert served.ask(CallSid="SM" + "0" * 32).status == 400


def test_a_key_at_the_answer_or_at_the_end_confirms_nothing(served: Served) -> None:
    assert served.ask(digit="1").status == 200
    assert served.ask(served.status_callback, digit="1", status="ringing").status == 204
    assert served.state == WAITS


def test_a_call_of_another_carrier_or_another_attempt_is_not_on_record(served: Served) -> None:
    declared = served.breach.house.settings.calls.twilio
    assert declared is not None
    voice = twilio_voice_from(declared, root=served.breach.made.workspace.root)
    [delivery] = served.breach.deliveries()
    for own_id in (f"{delivery.id}/2", "somebody/1"):
        assert served.ask(voice.address(own_id, Step.answer)) == Said(200)
        assert served.ask(voice.address(own_id, Step.confirm), digit="1") == Said(200)
        assert served.ask(voice.address(own_id, Step.status), status="busy").status == 204
    assert (served.state, served.journalled) == (WAITS, 0)


def test_where_no_machine_calls_nothing_is_served(tmp_path: Path) -> None:
    breach = call_breach(
        tmp_path, by_sms_only(1), api_port=9, callbacks=PUBLIC, means=["email", "letter"], opens=False
    )
    assert receipt_routes(breach.house) == []


def test_settings_that_contradict_each_other_keep_no_alerts_from_being_taken(tmp_path: Path) -> None:
    breach = call_breach(
        tmp_path, by_sms_only(1), api_port=9, callbacks=PUBLIC, calls={"region": "ie1"}, opens=False
    )
    house: House = breach.house
    with pytest.raises(BadInput, match="region and edge"):
        receipt_routes(house)
    said: list[str] = []
    assert receipt_routes_or_none(house, said.append) == []
    assert "calls" in said[0]


def test_what_another_change_stood_in_the_way_of_is_written_down_all_the_same(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    with one_called(tmp_path, on=postgres) as served:
        store, [delivery] = served.breach.made.store, served.breach.deliveries()
        told: list[int] = []
        end = threading.Thread(target=lambda: told.append(served.end("busy")))
        # As who sends by SMS does: a row of the batch, and then a job that the end of the call holds.
        with suppress(Collided), store.transaction() as session:
            session.exec(select(Batch).where(Batch.id == delivery.batch_id).with_for_update()).one()
            end.start()
            while not session.connection().execute(_BLOCKED).scalar_one():
                assert end.is_alive()
            put_job(session, CALL_JOB, delivery.batch_id, incident_id=served.breach.id)
        end.join()
        assert told == [204]
        assert served.state == NOT_TOLD


_BLOCKED = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
