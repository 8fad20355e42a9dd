from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_files import SHARED, adapt, dropped, kept, read, reasons, values, words_of

from mindcorpus.sources.adapters import Kept
from mindcorpus.sources.readers import Drop, Row
from mindcorpus.sources.thread_adapter import Threads

CANARY = "Kanarienvogel"


def flat(comment: Any, label: Any = None, **row: Any) -> dict[str, Any]:
    return {"post_text": "post", "comment_text": comment, "label": label, **row}


def nested(*comments: Any, **row: Any) -> dict[str, Any]:
    return {"post": "post", "comments": list(comments), **row}


def records(*rows: Any, **options: str) -> list[tuple[str, str, str]]:
    """Give input, response and rejected response of what is kept."""
    return [outcome[1:4] for outcome in kept(adapt(Threads(**options), *rows))]


# One row a comment


def test_each_effective_comment_is_a_record_with_a_not_effective_one_while_there_are_some() -> None:
    rows = [flat("A", 1), flat("x", 0), flat("B", 1), flat("y", 0), flat("z", 0), flat("C", 1)]
    outcomes = adapt(Threads(), *rows)
    assert [outcome[1:4] for outcome in kept(outcomes)] == [
        ("post", "A", "x"),
        ("post", "B", "y"),
        ("post", "C", "z"),
    ]
    assert outcomes[1] == Drop(1, "used-as-rejected", "rejected_response of row 0, item 0")
    assert records(flat("A", 1), flat("B", 1)) == [("post", "A", ""), ("post", "B", "")]
    assert dropped(adapt(Threads(), flat("A", 1), flat("x", 0), flat("y", 0))) == {
        1: "used-as-rejected",
        2: "not-effective",
    }


def test_a_comment_is_never_rejected_for_itself() -> None:
    assert records(flat("A", 1), flat("A", 0)) == [("post", "A", "")]
    assert records(flat("A", 1), flat("A", 0), flat("x", 0)) == [("post", "A", "x")]


@pytest.mark.parametrize("label", [1, 1.0, True, "1", "1.0", " True ", "yes", "Effective"])
@pytest.mark.parametrize("other", [0, 0.0, False, "0", "no", "ineffective", "Not effective"])
def test_labels_come_in_many_words(label: Any, other: Any) -> None:
    assert records(flat("x", other), flat("A", label)) == [("post", "A", "x")]


@pytest.mark.parametrize("label", [None, "", "maybe", 2, ["1"], {"1": 1}, float("nan")])
def test_beside_labels_a_comment_without_one_is_a_drop(label: Any) -> None:
    outcomes = adapt(Threads(), flat("A", 1), flat("B", label))
    assert dropped(outcomes) == {1: "unknown-label"}


def test_without_labels_the_comment_with_most_votes_stands_for_the_post() -> None:
    rows = [flat("A", score="3"), flat("B", score=7), flat("C", score=7), flat("D", score="many")]
    outcomes = adapt(Threads(), *rows)
    assert [outcome[2] for outcome in kept(outcomes)] == ["B"]
    assert reasons(outcomes) == {"not-chosen": 3}
    assert records(flat("A"), flat("B")) == [("post", "A", "")]
    assert records(flat("A", score=-1), flat("B", score=0)) == [("post", "B", "")]
    assert records(flat("A", score=10**400), flat("B", score=1)) == [("post", "B", "")]


def test_comments_of_one_post_may_lie_apart_and_come_out_in_the_order_of_posts() -> None:
    rows = [flat("A", 1), flat("B", 1, post_text="other"), flat("x", 0)]
    assert records(*rows) == [("post", "A", "x"), ("other", "B", "")]


def test_an_id_tells_posts_of_the_same_text_apart_and_never_lends_a_text() -> None:
    same_text = [flat("A", 1, post_id="p1"), flat("x", 0, post_id="p2")]
    assert records(*same_text) == [("post", "A", "")]
    same_id = [flat("A", 1, post_id=7), flat("B", 1, post_id=7, post_text="another")]
    assert records(*same_id) == [("post", "A", ""), ("another", "B", "")]
    assert records(flat("A", 1, post_id=["p"]), flat("x", 0, post_id={})) == [("post", "A", "x")]
    assert records(flat("A", 1, post_id=1), flat("x", 0, post_id=True)) == [("post", "A", "")]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"title": "title", "post_text": "post"}, "title\n\npost"),
        ({"title": " ", "post_text": "post"}, "post"),
        ({"title": "title", "post_text": None}, "title"),
        ({"title": "title"}, "title"),
        ({"title": "Tom &amp; I", "post_text": "&gt; 3"}, "Tom & I\n\n> 3"),
    ],
)
def test_a_post_is_its_title_and_its_text(row: dict[str, Any], text: str) -> None:
    assert records({**row, "comment": "A", "label": 1}) == [(text, "A", "")]


def test_entities_are_decoded_and_said_to_be() -> None:
    rows = [flat("&lt;3 &amp; more", 1), flat("plain", 1), flat("&quot;x&quot;", 0)]
    outcomes = adapt(Threads(), *rows)
    assert [(o.response, o.rejected_response, o.changed) for o in kept(outcomes)] == [
        ("<3 & more", '"x"', ("html-entities-decoded",)),
        ("plain", "", ()),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (flat("[deleted]", 1), "deleted"),
        (flat(" [removed] ", 1), "deleted"),
        (flat("A", 1, post_text="[deleted]"), "deleted"),
        (flat("A", 1, post_text="[removed]", title="title"), "deleted"),
        (flat("", 1), "blank-response"),
        (flat(" \n", 1), "blank-response"),
        (flat(None, 1), "blank-response"),
        (flat("A", 1, post_text=""), "blank-input"),
        (flat("A", 1, post_text=None), "blank-input"),
        (flat(7, 1), "wrong-type"),
        (flat("A", 1, post_text=[CANARY]), "wrong-type"),
        ({"post_text": CANARY, "answer": CANARY}, "missing-column"),
        ({"comment": CANARY, "label": 1}, "missing-column"),
        ({"body": CANARY, "title": CANARY}, "missing-column"),
        ({}, "missing-column"),
        ([CANARY], "wrong-type"),
        (None, "wrong-type"),
    ],
)
def test_what_gives_no_record_is_a_drop(row: Any, reason: str) -> None:
    outcomes = adapt(Threads(), row)
    assert dropped(outcomes) == {0: reason}
    assert CANARY not in words_of(outcomes)


@pytest.mark.parametrize("post", ["post_text", "selftext", "post", "body", "input", "user"])
@pytest.mark.parametrize("comment", ["comment_text", "comment", "reply", "response", "text"])
def test_columns_are_found_by_their_usual_names(post: str, comment: str) -> None:
    assert records({comment: "A", post: "P", "effective": "yes"}) == [("P", "A", "")]


def test_in_a_flat_row_body_is_the_post_unless_there_is_another() -> None:
    assert records({"body": "P", "text": "A"}) == [("P", "A", "")]
    assert records({"selftext": "P", "body": "A"}) == [("P", "A", "")]


def test_options_name_the_columns() -> None:
    row = {
        "p": "P",
        "t": "T",
        "c": {"text": "A"},
        "l": 1,
        "s": 3,
        "r": "sub",
        "k": "kind",
        "i": "1",
    }
    adapter = Threads(
        post="p", title="t", comment="c.text", label="l", post_id="i", score="s", subreddit="r",
        support_type="k",
    )  # fmt: skip
    outcomes = adapt(adapter, row, {**row, "l": 0, "c": {"text": "x"}})
    assert kept(outcomes) == [Kept(0, "T\n\nP", "A", "x", ("sub", "kind"))]
    assert dropped(adapt(adapter, {"p": "P", "comment": "A"})) == {0: "missing-column"}
    assert dropped(adapt(Threads(post="p"), {"post": "P", "comment": "A"})) == {0: "missing-column"}


def test_tags_are_the_subreddit_and_the_kind_of_support() -> None:
    rows = [flat("A", 1, subreddit=" ptsd ", support_type="advice"), flat("B", 1, support_type="")]
    assert [record.tags for record in kept(adapt(Threads(), *rows))] == [
        ("ptsd", "advice"),
        ("ptsd",),
    ]


# One row a post


@pytest.mark.parametrize("name", ["body", "text", "comment", "comment_text", "reply"])
def test_comments_within_a_post_are_texts_or_objects(name: str) -> None:
    row = nested("first", {name: "second", "score": 5}, {name: "third", "score": "2"})
    assert kept(adapt(Threads(), row)) == [Kept(0, "post", "second", item=1)]
    labelled = nested({name: "A", "label": 1}, {name: "x", "label": 0}, subreddit="ptsd")
    assert kept(adapt(Threads(), labelled)) == [Kept(0, "post", "A", "x", ("ptsd",), item=0)]


def test_texts_within_a_post_need_no_column_even_if_one_is_named() -> None:
    row = nested({"words": "A", "label": 1}, "x", {"body": "y", "label": 1})
    outcomes = adapt(Threads(comment="words"), row)
    assert [outcome[2] for outcome in kept(outcomes)] == ["A"]
    assert reasons(outcomes) == {"unknown-label": 1, "blank-response": 1}


def test_each_comment_within_a_post_is_accounted_for_by_its_place() -> None:
    rows = [
        nested("A", "[removed]", "", None, 7, {}, {"score": 3}, [CANARY]),
        nested(),
        {"comments": [CANARY, CANARY]},
        {"comments": []},
        nested(CANARY, post=7),
    ]
    outcomes = adapt(Threads(), *rows)
    assert sorted((outcome.number, outcome.item) for outcome in outcomes) == [
        *((0, item) for item in range(8)),
        (1, 0),
        (2, 0),
        (2, 1),
        (3, 0),
        (4, 0),
    ]
    assert reasons(outcomes) == {
        "deleted": 1,
        "blank-response": 4,
        "wrong-type": 3,
        "no-comment": 1,
        "missing-column": 3,
    }
    assert CANARY not in words_of(outcomes)


# What holds for all

scalars = st.none() | st.booleans() | st.integers(-1, 2) | st.floats() | st.just(CANARY)
usual = st.sampled_from(["A", "B", "", " ", "[deleted]", "1", "0", "&amp;", CANARY])
cells = usual | usual | scalars | st.lists(usual, max_size=2) | st.dictionaries(st.just("x"), usual)
names = st.sampled_from(
    ["post", "title", "body", "text", "comment", "label", "score", "post_id", "subreddit", "x"]
)
objects = st.dictionaries(names, cells, max_size=6)
posts = st.builds(
    lambda row, comments: {**row, "comments": comments},
    objects,
    st.lists(objects | cells, max_size=4) | cells,
)
flats = st.fixed_dictionaries({"post": usual, "comment": usual, "label": cells})


def units(rows: list[Any]) -> Counter[tuple[int, int]]:
    found: Counter[tuple[int, int]] = Counter()
    for number, row in enumerate(rows):
        comments = row.get("comments") if isinstance(row, dict) else None
        size = len(comments) if isinstance(comments, list) else 1
        found.update((number, item) for item in range(max(1, size)))
    return found


@settings(max_examples=400, deadline=None)
@given(rows=st.lists(flats | posts | objects | cells, max_size=8))
def test_every_comment_has_exactly_one_outcome_and_no_drop_holds_its_text(rows: list[Any]) -> None:
    unread = Drop(len(rows), "broken-json", "at character 7")
    given_rows: list[Row | Drop] = [*(Row(number, row) for number, row in enumerate(rows)), unread]
    outcomes = list(Threads()(given_rows))
    found = Counter((outcome.number, outcome.item) for outcome in outcomes)
    assert found == units(rows) + Counter([(len(rows), 0)])
    assert CANARY not in words_of(outcomes)
    assert all(record.input.strip() and record.response.strip() for record in kept(outcomes))
    used = [outcome for outcome in outcomes if outcome[1] == "used-as-rejected"]
    assert len(used) == sum(bool(record.rejected_response) for record in kept(outcomes))


# The files at hand


def test_the_users_copy_is_read_in_both_of_its_layouts() -> None:
    folder = SHARED / "local/RedditESS/data"
    if not folder.is_dir():
        pytest.skip("a copy of RedditESS, shared/local beside the project, is not here")
    table = adapt(Threads(), *values(read(folder / "redditess_comments.csv")))
    assert len(table) == 137
    assert set(reasons(table)) <= {"deleted", "blank-response", "used-as-rejected", "not-effective"}
    rows = values(read(folder / "redditess_threads.json"))
    assert len(rows) == 31
    outcomes = adapt(Threads(), *rows)
    assert len(outcomes) == sum(units(rows).values())
    assert reasons(outcomes)["wrong-type"] == reasons(outcomes)["missing-column"] == 0
    usable = {
        number
        for number, row in enumerate(rows)
        for comment in row["comments"]
        if (comment if isinstance(comment, str) else comment["body"]).strip()
        not in ("", "[deleted]", "[removed]")
    }
    assert {record.number for record in kept(outcomes)} == usable
