"""The options of the commands; click alone is imported, so that `--help` is answered at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mindcorpus.formats.registry import ALL, FORMATS, choices

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_Function = TypeVar("_Function", bound=Callable[..., object])
_Value = TypeVar("_Value")

if TYPE_CHECKING:
    _NameType = click.ParamType[str]
    _PairType = click.ParamType[tuple[str, str]]
    _PriceType = click.ParamType[Decimal]
else:  # before click 8.4 it takes no parameters
    _NameType = _PairType = _PriceType = click.ParamType


class FormatName(_NameType):
    """The name of a training format, or the word for those of the guide."""

    name = "format"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Give what may be written."""
        del param, ctx
        return f"[{'|'.join(choices())}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Give the name; fails for another."""
        if value in FORMATS.refused:  # told where its format is looked for, with the reason
            return str(value)
        return click.Choice(choices()).convert(value, param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete it as a choice."""
        return click.Choice(choices()).shell_complete(ctx, param, incomplete)


class _Pair(_PairType):
    """NAME=VALUE."""

    name = "pair"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, sign, rest = value.partition("=")
        if not (name and sign and rest):
            self.fail(f"{value!r} is not NAME=VALUE", param, ctx)
        return name, rest


class _Cap(_Pair):
    """NAME=NUMBER."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        name, number = super().convert(value, param, ctx)
        if not number.isdecimal():
            self.fail(f"{number!r} is not a whole number", param, ctx)
        return name, int(number)


class _Factor(_Pair):
    """NAME=FACTOR."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        name, factor = super().convert(value, param, ctx)
        try:
            return name, float(factor)
        except ValueError:
            self.fail(f"{factor!r} is not a factor, such as 0.5 or 2", param, ctx)


class _Price(_PriceType):
    """An amount of money, as it is written."""

    name = "price"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        try:
            price = Decimal(value)
        except InvalidOperation:
            price = Decimal("NaN")
        if not price.is_finite() or price < 0:
            self.fail(f"{value!r} is not a price, such as 3.50", param, ctx)
        return price


class _Loss(_Pair):
    """NAME=SHARE."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        name, share = super().convert(value, param, ctx)
        try:
            return name, float(share)
        except ValueError:
            self.fail(f"{share!r} is not a share of 1, such as 0.6", param, ctx)


def _each_once(
    ctx: click.Context, param: click.Parameter, pairs: Sequence[tuple[str, _Value]]
) -> Sequence[tuple[str, _Value]]:
    """Refuse a NAME that is given twice: one of its values would be lost without a word."""
    names = [name for name, _ in pairs]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            raise click.BadParameter(f"{name} is given more than once", ctx, param)
    return pairs


def _all_or_names(
    ctx: click.Context, param: click.Parameter, names: tuple[str, ...]
) -> tuple[str, ...]:
    """Give the names of formats; none for `all`, which is what no name stands for."""
    if ALL in names and len(set(names)) > 1:
        raise click.BadParameter(
            f"{ALL!r} stands alone: name each format, or have MINDCORPUS_FORMATS add to it",
            ctx,
            param,
        )
    return tuple(dict.fromkeys(name for name in names if name != ALL))


def _together(*options: Callable[[_Function], _Function]) -> Callable[[_Function], _Function]:
    """Make one decorator of several, in the order in which --help shall list them."""

    def decorate(function: _Function) -> _Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


PATH = click.Path(path_type=Path)
data_dir_option = click.option(
    "--data-dir",
    type=PATH,
    metavar="DIR",
    help="Folder of the corpus and all artifacts.  [default: $MINDCORPUS_DATA_DIR or datasets]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON to standard output.")
workers_option = click.option(
    "--workers", type=int, metavar="N", help="Processes at the same time.  [default: one a core]"
)
force_option = click.option(
    "--force", "-f", is_flag=True, help="Replace what exists, without asking."
)
catalog_option = click.option(
    "--catalog",
    "catalogs",
    multiple=True,
    type=click.Path(),
    metavar="FILE",
    help="Add the sources of a catalogue file of your own (repeatable).",
)
exclude_option = click.option(
    "--exclude", multiple=True, metavar="NAME", help="Leave a source out (repeatable)."
)

cost_options = _together(
    click.option(
        "--price",
        type=_Price(),
        metavar="P",
        help="Tell what training costs at P for a million tokens.",
    ),
    click.option(
        "--epochs",
        type=click.IntRange(min=1),
        default=1,
        metavar="N",
        help="Epochs of that training.  [default: 1]",
    ),
)
inspect_options = _together(
    click.argument("where", metavar="PATH|REPO|URL"),
    click.option("--name", metavar="NAME", help="What the source is called.  [default: as it is]"),
    click.option("--type", metavar="TYPE", help="Type of its records.  [default: conversation]"),
    click.option(
        "--licence",
        metavar="ID",
        help="Its licence, an SPDX identifier.  [default: what its files or card say]",
    ),
    click.option(
        "--config",
        metavar="NAME",
        help="Configuration of a repository.  [default: its default, or the first]",
    ),
    click.option(
        "--split",
        metavar="NAME",
        help="Split of a repository or saved dataset.  [default: train, or the first]",
    ),
    click.option(
        "--write",
        type=PATH,
        metavar="FILE",
        help="Write the entry to this catalogue file; others in it stay.",
    ),
    force_option,
    data_dir_option,
    json_option,
)
merge_options = _together(
    click.option(
        "--sample", is_flag=True, help="Merge the small shipped sample; needs no network."
    ),
    click.option(
        "--source",
        "sources",
        multiple=True,
        metavar="NAME",
        help="Merge this source (repeatable).  [default: all]",
    ),
    exclude_option,
    click.option(
        "--commercial-only", is_flag=True, help="Only sources whose licence allows commercial use."
    ),
    click.option(
        "--allow-missing", is_flag=True, help="Publish without the sources that fail, and say so."
    ),
    click.option(
        "--allow-loss",
        multiple=True,
        type=_Loss(),
        callback=_each_once,
        metavar="NAME=SHARE",
        help="Let a source lose up to this share of its rows, such as 0.6 (repeatable).",
    ),
    force_option,
    catalog_option,
    click.option(
        "--path",
        "paths",
        multiple=True,
        type=_Pair(),
        callback=_each_once,
        metavar="NAME=PATH",
        help="Read a source from your own file or folder (repeatable).",
    ),
    click.option(
        "--revision",
        "revisions",
        multiple=True,
        type=_Pair(),
        callback=_each_once,
        metavar="NAME=REVISION",
        help="Read a source at a commit, tag or branch (repeatable).",
    ),
    click.option(
        "--option",
        "options",
        multiple=True,
        type=_Pair(),
        callback=_each_once,
        metavar="NAME.KEY=VALUE",
        help="Change an option of a source's catalogue entry, or of a row stage (repeatable).",
    ),
    click.option(
        "--upgrade",
        multiple=True,
        is_flag=False,
        flag_value="*",
        metavar="[NAME]",
        help="Take the newest revision of a source, or of all, and lock it (repeatable).",
    ),
    click.option(
        "--stage",
        "stages",
        multiple=True,
        metavar="NAME",
        help="Run this row stage (repeatable).  [default: those that are on by themselves]",
    ),
    click.option(
        "--rehash",
        is_flag=True,
        help="Read files anew that seem to be as they were, and write the corpus anew.",
    ),
    data_dir_option,
    workers_option,
)
formats_argument = click.argument(
    "formats", nargs=-1, type=FormatName(), callback=_all_or_names, metavar="[NAME]..."
)
# What a prepare may be told that a merge may not.
_choices = _together(
    click.option(
        "--type",
        "types",
        multiple=True,
        metavar="TYPE",
        help="Take records of this type (repeatable).  [default: all]",
    ),
    click.option(
        "--tag",
        "tags",
        multiple=True,
        metavar="TAG",
        help="Take records with this tag (repeatable).  [default: all]",
    ),
    click.option("--min-words", type=int, metavar="N", help="Take answers of N words and more."),
    click.option("--max-words", type=int, metavar="N", help="Take answers of N words at most."),
    click.option(
        "--max-tokens",
        type=int,
        metavar="N",
        help="Take records of N tokens at most, all messages together.",
    ),
    click.option(
        "--over-length",
        type=click.Choice(["drop", "cut-turns", "keep"]),
        help="Drop records over --max-tokens, cut their last turns off, or keep them."
        "  [default: drop]",
    ),
    click.option(
        "--tokenizer",
        metavar="NAME",
        help="What counts tokens.  [default: an estimate; with --max-tokens o200k, where the extra"
        " `tokens` is installed]",
    ),
    click.option(
        "--cap",
        "caps",
        multiple=True,
        type=_Cap(),
        callback=_each_once,
        metavar="NAME=N",
        help="Take at most N records of a source, a sample of them (repeatable).",
    ),
    click.option(
        "--mix",
        multiple=True,
        type=_Factor(),
        callback=_each_once,
        metavar="NAME=FACTOR",
        help="Take a share of a source's records, such as 0.5, or each training record several"
        " times, such as 2 (repeatable).",
    ),
    click.option(
        "--seed",
        type=int,
        metavar="N",
        help="Seed of samples and of the split.  [default: as the corpus is split, else 42]",
    ),
    click.option(
        "--validation-share",
        type=float,
        metavar="SHARE",
        help="Share of the corpus' records for validation."
        "  [default: as the corpus is split, else 0.2]",
    ),
    click.option(
        "--test-share",
        type=float,
        metavar="SHARE",
        help="Share of the corpus' records for a test part."
        "  [default: as the corpus is split, else none]",
    ),
    click.option(
        "--folds",
        type=int,
        metavar="N",
        help="Folds for cross-validation, 0 for none."
        "  [default: as the corpus is split, else none]",
    ),
    click.option("--instruction", metavar="TEXT", help="Instruction of each Hugging Face example."),
    click.option("--system-prompt", metavar="TEXT", help="System message of each chat example."),
    click.option(
        "--system-policy",
        type=click.Choice(["own", "replace", "none"]),
        help="Keep records' own system turns, put the system message in their place, or write none."
        "  [default: replace with --system-prompt, else own]",
    ),
)
prepare_options = _together(
    click.option(
        "--source",
        "sources",
        multiple=True,
        metavar="NAME",
        help="Take records of this source (repeatable).  [default: all]",
    ),
    exclude_option,
    _choices,
    force_option,
    data_dir_option,
    workers_option,
)
#: Where a merge and a prepare have an option of one name, it is the merge's.
build_options = _together(merge_options, _choices)
