"""`jina-vdr results`: list, show, compare, export and import what was measured."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jina_vdr.cli.options import json_option, results_option

if TYPE_CHECKING:
    from jina_vdr.comparison import Difference
    from jina_vdr.result import Result
    from jina_vdr.task import Task

    Located = tuple[Path, Result]

PLACES = click.Path(path_type=Path)
TASKS = click.option(
    "--task", "tasks", type=PLACES, multiple=True, metavar="FILE", help="Task file of your own (MTEB only)."
)
FORCE = click.option("--force", is_flag=True, help="Replace files that say something else (MTEB only).")


@click.group()
def results() -> None:
    """List, show, compare, export and import results."""


@results.command("list")
@results_option
@json_option
def list_results(results: Path, as_json: bool) -> None:
    """List all results in a folder."""
    from jina_vdr.report import results_table

    found = _read(results)
    if as_json:
        click.echo(json.dumps([_record(result) for _, result in found], indent=1, ensure_ascii=False))
    else:
        click.echo(results_table(found))


@results.command("show")
@click.argument("place", type=PLACES)
@json_option
def show_results(place: Path, as_json: bool) -> None:
    """Show one result file, or all in a folder."""
    from jina_vdr.report import provenance_lines, result_table

    found = _read(place)
    if as_json:
        records = [_record(result) for _, result in found]
        click.echo(json.dumps(records if place.is_dir() else records[0], indent=1, ensure_ascii=False))
        return
    for path, result in found:
        click.echo(result_table(result))
        click.echo("\n".join(provenance_lines(result)))
        click.echo(f"file:    {path}\n")


@results.command("compare")
@click.argument("first", type=PLACES)
@click.argument("second", type=PLACES)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    metavar="POINTS",
    help="Exit with 1 when SECOND is lower by more than this on any subset.",
)
@json_option
def compare_results(first: Path, second: Path, tolerance: float | None, as_json: bool) -> int:
    """Show SECOND minus FIRST, each a result file or a folder, with a 95 % interval over paired queries."""
    from jina_vdr.comparison import at_a_branch, compare
    from jina_vdr.report import comparison_table

    before, after = _read(first), _read(second)
    differences = compare(before, after)
    if as_json:
        click.echo(json.dumps([_difference(difference) for difference in differences], indent=1))
    else:
        click.echo(comparison_table(differences))
    if unsure := at_a_branch(before, after):
        click.echo(f"of {_some(unsure)}: one of the two does not say which revision it measured", err=True)
    worst = min(difference.value for difference in differences)
    if tolerance is not None and 100 * worst < -tolerance:
        click.echo(f"lower by {-100 * worst:.2f} points, more than --tolerance {tolerance:g}", err=True)
        return 1
    return 0


@results.command("export")
@click.argument("places", type=PLACES, nargs=-1)
@click.option("--to", "form", type=click.Choice(["trec", "csv", "json", "parquet", "mteb"]), required=True)
@click.option("--out", type=PLACES, help="Folder (trec, mteb) or file; csv and json go to stdout without it.")
@results_option
@TASKS
@FORCE
def export_results(
    places: tuple[Path, ...], form: str, out: Path | None, results: Path, tasks: tuple[Path, ...], force: bool
) -> None:
    """Write results as TREC runs and qrels, as one table, or as MTEB's results folder.

    PLACES are result files or folders, by default all.
    """
    from jina_vdr.atomic import write_text
    from jina_vdr.errors import UsageError
    from jina_vdr.export import as_text, rows, write_parquet, write_trec

    found = [located for place in places or (results,) for located in _read(place)]
    if out is None and form in {"trec", "parquet", "mteb"}:
        raise UsageError("JV116", f"--to {form} writes files", "say where with --out")
    if form == "trec" and out:
        for path in write_trec(found, out):
            click.echo(path)
        _left_out([str(path) for path, result in found if result.source], "imported results have no rankings")
    elif form == "mteb" and out:
        _export_to_mteb(found, out, _tasks(tasks), force=force)
    elif form == "parquet" and out:
        write_parquet(rows(found), out)
        click.echo(out)
    elif out:
        write_text(out, as_text(rows(found), form))
        click.echo(out)
    else:
        click.echo(as_text(rows(found), form), nl=False)


@results.command("import")
@click.argument("places", type=click.Path(path_type=Path, exists=True), nargs=-1, required=True)
@click.option("--from", type=click.Choice(["mteb"]), required=True, expose_value=False)
@results_option
@TASKS
@FORCE
def import_results(places: tuple[Path, ...], results: Path, tasks: tuple[Path, ...], force: bool) -> int:
    """Read results that MTEB has written; PLACES are its results folder, parts of it, or single files."""
    from jina_vdr.mteb import imports

    done = imports.import_results(places, results, _tasks(tasks), force=force)
    for path in done.written:
        click.echo(path)
    for error in done.errors:
        click.echo(str(error), err=True)
    if done.unchanged:
        click.echo(f"{len(done.unchanged)} of them were there already, unchanged", err=True)
    _left_out(done.left_out, f"there is no such task; {imports.GET_TASKS}")
    if done.errors and not (done.written or done.unchanged):
        return done.errors[0].exit_code
    return 1 if done.errors else 0


def _export_to_mteb(found: "list[Located]", out: Path, tasks: "list[Task]", *, force: bool) -> None:
    from jina_vdr.mteb.exports import export_results

    done = export_results(found, out, tasks, force=force)
    for path in done.written:
        click.echo(path)
    _left_out([str(path) for path in done.limited], "a run with --limit is no result of MTEB")
    _left_out(done.left_out, "these tasks have no mteb_name")


def _tasks(paths: tuple[Path, ...]) -> "list[Task]":
    from jina_vdr.catalog import find_task

    return [find_task(str(path)) for path in paths]


def _left_out(names: list[str], why: str) -> None:
    """Say on one line what is not written."""
    if names:
        click.echo(f"left out {_some(names)}: {why}", err=True)


def _some(names: list[str]) -> str:
    """Return how many there are, and the first three."""
    from jina_vdr.errors import one_line

    known = list(dict.fromkeys(names))
    return one_line(f"{len(known)} ({', '.join(known[:3])}{', ...' if len(known) > 3 else ''})")


def _read(place: Path) -> "list[Located]":
    """Return the results in a file or below a folder."""
    from jina_vdr.errors import UsageError
    from jina_vdr.result import read_result, read_results

    if place.is_file():
        return [(place, read_result(place))]
    found = list(read_results(place))
    if not found:
        raise UsageError(
            "JV117", f"there is no result in {place}", "run jina-vdr eval, or name it with --results"
        )
    return found


def _record(result: "Result") -> dict[str, object]:
    return {**result.model_dump(mode="json", by_alias=True), "main_score": result.main_score}


def _difference(difference: "Difference") -> dict[str, object]:
    from dataclasses import asdict

    return {**asdict(difference), "difference": difference.value}
