"""Checking contacts: the quick paths decide as the libraries do, and hand over all that is not of their shape."""

from __future__ import annotations

import phonenumbers
import pytest
from email_validator import EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES
from hypothesis import example, given, settings
from hypothesis import strategies as st

from incident.record import contact_checks
from incident.record.contact_checks import check_email, check_phone


def email_by_library(text: str) -> str | None:
    try:
        found = validate_email(text, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        return None
    return found.ascii_email


def phone_by_library(text: str, country: str) -> str | None:
    try:
        number = phonenumbers.parse(text, country.upper() or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("Zhang.San@EXAMPLE.org", "Zhang.San@example.org"),
        ("a@例子.中国", "a@xn--fsqu00a.xn--fiqs8s"),
        ("a@localhost", None),
        ("a b@example.org", None),
        ("张三@example.org", None),
        ("a@example.org, b@example.org", None),
        ("a@example.org\nBcc: x@example.org", None),
    ],
)
def test_addresses_are_normalised_or_refused(text: str, expected: str | None) -> None:
    assert check_email(text) == expected


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("", "cn", ""),
        ("138 0013 8000", "cn", "+8613800138000"),
        ("１３８００１３８０００", "cn", "+8613800138000"),
        ("+44 20 7946 0958", "cn", "+442079460958"),
        ("12", "cn", None),
        ("phone me", "cn", None),
        ("13800138000", "", None),
        ("13800138000", "zz", None),
    ],
)
def test_numbers_are_normalised_or_refused(text: str, country: str, expected: str | None) -> None:
    assert check_phone(text, country) == expected


atoms = st.text("abzAZ019_!#$%&'*+-/=?^`{|}~", min_size=1, max_size=12)
usual_locals = st.one_of(
    st.lists(atoms, min_size=1, max_size=3).map(".".join),
    st.sampled_from([*CASE_INSENSITIVE_MAILBOX_NAMES, "Postmaster", "WWW", "Info", "li.Info", "Info1"]),
    st.integers(1, 254).map("a".__mul__),
)
odd_locals = st.text('ab."\\ <>(),:;@张é\u0338\u212a\u0131\t', max_size=6)
labels = st.text("abzAZ019-", min_size=1, max_size=8)
domains = st.one_of(
    st.lists(labels, min_size=1, max_size=4).map(".".join),
    st.builds(
        lambda label, last: f"{label}.{last}",
        labels,
        st.sampled_from(
            ["com", "CN", "test", "example", "local", "localhost", "invalid", "onion", "arpa", "org.", "c0m"]
        ),
    ),
    st.sampled_from(
        [
            "qq.com",
            "example",
            "example.org",
            "test",
            "xn--fsqu00a.xn--fiqs8s",
            "XN--FSQU00A.com",
            "xn--a.com",
            "ab--c.com",
            "-",
            "..",
            "",
        ]
    ),
    st.integers(1, 70).map(lambda size: f"{'a' * size}.com"),
    st.integers(1, 130).map(lambda size: f"{'a.' * size}com"),
    st.text("ab.-_例中。[]:0 @", max_size=8),
)


@settings(max_examples=400)
@given(local=usual_locals | odd_locals, domain=domains)
@example("a" * 246, "qq.com.c")
@example("a" * 247, "qq.com.c")
@example("", "qq.com")
@example("a\n", "qq.com")
@example("a", "qq.com\n")
def test_an_address_is_decided_as_the_library_decides(local: str, domain: str) -> None:
    text = f"{local}@{domain}"
    assert check_email(text) == email_by_library(text)


@given(text=st.text('ab@.-A\n "中', min_size=1))
def test_a_text_of_any_shape_is_decided_as_the_library_decides(text: str) -> None:
    assert check_email(text) == email_by_library(text)


def test_names_of_mailboxes_that_are_written_small_hold_letters_only() -> None:
    # The quick path leaves to the library only what has a capital and letters alone.
    assert all(name.isalpha() for name in CASE_INSENSITIVE_MAILBOX_NAMES)
    for name in CASE_INSENSITIVE_MAILBOX_NAMES:
        for written in (name, name.upper(), name.title()):
            assert check_email(f"{written}@qq.com") == f"{name}@qq.com"


def test_a_usual_address_asks_the_library_for_its_domain_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def library(text: str) -> str | None:
        asked.append(text)
        return email_by_library(text)

    monkeypatch.setattr(contact_checks, "_email_by_library", library)
    contact_checks._domain_by_library.cache_clear()
    found = [check_email(f"li.{number}_A@Mail-1.example.org") for number in range(20)]
    assert found == [f"li.{number}_A@mail-1.example.org" for number in range(20)]
    assert asked == ["a@Mail-1.example.org"]


def test_the_plan_of_numbers_is_the_one_that_the_quick_path_was_made_for() -> None:
    # If this fails, phonenumbers has another plan for China: prove the shape anew, then name the new plan.
    assert contact_checks._plan_is_known()


@pytest.mark.parametrize("notation", ["{}", "+86{}", "86{}", "0086{}"])
def test_mobile_numbers_of_every_prefix_are_decided_as_the_library_decides(notation: str) -> None:
    for prefix in range(1000, 2000):
        # 00 after five digits may dial another country.
        for rest in ("1001234", "7654321"):
            text = notation.format(f"{prefix}{rest}")
            assert check_phone(text, "cn") == phone_by_library(text, "cn")


numbers = st.one_of(
    st.builds("1{}{:09d}".format, st.integers(0, 9), st.integers(0, 10**9 - 1)),
    st.text("0123456789", min_size=1, max_size=16),
    st.builds("179{:02d}00{:04d}".format, st.integers(0, 99), st.integers(0, 9999)),
)


@st.composite
def spaced(draw: st.DrawFn) -> str:
    """A number with something put between its digits, in front or behind."""
    prefix = draw(st.sampled_from(["", "+86", "86", "+", "0086", "+852", "0", "+8", "00"]))
    text = prefix + draw(numbers)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(text)))
        text = (
            text[:at] + draw(st.sampled_from([" ", "-", " - ", "  ", "+", "(", "x", "１", "\n"])) + text[at:]
        )
    return text


@settings(max_examples=400)
@given(text=spaced(), country=st.sampled_from(["cn", "CN", "us", "hk", "gb", "zz", ""]))
@example("17912001234", "cn")
@example("+8617912001234", "cn")
@example("+86 138 0013 8000", "us")
@example("13800138000\n", "cn")
@example("١٣٨٠٠١٣٨٠٠٠", "cn")
def test_a_number_is_decided_as_the_library_decides(text: str, country: str) -> None:
    assert check_phone(text, country) == phone_by_library(text, country)


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("13800138000", "cn"),
        ("8613800138000", "cn"),
        ("+8613800138000", "us"),
        ("138 0013 8000", "cn"),
        ("138-0013-8000", "cn"),
        ("+86 138 0013 8000", ""),
    ],
)
def test_a_usual_mobile_number_is_decided_without_the_library(
    text: str, country: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact_checks._plan_is_known()
    monkeypatch.setattr(contact_checks, "_phone_by_library", lambda text, country: "asked")
    assert check_phone(text, country) == "+8613800138000"


def test_with_another_plan_of_numbers_the_library_decides_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact_checks, "_KNOWN_PLAN", ())
    contact_checks._plan_is_known.cache_clear()
    try:
        monkeypatch.setattr(contact_checks, "_phone_by_library", lambda text, country: "asked")
        assert check_phone("13800138000", "cn") == "asked"
    finally:
        contact_checks._plan_is_known.cache_clear()
