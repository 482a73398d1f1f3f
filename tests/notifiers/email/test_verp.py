from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.email.message import Address, xtext
from notifiers.email.verp import MARK_LENGTH, Mark, is_genuine, mark_in, mark_of, read_mark, return_path
from notifiers.errors import BadAddress, BadMessage

KEY = b"k" * 32
REFERENCE = bytes(range(16))
MAILBOX = "bounces@example.com"
references = st.binary(min_size=16, max_size=16)


def any_case(text: str, upper: list[bool]) -> str:
    return "".join(c.upper() if up else c for c, up in zip(text, upper, strict=True))


def genuine(mark: Mark | None) -> bool:
    return mark is not None and is_genuine(mark, key=KEY)


def test_a_mark_is_the_reference_and_its_code_in_forty_letters() -> None:
    mark = mark_of(REFERENCE, key=KEY)

    assert mark == "aaaqeayeaudaocajbifqydiob4-si7dknx5fq3ek"
    assert len(mark) == MARK_LENGTH


@given(references, st.lists(st.booleans(), min_size=40, max_size=40))
def test_any_reference_comes_back_from_its_mark_in_any_case(reference: bytes, upper: list[bool]) -> None:
    read = read_mark(any_case(mark_of(reference, key=KEY), upper))

    assert read is not None
    assert read.reference == reference
    assert is_genuine(read, key=KEY)


@given(references)
def test_a_mark_is_the_same_in_xtext_and_makes_an_address(reference: bytes) -> None:
    mark = mark_of(reference, key=KEY)

    assert xtext(mark) == mark
    assert Address(return_path(MAILBOX, mark)).spec == f"bounces+{mark}@example.com"


WRAPPED = [
    "{path}@example.com",
    "<{path}@example.com>",
    "SRS0=HHH0=6R=example.com={path}@forwarder.example",
    "srs0+HHH0=6R=example.com={path}@forwarder.example",
    "SRS1=abcd=first.example==HHH0=6R=example.com={path}@second.example",
    "prvs=0123456789={path}@example.com",
    "btv1==1234567890a=={path}@example.com",
    "list-{path}=example.com@forwarder.example",
    "{path}%example.com@relay.example",
    "{path}",
]


@given(
    references,
    st.sampled_from(WRAPPED),
    st.sampled_from("+-=_."),
    st.sampled_from([str.upper, str.lower, str]),
)
def test_any_reference_comes_back_from_a_return_path_that_was_wrapped(
    reference: bytes, wrapping: str, separator: str, case: type[str]
) -> None:
    path = return_path(MAILBOX, mark_of(reference, key=KEY), separator=separator).rpartition("@")[0]

    read = mark_in(case(wrapping.format(path=path)), MAILBOX, separator=separator)

    assert read is not None
    assert read.reference == reference
    assert is_genuine(read, key=KEY)


@given(st.text(), st.text())
def test_any_text_is_a_mark_or_none(text: str, mailbox: str) -> None:
    read_mark(text)
    mark_in(text, mailbox)


def test_a_mark_of_another_key_is_not_genuine() -> None:
    assert not genuine(read_mark(mark_of(REFERENCE, key=b"other" * 8)))


def test_a_code_that_belongs_to_another_reference_is_not_genuine() -> None:
    mine, theirs = mark_of(REFERENCE, key=KEY), mark_of(bytes(16), key=KEY)

    assert not genuine(read_mark(f"{theirs[:26]}-{mine[27:]}"))


@given(st.integers(0, 191))
def test_a_mark_with_one_bit_changed_is_not_genuine(bit: int) -> None:
    mark = read_mark(mark_of(REFERENCE, key=KEY))
    assert mark is not None
    whole = int.from_bytes(mark.reference + mark.mac, "big") ^ (1 << bit)
    raw = whole.to_bytes(24, "big")

    assert not is_genuine(Mark(raw[:16], raw[16:]), key=KEY)


@pytest.mark.parametrize("kept", [0, 13, 26, 27, 39])
def test_a_mark_cut_short_is_none(kept: int) -> None:
    mark = mark_of(REFERENCE, key=KEY)

    assert read_mark(mark[:kept]) is None
    assert mark_in(f"bounces+{mark[:kept]}@example.com", MAILBOX) is None


def test_a_mark_with_letters_after_it_is_none() -> None:
    mark = mark_of(REFERENCE, key=KEY)

    assert read_mark(mark + "a") is None
    assert read_mark(mark + "\n") is None
    assert mark_in(f"bounces+{mark}a@example.com", MAILBOX) is None


def test_a_mark_is_written_in_one_way_only() -> None:
    mark = mark_of(bytes(16), key=KEY)

    assert read_mark("aaaaaaaaaaaaaaaaaaaaaaaaab" + mark[26:]) is None
    assert read_mark(mark[:39] + chr(ord(mark[39]) + 1)) is None


def test_letters_that_only_fold_to_ascii_make_no_mark() -> None:
    mark = mark_of(REFERENCE, key=KEY)

    assert "k" in mark
    assert read_mark(mark.replace("k", "\u212a")) is None


def test_an_address_of_another_mailbox_holds_no_mark() -> None:
    mark = mark_of(REFERENCE, key=KEY)

    assert mark_in(f"someone+{mark}@example.com", MAILBOX) is None
    assert mark_in("bounces@example.com", MAILBOX) is None
    assert mark_in(f"other@bounces+{mark}", MAILBOX) is None


@pytest.mark.parametrize("size", [0, 15, 17, 32])
def test_a_reference_of_another_length_has_no_mark(size: int) -> None:
    with pytest.raises(BadMessage):
        mark_of(bytes(size), key=KEY)


def test_a_mailbox_that_leaves_no_room_for_a_mark_is_refused() -> None:
    mark = mark_of(REFERENCE, key=KEY)

    assert len(return_path(f"{'b' * 23}@example.com", mark).rpartition("@")[0]) == 64
    with pytest.raises(BadAddress, match="at most 23 fit"):
        return_path(f"{'b' * 24}@example.com", mark)


@pytest.mark.parametrize("mailbox", ["", "bounces", "@example.com", "a b@example.com", '"a b"@example.com'])
def test_a_mailbox_that_takes_no_subaddress_is_refused(mailbox: str) -> None:
    with pytest.raises(BadAddress):
        return_path(mailbox, mark_of(REFERENCE, key=KEY))


@pytest.mark.parametrize("separator", ["", "a", "7", "@", " "])
def test_what_parts_mailbox_and_mark_is_a_sign(separator: str) -> None:
    with pytest.raises(BadAddress):
        return_path(MAILBOX, mark_of(REFERENCE, key=KEY), separator=separator)


def test_only_a_mark_goes_into_a_return_path() -> None:
    with pytest.raises(BadMessage):
        return_path(MAILBOX, "someone")
