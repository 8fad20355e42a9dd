"""How many tokens records have: counted by the workers, once for all formats that ask.

What is counted is the record as a chat: its turns up to the last answer, with the tools beside
them, or input and response; of a pair also its other side. The configured system message is added
where a format writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mindcorpus.chat_messages import messages_of
from mindcorpus.conversations import INSTRUCTING
from mindcorpus.corpus import turns
from mindcorpus.corpus.row_facts import Flags, Numbers, RowFacts
from mindcorpus.corpus.turns import turns_of
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import Task
from mindcorpus.formats.base import Parts, Run, Takes, Times
from mindcorpus.preparing.cutting import AROUND, first_answer, kept_of
from mindcorpus.preparing.part_lengths import PartLengths
from mindcorpus.preparing.runs import RunBytes, batches_in
from mindcorpus.preparing.sampling import Tokens
from mindcorpus.tokens.chats import PER_REPLY, count_messages
from mindcorpus.tokens.estimate import BYTES_PER_TOKEN
from mindcorpus.tokens.tokenizer import Tokenizer

_TEXTS = ("input", "response", "rejected_response")
#: Conversations that are Python objects at one time.
_AT_ONCE = 1000
#: Rows whose lengths are summed up at one time.
_SUMMED_ROWS = 250_000


@dataclass(frozen=True)
class TokenJob:
    """A run, the .npy file that tells which rows are wanted, and what counts."""

    run: Run
    wanted: Path
    tokenizer: Tokenizer
    conversations: bool


def count_run(job: TokenJob, tick: Callable[[int, int], None]) -> Tokens:
    """Count the tokens of a run's rows."""
    wanted = np.load(job.wanted, mmap_mode="r")
    count = job.run.stop - job.run.start
    found = Tokens(*(np.zeros(count, np.int64) for _ in Tokens._fields))
    names = (*_TEXTS, *(turns.NAMES if job.conversations else ()))
    first, done = 0, RunBytes(job.run)
    for path in job.run.parts:
        for batch in batches_in(path, names):
            table = batch.table
            rows = slice(first, first + table.num_rows)
            first += table.num_rows
            tick(0, done.more(table.num_rows))
            places = np.flatnonzero(wanted[job.run.start :][rows])
            mine = table.take(places) if len(places) < table.num_rows else table
            for at, values in enumerate(_count(mine, job.tokenizer)):
                found[at][rows][places] = values
    return found


def _count(table: Any, tokenizer: Tokenizer) -> Tokens:
    """Count the rows of a table."""
    texts = [tokenizer.counts(table.column(name).to_pylist()) for name in _TEXTS]
    asked, chosen, rejected = (np.array(each, np.int64) for each in texts)
    frame = PER_REPLY + 2 * AROUND + asked
    none = np.zeros(len(frame), np.int64)
    other = np.where(rejected > 0, frame + rejected, 0)
    found = Tokens(frame + chosen, other, frame + chosen, none, none.copy())
    if "messages" in table.column_names:
        for at in range(0, table.num_rows, _AT_ONCE):
            _count_chats(table.slice(at, _AT_ONCE), tokenizer, at, found)
    return found


def _count_chats(table: Any, tokenizer: Tokenizer, first: int, found: Tokens) -> None:
    """Put the counts of the conversations of a table in the place of those of their flat texts."""
    sides = [list(turns_of(table.column(name))) for name in ("messages", "rejected_messages")]
    tools = tokenizer.counts([text or "" for text in table.column("tools").to_pylist()])
    places = [at for at, said in enumerate(sides[0]) if said is not None]
    chats = [kept_of(sides[0][at]) for at in places]
    others = [kept_of(sides[1][at]) for at in places]
    counted = count_messages(tokenizer, [messages_of(each) for each in (*chats, *others)])
    for number, at in enumerate(places):
        mine, other = counted[number], counted[number + len(places)]
        row = first + at
        found.whole[row] = PER_REPLY + tools[at] + sum(mine)
        found.other[row] = PER_REPLY + tools[at] + sum(other) if other else 0
        found.least[row] = PER_REPLY + tools[at] + sum(mine[: first_answer(chats[number]) + 1])
        own = [
            tokens if turn.role in INSTRUCTING else 0
            for turn, tokens in zip(chats[number], mine, strict=True)
        ]
        found.system[row] = sum(own)
        found.early[row] = sum(own[: first_answer(chats[number]) + 1])


def estimated(rows: RowFacts) -> Tokens:
    """Estimate the tokens of all rows by what their texts take as JSON; no text is read."""
    turns, rejected = rows.turns_json, rows.rejected_json
    answer = _per(np.maximum(rows.response_json - 2, 0))
    whole = PER_REPLY + 2 * AROUND + _per(rows.input_json - 2) + answer
    other = system = none_at_all(len(rows))
    if turns.any():
        whole = np.where(turns > 0, PER_REPLY + _per(turns), whole)
        system = _per(rows.system_json)
    if rejected.any():
        # The other side of a conversation is as long as the first, but for its answer.
        more = _per(np.maximum(rejected - 2, 0)) - answer
        other = np.where(rejected > 0, np.maximum(whole + more, 1), 0)
    return Tokens(whole, other, whole, system, system)


def none_at_all(count: int) -> Numbers:
    """Give 0 for each of so many rows, in no memory; it cannot be written into."""
    return np.broadcast_to(np.int32(0), (count,))


def _per(size: Numbers) -> Numbers:
    found: Numbers = -(-size // BYTES_PER_TOKEN)
    return found


def prompt_tokens(tokenizer: Tokenizer, prompt: str) -> int:
    """Count what a configured system message adds to a chat."""
    return AROUND + tokenizer.counts([prompt])[0]


@dataclass(frozen=True)
class Counted:
    """How many tokens rows have, and what counted them."""

    tokenizer: Tokenizer
    tokens: Tokens

    def with_prompt(self, prompt: str, policy: str) -> Counted:
        """Add what a configured system message has, where a format writes it by a policy."""
        tokens, size = self.tokens, prompt_tokens(self.tokenizer, prompt)

        def more(own: Numbers) -> Any:
            if policy == "own":
                return np.where(own > 0, np.int32(0), np.int32(size)) if own.any() else size
            return (size if policy == "replace" else 0) - own

        whole, other, least = tokens.whole + more(tokens.system), tokens.other, tokens.least
        if other.any():
            # What instructs is the same on both sides, where a pair of its own says nothing else.
            other = np.where(other > 0, other + more(tokens.system), 0)
        alike = least is tokens.whole and tokens.early is tokens.system
        least = whole if alike else least + more(tokens.early)
        return Counted(self.tokenizer, tokens._replace(whole=whole, other=other, least=least))

    def lengths(
        self,
        rows: RowFacts,
        parts: Parts,
        times: Times,
        takes: Takes,
        but: Flags | None = None,
    ) -> PartLengths:
        """Sum up the lengths of what is taken, but for some rows, by part and source.

        Of a pair both sides count, each with its prompt: a trainer reads both.
        """
        found = PartLengths()
        sides = (self.tokens.whole, *((self.tokens.other,) if takes == "pairs" else ()))
        for at in range(0, len(rows), _SUMMED_ROWS):
            some = slice(at, at + _SUMMED_ROWS)
            taken, source = times[some], rows.part(at, min(at + _SUMMED_ROWS, len(rows))).source
            if but is not None:
                taken = np.where(but[some], 0, taken)
            for part, summary in enumerate(found.by_part.values()):
                for code, name in enumerate(rows.names):
                    mine = np.flatnonzero((taken > 0) & (source == code) & (parts[some] == part))
                    for side in sides:
                        summary.add(name, np.repeat(side[some][mine], taken[mine]))
        return found


def count_all(
    context: JobContext,
    tokenizers: Mapping[str, Tokenizer],
    rows: RowFacts,
    runs: Sequence[Run],
    scratch: Path,
) -> dict[str, Counted]:
    """Count the tokens of all records with a response, for each tokenizer that is asked for."""
    if not tokenizers:
        return {}
    wanted = scratch / "answered.npy"
    np.save(wanted, rows.answered)
    conversations = rows.turns_json > 0
    found = {}
    for spec, tokenizer in tokenizers.items():
        tasks = [
            Task(count_run, TokenJob(run, wanted, tokenizer, bool(run.of(conversations).any())))
            for run in runs
        ]
        text = sum(run.text for run in runs)
        results = context.do_all("read", tasks, [tokenizer.name] * len(tasks), text)
        columns = zip(*results, strict=True)
        found[spec] = Counted(tokenizer, Tokens(*(np.concatenate(each) for each in columns)))
    return found
