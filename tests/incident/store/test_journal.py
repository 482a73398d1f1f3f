"""The arithmetic of the chains: whatever is done to one at or below a head held outside is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.store.journal import NO_ENTRY, Entry, Fault, Head, body_hash, check_chain, next_entry

START = datetime(2026, 11, 23, 9, 0, 0, 123456, tzinfo=UTC)
CHAIN = "INC-2026-0001"


def a_chain(length: int, *, chain: str = CHAIN, salt: bytes = b"salt") -> list[Entry]:
    entries: list[Entry] = []
    head: Head | None = None
    for number in range(length):
        digest = body_hash(salt, {"n": number})
        at = START + timedelta(minutes=number)
        entry = next_entry(head, chain=chain, at=at, kind=f"kind.{number % 3}", actor="ana", body_hash=digest)
        entries.append(entry)
        head = head_of(entry)
    return entries


def head_of(entry: Entry) -> Head:
    return Head(entry.chain, entry.seq, entry.hash)


def rehashed(entry: Entry, **changes: Any) -> Entry:
    """The entry changed by somebody who also computes its hash anew."""
    changed = replace(entry, **changes)
    before = Head(changed.chain, changed.seq - 1, changed.previous) if changed.seq > 1 else None
    again = next_entry(
        before,
        chain=changed.chain,
        at=changed.at,
        kind=changed.kind,
        actor=changed.actor,
        body_hash=changed.body_hash,
    )
    return replace(again, previous=changed.previous)


chains = st.integers(1, 12).map(a_chain)


@given(entries=chains, data=st.data())
def test_a_chain_as_written_holds_against_every_head_it_ever_had(
    entries: list[Entry], data: st.DataObject
) -> None:
    heads = data.draw(st.lists(st.sampled_from(entries).map(head_of), max_size=4))
    assert check_chain(entries, chain=CHAIN, outside=heads) == []


def test_a_chain_begins_with_number_one_and_no_entry_before_it() -> None:
    [entry] = a_chain(1)
    assert (entry.seq, entry.previous) == (1, NO_ENTRY)


def test_the_hash_does_not_depend_on_the_zone_in_which_the_time_was_given() -> None:
    local = START.astimezone(timezone(timedelta(hours=8)))
    [here] = a_chain(1)
    there = next_entry(
        None, chain=CHAIN, at=local, kind=here.kind, actor=here.actor, body_hash=here.body_hash
    )
    assert there == here
    assert check_chain([replace(there, at=local)], chain=CHAIN) == []


def test_the_body_hash_is_salted_and_ignores_the_order_of_keys() -> None:
    assert body_hash(b"one", {"a": 1}) != body_hash(b"two", {"a": 1})
    assert body_hash(b"one", {"a": 1, "b": 2}) == body_hash(b"one", {"b": 2, "a": 1})
    assert body_hash(b"one", {"a": 1}) != body_hash(b"one", {"a": 2})


FORGERIES: dict[str, Callable[[Entry], dict[str, Any]]] = {
    "at": lambda entry: {"at": entry.at + timedelta(microseconds=1)},
    "kind": lambda entry: {"kind": entry.kind + "x"},
    "actor": lambda entry: {"actor": "eve"},
    "suite": lambda entry: {"suite": "T0"},
    "body_hash": lambda entry: {"body_hash": body_hash(b"x", {})},
    "previous": lambda entry: {"previous": "f" * 64},
    "hash": lambda entry: {"hash": "f" * 64},
    "seq": lambda entry: {"seq": entry.seq + 1},
    "chain": lambda entry: {"chain": "INC-2026-0002"},
}


@pytest.mark.parametrize("field", FORGERIES)
@given(entries=chains, data=st.data())
def test_a_changed_field_is_found_without_any_head(
    field: str, entries: list[Entry], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(entries) - 1))
    entries[at] = replace(entries[at], **FORGERIES[field](entries[at]))
    assert check_chain(entries, chain=CHAIN) != []


@given(entries=chains, data=st.data())
def test_an_entry_forged_with_its_hash_is_found_by_the_entry_or_the_head_above(
    entries: list[Entry], data: st.DataObject
) -> None:
    head = head_of(entries[-1])
    at = data.draw(st.integers(0, len(entries) - 1))
    entries[at] = rehashed(entries[at], actor="eve")
    found = {finding.fault for finding in check_chain(entries, chain=CHAIN, outside=[head])}
    assert found == ({Fault.HEAD_DIFFERS} if at == len(entries) - 1 else {Fault.OUT_OF_ORDER})


@given(entries=chains, data=st.data())
def test_a_chain_written_anew_from_any_entry_on_is_found_by_a_head_above_it(
    entries: list[Entry], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(entries) - 1))
    outside = head_of(data.draw(st.sampled_from(entries[at:])))
    forged = [*entries[:at]]
    for entry in entries[at:]:
        last = head_of(forged[-1]) if forged else None
        forged.append(
            next_entry(last, chain=CHAIN, at=entry.at, kind="forged", actor="eve", body_hash=entry.body_hash)
        )
    assert check_chain(forged, chain=CHAIN) == [], "without a head nobody can tell"
    assert [finding.fault for finding in check_chain(forged, chain=CHAIN, outside=[outside])] == [
        Fault.HEAD_DIFFERS
    ]


@given(entries=st.integers(2, 12).map(a_chain), data=st.data())
def test_a_removed_entry_is_found(entries: list[Entry], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(entries) - 2))
    del entries[at]
    faults = [(finding.seq, finding.fault) for finding in check_chain(entries, chain=CHAIN)]
    assert (at + 1, Fault.MISSING) in faults


@given(entries=chains, data=st.data())
def test_an_inserted_entry_is_found(entries: list[Entry], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(entries) - 1))
    before = head_of(entries[at - 1]) if at else None
    digest = body_hash(b"x", {})
    inserted = next_entry(before, chain=CHAIN, at=START, kind="inserted", actor="eve", body_hash=digest)
    assert check_chain([*entries[:at], inserted, *entries[at:]], chain=CHAIN) != []


@given(entries=st.integers(2, 12).map(a_chain), data=st.data())
def test_entries_in_another_order_are_found_also_when_they_are_numbered_anew(
    entries: list[Entry], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(entries).filter(lambda order: order != entries))
    assert check_chain(shuffled, chain=CHAIN) != []
    numbered = [rehashed(entry, seq=number) for number, entry in enumerate(shuffled, start=1)]
    assert check_chain(numbered, chain=CHAIN) != []


@given(entries=chains, data=st.data())
def test_a_chain_that_ends_below_a_head_held_outside_is_truncated(
    entries: list[Entry], data: st.DataObject
) -> None:
    head = head_of(data.draw(st.sampled_from(entries)))
    kept = entries[: data.draw(st.integers(0, head.seq - 1))]
    assert [finding.fault for finding in check_chain(kept, chain=CHAIN, outside=[head])] == [Fault.TRUNCATED]


def test_entries_of_another_chain_do_not_pass_for_this_one() -> None:
    assert {finding.fault for finding in check_chain(a_chain(2, chain="other"), chain=CHAIN)} == {
        Fault.CHANGED
    }


def test_a_head_of_another_chain_says_nothing_of_this_one() -> None:
    assert check_chain(a_chain(2), chain=CHAIN, outside=[Head("other", 9, "f" * 64)]) == []
