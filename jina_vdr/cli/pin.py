"""`jina-vdr tasks pin`: move a task file to another revision of its data set."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jina_vdr.cli.options import cache_option, hub_of, option

if TYPE_CHECKING:
    from jina_vdr.pin import Count, Pin


@click.command("pin")
@click.argument("name")
@click.argument("revision", default="main")
@option("--dry-run", is_flag=True, help="Show what would change and write nothing.")
@cache_option
def pin_task(name: str, revision: str, dry_run: bool, cache: Path) -> None:
    """Pin the data set of NAME, a task or a task file, to REVISION: a branch, tag or commit, by default main.

    Every subset is fetched and checked at that revision. The commit and the counts that the file declares are
    written into it; all else in it stays as it is.
    """
    from jina_vdr.catalog import find_task
    from jina_vdr.pin import find_pin, write_pin

    pin = find_pin(find_task(name), revision, hub_of(cache, offline=False))
    click.echo(_table(pin) + "\n")
    click.echo(_revisions(pin))
    if not pin.changes:
        click.echo(f"nothing has changed: {pin.task.path} stays as it is")
    elif not dry_run:
        write_pin(pin)
        click.echo(f"written: {pin.task.path}")


def _table(pin: "Pin") -> str:
    from jina_vdr.report import text_table

    rows = [[count.subset, count.what, *_numbers(count)] for count in pin.counts]
    return text_table(["subset", "what", "declared", "new", "change"], rows, right=(2, 3, 4))


def _numbers(count: "Count") -> list[str]:
    if count.declared is None:
        return ["-", f"{count.new:,}", ""]
    return [
        f"{count.declared:,}",
        f"{count.new:,}",
        f"{count.new - count.declared:+,}" if count.moved else "",
    ]


def _revisions(pin: "Pin") -> str:
    data = pin.task.dataset
    moved = f"{data.revision} -> {pin.commit}" if data.revision != pin.commit else f"at {pin.commit} already"
    return f"{data.path} {moved}"
