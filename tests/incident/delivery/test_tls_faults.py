"""A relay that cannot be trusted or found: nothing leaves, nobody counts a strike, and the mended one ends the sending."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import select

from incident.settings import read_settings
from incident.store.change import open_row
from incident.store.tables import Attempt
from notifiers.email.relay import Timeouts
from notifiers.outcome import Result, Stage
from tests.support.breaches import Breach
from tests.support.certificates import Authority, make_authority
from tests.support.faulty_relay import CLOSES, STALLS, Fault, FaultyRelay
from tests.support.faulty_sendings import (
    ACCEPTED,
    Kind,
    assert_nobody_is_lost,
    doubles,
    kinds,
    live_to_the_end,
    sending,
    strikes,
    work,
)
from tests.support.relays import LOOPBACK

PEOPLE = 30
QUICK = Timeouts(connect=1, tls=1)
NOT_TRUSTED: Kind = (Result.not_sent, Stage.tls, None)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("stranger"))


def over(mode: str, authority: Authority, **more: str) -> dict[str, str]:
    return {"tls": mode, "ca_file": str(authority.file), **more}


def spoiled(relay: FaultyRelay, how: str, authority: Authority, stranger: Authority) -> str:
    """Spoil the relay's TLS; returns what the ledger must say of it."""
    match how:
        case "expired":
            relay.context = authority.server(LOOPBACK, expired=True)
            return "certificate"
        case "wrong name":
            relay.context = authority.server("relay.example.net")
            return "certificate"
        case "unknown authority":
            relay.context = stranger.server(LOOPBACK)
            return "certificate"
        case "broken off":
            relay.faults = [Fault("tls", CLOSES)]
            return ""
        case "not offered":
            relay.context = None
            return "does not offer STARTTLS"
        case _:
            relay.context = None  # so it talks plain on a port for TLS
            return ""


@pytest.mark.parametrize(
    ("mode", "hows"),
    [
        ("starttls", ["expired", "wrong name", "unknown authority", "broken off", "not offered"]),
        ("implicit", ["expired", "wrong name", "unknown authority", "broken off", "plain"]),
    ],
)
def test_nothing_leaves_over_a_connection_that_is_not_trusted_and_a_mended_one_ends_the_sending(
    tmp_path: Path, authority: Authority, stranger: Authority, mode: str, hows: list[str]
) -> None:
    with FaultyRelay(implicit=mode == "implicit") as relay:
        breach = sending(tmp_path, relay.port, people=PEOPLE, mail=over(mode, authority))
        for rounds, how in enumerate(hows, start=1):
            said = spoiled(relay, how, authority, stranger)
            work(breach, timeouts=QUICK)
            assert kinds(breach).total() == rounds * PEOPLE
            assert all(said in words for words in last_words(breach)), how
            assert breach.account().in_progress == PEOPLE
            relay.faults = []
            breach.later(hours=2)
        refused = kinds(breach)
        # From the first octet on TLS belongs to connecting: whether it began is not to be told from outside.
        before_tls = PEOPLE if mode == "implicit" else 0
        assert refused[NOT_TRUSTED] == len(hows) * PEOPLE - before_tls
        assert refused[Result.not_sent, Stage.connect, None] == before_tls
        assert (relay.mails, strikes(breach)) == (0, {0})
        relay.context = authority.server(LOOPBACK)
        live_to_the_end(breach)
    assert kinds(breach) == {**refused, ACCEPTED: PEOPLE}
    assert (doubles(relay.copies), breach.account().doubled_at_most, strikes(breach)) == (0, 0, {0})
    assert_nobody_is_lost(breach, relay.copies)


def test_a_handshake_that_stalls_is_waited_for_only_so_long(tmp_path: Path, authority: Authority) -> None:
    with FaultyRelay(context=authority.server(LOOPBACK)) as relay:
        relay.faults = [Fault("tls", STALLS, 1)]
        breach = sending(tmp_path, relay.port, people=PEOPLE, mail=over("starttls", authority))
        live_to_the_end(breach, timeouts=QUICK)
    assert set(kinds(breach)) == {NOT_TRUSTED, ACCEPTED}
    assert (doubles(relay.copies), strikes(breach)) == (0, {0})
    assert_nobody_is_lost(breach, relay.copies)


def test_a_relay_whose_name_does_not_resolve_burns_nobody_and_a_good_name_ends_the_sending(
    tmp_path: Path,
) -> None:
    """No name under `.invalid` ever resolves (RFC 6761 section 6.4); a resolver that is slow to say so is left."""
    with FaultyRelay() as relay:
        breach = sending(tmp_path, relay.port, people=PEOPLE, mail={"host": "relay.invalid"})
        for _ in range(3):
            work(breach, timeouts=QUICK)
            assert breach.account().in_progress == PEOPLE
            breach.later(minutes=1)
        assert set(kinds(breach)) == {(Result.not_sent, Stage.connect, None)}
        assert (relay.connections, strikes(breach)) == (0, {0})
        mended = with_settings(breach, lambda text: text.replace("relay.invalid", "localhost"))
        live_to_the_end(mended)
    assert kinds(mended)[ACCEPTED] == PEOPLE
    assert (doubles(relay.copies), mended.account().doubled_at_most, strikes(mended)) == (0, 0, {0})
    assert_nobody_is_lost(mended, relay.copies)


def with_settings(breach: Breach, changed: Callable[[str], str]) -> Breach:
    """The same workspace after somebody changed its settings."""
    file = breach.made.workspace.settings_file
    file.write_text(changed(file.read_text("utf-8")), "utf-8")
    settings = read_settings(file)
    house = replace(breach.house, settings=settings)
    return replace(breach, house=house, made=replace(breach.made, settings=settings))


def last_words(breach: Breach) -> list[str]:
    """What the newest attempt of each says of the other side."""
    key = breach.made.store.key(breach.id)
    with breach.made.store.read() as session:
        rows = session.exec(select(Attempt).order_by("delivery_id", "n")).all()
    return list({row.delivery_id: open_row(row, key=key)["text"] for row in rows}.values())
