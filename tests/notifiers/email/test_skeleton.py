from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.headerregistry import UniqueAddressHeader
from email.message import EmailMessage
from email.utils import parseaddr

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from notifiers.email.message import NOT_IN_A_LINE, Address, MailTemplate, SkeletonMessage, slot
from notifiers.email.skeleton import Skeleton
from notifiers.errors import BadMessage

WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone(timedelta(hours=8)))
MESSAGE_ID = "<0123456789abcdef@notice.example.com>"
TO = Address("wang@example.com", "王小明")

lines = st.text(max_size=200).filter(lambda text: not NOT_IN_A_LINE.search(text))
long_words = st.text(alphabet="aé汉𠮷👩🏽\u200d🚀\u0627\u200f", min_size=60, max_size=300)
values = st.one_of(
    lines,
    long_words,
    st.sampled_from(
        ["", "<b>&\"'", "=?utf-8?B?AAAA?=", slot("other"), "{{ name }}", ".", "مريم\u202e", "O'Neil"]
    ),
)
names = values.filter(lambda text: text == text.strip())
BODY_ALPHABET = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufdd0\ufdd1")
fixed = st.text(alphabet=st.one_of(BODY_ALPHABET, st.just("\n")), max_size=150)


def a_template(
    text: str, html_body: str | None = None, *, subject: str = "通知", headers: dict[str, str] | None = None
) -> MailTemplate:
    return MailTemplate(
        subject,
        text,
        html_body,
        Address("notice@example.com", "某某移动通信公司"),
        "zh-Hans, en",
        reply_to=Address("help@example.com", "Help, desk"),
        headers=headers or {},
    )


def render(template: MailTemplate, given_values: dict[str, str], to: Address = TO) -> bytes:
    return Skeleton(template).render(given_values, to=to, message_id=MESSAGE_ID, date=WHEN)


def parsed(data: bytes) -> EmailMessage:
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    for header, value in message.items():
        assert not getattr(value, "defects", ()), (header, value)
    return message


def body_of(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    assert part is not None
    assert not part.defects
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode("utf-8").replace("\r\n", "\n")


def mailbox(message: EmailMessage, header: str) -> tuple[str, str]:
    field = message[header]
    assert isinstance(field, UniqueAddressHeader)
    (address,) = field.addresses
    return address.display_name, address.addr_spec


def assert_fit_for_the_wire(data: bytes) -> None:
    assert data.isascii()
    assert data.count(b"\r\n") == data.count(b"\n") == data.count(b"\r")
    # So much is taken for granted of it from here on.
    assert isinstance(data, SkeletonMessage)
    assert data.endswith(b"\r\n")
    assert not any(line.startswith(b".") for line in data.split(b"\r\n"))
    head, _, rest = data.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        assert len(line) <= (76 if b"=?" in line else 998), line
    assert all(len(line) <= 76 for line in rest.split(b"\r\n"))


def test_a_bilingual_message_reads_back_as_it_was_written() -> None:
    name, code = slot("name"), slot("code")
    template = a_template(
        f"尊敬的{name}：\n\n您的验证码是 {code}。\n\nDear {name}, your code is {code}.\n",
        f'<p>尊敬的{name}：</p><p title="{name}">Your code is <b>{code}</b>.</p>',
        subject="重要：关于您个人信息的安全通知 / Important: about the safety of your personal data",
    )
    data = render(template, {"name": "王 <小> & 明", "code": "K7-4M2-9QX"})
    assert_fit_for_the_wire(data)
    message = parsed(data)
    assert message["Subject"] == template.subject
    assert mailbox(message, "From") == ("某某移动通信公司", "notice@example.com")
    assert mailbox(message, "Reply-To") == ("Help, desk", "help@example.com")
    assert mailbox(message, "To") == ("王小明", "wang@example.com")
    assert message["Message-ID"] == MESSAGE_ID
    assert message["Date"].datetime == WHEN
    assert message["Content-Language"] == "zh-Hans, en"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "OOF, AutoReply"
    assert message["List-Unsubscribe"] is None
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert body_of(message, "plain") == (
        "尊敬的王 <小> & 明：\n\n您的验证码是 K7-4M2-9QX。\n\nDear 王 <小> & 明, your code is K7-4M2-9QX.\n"
    )
    assert body_of(message, "html") == (
        '<p>尊敬的王 &lt;小&gt; &amp; 明：</p><p title="王 &lt;小&gt; &amp; 明">'
        "Your code is <b>K7-4M2-9QX</b>.</p>"
    )


def test_a_message_without_html_has_one_part() -> None:
    message = parsed(render(a_template("你好"), {}))
    assert message.get_content_type() == "text/plain"
    assert body_of(message, "plain") == "你好"


@settings(max_examples=300, deadline=None)
@given(pieces=st.lists(fixed, min_size=1, max_size=6), given_values=st.lists(values, min_size=3, max_size=3))
@example(pieces=["", "", ""], given_values=["", "", ""])
@example(pieces=["", "a", "ab", "abc", ""], given_values=["x", "", "xy"])
def test_bodies_read_back_exactly_whatever_the_values(pieces: list[str], given_values: list[str]) -> None:
    keys = ["a", "b", "c"]
    by_name = dict(zip(keys, given_values, strict=True))
    order = [keys[i % 3] for i in range(len(pieces))]
    template_text = "".join(piece + slot(key) for piece, key in zip(pieces, order, strict=True)) + "."
    data = render(a_template(template_text, template_text), by_name)
    assert_fit_for_the_wire(data)
    message = parsed(data)
    as_text = "".join(piece + by_name[key] for piece, key in zip(pieces, order, strict=True)) + "."
    as_html = (
        "".join(piece + html.escape(by_name[key]) for piece, key in zip(pieces, order, strict=True)) + "."
    )
    assert body_of(message, "plain") == as_text
    assert body_of(message, "html") == as_html
    assert data == render(a_template(template_text, template_text), by_name)


@settings(max_examples=300, deadline=None)
@given(name=names)
@example(name="O'Neil")
@example(name='Smith, "John" \\ (Jr.)')
@example(name="a" * 300)
@example(name="=?utf-8?Q?x?=")
@example(name="👩🏽‍🚀" * 20)
@example(name="محمد بن سلمان")
@example(name="a  b")
@example(name="王 小明 (Ming)")
def test_a_display_name_reads_back_exactly(name: str) -> None:
    data = render(a_template("t"), {}, to=Address("someone@example.com", name))
    assert_fit_for_the_wire(data)
    assert mailbox_by_the_standard(data) == (name, "someone@example.com")
    shown, spec = mailbox(parsed(data), "To")
    assert spec == "someone@example.com"
    # email.policy of some supported Pythons joins adjacent encoded words of a phrase with a space, and
    # folds spaces within one (gh-92081), against RFC 2047 section 6.2; so it is compared without spaces.
    assert "".join(shown.split()) == "".join(name.split())
    if len(name.encode()) <= 40 and name == " ".join(name.split()):
        assert shown == name


def mailbox_by_the_standard(data: bytes) -> tuple[str, str]:
    raw = message_from_bytes(data, policy=policy.compat32)["To"]
    name, spec = parseaddr(raw)
    return str(make_header(decode_header(name))), spec


@settings(max_examples=300, deadline=None)
@given(before=lines, value=values)
def test_a_subject_reads_back_exactly(before: str, value: str) -> None:
    before = re.sub("[\ufdd0\ufdd1]", "", before).strip()
    data = render(a_template("t", subject=f"[{before}{slot('name')}]"), {"name": value})
    assert_fit_for_the_wire(data)
    assert parsed(data)["Subject"] == f"[{before}{value}]"


def test_long_headers_are_folded_where_they_may_be() -> None:
    references = " ".join(f"<{i:040}@example.com>" for i in range(10))
    data = render(a_template("t", headers={"References": references, "X-Org": "移动" * 60}), {})
    assert_fit_for_the_wire(data)
    assert max(len(line) for line in data.split(b"\r\n")) <= 78
    message = parsed(data)
    assert message["References"] == references
    assert message["X-Org"] == "移动" * 60


def test_a_word_too_long_for_any_line_is_refused() -> None:
    with pytest.raises(BadMessage):
        Skeleton(a_template("t", headers={"X-Token": "a" * 1200}))


def test_a_given_header_replaces_the_usual_one() -> None:
    message = parsed(render(a_template("t", headers={"auto-submitted": "auto-notified"}), {}))
    assert message.get_all("Auto-Submitted") == ["auto-notified"]


@pytest.mark.parametrize("bad", ["a\r\nb", "a\nb", "a\rb", "a\x00", "a\x1bb", "\ud83d", "a\u2029b"])
def test_a_value_with_a_line_break_or_control_is_refused(bad: str) -> None:
    with pytest.raises(BadMessage) as refused:
        render(a_template(slot("name")), {"name": bad})
    assert refused.value.where == "slot name"
    assert bad not in str(refused.value)


def test_a_missing_value_is_refused_and_a_spare_one_is_not() -> None:
    template = a_template(slot("name"), subject=f"s {slot('code')}")
    assert Skeleton(template).slots == {"name", "code"}
    with pytest.raises(BadMessage) as refused:
        render(template, {"name": "a"})
    assert refused.value.where == "slot code"
    assert parsed(render(template, {"name": "a", "code": "b", "more": "c"}))["Subject"] == "s b"


def test_a_value_that_looks_like_a_slot_stays_a_value() -> None:
    message = parsed(render(a_template(slot("a") + slot("b")), {"a": slot("b"), "b": "x"}))
    assert body_of(message, "plain") == slot("b") + "x"


@pytest.mark.parametrize("message_id", ["a@b", "<a@b>\r\nBcc: c@d", "<a b@c>", "<a>", "<@b>", ""])
def test_a_message_id_is_checked(message_id: str) -> None:
    with pytest.raises(BadMessage):
        Skeleton(a_template("t")).render({}, to=TO, message_id=message_id, date=WHEN)


def test_a_time_needs_its_zone_and_keeps_it() -> None:
    skeleton = Skeleton(a_template("t"))
    with pytest.raises(BadMessage):
        skeleton.render({}, to=TO, message_id=MESSAGE_ID, date=WHEN.replace(tzinfo=None))
    in_utc: bytes = skeleton.render({}, to=TO, message_id=MESSAGE_ID, date=WHEN.astimezone(UTC))
    in_china: bytes = skeleton.render({}, to=TO, message_id=MESSAGE_ID, date=WHEN)
    assert b"Date: Tue, 03 Mar 2026 21:06:07 +0000\r\n" in in_utc
    assert b"Date: Wed, 04 Mar 2026 05:06:07 +0800\r\n" in in_china


def test_one_skeleton_gives_each_person_their_own_message() -> None:
    skeleton = Skeleton(a_template(f"您好，{slot('name')}。", f"<p>{slot('name')}</p>"))
    for number in range(50):
        data = skeleton.render(
            {"name": f"用户{number}"}, to=Address(f"u{number}@example.com"), message_id=MESSAGE_ID, date=WHEN
        )
        message = parsed(data)
        assert body_of(message, "plain") == f"您好，用户{number}。"
        assert body_of(message, "html") == f"<p>用户{number}</p>"
        assert mailbox(message, "To") == ("", f"u{number}@example.com")
