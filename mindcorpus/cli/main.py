"""The command line: its commands, and how they end. What they do stands in `mindcorpus.cli`.

Only click is imported here, so that `--help` and a wrong option are answered at once.
"""

from __future__ import annotations

import functools
import io
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from mindcorpus._version import __version__
from mindcorpus.cli.options import (
    PATH,
    FormatName,
    build_options,
    catalog_option,
    cost_options,
    data_dir_option,
    force_option,
    formats_argument,
    inspect_options,
    json_option,
    merge_options,
    prepare_options,
)
from mindcorpus.cli.remote_options import (
    chosen_server,
    detach_option,
    for_service,
    for_this_machine,
    label_option,
    refuse_where_local,
    server_option,
)
from mindcorpus.cli.service import SERVICE_COMMANDS
from mindcorpus.errors import CancelledError, MindcorpusError, SourcesError, storage_errors
from mindcorpus.execution import own_process
from mindcorpus.formats.registry import ALL
from mindcorpus.privacy import keep_umask_private
from mindcorpus.remedies import LessMemory

EXIT_CODES = """\b
Exit codes:
  0    fine
  1    check or verify found problems, or something failed unexpectedly
  2    wrong usage
  3    a setting or the catalogue is wrong
  4    a source could not be fetched
  5    a source's file is broken
  6    storage: nothing there, damaged, full, or not to be written
  7    it exists, and was not to be replaced
  8    the service cannot be reached, or refuses
  9    an artifact could not be pushed, or was not to be
  130  stopped by Ctrl-C or SIGTERM; nothing is half-written
"""

# What a service can do, too; the others know only this machine.
_REMOTE = (
    *("merge", "prepare", "formats", "status", "stats"),
    *(command.name for command in SERVICE_COMMANDS),
)


class _InOrder(click.Group):
    """Commands in the order of work, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names as they were added."""
        del ctx
        return list(self.commands)


@click.group(
    cls=_InOrder,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, prog_name="mindcorpus")
@server_option
@click.pass_context
def cli(ctx: click.Context, server: str | None) -> None:
    """Merge public mental-health conversation datasets, and prepare them for fine-tuning.

    Begin with `mindcorpus merge --sample`, then `mindcorpus prepare`. Settings may also be given
    as MINDCORPUS_… variables; HF_TOKEN opens gated sources.
    """
    refuse_where_local(server, ctx.invoked_subcommand, _REMOTE)


@cli.group(invoke_without_command=True)
@catalog_option
@data_dir_option
@json_option
@click.pass_context
def sources(
    ctx: click.Context, catalogs: tuple[str, ...], data_dir: Path | None, *, as_json: bool
) -> None:
    """List the sources, their homes and licences; or `inspect` what may become one."""
    if ctx.invoked_subcommand is not None:
        return
    from mindcorpus.cli import source_list

    source_list.list_sources(catalogs, data_dir, as_json=as_json)


@sources.command(name="inspect")
@inspect_options
def inspect_source(**given: Any) -> None:
    """Say what a file, folder, repository (OWNER/NAME) or URL holds, and what it would become.

    Five records are shown, as a merge would make them, and what it would drop. With --write the
    entry goes to a catalogue file, for `merge --catalog FILE`.
    """
    from mindcorpus.cli.sources import inspect_one

    inspect_one(**given)


@cli.command()
@merge_options
@label_option
@detach_option
def merge(**given: Any) -> None:
    """Merge sources into one corpus; every row is accounted for."""
    if server := chosen_server():
        there = for_service(given)
        from mindcorpus.cli import remote_jobs, requests

        request, others = requests.merge_request(there)
        remote_jobs.merge_there(server, request, **others)
        return
    here = for_this_machine(given)
    from mindcorpus.cli import local_jobs, requests

    request, others = requests.merge_request(here)
    local_jobs.make_corpus(request, **others)


@cli.command()
@formats_argument
@prepare_options
@label_option
@detach_option
def prepare(**given: Any) -> None:
    """Make training formats of the corpus; without a NAME, or with `all`, those of the guide.

    `all` means those as well that exist, and that MINDCORPUS_FORMATS adds. Outdated ones are made
    anew as they were. `mindcorpus formats` lists what there is.
    """
    if server := chosen_server():
        there = for_service(given)
        from mindcorpus.cli import remote_jobs, requests

        request, others = requests.prepare_request(there)
        remote_jobs.prepare_there(server, request, **others)
        return
    here = for_this_machine(given)
    from mindcorpus.cli import local_jobs, requests

    request, others = requests.prepare_request(here)
    local_jobs.make_formats(request, **others)


@cli.command()
@formats_argument
@build_options
def build(**given: Any) -> None:
    """Merge sources and make training formats of them, in less time than one after the other.

    The options are those of `merge`, and those of `prepare` that choose records. Without a NAME, or
    with `all`, the formats are those of the guide, those that exist and those that
    MINDCORPUS_FORMATS adds; each is made as the command says.
    """
    from mindcorpus.cli import local_builds, requests

    local_builds.make_both(*requests.build_requests(given))


@cli.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", type=FormatName())
@cost_options
@data_dir_option
@json_option
def formats(**given: Any) -> None:
    """List the training formats, and what each would hold today.

    With a NAME or several, all that is known of these, and how to load them. What training on those
    costs that exist is told at a price of yours; none is known here.
    """
    if server := chosen_server():
        there = for_service(given)
        from mindcorpus.cli import formats as listing

        listing.list_formats_there(server, **there)
        return
    from mindcorpus.cli import formats as listing

    listing.list_formats(**given)


@cli.command()
@data_dir_option
@json_option
def status(**given: Any) -> None:
    """Tell which artifacts exist."""
    if server := chosen_server():
        there = for_service(given)
        from mindcorpus.cli import remote_jobs

        remote_jobs.show_status_there(server, **there)
        return
    from mindcorpus.cli import inspect

    inspect.show_status(**given)


@cli.command()
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write charts as one HTML page.",
)
@force_option
@data_dir_option
@json_option
def stats(**given: Any) -> None:
    """Show the corpus in numbers, or write them as charts."""
    if server := chosen_server():
        there = for_service(given)
        from mindcorpus.cli import remote_jobs

        remote_jobs.show_statistics_there(server, **there)
        return
    from mindcorpus.cli import inspect

    inspect.show_statistics(**given)


@cli.command()
@click.argument("file", type=PATH)
@click.option("--all", "every", is_flag=True, help="Print every finding, not the first of a kind.")
@json_option
def check(file: Path, *, every: bool, as_json: bool) -> int:
    """Check a chat FILE against OpenAI's rules for fine-tuning."""
    from mindcorpus.cli.check import check_file

    return check_file(file, every=every, as_json=as_json)


@cli.command()
@data_dir_option
@json_option
def verify(data_dir: Path | None, *, as_json: bool) -> int:
    """Recompute the checksums and sums of all artifacts."""
    from mindcorpus.cli import inspect

    return inspect.verify_artifacts(data_dir, as_json=as_json)


@cli.command()
@click.argument("target")
@click.option("--format", "name", metavar="NAME", help="Push this format.  [default: the corpus]")
@click.option("--corpus", is_flag=True, help="Push the corpus, as without --format.")
@click.option(
    "--public/--private",
    default=False,
    help="Others may read it there; only what the licences of all sources let be handed on."
    "  [default: --private]",
)
@data_dir_option
@json_option
def push(
    target: str,
    name: str | None,
    data_dir: Path | None,
    *,
    corpus: bool,
    public: bool,
    as_json: bool,
) -> None:
    """Send the corpus, or a format, to TARGET: all of its files, or none.

    TARGET is OWNER/NAME on the Hugging Face hub, a storage (s3://, gs://, az://) or a folder.
    """
    if corpus and name is not None:
        raise click.UsageError("--format and --corpus are two things: push them one by one")
    from mindcorpus.cli.push import push_artifact

    push_artifact(target, name=name, public=public, data_dir=data_dir, as_json=as_json)


@cli.command()
@click.argument("build", required=False)
@click.option(
    "--kind",
    metavar="NAME",
    help="The corpus, or this format.  [default: that of BUILD, or corpus]",
)
@data_dir_option
@json_option
def rollback(**given: Any) -> None:
    """Make an earlier BUILD the current one again; by default the last that was replaced.

    `status` names the builds that are kept. The one that is replaced is kept in its turn.
    """
    from mindcorpus.cli.rollback import bring_back

    bring_back(**given)


@cli.command()
@click.option("--dry-run", is_flag=True, help="Only name what would be removed.")
@data_dir_option
@json_option
def clean(**given: Any) -> None:
    """Remove left-overs, and kept builds and parts beyond what the settings allow.

    Never what is current, or in use, or not of mindcorpus' making.
    """
    from mindcorpus.cli.clean import clean_up

    clean_up(**given)


@cli.command()
@click.option("--dry-run", is_flag=True, help="Only name what would be changed.")
@data_dir_option
@json_option
def private(**given: Any) -> None:
    """Close what mindcorpus keeps to others on this machine.

    What is made anew is closed from the start; this is for folders of before.
    """
    from mindcorpus.cli.private import close_to_others

    close_to_others(**given)


@cli.command()
@click.option("--source", metavar="NAME", help="Only records of this source.")
@click.option("--type", metavar="TYPE", help="Only records of this type.")
@click.option("--tag", metavar="TAG", help="Only records with this tag.")
@click.option("--search", metavar="WORDS", help="Only records that hold these words.")
@click.option(
    "--row", type=click.IntRange(min=0), metavar="N", help="One record, with its lineage."
)
@click.option("--offset", type=click.IntRange(min=0), default=0, metavar="N", help="Begin here.")
@click.option("--limit", type=click.IntRange(1, 1000), metavar="N", help="Records a page.")
@data_dir_option
@json_option
def browse(**given: Any) -> None:
    """Page through the records of the corpus, or search them.

    On a terminal n and p turn the pages and q ends; elsewhere one page is printed.
    """
    from mindcorpus.cli.browse import browse_records

    browse_records(**given)


for _command in SERVICE_COMMANDS:
    cli.add_command(_command)


def _shortcut(format_: str) -> click.Command:
    """Make a command of its own of preparing one format (or all)."""
    names = () if format_ == ALL else (format_,)
    return click.Command(
        prepare.name,
        params=[param for param in prepare.params if param.name != "formats"],
        callback=functools.partial(prepare.callback, formats=names) if prepare.callback else None,
        help=prepare.help if format_ == ALL else f"Make the {format_} format of the corpus.",
        context_settings=cli.context_settings,
        epilog=EXIT_CODES,
    )


def main() -> NoReturn:
    """Be `mindcorpus`."""
    run(cli, "mindcorpus")


def merge_datasets() -> NoReturn:
    """Be `merge-datasets`: `mindcorpus merge`."""
    run(merge, "merge-datasets")


def prepare_shortcut() -> NoReturn:
    """Be `prepare-NAME`, or `prepare-all-formats`, whichever this program is called."""
    name = Path(sys.argv[0]).stem
    format_ = name.removeprefix("prepare-").removesuffix("-formats")
    run(_shortcut(format_), name)


def run(command: click.Command, name: str) -> NoReturn:
    """Run a command with the process' arguments, and leave with its exit code.

    Whatever goes wrong is told in a line or two, without a traceback and without record text.
    """
    own_process.begin()
    keep_umask_private()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        _refuse_other_than_utf8(sys.argv[1:])
        with storage_errors(Path("standard output")):
            code = command.main(prog_name=name, standalone_mode=False)
            sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = _fail(CancelledError("stopped; nothing was changed"))
    except MindcorpusError as error:
        code = _fail(error)
    except BrokenPipeError:
        code = 1  # whoever read the output has gone; there is nobody to tell
    except MemoryError:
        code = _fail(MindcorpusError("out of memory", remedy=LessMemory()))
    except Exception as error:
        if os.environ.get("MINDCORPUS_DEBUG"):
            raise
        code = _fail(_bug(error))
    _let_go_of_output()
    own_process.end()
    sys.exit(code or 0)


def _refuse_other_than_utf8(arguments: list[str]) -> None:
    """Raise a usage error for an argument whose bytes were no text: no file or search takes it."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise click.UsageError(f"argument {argument!a} is not UTF-8") from None


def _fail(error: MindcorpusError) -> int:
    """Tell an error and what to do about it, in a line each; give its exit code.

    Where several sources failed, each is told (those that failed at one host together), and then
    what can be done about them all.
    """
    from mindcorpus.cli.render import advice_of
    from mindcorpus.cli.tables import harmless
    from mindcorpus.sources.hosts import by_host

    # Stopping as asked is no error.
    sign = "" if isinstance(error, CancelledError) else "error: "
    lines = [
        line
        for failure in (by_host(error.failures) if isinstance(error, SourcesError) else ())
        for line in ((sign, str(failure)), ("hint: ", advice_of(failure)))
    ]
    for name, text in (*(lines or [(sign, str(error))]), ("hint: ", advice_of(error))):
        if text:
            # A message may name files and columns, which are data: no line ends, no controls.
            click.echo(name + harmless(" ".join(text.split())), err=True)
    return error.exit_code


def _bug(error: Exception) -> MindcorpusError:
    """Make an error of one that nobody foresaw; its message could hold a record's text."""
    return MindcorpusError(
        f"unexpected {type(error).__name__}: this is a bug in mindcorpus",
        hint="Please report it; MINDCORPUS_DEBUG=1 shows where, and may show text of records.",
    )


def _let_go_of_output() -> None:
    """Keep Python from flushing, once more and with a traceback, what could not be written."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
