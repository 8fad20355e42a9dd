"""Psych-101 in its shape: sessions of 10 to 56 KB, a few over 1 MiB, choices marked `<<…>>`.

Half of the sessions have text beyond ASCII, as real text has: quotes, accents, signs, emoji.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from bench.prose import BEYOND_ASCII, vocabulary

_TRIALS_PER_KIND = 3000
#: In a session beyond ASCII so many of its trials are, on average.
_BEYOND_TRIALS = 0.1
#: One such session in so many has blanks that do not break as well, which are folded.
_WITH_BLANKS = 10
_NO_BREAK = "\u00a0"
_KEYS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


@dataclass(frozen=True)
class _Kind:
    """One design of experiment: its opening and ready-made trials, as JSON text without quotes."""

    ids: tuple[str, ...]
    opening: str
    trials: list[str]
    beyond: list[str]
    """The same trials, a tenth of them with a word or sign beyond ASCII."""
    mean: float


def _lottery(random: Random, _: list[str]) -> str:
    one, other = random.sample(_KEYS, 2)
    first, second = random.randint(1, 99), random.randint(1, 99)
    gain, loss = random.randint(0, 99), random.randint(-50, 50)
    return (
        f"Machine {one} delivers {gain}.0 points with {first}.0% probability and {loss}.0 points"
        f" with {100 - first}.0% probability.\nMachine {other} delivers {loss + 7}.0 points with"
        f" {second}.0% probability and 0.0 points with {100 - second}.0% probability.\nYou press"
        f" <<{random.choice((one, other))}>>. You receive {gain}.0 points.\n"
    )


def _bandit(random: Random, _: list[str]) -> str:
    return f"You press <<{random.choice(_KEYS)}>> and get {random.randint(1, 100)} points.\n"


def _category(random: Random, _: list[str]) -> str:
    seen = f"{random.choice(('big', 'small'))} {random.choice(('black', 'white'))}"
    key = random.choice(_KEYS)
    shape = random.choice(("triangle", "square", "circle", "star"))
    answer = random.choice(_KEYS)
    return f"You see a {seen} {shape}. You press <<{key}>>. The correct category is {answer}.\n"


def _odd_one_out(random: Random, words: list[str]) -> str:
    keys = random.sample(_KEYS, 3)
    shown = ", ".join(f"{key}: {random.choice(words)}" for key in keys)
    return f"{shown}. You press <<{random.choice(keys)}>>.\n"


def _digits(random: Random, _: list[str]) -> str:
    digits = random.choices(range(10), k=random.randint(3, 9))
    typed = ", ".join(f"<<{digit if random.random() < 0.9 else 0}>>" for digit in digits)
    return f"The digits are the following: {digits}\nYou press {typed}.\n"


def _go_nogo(random: Random, _: list[str]) -> str:
    if random.random() < 0.2:
        return "You see colour2 and press nothing.\n"
    key, milliseconds = random.choice(_KEYS), random.randint(180, 990)
    return f"You see colour1 and press <<{key}>> in <<{milliseconds}>>ms.\n"


def _delay(random: Random, _: list[str]) -> str:
    now, later, months = random.randint(50, 999), random.randint(300, 1500), random.randint(1, 36)
    return (
        f"Option L: €{now} immediately. Option P: €{later} in {months} months."
        f" You choose option <<{random.choice('LP')}>>.\n"
    )


def _balloon(random: Random, _: list[str]) -> str:
    pumps = " ".join(["<<N>>"] * random.randint(1, 25))
    return (
        f"Balloon {random.randint(1, 90)}:\nYou press {pumps} <<E>>. You stop inflating the balloon"
        f" and get {random.randint(1, 60)} points.\n\n"
    )


def _word_pairs(random: Random, words: list[str]) -> str:
    one, other = random.sample(words, 2)
    relation = random.choice(("FOR", "IN", "IS", "HAS", "MADE OF", "LOCATION IS"))
    return f'What does "{one} {other}" mean?. You answer <<{other} {relation} {one}>>.\n'


# Weight, design, experiments: the first has 23 % of the sessions, as peterson2021using has in the
# real file; the one beyond ASCII 3 %.
_DESIGNS: tuple[tuple[int, Callable[[Random, list[str]], str], tuple[str, ...]], ...] = (
    (23, _lottery, ("peterson2021using/exp1.csv",)),
    (10, _lottery, ("plonsky2018when/exp1.csv", "wulff2018description/exp1.csv")),
    (
        20,
        _bandit,
        ("wilson2014humans/exp1.csv", "kool2016when/exp2.csv", "bahrami2020four/exp.csv"),
    ),
    (14, _category, ("badham2017deficits/exp1.csv", "flesch2018comparing/exp1.csv")),
    (12, _odd_one_out, ("hebart2023things/exp1.csv",)),
    (6, _digits, ("enkavi2019digitspan/exp1.csv",)),
    (4, _go_nogo, ("enkavi2019gonogo/exp1.csv",)),
    (3, _delay, ("ruggeri2022globalizability/exp1.csv",)),
    (4, _balloon, ("frey2017risk/exp1.csv",)),
    (4, _word_pairs, ("wu2023chunking/exp1.csv", "jansen2021dunningkruger/exp1.csv")),
)
_OPENING = (
    "In this task, you will see a number of rounds and be asked to choose in each of them.\n"
    "Your goal is to do as well as you can. Press the keys you are told to press.\n\n"
)


def _text(raw: str) -> str:
    return json.dumps(raw, ensure_ascii=False)[1:-1]


def _beyond(random: Random, trial: str) -> str:
    """Put a word or sign beyond ASCII before the end of a trial's first line."""
    if random.random() >= _BEYOND_TRIALS:
        return trial
    line, end, rest = trial.partition("\\n")
    return f"{line} {random.choice(BEYOND_ASCII)}{end}{rest}"


def _kinds(random: Random) -> list[_Kind]:
    words = vocabulary(random)
    kinds = []
    for _, design, ids in _DESIGNS:
        trials = [_text(design(random, words)) for _ in range(_TRIALS_PER_KIND)]
        mean = sum(map(len, trials)) / len(trials)
        beyond = [_beyond(random, trial) for trial in trials]
        kinds.append(_Kind(ids, _text(_OPENING), trials, beyond, mean))
    return kinds


def sessions(random: Random, _budget: int) -> Iterator[bytes]:
    """Give JSON lines without end; memory stays that of the ready-made trials.

    Every session is its own random row of trials, but for 1 in 400, which repeats an earlier line.
    1 in 1,000 has no mark. One in 1,500 is 1.1 to 1.6 million bytes long. Every other one is beyond
    ASCII.
    """
    kinds = _kinds(random)
    weights = [weight for weight, _, _ in _DESIGNS]
    earlier = b""
    number = 0
    while True:
        number += 1
        if earlier and random.random() < 1 / 400:
            yield earlier
            continue
        kind = random.choices(kinds, weights)[0]
        huge = number % 1500 == 300
        length = random.randint(1_100_000, 1_600_000) if huge else random.randint(11_000, 54_000)
        trials = kind.beyond if number % 2 else kind.trials
        text = kind.opening + "".join(random.choices(trials, k=round(length / kind.mean)))
        if number % (2 * _WITH_BLANKS) == 1:
            text = text.replace("You ", f"You{_NO_BREAK}", 20)
        if random.random() < 1 / 1000:
            text = text.replace("<<", "").replace(">>", "")
        experiment = random.choice(kind.ids)
        row = f'{{"text": "{text}", "experiment": "{experiment}", "participant": "{number}"}}\n'
        line = row.encode()
        if number % 50 == 1:
            earlier = line
        yield line
