"""Several relays, real ones on loopback: the first that can be used takes the mail, and nobody gets it twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from incident.carrier_settings import MailSettings
from incident.delivery import batching, mailroom
from incident.delivery.mailroom import MailRoom, Route, routes_from
from incident.durable import rates, set_rate
from incident.errors import BadInput, CarrierUnavailable
from incident.ops.engine import keep_relay_limits
from notifiers.circuit import Circuit
from notifiers.email.message import Envelope
from notifiers.email.relay import Relay, Timeouts, TlsMode
from notifiers.outcome import Outcome, Result, Stage
from tests.support.breaches import make_breach, some_people
from tests.support.faulty_relay import STALLS, Fault, FaultyRelay
from tests.support.postgres import PostgresServer
from tests.support.relays import LOOPBACK, RecordingRelay, free_port, recording_relay, smtp_sink
from tests.support.workspaces import make_workspace

QUICK = Timeouts(connect=2, tls=2, auth=2, mail=2, rcpt=2, data=2, body=2, after_dot=2)


def route(port: int, *, connections: int = 1, per_second: float | None = None) -> Route:
    return Route(Relay(LOOPBACK, port, TlsMode.none, timeouts=QUICK), connections, per_second)


def envelopes(count: int) -> list[Envelope]:
    return [
        Envelope(
            mail_from="notice@example.com",
            rcpt_to=f"p{number}@example.org",
            data=f"Message-ID: <{number}@example.com>\r\nSubject: x\r\n\r\nx\r\n".encode(),
        )
        for number in range(count)
    ]


@contextmanager
def two_relays() -> Iterator[tuple[RecordingRelay, RecordingRelay]]:
    with ExitStack() as stack:
        yield stack.enter_context(recording_relay()), stack.enter_context(recording_relay())


def told(outcomes: list[Outcome]) -> list[tuple[Result, int]]:
    return [(each.result, int(each.peer.rpartition(":")[2])) for each in outcomes]


def test_the_first_relay_takes_all_while_it_can_be_used() -> None:
    with two_relays() as (first, second), MailRoom([route(first.port), route(second.port)]) as room:
        outcomes = room.send(envelopes(5))
    assert told(outcomes) == [(Result.accepted, first.port)] * 5
    assert (len(first.taken), len(second.taken)) == (5, 0)


def test_where_the_first_relay_is_not_there_the_next_one_takes_over_and_the_first_is_left_alone() -> None:
    nowhere = free_port()
    with recording_relay() as second, MailRoom([route(nowhere), route(second.port)]) as room:
        assert told(room.send(envelopes(3))) == [(Result.accepted, second.port)] * 3
        with recording_relay(port=nowhere) as first:
            assert told(room.send(envelopes(1))) == [(Result.accepted, second.port)], "its pause is not over"
            assert first.taken == []


def test_after_its_pause_the_first_relay_takes_the_mail_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailroom, "Circuit", partial(Circuit, first_pause=0.0))
    back = free_port()
    with recording_relay() as second, MailRoom([route(back), route(second.port)]) as room:
        assert told(room.send(envelopes(1))) == [(Result.accepted, second.port)]
        with recording_relay(port=back):
            assert told(room.send(envelopes(1))) == [(Result.accepted, back)]


@pytest.mark.parametrize("refusal", ["451 4.3.0 not now", "550 5.7.1 you may not send here"])
def test_a_relay_that_refuses_our_sender_passes_the_mail_on(refusal: str) -> None:
    with two_relays() as (first, second), MailRoom([route(first.port), route(second.port)]) as room:
        first.at_mail = lambda sender: refusal
        assert told(room.send(envelopes(3))) == [(Result.accepted, second.port)] * 3


def test_a_relay_that_stops_in_the_middle_of_a_group_keeps_what_it_has_and_the_next_gets_the_rest() -> None:
    with two_relays() as (first, second), MailRoom([route(first.port), route(second.port)]) as room:
        first.at_mail = lambda sender: "421 4.3.2 going down" if len(first.taken) == 2 else None
        outcomes = room.send(envelopes(5))
    assert told(outcomes) == [(Result.accepted, first.port)] * 2 + [(Result.accepted, second.port)] * 3
    to = [mail.to for mail in (*first.taken, *second.taken)]
    assert sorted(to) == sorted(set(to)), "nobody is given to both"


def test_what_the_first_relay_said_is_kept_with_the_message_that_the_second_took() -> None:
    with two_relays() as (first, second), MailRoom([route(first.port), route(second.port)]) as room:
        first.at_mail = lambda sender: "530 5.7.0 sign in first"
        outcomes = room.send(envelopes(2))
    assert told(outcomes) == [(Result.accepted, second.port)] * 2
    assert f":{first.port} before, at mail: 5.7.0 sign in first" in outcomes[0].text
    assert "before" not in outcomes[1].text


def test_a_relay_that_closes_at_a_recipient_says_nothing_of_them_and_the_next_one_takes_over() -> None:
    with two_relays() as (first, second), MailRoom([route(first.port), route(second.port)]) as room:
        first.at_rcpt = lambda address: "421 4.3.2 shutting down"
        assert told(room.send(envelopes(2))) == [(Result.accepted, second.port)] * 2


def test_a_recipient_who_is_refused_is_not_offered_to_another_relay() -> None:
    with two_relays() as (first, second), MailRoom([route(first.port), route(second.port)]) as room:
        first.at_rcpt = lambda address: "550 5.1.1 unknown" if address.startswith("p1@") else None
        outcomes = room.send(envelopes(3))
    assert [each.result for each in outcomes] == [Result.accepted, Result.permanent, Result.accepted]
    assert second.taken == []


@pytest.mark.parametrize(
    ("fault", "stage", "again"),
    [(["-q", "DATA"], Stage.data, True), (["-q", "."], Stage.after_dot, False)],
)
def test_only_what_a_relay_cannot_hold_goes_to_another(
    tmp_path: Path, fault: list[str], stage: Stage, again: bool
) -> None:
    """`smtp-sink` breaks off before its 354, when nothing is taken, or after the final dot, when it may be."""
    with (
        smtp_sink(tmp_path, *fault) as broken,
        recording_relay() as second,
        MailRoom([route(broken.port), route(second.port)]) as room,
    ):
        [outcome] = room.send(envelopes(1))
    assert len(second.taken) == again
    assert outcome.result is (Result.accepted if again else Result.ambiguous)
    if not again:
        assert outcome.stage is stage


def test_a_relay_that_stalls_for_longer_than_a_group_may_take_is_left_for_the_next_one() -> None:
    patient = Relay(LOOPBACK, 1, TlsMode.none)
    with FaultyRelay() as first, recording_relay() as second:
        first.faults = [Fault("mail", STALLS)]
        routes = [Route(replace(patient, port=first.port), 1), route(second.port)]
        with MailRoom(routes, longest=0.5) as room:
            assert {each.result for each in room.send(envelopes(3))} == {Result.not_sent}
            assert told(room.send(envelopes(3))) == [(Result.accepted, second.port)] * 3
    assert (first.mails, first.copies) == (1, {})


def test_where_no_relay_can_be_used_every_message_is_told_why_and_one_relay_is_tried_at_a_time() -> None:
    ports = [free_port(), free_port()]
    with MailRoom([route(port) for port in ports]) as room:
        first = room.send(envelopes(2))
        assert told(first) == [(Result.not_sent, ports[1])] * 2
        assert told(room.send(envelopes(1))) == [(Result.not_sent, ports[0])], "its pause ends first"


def test_a_check_is_content_with_one_usable_relay_and_names_the_first_otherwise() -> None:
    nowhere = free_port()
    with recording_relay() as relay, MailRoom([route(nowhere), route(relay.port)]) as room:
        room.check()
    with (
        MailRoom([route(nowhere), route(free_port())]) as room,
        pytest.raises(CarrierUnavailable, match="nor can 1 more") as refused,
    ):
        room.check()
    assert str(nowhere) in str(refused.value.where)


def test_a_brake_stops_the_group_and_no_other_relay_gets_the_rest() -> None:
    with two_relays() as (first, second), MailRoom([route(first.port), route(second.port)]) as room:
        may_go: Callable[[], bool] = lambda: len(first.taken) < 2  # noqa: E731 - as the caller gives it
        outcomes = room.send(envelopes(4), may_go=may_go)
    assert [each.result for each in outcomes] == [Result.accepted] * 2 + [Result.not_sent] * 2
    assert [each.held_back for each in outcomes] == [False] * 2 + [True] * 2
    assert second.taken == []


def test_a_brake_that_falls_while_a_relay_fails_keeps_the_message_from_every_relay() -> None:
    asked: list[str] = []

    def refuse(sender: str) -> str:
        asked.append(sender)
        return "421 4.3.2 going down"

    with two_relays() as (first, second), MailRoom([route(first.port), route(second.port)]) as room:
        first.at_mail = refuse
        outcomes = room.send(envelopes(2), may_go=lambda: not asked)
    assert [(each.result, each.stage) for each in outcomes] == [(Result.not_sent, Stage.connect)] * 2
    assert (len(asked), second.taken) == (1, [])


def test_a_limited_relay_gets_as_many_as_it_may_and_no_other_gets_the_rest() -> None:
    asked: list[tuple[str, int]] = []

    def three(relay: str, wanted: int) -> int:
        asked.append((relay, wanted))
        return 3

    with two_relays() as (first, second):
        routes = [route(first.port, per_second=5), route(second.port)]
        with MailRoom(routes) as room:
            assert room.limited_relay() == f"{LOOPBACK}:{first.port}"
            outcomes = room.send(envelopes(5), may_take=three)
    assert asked == [(f"{LOOPBACK}:{first.port}", 5)]
    assert [(each.result, each.stage) for each in outcomes[3:]] == [(Result.not_sent, Stage.connect)] * 2
    assert [each.held_back for each in outcomes] == [False] * 3 + [True] * 2
    assert (len(first.taken), len(second.taken)) == (3, 0)


def test_a_limited_relay_that_takes_over_is_asked_for_and_one_without_a_limit_is_not() -> None:
    asked: list[tuple[str, int]] = []

    def none(relay: str, wanted: int) -> int:
        asked.append((relay, wanted))
        return 0

    nowhere = free_port()
    with recording_relay() as second:
        with MailRoom([route(nowhere), route(second.port, per_second=5)]) as room:
            assert room.limited_relay() is None
            assert [each.result for each in room.send(envelopes(2), may_take=none)] == [Result.not_sent] * 2
            assert room.limited_relay() == f"{LOOPBACK}:{second.port}"
        assert asked == [(f"{LOOPBACK}:{second.port}", 2)]
        with MailRoom([route(nowhere, per_second=5), route(second.port)]) as room:
            assert [each.result for each in room.send(envelopes(2))] == [Result.accepted] * 2


def test_a_relay_is_given_no_more_a_second_than_the_settings_say_by_all_batches_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store_on: PostgresServer | None
) -> None:
    monkeypatch.setattr(batching, "BATCH_SIZE", 20)
    taken: list[float] = []
    with recording_relay() as relay:
        breach = make_breach(
            tmp_path, people=some_people(60), relay_port=relay.port, mail={"per_second": 25}, on=store_on
        )
        relay.at_rcpt = lambda address: taken.append(time.monotonic())
        breach.release()
        breach.open_sending()
        began = time.monotonic()
        breach.work()
    assert all(number <= 25 * (when - began) + 1 for number, when in enumerate(taken, start=1))
    account = breach.account()
    assert (len(taken), account.accepted, account.adds_up) == (60, 60, True)
    assert taken[-1] - began < 6
    with breach.made.store.read() as session:
        assert {row.name: row.per_second for row in rates(session)} == {f"relay/{LOOPBACK}:{relay.port}": 25}


def test_where_a_limited_relay_takes_over_its_limit_holds_too_and_nobody_counts_a_try(tmp_path: Path) -> None:
    taken: list[float] = []
    with two_relays() as (first, second):
        other = {
            "host": LOOPBACK,
            "port": second.port,
            "tls": "none",
            "processor": "our second relay",
            "country": "cn",
            "per_second": 30,
        }
        breach = make_breach(
            tmp_path, people=some_people(60), relay_port=first.port, mail={"others": [other]}
        )
        first.at_mail = lambda sender: "421 4.3.2 going down" if len(first.taken) >= 10 else None
        second.at_rcpt = lambda address: taken.append(time.monotonic())
        breach.release()
        breach.open_sending()
        began = time.monotonic()
        while breach.account().in_progress and time.monotonic() - began < 30:
            breach.work()  # each begins at the first relay, and takes over for some of a group
            breach.later(minutes=6)
    assert all(number <= 30 * (when - began) + 1 for number, when in enumerate(taken, start=1))
    account = breach.account()
    assert (account.accepted, account.doubled_at_most, account.adds_up) == (60, 0, True)
    assert (len(first.taken), len(second.taken)) == (10, 50)
    assert {row.strikes for row in breach.deliveries()} == {0}


def test_a_worker_that_starts_lets_the_limits_of_relays_be_those_of_the_settings(tmp_path: Path) -> None:
    store = make_workspace(tmp_path).store

    def kept(*routes: Route) -> dict[str, float]:
        with store.transaction() as session:
            keep_relay_limits(session, routes)
        with store.read() as session:
            return {row.name: row.per_second for row in rates(session)}

    with store.transaction() as session:
        set_rate(session, "mail", 7)
    here = f"relay/{LOOPBACK}"
    both = (route(1, per_second=5), route(2, per_second=3), route(2, per_second=9), route(3))
    assert kept(*both) == {"mail": 7, f"{here}:1": 5, f"{here}:2": 3}
    assert kept(route(1), route(2, per_second=4)) == {"mail": 7, f"{here}:2": 4}


def test_relays_come_from_the_settings_in_their_order(tmp_path: Path) -> None:
    mail = MailSettings.model_validate(
        {
            "host": "one.example.com",
            "ca_file": "ca.pem",
            "connections": 3,
            "others": [{"host": "two.example.com", "port": 25, "tls": "none", "per_second": 2.5}],
        }
    )
    one, two = routes_from(mail, root=tmp_path)
    assert (one.relay.host, one.relay.ca_file, one.connections) == ("one.example.com", tmp_path / "ca.pem", 3)
    assert (two.relay.host, two.relay.port, two.relay.ca_file) == ("two.example.com", 25, None)
    assert (one.per_second, two.per_second, two.peer) == (None, 2.5, "two.example.com:25")
    wrong = mail.model_copy(update={"others": [mail.others[0].model_copy(update={"username": "tocsin"})]})
    with pytest.raises(BadInput, match="come together") as refused:
        routes_from(wrong, root=tmp_path)
    assert "mail.others.0" in str(refused.value.where)


def test_a_sending_whose_relay_goes_away_ends_over_the_other_with_nobody_lost_or_doubled(
    tmp_path: Path,
) -> None:
    with two_relays() as (first, second):
        other = {
            "host": LOOPBACK,
            "port": second.port,
            "tls": "none",
            "processor": "our second relay",
            "country": "cn",
        }
        breach = make_breach(
            tmp_path, people=some_people(60), relay_port=first.port, mail={"others": [other]}
        )
        first.at_mail = lambda sender: "421 4.3.2 going down" if len(first.taken) >= 25 else None
        breach.release()
        breach.open_sending()
        breach.work()
    account = breach.account()
    assert account.adds_up
    assert (account.accepted, account.in_progress, account.doubled_at_most) == (60, 0, 0)
    assert (len(first.taken), len(second.taken)) == (25, 35)
