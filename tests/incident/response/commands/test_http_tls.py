"""Whom an http-api command trusts, by real TLS servers on loopback."""

import ipaddress
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from incident.hosts import host_rule
from incident.response.commands.going_out import GoingOut
from incident.response.commands.http_api import carry_out
from incident.response.commands.prepared import Call
from incident.response.commands.result import Ending, Result
from incident.response.model import AgentTarget, Command
from tests.support.services import CalledService

NOW = datetime.now(UTC)
KEY = ec.generate_private_key(ec.SECP256R1())


SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def certificate(
    subject: str, issuer: str, *, names: list[x509.GeneralName] | None = None, days: int = 1
) -> x509.Certificate:
    """One key signs all: what counts is who is named. Without `names` it is an authority.

    With all that RFC 5280 asks for (4.2.1.1 to 4.2.1.3), which Python checks from 3.13 on.
    """

    def called(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    made = x509.CertificateBuilder(
        called(issuer), called(subject), KEY.public_key(), x509.random_serial_number()
    )
    made = made.not_valid_before(NOW - timedelta(days=9)).not_valid_after(NOW + timedelta(days=days))
    made = made.add_extension(x509.BasicConstraints(ca=names is None, path_length=None), critical=True)
    made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(KEY.public_key()), critical=False)
    issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(KEY.public_key())
    made = made.add_extension(issued_by, critical=False)
    if names is None:
        made = made.add_extension(SIGNS_CERTIFICATES, critical=True)
    else:
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return made.sign(KEY, hashes.SHA256())


LOOPBACK: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
AUTHORITY = certificate("Authority", "Authority")


def pem(made: x509.Certificate) -> bytes:
    return made.public_bytes(serialization.Encoding.PEM)


@contextmanager
def service_with(made: x509.Certificate, folder: Path) -> Iterator[CalledService]:
    private = KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(private + pem(made))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    service = CalledService()
    service._server.socket = context.wrap_socket(
        service._server.socket, server_side=True, do_handshake_on_connect=False
    )
    service.url = service.url.replace("http:", "https:")
    with service:
        yield service


def call(url: str, ca_file: Path | None) -> Result:
    rules = GoingOut(hosts=(host_rule("127.0.0.1"), host_rule("localhost")), ca_file=ca_file)
    wanted = Call(
        Command(type="http-api", command="POST / HTTP/1.1", content="{}"),
        AgentTarget(type="http-api", name="service", address={"url": [url]}),
        {},
        {},
        timeout_s=20,
        idempotency_key="R-3",
        authentication=None,
        resolve_secret=lambda name: "",
    )
    return carry_out(wanted, rules)


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    (tmp_path / "ca.pem").write_bytes(pem(AUTHORITY))
    return tmp_path / "ca.pem"


def test_an_authority_of_our_own_is_trusted(tmp_path: Path, ca_file: Path) -> None:
    with service_with(certificate("s", "Authority", names=LOOPBACK), tmp_path) as service:
        assert call(service.url, ca_file).ending is Ending.done
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    ("made", "trusted", "host"),
    [
        pytest.param(
            certificate("s", "Authority", names=LOOPBACK), False, "127.0.0.1", id="unknown authority"
        ),
        pytest.param(certificate("s", "s", names=LOOPBACK), True, "127.0.0.1", id="self-signed"),
        pytest.param(certificate("s", "Authority", names=LOOPBACK), True, "localhost", id="another host"),
        pytest.param(certificate("s", "Authority", names=LOOPBACK, days=-1), True, "127.0.0.1", id="expired"),
    ],
)
def test_a_certificate_that_does_not_hold_stops_the_call_before_anything_is_sent(
    tmp_path: Path, ca_file: Path, made: x509.Certificate, trusted: bool, host: str
) -> None:
    with service_with(made, tmp_path) as service:
        result = call(service.url.replace("127.0.0.1", host), ca_file if trusted else None)
    assert (result.ending, service.asked) == (Ending.not_sent, [])
    assert "certificate is not trusted" in result.detail and "[playbooks] ca_file" in result.detail


def test_a_file_of_certificates_that_is_none_stops_the_call(tmp_path: Path, ca_file: Path) -> None:
    with service_with(certificate("s", "Authority", names=LOOPBACK), tmp_path) as service:
        assert call(service.url, ca_file).ending is Ending.done
        ca_file.write_text("nothing")
        result = call(service.url, ca_file)
        assert (result.ending, "holds no certificates as PEM" in result.detail) == (Ending.not_sent, True)
        ca_file.unlink()
        assert "cannot be used" in call(service.url, ca_file).detail
        ca_file.write_bytes(pem(AUTHORITY))  # put right, it counts at once
        assert call(service.url, ca_file).ending is Ending.done
