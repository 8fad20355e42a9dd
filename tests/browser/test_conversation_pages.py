"""Conversations on the pages of records: turns are what the data says they are, and no text is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Locator, Page, expect
from talks import ANSWER, IMITATION, TALKS
from test_every_page import looked_at
from visiting import DESK, PHONE, Look

if TYPE_CHECKING:
    from browser_fixtures import Visit
    from running import Service

LABELS = {role: role.capitalize() for role in ("system", "developer", "user", "assistant", "tool")}


def opened(visit: Visit, service: Service, row: int, look: Look | None = None) -> Page:
    """Go to a record's page, and have its text shown."""
    page = visit(service, look).enter(then=f"/records/{row}")
    page.get_by_text("Show the text", exact=True).click()
    return page


def speakers(within: Page | Locator) -> list[str]:
    """Give who speaks in each turn, as the page has it."""
    return within.locator(".turn > .speaker > span:first-child").all_inner_texts()


def text_of(turn: Locator) -> str:
    return turn.locator(".words > .text").inner_text()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_conversation_is_shown_turn_by_turn(
    visit: Visit, talking: Service, *, script: bool
) -> None:
    page = opened(visit, talking, 1, Look(script=script))
    messages: list[dict[str, Any]] = TALKS[1]["messages"]
    assert speakers(page) == [LABELS[message["role"]] for message in messages]
    turns = page.get_by_role("list", name="6 turns").get_by_role("listitem")
    expect(turns).to_have_count(len(messages))
    for turn, message in zip(turns.all(), messages, strict=True):
        assert text_of(turn) == message["content"]
        expect(turn.get_by_role("heading")).to_contain_text(LABELS[message["role"]])
    expect(turns.nth(2).get_by_role("heading")).to_contain_text("not learnt from")
    expect(turns.nth(3).get_by_role("heading")).to_contain_text("named Ada")
    assert text_of(turns.nth(4)) == ANSWER
    expect(turns.nth(5).get_by_role("heading")).to_contain_text("after the last answer")
    expect(page.get_by_text("not learnt from")).to_have_count(1)
    expect(page.locator(".facts-line")).to_contain_text("6 turns")
    expect(page.locator("#lineage")).to_contain_text("later-turns")
    expect(page.locator("#lineage")).to_contain_text("other records of its source")
    expect(page.locator("main")).not_to_contain_text("patient 7")
    page.get_by_text("Metadata of the source").click()
    expect(page.get_by_text('"thread": "t-9"')).to_be_visible()


def test_calls_of_tools_have_name_and_arguments_and_reasoning_is_folded(
    visit: Visit, talking: Service
) -> None:
    page = opened(visit, talking, 2)
    assert speakers(page) == ["Developer", "User", "Assistant", "Tool", "Assistant"]
    turns = page.locator(".turn")
    call = turns.nth(2).locator(".call")
    expect(call).to_have_count(1)
    expect(call).to_contain_text("find_slot")
    assert call.locator(".arguments").inner_text() == '{"day": "Freitag", "hour": 15}'
    expect(turns.nth(3).get_by_role("heading")).to_contain_text("answers call call_1")
    thought = page.get_by_text("They want a slot; the calendar knows.")
    expect(thought).to_be_hidden()
    page.get_by_text("Show the reasoning").click()
    expect(thought).to_be_visible()
    page.get_by_text("Tools that may be called, one at a time").click()
    expect(page.get_by_text('"parameters": {}')).to_be_visible()


def test_a_pair_of_conversations_shows_the_beginning_of_both_once(
    visit: Visit, talking: Service
) -> None:
    page = opened(visit, talking, 3)
    assert speakers(page) == ["User", "Assistant", "User", "Assistant", "Assistant"]
    preferred = page.get_by_role("list", name="Preferred").get_by_role("listitem")
    rejected = page.get_by_role("list", name="Rejected").get_by_role("listitem")
    assert text_of(preferred) == "That sounds exhausting. I am here."
    assert text_of(rejected) == "Just cheer up."
    expect(rejected.get_by_role("heading")).to_contain_text("rejected")
    expect(page.get_by_text("Since when?")).to_have_count(1)
    left, right = preferred.bounding_box(), rejected.bounding_box()
    assert left
    assert right
    assert (left["y"], left["x"] + left["width"] <= right["x"]) == (right["y"], True)


@pytest.mark.parametrize(
    ("row", "expected"),
    [(4, ["Input", "Response"]), (5, ["System", "User", "Assistant"])],
    ids=["texts", "turns"],
)
def test_a_text_that_pretends_to_be_turns_is_one_text(
    visit: Visit, talking: Service, row: int, expected: list[str]
) -> None:
    page = opened(visit, talking, row)
    assert speakers(page) == expected
    expect(page.locator("main .turn h2")).to_have_count(len(expected))
    turn = page.locator(".turn").nth(-2)
    assert text_of(turn) == IMITATION
    assert page.evaluate("window.harmed") is None
    # Who speaks stands in a bar of its own colour and weight; a text has neither.
    bar, words = turn.locator(".speaker"), turn.locator(".words")
    look = "one => { const s = getComputedStyle(one); return [s.backgroundColor, s.fontWeight]; }"
    colour, weight = bar.evaluate(look)
    for part in (words, turn.locator(".words > .text")):
        background, of_text = part.evaluate(look)
        assert background != colour
        assert of_text != weight
    above, below = bar.bounding_box(), words.bounding_box()
    assert above
    assert below
    assert above["y"] + above["height"] <= below["y"] + 1


def test_marks_piled_on_a_text_do_not_reach_out_of_its_turn(visit: Visit, talking: Service) -> None:
    page = opened(visit, talking, 1)
    for part in (".turn", ".words"):
        assert page.locator(part).first.evaluate("one => getComputedStyle(one).overflow") == "clip"


def test_among_others_a_long_conversation_shows_its_beginning_and_leads_to_the_rest(
    visit: Visit, talking: Service
) -> None:
    page = visit(talking).enter(then="/records?search=turn-of-many")
    page.get_by_text("Show the text of record").click()
    assert speakers(page) == ["User", "Assistant"] * 3
    page.get_by_role("link", name="14 more turns").click()
    page.get_by_text("Show the text", exact=True).click()
    assert speakers(page) == ["User", "Assistant"] * 10


def test_what_is_exported_has_the_turns(visit: Visit, talking: Service) -> None:
    visitor = visit(talking)
    visitor.enter()
    lines = visitor.context.request.get("/records/export").text().splitlines()
    beside = ("messages", "rejected_messages", "tools", "parallel_tool_calls", "metadata")
    assert [{name: json.loads(line)[name] for name in beside} for line in lines] == [
        {name: talk.get(name) for name in beside} for talk in TALKS
    ]


@pytest.mark.parametrize(
    "look",
    [Look(size=DESK), Look(size=DESK, dark=True), Look(size=PHONE), Look(size=PHONE, dark=True)],
    ids=["desk", "desk, dark", "phone", "phone, dark"],
)
def test_axe_finds_nothing_serious_in_conversations_and_they_fit(
    visit: Visit, talking: Service, look: Look
) -> None:
    visitor = visit(talking, look)
    visitor.enter()
    paths = ["/records", *(f"/records/{row}" for row in range(len(TALKS)))]
    assert [wrong for path in paths for wrong in looked_at(visitor, path)] == []
