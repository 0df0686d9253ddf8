"""`jina-vdr tasks import-mteb`: write a task file for a task of MTEB."""

from pathlib import Path

import click


@click.command("import-mteb")
@click.argument("name")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write.  [default: NAME.yaml]"
)
@click.option("--data", is_flag=True, help="Load the data with mteb too, and write it beside the file.")
def import_mteb(name: str, out: Path | None, data: bool) -> None:
    """Write a task file for the task that the installed mteb calls NAME; a file that is there stays."""
    from jina_vdr.mteb.tasks import import_task

    path = import_task(name, out, with_data=data)
    click.echo(path)
    click.echo(f"next: jina-vdr tasks validate --data {path}", err=True)
