from __future__ import annotations

import sys
import time
import unicodedata

import pytest
import xxhash
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mindcorpus.merging.write import SCHEMA
from mindcorpus.records import _WIDE_BLANKS, COLUMNS, _odd, count_byte, fold, is_blank, measure

# Blanks of all kinds, letters with and without accents, and what NFC changes.
SMALL = " \t\n\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\u2000\u2028\u3000ab.é\u0301e\u212a\u0958\U0001f602"
texts = st.text(SMALL) | st.text()
ascii_texts = st.text("ab \t\n\v\f\r\x1c\x1d\x1e\x1f\x00")


def definition(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def folded(text: str) -> str:
    return fold(text.encode()).decode()


def test_a_record_has_the_columns_of_the_guide_and_no_nulls() -> None:
    assert COLUMNS == ("input", "response", "rejected_response", "source", "type", "tags")
    assert not any(SCHEMA.field(name).nullable for name in COLUMNS)
    assert str(SCHEMA.field("tags").type) == "list<element: string not null>"


@given(text=texts)
@example(text="\n\n \n\n\t a  \x1c b\r\n\r\n\r\nc ")
@example(text="e\u0301 \u212a\xa0\xa0x\u2028")
def test_fold_is_its_definition(text: str) -> None:
    assert folded(text) == definition(text)


@settings(deadline=None)
@given(text=ascii_texts, times=st.integers(1, 400), tail=texts)
def test_fold_is_its_definition_for_long_texts_too(text: str, times: int, tail: str) -> None:
    assert folded(text * times) == definition(text * times)
    assert folded(text * times + tail) == definition(text * times + tail)


@pytest.mark.parametrize("length", [2046, 2047, 2048, 2049, 4096])
@pytest.mark.parametrize("blanks", ["  ", "   ", "\n\n\n", " \r\n\r\n ", "\t" * 1000])
@pytest.mark.parametrize("place", ["start", "middle", "end"])
def test_fold_is_its_definition_around_the_length_where_its_ways_part(
    length: int, blanks: str, place: str
) -> None:
    word = "x" * (length - len(blanks))
    at = {"start": 0, "middle": len(word) // 2, "end": len(word)}[place]
    text = word[:at] + blanks + word[at:]
    assert len(text) == length
    assert folded(text) == definition(text)


@given(text=texts)
def test_what_is_folded_stays_as_it_is(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(text=texts)
def test_blank_is_what_strips_to_nothing(text: str) -> None:
    assert is_blank(text) == (not text.strip())


@given(data=st.binary(), times=st.integers(1, 300), byte=st.integers(0, 255))
def test_bytes_are_counted_whatever_the_length(data: bytes, times: int, byte: int) -> None:
    assert count_byte(data * times, byte) == (data * times).count(byte)


@settings(max_examples=500)
@given(pairs=st.tuples(*[st.text(" \nab\u0301é", max_size=4)] * 4))
def test_keys_are_equal_for_equal_folded_texts_and_no_others(
    pairs: tuple[str, str, str, str],
) -> None:
    one, two = (measure(a.encode(), b.encode()) for a, b in (pairs[:2], pairs[2:]))
    first, second, third, fourth = map(definition, pairs)
    assert (one.input_key == two.input_key) == (first == third)
    assert (one.key == two.key) == ((first, second) == (third, fourth))


@pytest.mark.parametrize(
    "other",
    [
        "caf\u00e9 noir",
        "cafe\u0301 noir",
        "café\u00a0noir",
        " café\r\n\r\nnoir\t",
        "café\u3000noir",
    ],
)
def test_accents_and_blanks_make_no_difference_to_keys(other: str) -> None:
    assert measure(other.encode(), b"a") == measure("café noir".encode(), b"a")


@pytest.mark.parametrize(
    "other", ["Café noir", "cafe noir", "cafénoir", "café noir.", "ｃafé noir"]
)
def test_case_accents_and_signs_do(other: str) -> None:
    assert measure(other.encode(), b"a").key != measure("café noir".encode(), b"a").key


def test_a_pair_has_one_reading() -> None:
    assert measure(b"a b", b"c").key != measure(b"a", b"b c").key
    assert measure(b"", b"a").key != measure(b"a", b"").key


def test_keys_are_those_of_a_known_hash_so_that_they_can_be_recomputed() -> None:
    measured = measure(" Grüße \n aus  Köln".encode(), b"danke\n")
    assert measured.input_key == xxhash.xxh3_128_digest("Grüße aus Köln".encode())
    assert measured.key == xxhash.xxh3_128_digest("Grüße aus Köln\0danke".encode())


@settings(deadline=None)
@given(input_=texts, response=texts, times=st.integers(1, 300))
def test_words_are_what_split_gives(input_: str, response: str, times: int) -> None:
    input_ *= times
    measured = measure(input_.encode(), response.encode())
    assert measured.input_words == len(unicodedata.normalize("NFC", input_).split())
    assert measured.response_words == len(unicodedata.normalize("NFC", response).split())


def test_marks_without_end_are_folded_in_a_time_that_grows_with_them() -> None:
    # Sorted at once, these take minutes.
    many = "a" + "\u0301\u0327" * 300_000
    began = time.process_time()
    assert fold(many.encode()) == fold(many.encode())
    assert time.process_time() - began < 20
    # What people write is composed as Unicode says, however long.
    for text in ("e\u0301 x\u0327\u0301" * 5000, "\u1100\u1161\u11a8" * 3000, "\u0327\u0301" * 90):
        assert fold(text.encode()).decode() == unicodedata.normalize("NFC", text)


def test_the_wide_blanks_are_all_at_which_a_text_is_split() -> None:
    there = {chr(code) for code in range(0x80, sys.maxunicode + 1) if chr(code).isspace()}
    assert there == _WIDE_BLANKS


@given(st.text("".join(sorted(_WIDE_BLANKS)) + "aaaaaaaa  \t\u00e9\u201c"))
@example("a\u2000\u00a0 b\u3000")
def test_texts_whose_only_odd_characters_are_blanks_are_folded_by_the_definition(
    text: str,
) -> None:
    assert folded(text) == definition(text)
    long = f"{'plain words ' * 300}{text}{' and more' * 300}"
    assert folded(long) == definition(long)


def test_no_character_that_is_folded_as_bytes_could_change() -> None:
    # Each that is not left to the definition: by itself, behind what it may join, between blanks.
    found = 0
    for code in (*range(0x80, 0xD800), *range(0xE000, sys.maxunicode + 1)):
        if _odd().search(chr(code)):
            continue
        found += 1
        for before in ("a", "\u1100", "\u0915", "\u1025"):
            text = f" {before}{chr(code)}  x  and so on "
            assert folded(text) == definition(text), hex(code)
    assert found > 30_000
