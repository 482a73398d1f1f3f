from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.errors import BadInput, Unreadable
from incident.store.sealing import (
    SUITE,
    derive_key,
    keyed_hash,
    seal,
    seal_json,
    seal_json_rows,
    unseal,
    unseal_json,
)

KEY = b"k" * 32
OTHER = b"o" * 32
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(plain=st.binary(max_size=200), place=st.text(max_size=30))
def test_what_was_sealed_opens_again_in_its_place(plain: bytes, place: str) -> None:
    assert unseal(KEY, seal(KEY, plain, bound_to=place), bound_to=place) == plain


@given(content=JSON)
def test_json_values_come_back_as_they_were(content: object) -> None:
    assert unseal_json(KEY, seal_json(KEY, content, bound_to="t/1"), bound_to="t/1") == content


def test_sealing_twice_gives_two_blobs_that_name_their_suite() -> None:
    one, two = (seal(KEY, b"same", bound_to="t/1") for _ in range(2))
    assert one != two
    assert one.startswith(SUITE.encode())
    assert b"same" not in one


@pytest.mark.parametrize(("key", "place"), [(KEY, "t/2"), (OTHER, "t/1")], ids=["another row", "another key"])
def test_a_blob_opens_neither_in_another_row_nor_by_another_key(key: bytes, place: str) -> None:
    with pytest.raises(Unreadable) as caught:
        unseal(key, seal(KEY, b"secret", bound_to="t/1"), bound_to=place)
    assert caught.value.where == place


@given(data=st.data())
def test_a_blob_with_any_bit_changed_does_not_open(data: st.DataObject) -> None:
    sealed = bytearray(seal(KEY, b"secret", bound_to="t/1"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Unreadable):
        unseal(KEY, bytes(sealed), bound_to="t/1")


@given(garbage=st.binary(max_size=60), named=st.booleans())
def test_garbage_and_cut_off_blobs_are_unreadable_and_nothing_else(garbage: bytes, named: bool) -> None:
    with pytest.raises(Unreadable):
        unseal(KEY, (SUITE.encode() if named else b"") + garbage, bound_to="t/1")


def test_a_blob_of_another_suite_says_which() -> None:
    with pytest.raises(Unreadable, match="S4"):
        unseal(KEY, b"S4" + seal(KEY, b"x", bound_to="t/1")[2:], bound_to="t/1")


def test_a_text_that_is_no_unicode_is_refused_as_bad_input() -> None:
    with pytest.raises(BadInput, match="no characters"):
        seal_json(KEY, {"title": "leak \udcff"}, bound_to="t/1")


def test_derived_keys_and_hashes_differ_by_key_and_purpose_and_are_stable() -> None:
    assert len({derive_key(KEY, "a"), derive_key(KEY, "b"), derive_key(OTHER, "a"), KEY, OTHER}) == 5
    assert keyed_hash(KEY, "a", "text") == keyed_hash(KEY, "a", "text")
    assert (
        len({keyed_hash(KEY, "a", "text"), keyed_hash(KEY, "b", "text"), keyed_hash(OTHER, "a", "text")}) == 3
    )
    assert len(keyed_hash(KEY, "a", "text")) == 16


@given(text=st.text(max_size=200), purpose=st.sampled_from(["a", "person-reference"]))
def test_a_keyed_hash_is_the_hmac_of_the_text_under_the_derived_key(text: str, purpose: str) -> None:
    whole = hmac.new(derive_key(KEY, purpose), text.encode(), hashlib.sha256).digest()
    assert keyed_hash(KEY, purpose, text) == whole[:16]


@given(contents=st.lists(JSON, max_size=5))
def test_rows_sealed_together_open_each_in_its_place(contents: list[object]) -> None:
    sealed = seal_json_rows(KEY, [(f"t/{at}", content) for at, content in enumerate(contents)])
    assert [unseal_json(KEY, blob, bound_to=f"t/{at}") for at, blob in enumerate(sealed)] == contents
    for blob in sealed:
        with pytest.raises(Unreadable):
            unseal_json(KEY, blob, bound_to="t/other")


def test_no_two_rows_sealed_together_share_a_nonce() -> None:
    sealed = seal_json_rows(KEY, [("t/1", "same")] * 100)
    assert len({blob[2:14] for blob in sealed}) == 100
    assert all(blob.startswith(SUITE.encode()) for blob in sealed)


def test_a_text_that_is_no_unicode_is_refused_among_many_too() -> None:
    with pytest.raises(BadInput, match="no characters"):
        seal_json_rows(KEY, [("t/1", "fine"), ("t/2", ["leak \udcff"])])
