from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from incident.errors import BadInput, NotFound, Refused
from incident.record.operators import (
    Role,
    add_operator,
    list_operators,
    operator_named,
    read_roles,
    retire_operator,
    roles_of,
)
from incident.record.sshsig import public_line
from incident.store.journal import WORKSPACE_CHAIN
from tests.support.postgres import PostgresServer
from tests.support.workspaces import START, Made, all_rows, make_signer, make_workspace


@pytest.fixture
def made(tmp_path: Path, store_on: PostgresServer | None) -> Made:
    return make_workspace(tmp_path, on=store_on)


def add(made: Made, name: str, key: str | None = None, *roles: Role) -> None:
    line = key or public_line(Ed25519PrivateKey.generate())
    add_operator(
        made.store,
        name,
        line,
        roles=roles or (Role.RESPONDER,),
        simulated=False,
        actor="system",
        now=made.clock(),
    )


def test_an_operator_is_found_by_name_with_the_roles_given(made: Made) -> None:
    add(made, "ana", None, Role.COUNSEL, Role.AUDITOR)
    with made.store.read() as session:
        operator = operator_named(session, "ana")
    assert roles_of(operator) == {Role.COUNSEL, Role.AUDITOR}
    assert operator.added_at == START
    *_, last = made.store.recorded(WORKSPACE_CHAIN)
    assert last.entry.kind == "operator.added"


def test_operators_are_listed_by_name_and_retired_ones_stay(made: Made) -> None:
    for name in ("张三", "bo", "ana"):
        add(made, name)
    retire_operator(made.store, "bo", actor="system", now=made.clock.move(days=1))
    assert [(each.name, each.retired_at is None) for each in list_operators(made.store)] == [
        ("ana", True),
        ("bo", False),
        ("张三", True),
    ]


@pytest.mark.parametrize(
    "name", ["", "system", "-x", ".x", "a b", "a/b", "ana\n", "a" * 41, "_x", "a\u202eb"]
)
def test_a_name_that_cannot_be_told_or_typed_is_refused(made: Made, name: str) -> None:
    before = all_rows(made.store)
    with pytest.raises(BadInput, match="no name for an operator"):
        add(made, name)
    assert all_rows(made.store) == before


@pytest.mark.parametrize("key", ["", "ssh-ed25519", "ssh-ed25519 AAAA", "no key at all", "ssh-rsa %%%"])
def test_a_key_that_is_none_is_refused(made: Made, key: str) -> None:
    before = all_rows(made.store)
    with pytest.raises(BadInput) as caught:
        add_operator(
            made.store, "ana", key, roles=(Role.APPROVER,), simulated=False, actor="system", now=START
        )
    assert caught.value.where == "ana"
    assert all_rows(made.store) == before


def test_a_name_and_a_key_are_taken_for_good_also_after_retirement(made: Made) -> None:
    line = public_line(Ed25519PrivateKey.generate())
    add(made, "ana", f"{line} ana@laptop")
    retire_operator(made.store, "ana", actor="system", now=made.clock())
    before = all_rows(made.store)
    with pytest.raises(Refused, match="belongs to the operator ana already"):
        add(made, "bo", f"{line} bo@desktop")
    with pytest.raises(Refused, match="there is an operator ana already"):
        add(made, "ana")
    assert all_rows(made.store) == before


def test_a_retired_or_unknown_operator_cannot_act(made: Made) -> None:
    make_signer(made, "ana")
    retire_operator(made.store, "ana", actor="system", now=made.clock())
    with made.store.read() as session:
        with pytest.raises(Refused, match="retired"):
            operator_named(session, "ana")
        with pytest.raises(NotFound, match="there is no operator bo"):
            operator_named(session, "bo")
    with pytest.raises(Refused):
        retire_operator(made.store, "ana", actor="system", now=made.clock())
    with pytest.raises(NotFound):
        retire_operator(made.store, "bo", actor="system", now=made.clock())


def test_roles_are_read_from_a_list_of_words() -> None:
    assert read_roles("responder, counsel") == (Role.RESPONDER, Role.COUNSEL)
    for text in ("", "boss", "responder,,counsel"):
        with pytest.raises(BadInput) as caught:
            read_roles(text)
        assert caught.value.next_step is not None and "approver" in caught.value.next_step
