"""Signatures of keys on a device: ours and OpenSSH's verdict on the same ones, good and damaged."""

from __future__ import annotations

import base64
import struct
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.record.sshsig import (
    NAMESPACE,
    fingerprint,
    is_on_device,
    kind_of,
    public_line_in,
    read_public_line,
    verifies,
)
from tests.support.devices import ECDSA, ED25519, TOUCHED, Device, Kind, agent_with, armoured, fields
from tests.support.openssh import keygen, openssh_verifies

MESSAGE = '{"verdict":"approved","说明":"同意"}'.encode()
VERIFIED_BY_PIN = 0x04


@pytest.fixture(params=[ED25519, ECDSA])
def device(request: pytest.FixtureRequest) -> Device:
    return Device(request.param)


@cache
def device_of(kind: Kind) -> Device:
    return Device(kind)


@cache
def signed_once(kind: Kind) -> str:
    return device_of(kind).sshsig(MESSAGE, NAMESPACE)


def test_we_and_openssh_accept_what_a_touched_device_signs(device: Device, tmp_path: Path) -> None:
    signature = device.sshsig(MESSAGE, NAMESPACE)
    assert openssh_verifies(tmp_path, device.public, MESSAGE, signature)
    assert verifies(MESSAGE, signature, device.public)


def test_we_and_openssh_refuse_another_message_purpose_key_and_application(
    device: Device, tmp_path: Path
) -> None:
    good = device.sshsig(MESSAGE, NAMESPACE)
    elsewhere = Device(device.kind, application=b"ssh:work")
    cases = [
        (MESSAGE + b"x", good, device),
        (MESSAGE, device.sshsig(MESSAGE, "file"), device),
        (MESSAGE, good, Device(device.kind)),
        (MESSAGE, device.sshsig(MESSAGE, NAMESPACE, application=b"ssh:other"), device),
        (MESSAGE, elsewhere.sshsig(MESSAGE, NAMESPACE, application=b"ssh:"), elsewhere),
    ]
    for message, signature, owner in cases:
        assert not openssh_verifies(tmp_path, owner.public, message, signature)
        assert not verifies(message, signature, owner.public)


def test_a_signature_that_nobody_touched_the_device_for_does_not_count(device: Device) -> None:
    for flags in (0, VERIFIED_BY_PIN):
        device.flags = flags
        assert not verifies(MESSAGE, device.sshsig(MESSAGE, NAMESPACE), device.public)
    device.flags = TOUCHED | VERIFIED_BY_PIN
    assert verifies(MESSAGE, device.sshsig(MESSAGE, NAMESPACE), device.public)


def test_what_a_device_says_of_itself_cannot_be_changed_afterwards(device: Device, tmp_path: Path) -> None:
    device.flags = 0
    blob = base64.b64decode("".join(device.sshsig(MESSAGE, NAMESPACE).splitlines()[1:-1]))
    assert blob[-5] == 0
    touched_later = armoured(blob[:-5] + bytes([TOUCHED]) + blob[-4:])
    counted_back = armoured(blob[:-4] + struct.pack(">I", 1))
    for signature in (touched_later, counted_back):
        assert not openssh_verifies(tmp_path, device.public, MESSAGE, signature)
        assert not verifies(MESSAGE, signature, device.public)


def test_a_device_reached_through_an_agent_signs_by_ssh_keygen(device: Device, tmp_path: Path) -> None:
    public, message = tmp_path / "key.pub", tmp_path / "message"
    public.write_text(device.public)
    message.write_bytes(MESSAGE)
    with agent_with(device) as agent:
        made = keygen(
            "-Y", "sign", "-f", public, "-n", NAMESPACE, message, environment={"SSH_AUTH_SOCK": agent.name}
        )
    assert made.returncode == 0, made.stderr
    signature = (tmp_path / "message.sig").read_text()
    assert openssh_verifies(tmp_path, device.public, MESSAGE, signature)
    assert verifies(MESSAGE, signature, device.public)


def test_openssh_shows_the_same_fingerprint(device: Device, tmp_path: Path) -> None:
    public = tmp_path / "key.pub"
    public.write_text(f"{device.public} ana@example.org\n")
    shown = keygen("-l", "-f", public).stdout.decode().split()[1]
    line = read_public_line(public.read_text(), where="key.pub")
    assert (fingerprint(line), line) == (shown, device.public)
    assert (kind_of(line), is_on_device(line)) == (device.kind, True)


def test_the_file_that_names_the_device_s_key_tells_its_public_half(device: Device, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(device.private_text)
    file.chmod(0o600)
    shown = keygen("-y", "-f", file)
    assert shown.returncode == 0, shown.stderr
    assert read_public_line(shown.stdout.decode(), where="key") == device.public
    assert public_line_in(file.read_text()) == device.public


def test_a_point_written_in_its_short_form_is_the_same_key() -> None:
    device = Device(ECDSA)
    point = device.blob.split(b"nistp256")[2][4:69]
    short = bytes([2 + point[64] % 2]) + point[1:33]
    blob = fields(ECDSA.encode(), b"nistp256", short, device.application)
    line = f"{ECDSA} {base64.b64encode(blob).decode()}"
    assert read_public_line(line, where="key.pub") == device.public


@given(kind=st.sampled_from([ED25519, ECDSA]), data=st.data())
def test_a_damaged_public_key_is_refused_or_another_one(kind: Kind, data: st.DataObject) -> None:
    blob = bytearray(device_of(kind).blob)
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))
    del blob[data.draw(st.integers(1, len(blob))) :]
    line = f"{kind} {base64.b64encode(blob).decode()}"
    try:
        read = read_public_line(line, where="key.pub")
    except BadInput as error:
        assert error.where == "key.pub"
        return
    assert fingerprint(read) != fingerprint(device_of(kind).public)
    assert not verifies(MESSAGE, signed_once(kind), read)


def test_something_after_a_public_key_is_refused() -> None:
    for kind in (ED25519, ECDSA):
        line = f"{kind} {base64.b64encode(device_of(kind).blob + b'x').decode()}"
        with pytest.raises(BadInput):
            read_public_line(line, where="key.pub")


@given(kind=st.sampled_from([ED25519, ECDSA]), data=st.data())
def test_a_damaged_signature_never_raises_and_never_holds_for_another_message(
    kind: Kind, data: st.DataObject
) -> None:
    blob = bytearray(base64.b64decode("".join(signed_once(kind).splitlines()[1:-1])))
    for _ in range(data.draw(st.integers(1, 4))):
        if blob:
            blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    del blob[data.draw(st.integers(0, len(blob))) :]
    assert not verifies(b"another message", armoured(bytes(blob)), device_of(kind).public)
    verifies(MESSAGE, armoured(bytes(blob)), device_of(kind).public)


def test_a_changed_byte_anywhere_is_judged_as_openssh_judges_it(device: Device, tmp_path: Path) -> None:
    blob = base64.b64decode("".join(device.sshsig(MESSAGE, NAMESPACE).splitlines()[1:-1]))
    for at in range(0, len(blob), 9):
        damaged = armoured(blob[:at] + bytes([blob[at] ^ 0x10]) + blob[at + 1 :])
        theirs = openssh_verifies(tmp_path, device.public, MESSAGE, damaged)
        assert verifies(MESSAGE, damaged, device.public) == theirs, at


def test_a_plain_signature_is_no_device_s_and_the_other_way_round(device: Device, tmp_path: Path) -> None:
    blob = base64.b64decode("".join(device.sshsig(MESSAGE, NAMESPACE).splitlines()[1:-1]))
    for shorter in (blob[:-5], blob[:-1], blob + b"\0"):
        assert not openssh_verifies(tmp_path, device.public, MESSAGE, armoured(shorter))
        assert not verifies(MESSAGE, armoured(shorter), device.public)
