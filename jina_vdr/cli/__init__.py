"""The command line: arguments in, tables out, every error one line and an exit code."""

import errno
import logging
import os
import sys
import threading
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points

import click

from jina_vdr import __version__
from jina_vdr.cli.benchmarks import benchmarks
from jina_vdr.cli.check import check
from jina_vdr.cli.data import data
from jina_vdr.cli.evaluate import evaluate
from jina_vdr.cli.models import models
from jina_vdr.cli.results import results
from jina_vdr.cli.tasks import tasks
from jina_vdr.errors import VDRError, one_line

INTERRUPTED, READER_GONE = 130, 141
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Commands(click.Group):
    """Our commands, and those that the tools bring in through the entry points `jina_vdr.commands`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, without loading a tool."""
        return sorted([*super().list_commands(ctx), *self._tools()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; a tool is imported when it is asked for."""
        command = super().get_command(ctx, cmd_name)
        if command is None and cmd_name in self._tools():
            command = self._tools()[cmd_name].load()
        return command

    def _tools(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group="jina_vdr.commands")}


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="jina-vdr")
def app() -> None:
    """Measure how well embedding models find visually rich documents."""


for command in (evaluate, tasks, benchmarks, models, data, results):
    app.add_command(command)
models.add_command(check)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr, level=logging.WARNING)
    try:
        return int(app.main(arguments, prog_name="jina-vdr", standalone_mode=False) or 0)
    except VDRError as error:
        return _complain(str(error), error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        return _complain(error.format_message(), 2)
    except click.ClickException as error:
        return _complain(_usage(error), 2)
    except (click.Abort, KeyboardInterrupt):
        code = _complain(
            "interrupted; what was finished is kept: the same command goes on from there", INTERRUPTED
        )
        _leave_downloads(code)
        return code
    except SystemExit:
        return READER_GONE  # click ends so when it writes into a broken pipe
    except MemoryError:
        return _complain("error[JV501] memory ran out; try a smaller --batch-size", 5)
    except OSError as error:
        if error.filename is None and error.errno not in FULL:
            raise
        return _complain(_disk(error), 5)


def _leave_downloads(code: int) -> None:
    """End the process at once where downloads are under way: Python would wait for their threads."""
    from jina_vdr.hub import THREADS

    if any(thread.name.startswith(THREADS) for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _usage(error: click.ClickException) -> str:
    """Say click's complaint on one line, and where the help is."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    said = " ".join(error.format_message().split()).removesuffix(".")
    return one_line(f"error[JV100] {said}; see {context.command_path if context else 'jina-vdr'} --help")


def _disk(error: OSError) -> str:
    what = f"{error.filename or 'the disk'}: {error.strerror}"
    hint = "make room" if error.errno in FULL else "choose another place"
    return one_line(f"error[JV502] {what}; {hint}; nothing half-written was left")


def _complain(message: str, code: int) -> int:
    click.echo(message, err=True)
    return code
