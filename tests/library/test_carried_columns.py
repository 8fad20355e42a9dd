"""Columns that go along with records: their group and their metadata."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from raw_files import adapt, kept

from mindcorpus.sources.adapters import Kept
from mindcorpus.sources.carried_columns import Carried
from mindcorpus.sources.columns_adapter import Columns
from mindcorpus.sources.readers import Drop
from mindcorpus.sources.thread_adapter import Threads

COLUMNS = Columns(input="q", response="a")


def one(carried: Carried, **row: Any) -> Kept | Drop:
    (outcome,) = adapt(carried, {"q": "q", "a": "a", **row})
    return outcome


def group(*values: Any) -> str:
    names = tuple(f"c{at}" for at in range(len(values)))
    outcome = one(Carried(COLUMNS, names), **dict(zip(names, values, strict=True)))
    assert isinstance(outcome, Kept)
    return outcome.group


def test_a_group_is_what_its_columns_hold() -> None:
    assert group("p1") == '["p1"]'
    assert group("José", 3) == '["José","3"]'
    assert group(7) == group(7.0) == group("7") != group("07")
    assert group("a", "b") != group("ab", "") != group("b", "a")
    assert group(["a", 1]) == '["[\\"a\\",1]"]'


def test_rows_of_no_group_are_not_one_group() -> None:
    assert group(None) == group("") == group(None, "") == ""
    assert group(None, "x") == '["","x"]'


def test_a_row_without_its_groups_column_is_a_drop() -> None:
    assert one(Carried(COLUMNS, ("patient",))) == Drop(
        0, "missing-column", "there is no 'patient' of group; the row has 'q', 'a'"
    )
    assert isinstance(one(Carried(COLUMNS, ("m.p",)), m={"p": "x"}), Kept)


def test_kept_columns_are_metadata_in_the_entrys_order() -> None:
    carried = Carried(COLUMNS, keep_columns=("when", "m.n", "none", "gone", "exact"))
    when = datetime(2024, 5, 1, 12, tzinfo=UTC)
    outcome = one(carried, exact=Decimal("1.50"), m={"n": ["é", 1.5]}, none=None, when=when)
    assert isinstance(outcome, Kept)
    assert outcome.metadata == (
        '{"when":"2024-05-01T12:00:00+00:00","m.n":["é",1.5],"none":null,"exact":"1.50"}'
    )
    assert one(carried) == Kept(0, "q", "a")
    assert one(Carried(COLUMNS, keep_columns=("b",)), b=b"\xff")[1] == "wrong-type"


def test_each_record_has_what_its_own_row_holds() -> None:
    rows = [{"q": "q", "a": "" if n % 3 else "a", "n": n} for n in range(9)]
    found = adapt(Carried(COLUMNS, ("n",), ("n",)), *rows, "no row")
    assert [outcome.number for outcome in found] == list(range(10))
    assert [(each.number, each.group, json.loads(each.metadata)) for each in kept(found)] == [
        (n, f'["{n}"]', {"n": n}) for n in (0, 3, 6)
    ]


def test_comments_have_what_their_posts_row_holds() -> None:
    carried = Carried(Threads(), ("u",), ("u",))
    rows = [
        {"post": "p", "comment": "c", "label": 1, "u": "x"},
        {
            "post": "other",
            "comments": [{"text": "d", "label": 1}, {"text": "e", "label": 1}],
            "u": 2,
        },
        {"post": "p", "comment": "f", "label": 1},
    ]
    found = adapt(carried, *rows)
    assert [(each.response, each.group) for each in kept(found)] == [
        ("c", '["x"]'),
        ("d", '["2"]'),
        ("e", '["2"]'),
    ]
    assert [each.number for each in found if isinstance(each, Drop)] == [2]
