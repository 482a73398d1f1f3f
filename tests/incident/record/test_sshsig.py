"""Our signatures against OpenSSH's own tool, in both directions."""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.record.sshsig import (
    NAMESPACE,
    PrivateKey,
    fingerprint,
    public_line,
    public_line_in,
    read_private_key,
    read_public_line,
    sign,
    verifies,
)
from tests.support.devices import armoured
from tests.support.openssh import keygen, openssh_verifies

KINDS = {
    "ed25519": ["-t", "ed25519"],
    "ecdsa-256": ["-t", "ecdsa", "-b", "256"],
    "ecdsa-384": ["-t", "ecdsa", "-b", "384"],
    "ecdsa-521": ["-t", "ecdsa", "-b", "521"],
    "rsa": ["-t", "rsa", "-b", "2048"],
}
MESSAGE = '{"verdict":"approved","说明":"同意"}'.encode()


@pytest.fixture(scope="module", params=KINDS)
def key_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("keys") / "key"
    made = keygen("-q", *KINDS[request.param], "-N", "", "-C", "ana@example.org", "-f", str(file))
    assert made.returncode == 0, made.stderr
    return file


def openssh_signs(folder: Path, key_file: Path, message: bytes, *options: str) -> str:
    file = folder / "message"
    file.write_bytes(message)
    signed = keygen("-Y", "sign", "-f", str(key_file), "-n", NAMESPACE, *options, str(file))
    assert signed.returncode == 0, signed.stderr
    return (folder / "message.sig").read_text()


def test_openssh_accepts_what_we_sign(key_file: Path, tmp_path: Path) -> None:
    key = read_private_key(key_file)
    signature = sign(MESSAGE, key)
    assert openssh_verifies(tmp_path, public_line(key), MESSAGE, signature)
    assert not openssh_verifies(tmp_path, public_line(key), MESSAGE + b"x", signature)
    assert not openssh_verifies(tmp_path, public_line(key), MESSAGE, signature, namespace="file")


@pytest.mark.parametrize("options", [(), ("-O", "hashalg=sha256")], ids=["sha512", "sha256"])
def test_we_accept_what_openssh_signs(key_file: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    signature = openssh_signs(tmp_path, key_file, MESSAGE, *options)
    public = read_public_line(Path(f"{key_file}.pub").read_text(), where="key.pub")
    assert verifies(MESSAGE, signature, public)
    assert not verifies(MESSAGE + b"x", signature, public)
    assert not verifies(MESSAGE, signature, public, namespace="file")


def test_the_fingerprint_is_the_one_that_openssh_shows(key_file: Path) -> None:
    shown = keygen("-l", "-f", f"{key_file}.pub").stdout.decode().split()[1]
    assert fingerprint(public_line(read_private_key(key_file))) == shown


def test_a_public_line_loses_its_comment_and_nothing_else(key_file: Path) -> None:
    line = Path(f"{key_file}.pub").read_text()
    assert line.strip().endswith("ana@example.org")
    assert read_public_line(line, where="key.pub") == public_line(read_private_key(key_file))


@cache
def keys() -> dict[str, PrivateKey]:
    return {
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
        "p256": ec.generate_private_key(ec.SECP256R1()),
        "p521": ec.generate_private_key(ec.SECP521R1()),
        "rsa": rsa.generate_private_key(65537, 2048),
    }


@cache
def signed_once(kind: str) -> str:
    return sign(MESSAGE, keys()[kind])


@pytest.mark.parametrize("kind", ["ed25519", "p256", "p521", "rsa"])
@given(message=st.binary(max_size=100), data=st.data())
def test_a_signature_holds_for_its_message_key_and_namespace_only(
    kind: str, message: bytes, data: st.DataObject
) -> None:
    key = keys()[kind]
    signature = sign(message, key)
    assert verifies(message, signature, public_line(key))
    assert not verifies(message + b"\0", signature, public_line(key))
    assert not verifies(message, signature, public_line(key), namespace="other@tocsin")
    other = data.draw(st.sampled_from([each for name, each in keys().items() if name != kind]))
    assert not verifies(message, signature, public_line(other))


def test_a_signature_for_another_purpose_is_worth_nothing_here() -> None:
    key = keys()["ed25519"]
    assert not verifies(MESSAGE, sign(MESSAGE, key, namespace="git"), public_line(key))


@given(kind=st.sampled_from(["ed25519", "p256", "rsa"]), data=st.data())
def test_a_damaged_signature_never_raises_and_never_holds_for_another_message(
    kind: str, data: st.DataObject
) -> None:
    key = keys()[kind]
    lines = signed_once(kind).splitlines()
    blob = bytearray(base64.b64decode("".join(lines[1:-1])))
    for _ in range(data.draw(st.integers(1, 4))):
        if blob:
            blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    del blob[data.draw(st.integers(0, len(blob))) :]
    damaged = "\n".join([lines[0], base64.b64encode(blob).decode(), lines[-1]])
    assert not verifies(b"another message", damaged, public_line(key))
    verifies(MESSAGE, damaged, public_line(key))


@given(
    signature=st.text(max_size=60) | st.text(max_size=60).map("-----BEGIN SSH SIGNATURE-----{}-----".format)
)
def test_garbage_for_a_signature_is_false_and_never_raises(signature: str) -> None:
    assert verifies(MESSAGE, signature, public_line(keys()["ed25519"])) is False


@given(
    public=st.text(max_size=60)
    | st.binary(max_size=60).map(lambda raw: f"ssh-ed25519 {base64.b64encode(raw).decode()}")
)
def test_garbage_for_a_key_is_false_when_verifying_and_refused_when_read(public: str) -> None:
    assert verifies(MESSAGE, sign(MESSAGE, keys()["ed25519"]), public) is False
    with pytest.raises(BadInput):
        read_public_line(public, where="key.pub")


def test_a_private_key_with_a_passphrase_opens_with_it_only(tmp_path: Path) -> None:
    pytest.importorskip("bcrypt", reason="encrypted OpenSSH keys need the package bcrypt (cryptography[ssh])")
    file = tmp_path / "key"
    keygen("-q", "-t", "ed25519", "-N", "correct", "-f", str(file))
    assert public_line(read_private_key(file, passphrase="correct")) in Path(f"{file}.pub").read_text()
    for passphrase in (None, "wrong"):
        with pytest.raises(BadInput) as caught:
            read_private_key(file, passphrase=passphrase)
        assert caught.value.next_step is not None and "PASSPHRASE" in caught.value.next_step


def test_a_key_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    for content in (
        b"",
        b"no key",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
    ):
        (tmp_path / "key").write_bytes(content)
        with pytest.raises(BadInput) as caught:
            read_private_key(tmp_path / "key")
        assert caught.value.where == str(tmp_path / "key")
    with pytest.raises(BadInput, match="No such file"):
        read_private_key(tmp_path / "nothing")


def test_one_key_written_in_two_ways_is_one_key() -> None:
    plain = public_line(keys()["rsa"])
    kind, encoded = plain.split()
    blob = base64.b64decode(encoded)
    # The exponent 65537 once more, with a zero byte in front that its encoding does not need.
    padded = blob[:11] + b"\0\0\0\x04\0\x01\0\x01" + blob[18:]
    assert blob[11:18] == b"\0\0\0\x03\x01\0\x01"
    again = read_public_line(f"{kind} {base64.b64encode(padded).decode()} other@laptop", where="key.pub")
    assert again == plain


def test_what_stands_behind_a_signature_and_another_algorithm_are_refused_as_openssh_does(
    key_file: Path, tmp_path: Path
) -> None:
    key = read_private_key(key_file)
    blob = base64.b64decode("".join(sign(MESSAGE, key).splitlines()[1:-1]))
    assert openssh_verifies(tmp_path, public_line(key), MESSAGE, armoured(blob))
    at = blob.rindex(b"sha512") + len(b"sha512") + 8  # the name of the algorithm begins after two lengths
    for changed in (blob + b"\0", blob[:at] + b"x" + blob[at + 1 :]):
        assert not openssh_verifies(tmp_path, public_line(key), MESSAGE, armoured(changed))
        assert not verifies(MESSAGE, armoured(changed), public_line(key))


@pytest.mark.parametrize("passphrase", ["", "a passphrase"])
def test_a_private_key_file_tells_its_public_half_without_its_passphrase(
    tmp_path: Path, passphrase: str
) -> None:
    for kind, options in KINDS.items():
        file = tmp_path / kind
        assert keygen("-q", *options, "-N", passphrase, "-f", file).returncode == 0
        public = read_public_line(Path(f"{file}.pub").read_text(), where=kind)
        assert public_line_in(file.read_text()) == public


def test_a_private_key_of_another_form_tells_nothing(tmp_path: Path) -> None:
    file = tmp_path / "key"
    assert keygen("-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", file).returncode == 0
    assert public_line_in(file.read_text()) is None


@given(
    text=st.text(max_size=80) | st.binary(max_size=80).map(lambda raw: armoured(b"openssh-key-v1\0" + raw))
)
def test_garbage_for_a_private_key_tells_nothing_and_never_raises(text: str) -> None:
    assert public_line_in(text) is None
