"""Which row stages there are, in the order in which they run; read without loading any of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, cast

from mindcorpus.errors import SettingsError
from mindcorpus.registry import Registry

if TYPE_CHECKING:
    from mindcorpus.stages.base import CorpusStage, RecordStage


@dataclass(frozen=True)
class StageEntry:
    """What everybody may know of a stage."""

    name: str
    title: str
    summary: str
    """What it does, in a sentence."""
    sees: Literal["record", "corpus"]
    """Whether it looks at one record, or at the indexes of all."""
    on: bool = True
    """Whether it runs where a request names none."""
    reasons: tuple[str, ...] = ()
    """Why it may leave records out."""
    changes: tuple[str, ...] = ()
    """What it may do to their texts."""
    module: str = ""
    """Where its `STAGE` is; by default the module of its name in this package."""

    def __post_init__(self) -> None:
        if not self.module:
            object.__setattr__(self, "module", f"{__package__}.{self.name}")


STAGES: Registry[StageEntry] = Registry("stage", "stages")
register, remove = STAGES.register, STAGES.remove


@dataclass(frozen=True)
class ChosenStages:
    """The stages of one merge, with their options, in the order in which they run."""

    of_records: tuple[RecordStage, ...]
    of_corpus: tuple[CorpusStage, ...]


def names_of(names: Sequence[str] | None) -> tuple[str, ...]:
    """Give the stages of these names, or those that are on, in the order in which they run.

    Raises `SettingsError` for a name that no stage has, or more than one.
    """
    if names is None:
        wanted = {name for name, entry in STAGES.items() if entry.on}
    else:
        wanted = {STAGES.find(name).name for name in names}
    return tuple(name for name in STAGES if name in wanted)


def choose(
    names: Sequence[str] | None, options: Mapping[str, str] = MappingProxyType({})
) -> ChosenStages:
    """Load the stages of these names, or those that are on by themselves.

    `options` are `{"NAME.KEY": value}`, as people give them. Raises `SettingsError` as `names_of`,
    where a stage cannot be imported or made, and for an option it has not, or of one that does
    not run.
    """
    from mindcorpus.options import by_owner  # late: it loads pydantic

    ordered = names_of(names)
    given = by_owner(options)
    if idle := [name for name in given if name not in ordered]:
        raise SettingsError(
            f"{idle[0]!r} has options, but this row stage does not run",
            field="stages",
            hint="Name it among the stages, or leave its options out.",
        )
    made = {name: _made(name, given.get(name, {})) for name in ordered}
    sees = {name: STAGES[name].sees for name in ordered}
    return ChosenStages(
        tuple(cast("RecordStage", made[name]) for name in ordered if sees[name] == "record"),
        tuple(cast("CorpusStage", made[name]) for name in ordered if sees[name] == "corpus"),
    )


def _made(name: str, given: Mapping[str, str]) -> object:
    from mindcorpus.options import build, with_options  # late: it loads pydantic

    kind = STAGES.load(name, "STAGE")
    with STAGES.named(name):
        return build(kind, with_options(kind, name, {}, given)) if given else kind()


register(
    StageEntry(
        name="exact_duplicates",
        title="Exact duplicates",
        summary="Leaves out records that say the same as an earlier one: all turns of a "
        "conversation; input, response and rejected response of a pair; input and response of any "
        "other.",
        sees="corpus",
        reasons=("duplicate",),
    )
)
