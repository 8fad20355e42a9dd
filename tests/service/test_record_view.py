"""A record as a page shows it among others: what of it is left to its own page."""

from __future__ import annotations

from typing import Any

import pytest

from web.pages.record_view import GLIMPSE, view_of

ROLES = ("user", "assistant")


def messages(count: int, word: str = "¿Qué?") -> list[dict[str, Any]]:
    return [{"role": ROLES[at % 2], "content": f"{word} {at}"} for at in range(count)]


def record(chosen: list[dict[str, Any]], rejected: list[dict[str, Any]] | None) -> dict[str, Any]:
    return {
        "row": 0,
        "source": "own",
        "type": "talk",
        "tags": [],
        "input": "¿Qué?",
        "response": "好",
        "rejected_response": "",
        "messages": chosen,
        "rejected_messages": rejected,
        "tools": None,
        "parallel_tool_calls": None,
        "metadata": None,
    }


@pytest.mark.parametrize("count", [2, GLIMPSE, GLIMPSE + 1, 20])
def test_turns_that_are_shown_and_those_that_are_not_are_all(count: int) -> None:
    shown = view_of(record(messages(count), None), GLIMPSE)
    assert len(shown.turns) + shown.left_out == shown.said == count


@pytest.mark.parametrize("shared", [2, GLIMPSE, 8])
def test_of_a_long_pair_the_beginning_is_shown_and_the_rest_counted(shared: int) -> None:
    chosen = messages(10)
    rejected = [*chosen[:shared], *messages(4, "Non")]
    shown = view_of(record(chosen, rejected), GLIMPSE)
    assert len(shown.turns) == min(shared, GLIMPSE)
    assert not shown.sides
    assert len(shown.turns) + shown.left_out == shown.said == len(chosen)
    whole = view_of(record(chosen, rejected))
    assert (len(whole.turns), whole.left_out) == (shared, 0)
    assert [len(side) for side in whole.sides] == [len(chosen) - shared, 4]
