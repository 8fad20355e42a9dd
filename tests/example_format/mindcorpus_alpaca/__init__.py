"""The Alpaca format for mindcorpus: what everybody may know of it, without loading the rest."""

from mindcorpus.formats.entry import FormatEntry

ENTRY = FormatEntry(
    name="alpaca",
    title="Alpaca JSON lines",
    summary="An instruction and its output a line, in a train and a validation file.",
    artifact="mental_health_alpaca",
    suffix="",
    use="name {path}/train.jsonl in your trainer's list of datasets, format alpaca",
    settings=("instruction",),
    module="mindcorpus_alpaca.lines",
)
