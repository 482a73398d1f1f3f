from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from incident.hooks.definition import Auth
from incident.hooks.signatures import Reason, Rejected, Verified, verify

SAMPLES = Path(__file__).parents[3] / ".." / "shared" / "samples" / "alerts"
needs_samples = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the shared samples are not beside this checkout"
)

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
BODY = b'{"title": "x"}'
KEY = b"0123456789abcdef01234567"
WHSEC = "whsec_" + base64.b64encode(KEY).decode()
OTHER = "whsec_" + base64.b64encode(b"another key of 24 bytes!").decode()


def auth(**data: object) -> Auth:
    return TypeAdapter[Auth](Auth).validate_python({"secret": ["env:A", "env:B"], **data})


TOKEN = auth(kind="header_token", header="Authorization", prefix="Bearer ")
GITHUB = auth(kind="hmac_sha256", header="X-Hub-Signature-256", prefix="sha256=")
GRAFANA = auth(kind="hmac_sha256", header="X-Grafana-Alerting-Signature", timestamp_header="X-Grafana-Time")
WEBHOOK = auth(kind="standard_webhooks")
URL = auth(kind="url_token")
NONE = TypeAdapter[Auth](Auth).validate_python({"kind": "none", "allow_cidrs": ["10.0.0.0/8"]})
ALL = [TOKEN, GITHUB, GRAFANA, WEBHOOK, URL]


def hex_signature(secret: str, signed: bytes) -> str:
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def webhook_headers(
    *, at: datetime = NOW, key: bytes = KEY, message: str = "msg_1", body: bytes = BODY, before: str = ""
) -> dict[str, str]:
    timestamp = str(int(at.timestamp()))
    digest = hmac.new(key, f"{message}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {
        "Webhook-Id": message,
        "Webhook-Timestamp": timestamp,
        "Webhook-Signature": f"{before} {signature}".strip(),
    }


@pytest.mark.parametrize("value", ["Bearer t0ken", "bearer t0ken", "t0ken"])
def test_a_token_is_taken_with_and_without_its_scheme(value: str) -> None:
    assert verify(TOKEN, ["t0ken"], {"AUTHORIZATION": value}, BODY, NOW) == Verified()


@pytest.mark.parametrize("value", ["Bearer t0ken2", "Bearer", "Basic t0ken", "t0ke", "t0ken, t0ken", "tökén"])
def test_another_token_is_wrong(value: str) -> None:
    assert verify(TOKEN, ["t0ken"], {"Authorization": value}, BODY, NOW) == Rejected(Reason.credential_wrong)


@pytest.mark.parametrize("one", ALL)
def test_nothing_sent_is_a_missing_credential(one: Auth) -> None:
    assert verify(one, [WHSEC], {}, BODY, NOW) == Rejected(Reason.credential_missing)


@pytest.mark.parametrize("one", ALL)
def test_without_a_secret_nobody_gets_in(one: Auth) -> None:
    for secrets in ([], [""]):
        assert verify(one, secrets, {"authorization": ""}, BODY, NOW, url_token="") == Rejected(
            Reason.key_unusable
        )


def test_a_sender_that_can_do_nothing_passes_here_and_is_held_by_its_address() -> None:
    assert verify(NONE, [], {}, BODY, NOW) == Verified()


@pytest.mark.parametrize("position", [0, 1])
def test_while_a_secret_is_replaced_both_are_good(position: int) -> None:
    secrets = ["old", "new"]
    headers = {"x-hub-signature-256": "sha256=" + hex_signature(secrets[position], BODY)}
    assert verify(GITHUB, secrets, headers, BODY, NOW) == Verified()
    assert verify(URL, secrets, {}, BODY, NOW, url_token=secrets[position]) == Verified()
    webhook = webhook_headers(key=KEY)
    ordered = [OTHER, WHSEC] if position else [WHSEC, OTHER]
    assert isinstance(verify(WEBHOOK, ordered, webhook, BODY, NOW), Verified)


@pytest.mark.parametrize(
    "value",
    [
        "sha256=" + hex_signature("s", BODY).upper(),
        "sha256=00, sha256=" + hex_signature("s", BODY),
        "sha1=1234,sha256=" + hex_signature("s", BODY),
    ],
)
def test_a_hex_signature_is_read_in_any_case_and_out_of_a_list(value: str) -> None:
    assert verify(GITHUB, ["s"], {"X-Hub-Signature-256": value}, BODY, NOW) == Verified()


def test_a_signature_without_its_prefix_or_over_another_body_is_wrong() -> None:
    bare = {"x-hub-signature-256": hex_signature("s", BODY)}
    good = {"x-hub-signature-256": "sha256=" + hex_signature("s", BODY)}
    assert verify(GITHUB, ["s"], bare, BODY, NOW) == Rejected(Reason.credential_wrong)
    assert verify(GITHUB, ["s"], good, BODY + b" ", NOW) == Rejected(Reason.credential_wrong)


def test_a_base64_hmac_is_compared_as_base64() -> None:
    one = auth(kind="hmac_sha256", header="x-signature", encoding="base64")
    digest = base64.b64encode(hmac.new(b"s", BODY, hashlib.sha256).digest()).decode()
    assert verify(one, ["s"], {"x-signature": digest}, BODY, NOW) == Verified()


def test_a_signed_timestamp_header_counts_and_ages() -> None:
    def headers(timestamp: str) -> dict[str, str]:
        return {
            "x-grafana-time": timestamp,
            "x-grafana-alerting-signature": hex_signature("s", timestamp.encode() + b":" + BODY),
        }

    fresh = headers(str(int(NOW.timestamp())))
    assert verify(GRAFANA, ["s"], fresh, BODY, NOW) == Verified(None, NOW)
    assert verify(GRAFANA, ["s"], fresh | {"x-grafana-time": "1"}, BODY, NOW) == Rejected(
        Reason.credential_wrong
    )
    assert verify(GRAFANA, ["s"], headers("1"), BODY, NOW) == Rejected(Reason.timestamp_outside_window)
    assert verify(GRAFANA, ["s"], headers("now"), BODY, NOW) == Rejected(Reason.timestamp_unreadable)
    without = {name: value for name, value in fresh.items() if name != "x-grafana-time"}
    assert verify(GRAFANA, ["s"], without, BODY, NOW) == Rejected(Reason.credential_missing)


def test_a_standard_webhook_proves_its_id_and_its_time() -> None:
    assert verify(WEBHOOK, [WHSEC], webhook_headers(), BODY, NOW) == Verified("msg_1", NOW)


def test_svix_names_the_same_headers_its_own_way() -> None:
    svix = auth(kind="standard_webhooks", header_family="svix")
    headers = {name.replace("Webhook", "svix"): value for name, value in webhook_headers().items()}
    assert verify(svix, [WHSEC], headers, BODY, NOW) == Verified("msg_1", NOW)
    assert verify(svix, [WHSEC], webhook_headers(), BODY, NOW) == Rejected(Reason.credential_missing)


@pytest.mark.parametrize(
    "before",
    ["v1,AAAA", "nonsense", ",", "v1", "v1,", "v1,a,b,c", "v1,%%%", "v1a,AAAA", "v2,AAAA", "v1,é"],
)
def test_odd_elements_before_the_right_signature_do_no_harm(before: str) -> None:
    assert isinstance(verify(WEBHOOK, [WHSEC], webhook_headers(before=before), BODY, NOW), Verified)
    alone = webhook_headers() | {"Webhook-Signature": before}
    assert verify(WEBHOOK, [WHSEC], alone, BODY, NOW) == Rejected(Reason.credential_wrong)


@pytest.mark.parametrize(("seconds", "accepted"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_five_minutes_either_way_are_the_window(seconds: int, accepted: bool) -> None:
    outcome = verify(WEBHOOK, [WHSEC], webhook_headers(at=NOW + timedelta(seconds=seconds)), BODY, NOW)
    assert isinstance(outcome, Verified) is accepted
    assert accepted or outcome == Rejected(Reason.timestamp_outside_window)


def test_an_id_cannot_be_exchanged_and_must_be_readable() -> None:
    swapped = webhook_headers() | {"Webhook-Id": "msg_2"}
    assert verify(WEBHOOK, [WHSEC], swapped, BODY, NOW) == Rejected(Reason.credential_wrong)
    odd = webhook_headers(message="a b")
    assert verify(WEBHOOK, [WHSEC], odd, BODY, NOW) == Rejected(Reason.delivery_id_unreadable)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_%%%", "whsec_é", "whsec_abc"])
def test_a_secret_that_is_no_base64_is_said_to_be_unusable(secret: str) -> None:
    assert verify(WEBHOOK, [secret], webhook_headers(), BODY, NOW) == Rejected(Reason.key_unusable)
    assert isinstance(verify(WEBHOOK, [secret, WHSEC], webhook_headers(), BODY, NOW), Verified)


@needs_samples
@pytest.mark.parametrize(
    ("name", "one"), [("github_dependabot_alert", GITHUB), ("standard_webhooks_signed", WEBHOOK)]
)
def test_recorded_deliveries_are_genuine_and_every_changed_byte_is_seen(name: str, one: Auth) -> None:
    headers = json.loads((SAMPLES / f"{name}.headers.json").read_text("utf-8"))
    body = (SAMPLES / f"{name}.json").read_bytes()
    now = datetime.fromtimestamp(int(headers.get("webhook-timestamp", "0")), UTC)
    assert isinstance(verify(one, [headers["_test_secret"]], headers, body, now), Verified)
    for place in (0, len(body) // 2, len(body) - 1):
        changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        assert verify(one, [headers["_test_secret"]], headers, changed, now) == Rejected(
            Reason.credential_wrong
        )


_names = st.sampled_from(
    [
        "authorization",
        "X-Hub-Signature-256",
        "x-grafana-time",
        "x-grafana-alerting-signature",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    ]
)
_anything = st.text(st.characters(), max_size=80)
_nearly = st.sampled_from(["Bearer ", "sha256=", "v1,", "v1a,x v1,", "1763843175", "9" * 30, "-1", "٣"])


@given(
    one=st.sampled_from(ALL),
    secrets=st.lists(_anything | st.just("whsec_c3M=").map(lambda text: text + "x"), max_size=2),
    headers=st.dictionaries(
        _names | _anything, _anything | st.builds(str.__add__, _nearly, _anything), max_size=6
    ),
    body=st.binary(max_size=200),
    token=st.none() | _anything,
)
def test_no_header_body_or_secret_makes_it_raise(
    one: Auth, secrets: list[str], headers: dict[str, str], body: bytes, token: str | None
) -> None:
    outcome = verify(one, secrets, headers, body, NOW, url_token=token)
    if isinstance(outcome, Verified):
        # Only the two kinds of plain token can be hit by chance: an HMAC cannot.
        given = token if one is URL else headers.get("authorization", "").removeprefix("Bearer ").strip()
        assert one in (URL, TOKEN)
        assert given or token
