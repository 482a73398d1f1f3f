from __future__ import annotations

import pytest

from notifiers.email.message import Address, Envelope, MailTemplate, slot, xtext
from notifiers.errors import BadAddress, BadMessage, UnsupportedAddress

SENDER = Address("notice@example.com", "某某公司")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("someone@example.com", "someone@example.com"),
        ("o'neil+tag@example.com", "o'neil+tag@example.com"),
        ('"a..b"@docomo.example', '"a..b"@docomo.example'),
        ("user@例子.中国", "user@xn--fsqu00a.xn--fiqs8s"),
        ("user@BÜCHER.example", "user@xn--bcher-kva.example"),
        ("root@localhost", "root@localhost"),
    ],
)
def test_an_address_is_kept_with_its_domain_in_ascii(given: str, kept: str) -> None:
    assert Address(given).spec == kept


def test_letters_outside_ascii_before_the_at_sign_have_an_error_of_their_own() -> None:
    with pytest.raises(UnsupportedAddress):
        Address("用户@example.com")


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nobody",
        "@example.com",
        "a@",
        "a b@example.com",
        "a@exa mple.com",
        "a..b@example.com",
        ".a@example.com",
        "a@-example.com",
        "a@example..com",
        "a@b@example.com",
        "a@example.com\r\nRCPT TO:<b@example.com>",
        "a@example.com\n",
        "a\r\n@example.com",
        "<a@example.com>",
        f"{'a' * 65}@example.com",
        f"a@{'a.' * 130}com",
        "a@xn--\u0130..例",
    ],
)
def test_what_is_no_mailbox_is_refused(given: str) -> None:
    with pytest.raises(BadAddress):
        Address(given)


@pytest.mark.parametrize(
    "name", ["a\r\nBcc: x@example.com", "a\nb", "a\x00b", "a\u2028b", "a\ud800", "a\x85b"]
)
def test_a_display_name_holds_no_second_line(name: str) -> None:
    with pytest.raises(BadMessage):
        Address("a@example.com", name)


def a_template(**changes: object) -> MailTemplate:
    fields: dict[str, object] = {
        "subject": "s",
        "text": "t",
        "html": None,
        "sender": SENDER,
        "language": "en",
        "headers": {},
    }
    return MailTemplate(**(fields | changes))  # type: ignore[arg-type]  # the test gives wrong ones


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"subject": "a\r\nBcc: x@example.com"}, "subject"),
        ({"subject": "  "}, "subject"),
        ({"text": ""}, "text"),
        ({"text": "a\x00b"}, "text"),
        ({"html": ""}, "html"),
        ({"html": "a\ud800"}, "html"),
        ({"text": "\ufdd0name"}, "text"),
        ({"text": "\ufdd0Na me\ufdd1"}, "text"),
        ({"language": "zh-Hans\r\nX: y"}, "language"),
        ({"headers": {"X-A": "b\r\nBcc: c@example.com"}}, "header X-A"),
        ({"headers": {"X-A": slot("name")}}, "header X-A"),
        ({"headers": {"X-A": " "}}, "header X-A"),
        ({"headers": {"X A": "b"}}, "header 'X A'"),
        ({"headers": {"X-A:\r\nBcc": "b"}}, r"header 'X-A:\r\nBcc'"),
        ({"headers": {"Subject": "b"}}, "header Subject"),
        ({"headers": {"bcc": "b@example.com"}}, "header bcc"),
        ({"headers": {"List-Unsubscribe": "<mailto:a@example.com>"}}, "header List-Unsubscribe"),
    ],
)
def test_a_template_says_which_part_is_wrong(changes: dict[str, object], where: str) -> None:
    with pytest.raises(BadMessage) as refused:
        a_template(**changes)
    assert refused.value.where == where


def test_the_name_of_a_slot_is_checked() -> None:
    assert slot("name_2") == "\ufdd0name_2\ufdd1"
    with pytest.raises(BadMessage):
        slot("Name")


@pytest.mark.parametrize("data", [b"a\nb\r\n", b"a\rb\r\n", b"a\r\n.\n", b"a\r\n.\r", b"\n\r\n"])
def test_a_line_end_that_could_hide_a_second_message_is_refused(data: bytes) -> None:
    with pytest.raises(BadMessage) as refused:
        Envelope("", "a@example.com", data)
    assert refused.value.where == "data"


@pytest.mark.parametrize("rcpt", ["", "a@例子.中国", "a@example.com> NOTIFY=NEVER", "a@example.com\r\nDATA"])
def test_an_envelope_takes_ascii_mailboxes_only(rcpt: str) -> None:
    with pytest.raises(BadAddress):
        Envelope("", rcpt, b"\r\n")
    if rcpt:
        with pytest.raises(BadAddress):
            Envelope(rcpt, "a@example.com", b"\r\n")


def test_an_envelope_id_is_encoded_as_the_standard_asks() -> None:
    assert xtext("a+b=c d") == "a+2Bb+3Dc+20d"
    for bad in ("", "中", "a" * 101, "+" * 40):
        with pytest.raises(BadMessage):
            Envelope("", "a@example.com", b"\r\n", envid=bad)
