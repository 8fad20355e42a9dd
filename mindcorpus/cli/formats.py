"""formats: which training formats there are, what each would hold today, and how to load it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.text import Text

from mindcorpus.api import formats as offered
from mindcorpus.cli.render import outdated_word
from mindcorpus.cli.tables import heading, table
from mindcorpus.cli.terminal import Terminal, print_json
from mindcorpus.client.service import ServiceClient
from mindcorpus.errors import SettingsError
from mindcorpus.formats.registry import ALL, FORMATS
from mindcorpus.preparing.offer_words import lengths_told, read_by
from mindcorpus.tokens.lengths import cost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType


class Training(NamedTuple):
    """What training is said to cost."""

    price: Decimal | None
    """For a million tokens; None: nothing is told of costs."""
    epochs: int


def list_formats(
    names: Sequence[str],
    data_dir: Path | None,
    *,
    price: Decimal | None,
    epochs: int,
    as_json: bool,
) -> None:
    """List the formats, or tell of some of them in full."""
    found = [each.as_dict() for each in offered(data_dir)]
    _show(found, names, Training(price, epochs), as_json=as_json)
    for why in FORMATS.refused.values():
        # An installed package offers it, and cannot.
        Terminal().say(f"Not there: {why}.")


def list_formats_there(
    server: str, names: Sequence[str], *, price: Decimal | None, epochs: int, as_json: bool
) -> None:
    """List the formats of a service."""
    with ServiceClient(server) as client:
        found = client.offered_formats()
    _show(found, names, Training(price, epochs), as_json=as_json)


def _show(
    found: Sequence[Mapping[str, Any]], names: Sequence[str], training: Training, *, as_json: bool
) -> None:
    known = [each["name"] for each in found]
    if missing := [name for name in names if name not in (*known, ALL)]:
        raise SettingsError(
            f"there is no format {missing[0]!r}", hint=f"Known: {', '.join(known)}."
        )
    if ALL in names:
        names = [*names, *(each["name"] for each in found if each["in_all"])]
    chosen = [each for each in found if not names or each["name"] in names]
    if as_json:
        print_json([{**each, **_cost_of(each, training)} for each in chosen])
    elif names:
        Terminal().show(*(part for each in chosen for part in _described(each, training)))
    else:
        costs = () if training.price is None else ("Training",)
        Terminal().show(
            table(
                ("Format", "For", "Would hold", "State", *costs, "What it is"),
                [
                    (
                        *(each["name"], each["task"], _held(each), _state(each)),
                        *(_cost(each, training) for _ in costs),
                        each["title"],
                    )
                    for each in chosen
                ],
            ),
            Text(
                "\nMake one with `mindcorpus prepare NAME`; `mindcorpus formats NAME` tells more."
            ),
        )


def _held(offer: Mapping[str, Any]) -> str:
    if offer["rows"] is None:
        return ""
    if len(offer["sections"]) == 1:
        return _of_section(offer["sections"][0])
    return ", ".join(f"{each['name']} {_of_section(each)}" for each in offer["sections"])


def _of_section(section: Mapping[str, Any]) -> str:
    return f"{section['rows']:,} {section['takes']}"


def _state(offer: Mapping[str, Any]) -> str:
    if not offer["exists"]:
        return "none"
    if offer["damaged"]:
        return "damaged"
    return "outdated" if offer["outdated"] else "up to date"


def _cost_of(offer: Mapping[str, Any], training: Training) -> dict[str, str]:
    """Give the cost of training on a format that exists, as a JSON value; {} for no price."""
    if training.price is None or not offer.get("trained_tokens"):
        return {}
    return {"training_cost": str(cost(offer["trained_tokens"], training.price, training.epochs))}


def _cost(offer: Mapping[str, Any], training: Training) -> str:
    found = _cost_of(offer, training)
    return f"{Decimal(found['training_cost']):,.2f}" if found else ""


def _described(offer: Mapping[str, Any], training: Training) -> list[RenderableType]:
    lines = [offer["title"], offer["summary"]]
    if told := read_by(offer):
        lines.append(told)
    if held := _held(offer):
        lines.append(f"Would hold: {held}.")
    state = _state(offer)
    if offer["outdated"]:
        state = f"outdated, {outdated_word(offer['outdated_by'])}"
    lines.append(f"{offer['path']}: {state}.")
    if told := lengths_told(offer.get("tokens")):
        lines.append(told)
    if told := _cost(offer, training):
        lines.append(
            f"Training on {offer['trained_tokens']:,} tokens, {training.epochs} times: {told}."
        )
    parts: list[RenderableType] = [heading(offer["name"]), *(Text(line) for line in lines)]
    if offer["snippet"]:
        parts.append(Text(f"\n{offer['snippet'].rstrip()}"))
    return parts
