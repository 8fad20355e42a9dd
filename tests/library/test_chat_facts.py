"""What of a conversation is compared, against the plain definition of each piece."""

from __future__ import annotations

import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from mindcorpus.conversations import Conversation, Turn, flatten
from mindcorpus.merging.chat_facts import facts_of

# Blanks of every kind, marks that join what stands before them, signs that are two under NFC.
hostile = st.text(st.sampled_from("aZ \t\n\x1f\x85\xa0\u2003\u3000\u0301\u0308\u0344e\u2126😀ー가"))
contents = st.one_of(
    st.none(), hostile, st.text(st.characters(exclude_characters="\0", codec="utf-8"))
)


def definition(text: str | None) -> str:
    return " ".join(unicodedata.normalize("NFC", text or "").split())


@given(texts=st.lists(contents, min_size=1, max_size=6))
@example(texts=[" \u0301", "\u0301 ", "a \u2003"])
@example(texts=["x" * 3000 + "  y ", None, "\u3000"])
def test_turns_are_compared_as_the_definition_folds_each(texts: list[str | None]) -> None:
    turns = [Turn("user", text) for text in texts] + [Turn("assistant", "Yes.")]
    said = facts_of(Conversation(tuple(turns)), *flatten(turns, len(texts))).said
    compared = "\0".join(f"{turn.role}\0{definition(turn.content)}\0" for turn in turns)
    assert said.whole.decode() == f"{compared}\0\0"
