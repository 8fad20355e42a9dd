"""What a chat counts: the rule of the OpenAI Cookbook, and the numbers that it prints."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
import tiktoken
from chat_counts import chat_tokens
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st

from mindcorpus.chat_messages import messages_of
from mindcorpus.conversations import Turn
from mindcorpus.tokens.chats import count_messages, message_tokens
from mindcorpus.tokens.tokenizer import VOCABULARIES, tokenizer

pytest_plugins = ("published_tokens",)

Published = Mapping[str, tiktoken.Encoding]
ROLES = ("system", "developer", "user", "assistant", "tool")
# "How to count tokens with tiktoken", section 6, whose cell prints what the API counted: 129 for
# gpt-3.5-turbo and gpt-4, 124 for gpt-4o and gpt-4o-mini.
COOKBOOK = [
    {
        "role": "system",
        "content": "You are a helpful, pattern-following assistant that translates corporate "
        "jargon into plain English.",
    },
    {
        "role": "system",
        "name": "example_user",
        "content": "New synergies will help drive top-line growth.",
    },
    {
        "role": "system",
        "name": "example_assistant",
        "content": "Things working well together will increase revenue.",
    },
    {
        "role": "system",
        "name": "example_user",
        "content": "Let's circle back when we have more bandwidth to touch base on opportunities "
        "for increased leverage.",
    },
    {
        "role": "system",
        "name": "example_assistant",
        "content": "Let's talk later when we're less busy about how to do better.",
    },
    {
        "role": "user",
        "content": "This late pivot means we don't have time to boil the ocean for the client "
        "deliverable.",
    },
]


def by_the_cookbook(encoding: tiktoken.Encoding, messages: list[dict[str, str]]) -> int:
    """Count as `num_tokens_from_messages` does it."""
    found = 3
    for message in messages:
        found += 3 + ("name" in message)
        found += sum(len(encoding.encode_ordinary(value)) for value in message.values())
    return found


@pytest.mark.parametrize(("name", "counted"), [("cl100k", 129), ("o200k", 124)])
def test_the_cookbooks_chat_counts_what_the_api_said(name: str, counted: int) -> None:
    assert chat_tokens(tokenizer(name), COOKBOOK) == counted


messages = st.fixed_dictionaries(
    {"role": st.sampled_from(ROLES), "content": st.text()}, optional={"name": st.text(min_size=1)}
)


@pytest.mark.parametrize("name", VOCABULARIES)
def test_any_chat_counts_as_the_cookbook_has_it(name: str, published: Published) -> None:
    @runs(deadline=None)
    @given(chats=st.lists(st.lists(messages, max_size=4), max_size=3))
    def check(chats: list[list[dict[str, str]]]) -> None:
        expected = [by_the_cookbook(published[name], chat) for chat in chats]
        assert [chat_tokens(tokenizer(name), chat) for chat in chats] == expected
        by_message = count_messages(tokenizer(name), chats)
        assert [3 + sum(counts) for counts in by_message] == expected

    check()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", VOCABULARIES)
def test_a_role_is_one_token(name: str, role: str, published: Published) -> None:
    assert len(published[name].encode_ordinary(role)) == 1


def test_messages_have_their_cost_without_texts() -> None:
    assert message_tokens({"role": "user", "content": ""}) == 4
    assert message_tokens({"role": "user", "name": "sam", "content": ""}) == 5
    assert chat_tokens(tokenizer("estimate"), []) == 3


def test_what_a_call_names_and_passes_counts_as_text() -> None:
    call = {"id": "call_1", "function": {"name": "book", "arguments": {"day": "Monday"}}}
    chat = messages_of(
        [
            Turn(role="user", content="Book me in."),
            Turn(role="assistant", content="", tool_calls=json.dumps([call])),
            Turn(role="tool", content="Done.", tool_call_id="call_1"),
        ]
    )
    tokens = tokenizer("o200k")
    said = ["Book me in.", "book", chat[1]["tool_calls"][0]["function"]["arguments"], "Done."]
    assert chat_tokens(tokens, chat) == 3 + 3 * 4 + sum(tokens.counts(said))


def test_parts_of_text_count_and_others_do_not() -> None:
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]
    tokens = tokenizer("o200k")
    assert count_messages(tokens, [[{"role": "user", "content": parts}]]) == [
        [4 + tokens.counts(["What is this?"])[0]]
    ]
    assert count_messages(tokens, [[{"role": "assistant", "content": None}]]) == [[4]]
