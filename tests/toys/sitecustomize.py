"""Registers the toys in every process that finds this folder on its path."""

from __future__ import annotations

from mindcorpus.formats import registry as formats
from mindcorpus.stages import registry as stages

formats.register(
    formats.FormatEntry(
        name="toy",
        title="Toy lines",
        summary="A record a line, as it is.",
        artifact="mental_health_toy",
        use="look at {path}",
        in_all=True,
        module="toy_format",
    )
)
stages.register(
    stages.StageEntry(
        name="toy_bangs",
        title="Exclamation marks",
        summary="Leaves out what shouts, and marks what is loud.",
        sees="record",
        reasons=("too-loud",),
        changes=("bell-added", "made-loud"),
        module="toy_record_stage",
    )
)
stages.register(
    stages.StageEntry(
        name="toy_one_loud",
        title="One loud record",
        summary="Leaves out all loud records but the first.",
        sees="corpus",
        reasons=("as-loud",),
        module="toy_corpus_stage",
    )
)
# Another of a name that is taken, and one whose module is broken: all others go on.
formats.register(
    formats.FormatEntry("twice", "", "", "mental_health_twice", "", module="toy_format")
)
formats.register(
    formats.FormatEntry("twice", "", "", "mental_health_twice", "", module="other_format")
)
formats.register(
    formats.FormatEntry("broken", "Broken", "", "mental_health_broken", "", module="no_such_module")
)
