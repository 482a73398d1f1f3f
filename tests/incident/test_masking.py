from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.masking import mask_email, mask_in_text, mask_name, mask_phone, mask_reference


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("张三", "张*"),
        ("欧阳修文", "欧***"),
        ("Alice Smith", "A**** S****"),
        ("Bo", "B*"),
        ("X", "X*"),
        ("Wolfeschlegelsteinhausen", "W****"),
        ("", "*"),
        ("  ", "*"),
    ],
)
def test_a_name_shows_its_first_characters(name: str, shown: str) -> None:
    assert mask_name(name) == shown


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("alice@example.org", "a***@example.org"),
        ('"a@b"@example.org', '"***@example.org'),
        ("no address", "***"),
        ("@example.org", "***"),
        ("", "***"),
    ],
)
def test_an_address_shows_the_first_character_and_the_domain(address: str, shown: str) -> None:
    assert mask_email(address) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("13800138001", "138****8001"),
        ("+86 138-0013-8001", "+86 138****8001"),
        ("+44 20 7946 0958", "442*******58"),
        ("123456789", "123****89"),
        ("12345678", "***"),
        ("", "***"),
    ],
)
def test_a_phone_number_shows_its_ends_only_when_enough_stays_hidden(number: str, shown: str) -> None:
    assert mask_phone(number) == shown


@pytest.mark.parametrize(
    ("reference", "shown"), [("C-100042", "***42"), ("10042", "***42"), ("1004", "***"), ("", "***")]
)
def test_a_reference_shows_its_last_two_characters(reference: str, shown: str) -> None:
    assert mask_reference(reference) == shown


@given(name=st.text(max_size=40))
def test_of_a_name_at_most_one_character_a_word_is_shown(name: str) -> None:
    words = mask_name(name).split(" ")
    assert all(set(word[1:]) <= {"*"} for word in words)
    assert len(words) == max(len(name.split()), 1)


@given(
    mailbox=st.text(min_size=1, max_size=30), domain=st.text(max_size=20).filter(lambda text: "@" not in text)
)
def test_of_a_mailbox_at_most_one_character_is_shown(mailbox: str, domain: str) -> None:
    assert mask_email(f"{mailbox}@{domain}") == f"{mailbox[0]}***@{domain}"


@given(
    digits=st.text(st.sampled_from("0123456789"), max_size=20)
    | st.from_regex(r"(86)?1[3-9][0-9]{9}", fullmatch=True)
)
def test_of_a_phone_number_at_least_four_digits_stay_hidden(digits: str) -> None:
    shown = mask_phone(digits)
    visible = sum(character.isdigit() for character in shown)
    assert shown == "***" or shown.count("*") == len(digits) - visible >= 4


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("write to li.wei@example.com", "write to l***@example.com"),
        ("致电13800138000。", "致电138****8000。"),
        ("call 138-0013-8000, then", "call 138****8000, then"),
        ("+86 138 0013 8000 rang", "+86 138****8000 rang"),
        ("card 6222021234567890123", "card 622**************23"),
        ("ID 11010519491231002X", "ID 110************02"),
        ("tel.13800138000 2", "tel.138****8000 2"),
        ("1,200,000 people, 12000000 records", "1,200,000 people, 12000000 records"),
        ("on 2026-11-21 at 10:10", "on 2026-11-21 at 10:10"),
        ("CVE-2024-1234567 on 10.0.0.1", "CVE-2024-1234567 on 10.0.0.1"),
    ],
)
def test_in_a_text_addresses_and_long_numbers_are_masked_and_counts_and_dates_are_not(
    text: str, shown: str
) -> None:
    assert mask_in_text(text) == shown


@given(st.text(alphabet="0123456789", min_size=9, max_size=30))
def test_no_long_number_stays_whole_in_a_text(digits: str) -> None:
    assert digits not in mask_in_text(f"it was {digits} that rang")
    assert digits not in mask_in_text(f"tel.{digits} 12")
