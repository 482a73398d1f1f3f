"""Callbacks, made by Twilio's own signing and by hand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import string
import subprocess
import sys
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from notifiers.errors import BadMessage
from notifiers.sms.receipt import UNDER_WAY, MessageState
from notifiers.twilio.callbacks import callback_url, form_of, own_id_of, receipt_of, verify
from tests.support.twilio.script import OTHER_TOKEN, TOKEN

BASE = "https://notices.example/hooks/twilio"
KEY = b"k" * 32
SID = "SM" + "0a" * 16
FIELDS = {"MessageSid": SID, "MessageStatus": "delivered", "To": "+8613912345678"}

IDS = st.lists(
    st.text(alphabet=string.ascii_letters + string.digits + "-~", min_size=1, max_size=20),
    min_size=1,
    max_size=5,
).map(".".join)
FORMS = st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=30), max_size=8).map(
    lambda fields: {name: value for name, value in fields.items() if (name + value).isprintable()}
)


def signed_by_hand(token: str, url: str, form: dict[str, str]) -> str:
    """The signature as Twilio's page on the security of webhooks describes it."""
    text = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


@given(own_id=IDS)
def test_an_address_gives_its_id_back(own_id: str) -> None:
    url = callback_url(BASE, own_id, key=KEY)
    assert own_id_of(url, base=BASE, key=KEY) == own_id


@given(
    own_id=IDS,
    at=st.integers(min_value=0),
    other=st.sampled_from(string.ascii_letters + string.digits + "./?-"),
)
def test_an_address_that_was_changed_is_not_ours(own_id: str, at: int, other: str) -> None:
    url = callback_url(BASE, own_id, key=KEY)
    at %= len(url)
    changed = url[:at] + other + url[at + 1 :]
    found = own_id_of(changed, base=BASE, key=KEY)
    assert found == (own_id if changed == url else None)


@given(rest=st.text(alphabet=st.characters()), own_id=IDS)
def test_no_address_breaks_the_reading(rest: str, own_id: str) -> None:
    assert own_id_of(f"{BASE}/{rest}", base=BASE, key=KEY) is None
    assert own_id_of(f"{BASE}/{own_id}.{rest}", base=BASE, key=KEY) is None


def test_an_address_of_another_key_or_base_is_not_ours() -> None:
    url = callback_url(BASE, "d1.2", key=KEY)
    assert own_id_of(url, base=BASE, key=b"j" * 32) is None
    assert own_id_of(url, base="https://notices.example/hooks", key=KEY) is None
    assert own_id_of(f"{url}?x=1", base=BASE, key=KEY) is None
    assert own_id_of(BASE, base=BASE, key=KEY) is None


@pytest.mark.parametrize("own_id", ["", ".", "a..b", "a/b", "a?b", "é", "a b", "a" * 129, "a%2e"])
def test_an_id_that_an_address_cannot_hold_is_refused(own_id: str) -> None:
    with pytest.raises(BadMessage):
        callback_url(BASE, own_id, key=KEY)


@given(form=FORMS, own_id=IDS)
def test_what_twilio_signed_is_genuine_however_it_is_computed(form: dict[str, str], own_id: str) -> None:
    url = callback_url(BASE, own_id, key=KEY)
    by_twilio = RequestValidator(TOKEN).compute_signature(url, form)
    assert by_twilio == signed_by_hand(TOKEN, url, form)
    fields = form_of(urlencode(form).encode())
    assert fields is not None
    assert verify((TOKEN,), url, fields, by_twilio)


def test_each_token_counts_while_they_are_changed() -> None:
    fields = tuple(FIELDS.items())
    signature = signed_by_hand(OTHER_TOKEN, BASE, FIELDS)
    assert verify((TOKEN, OTHER_TOKEN), BASE, fields, signature)
    assert verify((OTHER_TOKEN,), BASE, fields, signature)
    assert not verify((TOKEN,), BASE, fields, signature)
    assert not verify((), BASE, fields, signature)


def test_an_empty_token_signs_nothing() -> None:
    assert not verify(("",), BASE, tuple(FIELDS.items()), signed_by_hand("", BASE, FIELDS))


@pytest.mark.parametrize("change", ["value", "more", "less", "trimmed", "url", "signature", "none"])
def test_what_was_changed_on_its_way_is_not_genuine(change: str) -> None:
    form = FIELDS | {"Body": " kept "}
    url, signature = BASE, signed_by_hand(TOKEN, BASE, form)
    if change == "value":
        form = form | {"MessageStatus": "failed"}
    if change == "more":
        form = form | {"ErrorCode": "30003"}
    if change == "less":
        form = FIELDS
    if change == "trimmed":
        form = form | {"Body": "kept"}
    if change == "url":
        url = f"{BASE}/"
    if change == "signature":
        signature = signature[:-2] + "A="
    if change == "none":
        signature = ""
    assert not verify((TOKEN,), url, tuple(form.items()), signature)


def test_the_query_of_an_address_is_signed_too() -> None:
    signature = signed_by_hand(TOKEN, f"{BASE}?a=1%2F2&b=", FIELDS)
    fields = tuple(FIELDS.items())
    assert verify((TOKEN,), f"{BASE}?a=1%2F2&b=", fields, signature)
    assert not verify((TOKEN,), f"{BASE}?a=1/2&b=", fields, signature)
    assert not verify((TOKEN,), BASE, fields, signature)


@pytest.mark.parametrize("signature", ["é" * 28, "\0", "=" * 5000])
def test_a_signature_of_any_kind_is_only_refused(signature: str) -> None:
    assert not verify((TOKEN,), BASE, tuple(FIELDS.items()), signature)


def test_fields_come_untrimmed_and_empty_ones_too() -> None:
    assert form_of(b"A=+x+&B=&A=%E6%96%B0") == (("A", " x "), ("B", ""), ("A", "新"))
    assert form_of(b"") == ()


@pytest.mark.parametrize("body", [b"nothing", b"A=%FF", b"A=\xff", b"&".join([b"a=1"] * 200)])
def test_what_is_no_form_is_none(body: bytes) -> None:
    assert form_of(body) is None


@given(body=st.binary(max_size=200))
def test_no_body_breaks_the_reading(body: bytes) -> None:
    form = form_of(body)
    assert form is None or receipt_of(form) is None


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("accepted", MessageState.enroute),
        ("queued", MessageState.enroute),
        ("sending", MessageState.enroute),
        ("sent", MessageState.enroute),
        ("scheduled", MessageState.scheduled),
        ("delivered", MessageState.delivered),
        ("read", MessageState.delivered),
        ("undelivered", MessageState.undeliverable),
        ("failed", MessageState.undeliverable),
        ("canceled", MessageState.deleted),
        ("DELIVERED", MessageState.delivered),
        ("partially_delivered", MessageState.unknown),
    ],
)
def test_each_state_is_read(word: str, state: MessageState) -> None:
    receipt = receipt_of(tuple((FIELDS | {"MessageStatus": word}).items()), own_id="d1.1")
    assert receipt is not None
    assert (receipt.state, receipt.message_id, receipt.own_id) == (state, SID, "d1.1")
    assert receipt.number == "8613912345678"
    assert "139" not in receipt.raw_text
    assert (receipt.state in UNDER_WAY) == (word in ("accepted", "queued", "sending", "sent", "scheduled"))


def test_a_failure_has_its_code_and_its_time() -> None:
    form = FIELDS | {"MessageStatus": "undelivered", "ErrorCode": "30003", "RawDlrDoneDate": "2612011245"}
    receipt = receipt_of(tuple(form.items()))
    assert receipt is not None
    assert (receipt.error, receipt.done_at, receipt.raw_text) == ("30003", "2612011245", "undelivered 30003")


def test_a_state_that_is_not_known_has_its_word_as_error_and_nothing_to_write_to_a_terminal() -> None:
    receipt = receipt_of((("MessageSid", SID), ("MessageStatus", "odd\x1b[2J"), ("ErrorCode", "x\n")))
    assert receipt is not None
    assert (receipt.state, receipt.error, receipt.raw_text) == (
        MessageState.unknown,
        "odd???j",
        "odd???j",
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"MessageStatus": "delivered"},
        {"MessageSid": SID},
        {"MessageSid": "SM1", "MessageStatus": "delivered"},
        {"MessageSid": f"{SID}\n", "MessageStatus": "delivered"},
        {"MessageSid": SID, "MessageStatus": " "},
    ],
)
def test_what_does_not_say_of_which_message_or_what_is_none(fields: dict[str, str]) -> None:
    assert receipt_of(tuple(fields.items())) is None


def test_reading_needs_no_package_and_checking_names_the_missing_one() -> None:
    program = (
        "import sys; sys.modules['twilio'] = None; sys.modules['twilio.request_validator'] = None\n"
        "from notifiers.errors import CarrierMissing\n"
        "from notifiers.twilio.callbacks import form_of, receipt_of, verify\n"
        "assert receipt_of(form_of(b'MessageSid=SM' + b'0' * 32 + b'&MessageStatus=sent'))\n"
        "try:\n verify(('t',), 'https://x.example', (), '')\n"
        "except CarrierMissing as missing:\n print(missing.package)\n"
    )
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("twilio\n", "")
