"""What signs for a person, and that no change waits for them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from incident.errors import BadInput, Refused
from incident.record.decisions import Signer, Subject, Verdict, approvals, decide, signing_ahead, voices
from incident.record.operators import Role, add_operator, retire_operator
from incident.record.signing import KeygenKey, OpenKey, public_line_of
from incident.record.sshsig import read_private_key, read_public_line, verifies
from incident.store.tables import Decision
from tests.support.at_once import at_once
from tests.support.devices import ECDSA, ED25519, Agent, Device, Kind, agent_with
from tests.support.openssh import keygen, ssh_agent
from tests.support.postgres import PostgresServer
from tests.support.tools import need_tool
from tests.support.workspaces import Made, all_rows, make_workspace, open_one

MESSAGE = b'{"verdict":"approved"}'
KINDS = {
    "ed25519": ["-t", "ed25519"],
    "ecdsa-256": ["-t", "ecdsa", "-b", "256"],
    "ecdsa-384": ["-t", "ecdsa", "-b", "384"],
    "ecdsa-521": ["-t", "ecdsa", "-b", "521"],
    "rsa": ["-t", "rsa", "-b", "2048"],
}


def made_key(file: Path, kind: str = "ed25519", *, passphrase: str = "") -> str:
    """A key pair made by ssh-keygen; returns the public line."""
    assert keygen("-q", *KINDS[kind], "-N", passphrase, "-f", file).returncode == 0
    return read_public_line(Path(f"{file}.pub").read_text(), where=str(file))


def key_with(
    public: str,
    file: Path | None = None,
    *,
    passphrase: str | None = None,
    patience: float = 30,
    told: list[str] | None = None,
) -> KeygenKey:
    program = need_tool("ssh-keygen", "openssh-client")
    tell = (told if told is not None else []).append
    return KeygenKey(public, file, program, passphrase, may_ask=False, tell=tell, patience=patience)


@pytest.fixture(autouse=True)
def _no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("passphrase", ["", "a passphrase; with $signs 'in' it"])
def test_a_key_file_signs_with_its_passphrase(tmp_path: Path, kind: str, passphrase: str) -> None:
    public = made_key(tmp_path / "key", kind, passphrase=passphrase)
    signature = key_with(public, tmp_path / "key", passphrase=passphrase or None).sign(MESSAGE)
    assert verifies(MESSAGE, signature, public)


def test_without_the_passphrase_nothing_is_signed_and_the_next_step_is_said(tmp_path: Path) -> None:
    public = made_key(tmp_path / "key", passphrase="correct")
    for passphrase in (None, "wrong"):
        with pytest.raises(Refused) as caught:
            key_with(public, tmp_path / "key", passphrase=passphrase).sign(MESSAGE)
        assert caught.value.where == str(tmp_path / "key")
        assert "INCIDENT_SIGNING_PASSPHRASE" in str(caught.value)
        assert "correct" not in caught.value.what.replace("incorrect", "")


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    public = made_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(Refused, match="chmod 600"):
        key_with(public, tmp_path / "key").sign(MESSAGE)


@pytest.mark.parametrize("left", ["the public half", "nothing"])
def test_an_agent_signs_when_the_private_key_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    public = made_key(tmp_path / "key", passphrase="")
    with ssh_agent(tmp_path / "key") as environment:
        (tmp_path / "key").unlink()
        monkeypatch.setenv("SSH_AUTH_SOCK", environment["SSH_AUTH_SOCK"])
        file = tmp_path / "key.pub" if left == "the public half" else None
        assert verifies(MESSAGE, key_with(public, file).sign(MESSAGE), public)


def test_an_agent_that_has_the_key_spares_the_passphrase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = made_key(tmp_path / "key")
    with ssh_agent(tmp_path / "key") as environment:
        monkeypatch.setenv("SSH_AUTH_SOCK", environment["SSH_AUTH_SOCK"])
        locked = keygen("-q", "-p", "-N", "a passphrase", "-P", "", "-f", tmp_path / "key")
        assert locked.returncode == 0, locked.stderr
        assert verifies(MESSAGE, key_with(public, tmp_path / "key").sign(MESSAGE), public)


def test_an_agent_without_the_key_signs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_key(tmp_path / "other")
    public = made_key(tmp_path / "key")
    with ssh_agent(tmp_path / "other") as environment:
        monkeypatch.setenv("SSH_AUTH_SOCK", environment["SSH_AUTH_SOCK"])
        with pytest.raises(Refused, match="ssh-add"):
            key_with(public).sign(MESSAGE)
        assert verifies(MESSAGE, key_with(public, tmp_path / "key").sign(MESSAGE), public)


@pytest.mark.parametrize("kind", [ED25519, ECDSA])
def test_a_device_signs_and_the_person_is_told_to_touch_it(
    monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    told: list[str] = []
    with agent_with(Device(kind)) as agent:
        monkeypatch.setenv("SSH_AUTH_SOCK", agent.name)
        signature = key_with(agent.device.public, told=told).sign(MESSAGE)
    assert verifies(MESSAGE, signature, agent.device.public)
    assert told == ["touch the device that holds the key"]


def test_who_does_not_touch_the_device_is_told_so_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    with agent_with(Device(ED25519)) as agent:
        agent.manner = "keeps silent"
        monkeypatch.setenv("SSH_AUTH_SOCK", agent.name)
        with pytest.raises(Refused, match="nobody let the key sign within 1 seconds") as caught:
            key_with(agent.device.public, patience=1).sign(MESSAGE)
        agent.manner = "refuses"
        with pytest.raises(Refused, match="did not sign"):
            key_with(agent.device.public).sign(MESSAGE)
    assert caught.value.next_step is not None and "touch it" in caught.value.next_step


def test_nothing_of_the_message_stands_in_the_arguments(tmp_path: Path) -> None:
    public = made_key(tmp_path / "key")
    real, seen = need_tool("ssh-keygen", "openssh-client"), tmp_path / "seen"
    spy = tmp_path / "spy"
    spy.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{seen}"\nexec "{real}" "$@"\n')
    spy.chmod(0o700)
    key = replace(key_with(public, tmp_path / "key", passphrase="a secret word"), program=str(spy))
    assert verifies(MESSAGE, key.sign(MESSAGE), public)
    arguments = seen.read_text()
    assert "approved" not in arguments
    assert "secret" not in arguments
    statement = Path(arguments.splitlines()[-1])
    assert not statement.exists()


def test_a_program_that_cannot_be_started_or_signs_nothing_is_told(tmp_path: Path) -> None:
    public = made_key(tmp_path / "key")
    key = key_with(public, tmp_path / "key")
    with pytest.raises(Refused, match="cannot be started"):
        replace(key, program=str(tmp_path / "none")).sign(MESSAGE)
    with pytest.raises(Refused, match="wrote no signature"):
        replace(key, program=str(shutil.which("true"))).sign(MESSAGE)
    with pytest.raises(Refused, match="no reason given"):
        replace(key, program=str(shutil.which("false"))).sign(MESSAGE)


def test_a_file_tells_whose_key_it_is(tmp_path: Path) -> None:
    public = made_key(tmp_path / "key", passphrase="x")
    for half in (tmp_path / "key", tmp_path / "key.pub"):
        assert public_line_of(half) == public
    (tmp_path / "key.pub").unlink()
    assert public_line_of(tmp_path / "key") == public
    old = tmp_path / "old"
    assert keygen("-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", old).returncode == 0
    beside = read_public_line(Path(f"{old}.pub").read_text(), where="old.pub")
    assert public_line_of(old) == beside
    Path(f"{old}.pub").unlink()
    assert public_line_of(old) is None
    (tmp_path / "none-of-it").write_bytes(b"\xff\xfe no key")
    for file in (tmp_path / "none-of-it", tmp_path / "missing", tmp_path):
        with pytest.raises(BadInput) as caught:
            public_line_of(file)
        assert caught.value.where == str(file)


# -- deciding while a person takes their time -----------------------------------------------------------


@dataclass
class Slow:
    """A key whose person does something else before they touch it."""

    inner: Signer
    meanwhile: Callable[[], object] = lambda: None
    asked: list[bytes] = field(default_factory=list)
    takes_a_person = True

    @property
    def public(self) -> str:
        return self.inner.key.public

    def sign(self, message: bytes) -> str:
        self.asked.append(message)
        self.meanwhile()
        return self.inner.key.sign(message)


@dataclass(frozen=True)
class Desk:
    """An incident where ana decides with a key file and bo with a device in an agent."""

    made: Made
    incident: str
    agent: Agent
    signers: dict[str, Signer]

    def decide(self, signer: Signer, *, subject: Callable[[], Subject] | None = None) -> Decision:
        store = self.made.another().store

        def act(signer: Signer) -> Decision:
            now = self.made.clock()
            with store.write(self.incident, kind="decided", actor=signer.name, now=now) as change:
                change.note(tried=True)
                return decide(
                    change,
                    self.incident,
                    subject() if subject is not None else SUBJECT,
                    Verdict.APPROVED,
                    signer=signer,
                    needs=Role.APPROVER,
                    reason="read it",
                    decision_id=store.new_id(),
                )

        return signing_ahead(signer, act)

    def names(self) -> set[str]:
        with self.made.store.read() as session:
            return {voice.operator.name for voice in approvals(voices(session, SUBJECT, drill=False))}

    def write(self) -> None:
        """Something else is recorded in the same incident; fails where it would have to wait."""
        store, now = self.made.store, self.made.clock()
        with store.write(self.incident, kind="else", actor="cy", now=now) as change:
            change.note(other=True)


SUBJECT = Subject("notice", "n1", "a" * 64)


@pytest.fixture
def desk(tmp_path: Path, store_on: PostgresServer | None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    made = make_workspace(tmp_path, on=store_on)
    made_key(tmp_path / "ana")
    with agent_with(Device(ED25519)) as agent:
        monkeypatch.setenv("SSH_AUTH_SOCK", agent.name)
        lines = {"ana": made_key(tmp_path / "key"), "bo": agent.device.public}
        signers = {
            "ana": Signer("ana", key_with(lines["ana"], tmp_path / "key")),
            "bo": Signer("bo", key_with(lines["bo"])),
        }
        for name, line in lines.items():
            roles = (Role.APPROVER,)
            add_operator(
                made.store, name, line, roles=roles, simulated=False, actor="system", now=made.clock()
            )
        yield Desk(made, open_one(made), agent, signers)


def test_what_was_signed_ahead_is_recorded_once_with_the_time_of_signing(desk: Desk) -> None:
    signed_at = desk.made.clock()
    desk.agent.before = lambda: desk.made.clock.move(seconds=40)
    decision = desk.decide(desk.signers["bo"])
    assert decision.decided_at == signed_at
    assert desk.names() == {"bo"}
    assert desk.agent.asked == 1
    kinds = [entry.kind for entry in desk.made.store.entries(desk.incident)]
    assert kinds == ["incident.opened", "decided"]


def test_while_a_person_takes_their_time_others_go_on_writing(desk: Desk) -> None:
    slow = Slow(desk.signers["ana"], meanwhile=desk.write)
    desk.decide(replace(desk.signers["ana"], key=slow))
    assert desk.names() == {"ana"}
    kinds = [entry.kind for entry in desk.made.store.entries(desk.incident)]
    assert kinds == ["incident.opened", "else", "decided"]


def test_what_changed_while_it_was_signed_is_not_decided(desk: Desk) -> None:
    hashes = iter(["a" * 64, "b" * 64])
    before = all_rows(desk.made.store)
    with pytest.raises(Refused, match="what bo signed is not what the record holds by now"):
        desk.decide(desk.signers["bo"], subject=lambda: Subject("notice", "n1", next(hashes)))
    assert all_rows(desk.made.store) == before


def test_who_is_retired_while_they_sign_decides_nothing(desk: Desk) -> None:
    def retire() -> None:
        retire_operator(desk.made.store, "ana", actor="cy", now=desk.made.clock())

    slow = Slow(desk.signers["ana"], meanwhile=retire)
    with pytest.raises(Refused, match="ana was retired"):
        desk.decide(replace(desk.signers["ana"], key=slow))
    assert desk.names() == set()


def test_a_key_that_signs_nothing_or_is_another_leaves_no_trace(desk: Desk) -> None:
    before = all_rows(desk.made.store)
    desk.agent.manner = "refuses"
    with pytest.raises(Refused, match="did not sign"):
        desk.decide(desk.signers["bo"])
    desk.agent.manner = "signs with another key"
    with pytest.raises(Refused):
        desk.decide(desk.signers["bo"])
    lying = Slow(desk.signers["ana"])
    lying.sign = lambda message: desk.signers["ana"].key.sign(message + b" ")  # type: ignore[method-assign]
    with pytest.raises(Refused, match="not by the key of ana"):
        desk.decide(replace(desk.signers["ana"], key=lying))
    with pytest.raises(Refused, match="not the one that belongs to bo"):
        desk.decide(replace(desk.signers["ana"], name="bo"))
    assert all_rows(desk.made.store) == before


def test_who_lacks_the_role_is_not_asked_to_sign(desk: Desk) -> None:
    line = made_key(desk.made.workspace.root / "cy")
    add_operator(
        desk.made.store,
        "cy",
        line,
        roles=(Role.AUDITOR,),
        simulated=False,
        actor="system",
        now=desk.made.clock(),
    )
    slow = Slow(Signer("cy", key_with(line, desk.made.workspace.root / "cy")))
    with pytest.raises(Refused, match="cy is no approver"):
        desk.decide(Signer("cy", slow))
    assert slow.asked == []


def test_a_signature_may_be_made_within_a_change_where_nobody_asked_ahead(desk: Desk) -> None:
    store, now = desk.made.store, desk.made.clock()
    with store.write(desk.incident, kind="decided", actor="bo", now=now) as change:
        decide(
            change,
            desk.incident,
            SUBJECT,
            Verdict.APPROVED,
            signer=desk.signers["bo"],
            needs=Role.APPROVER,
            decision_id=store.new_id(),
        )
    assert desk.names() == {"bo"}


def test_two_who_sign_at_the_same_moment_both_count(desk: Desk) -> None:
    outcomes = at_once(*(lambda name=name: desk.decide(desk.signers[name]) for name in ("ana", "bo")))
    assert [type(each) for each in outcomes] == [Decision, Decision]
    assert desk.names() == {"ana", "bo"}


def test_an_open_key_of_this_process_signs_as_ssh_keygen_does(tmp_path: Path) -> None:
    public = made_key(tmp_path / "key")
    open_key = OpenKey(read_private_key(tmp_path / "key"))
    assert open_key.public == public
    assert open_key.sign(MESSAGE) == key_with(public, tmp_path / "key").sign(MESSAGE)
