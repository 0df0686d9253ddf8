"""`jina-vdr eval`: run a model over tasks and print what it scores."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jina_vdr.cli.options import (
    cache_option,
    filter_options,
    filters,
    hub_of,
    json_option,
    model_options,
    model_settings,
    offline_option,
    option,
    read_config,
    results_option,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jina_vdr.benchmark import Benchmark
    from jina_vdr.catalog import Selection
    from jina_vdr.evaluation import Evaluation, Failed, Settings
    from jina_vdr.result import Result

    Outcomes = Sequence[Evaluation | Failed]


@click.command("eval", short_help="Evaluate a model on tasks.")
@option(
    "--model",
    required=True,
    help="A name, a folder, family:name, or rrf:A,B; jina-vdr models list shows many.",
)
@option("--rerank", help="What reranks the best pages: a cross-encoder, or any model with vectors.")
@option("--rerank-top", type=click.IntRange(min=1), help="How many of each query.  [default: 100]")
@option("--benchmark", help="Evaluate the tasks of this benchmark.  [default: JinaVDR]")
@option("--task", multiple=True, help="Evaluate this task: a name, or the path of a task file. Repeatable.")
@filter_options
@results_option
@cache_option
@option("--limit", type=click.IntRange(min=1), help="Only the first N queries of each subset.")
@model_options
@offline_option
@option("--force", is_flag=True, help="Compute again what is done.")
@option("--dry-run", is_flag=True, help="Show the plan and stop.")
@json_option
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    callback=read_config,
    is_eager=True,
    expose_value=False,
    help="YAML file with these settings; flags and JINA_VDR_* variables win.",
)
def evaluate(model: str, dry_run: bool, as_json: bool, **values: Any) -> int:
    """Evaluate a model and print nDCG@5 (or a task's own main score) per subset.

    What is done is kept: the same command goes on where it stopped and computes nothing twice.
    """
    from jina_vdr.benchmark import asked_for
    from jina_vdr.evaluation import evaluate_all, prepare
    from jina_vdr.pipeline import make_pipeline, resolve_pipeline
    from jina_vdr.plan import plan_lines

    options = model_settings(values)
    settings = _settings(values, options.given())
    pipeline = resolve_pipeline(model, values["rerank"], values["rerank_top"], options)
    benchmark, selections = asked_for(values["benchmark"], values["task"], filters(values))
    runs = []
    for variant in pipeline.variants():
        ranker = make_pipeline(variant, settings.store)
        prepared = prepare(selections, ranker, settings)
        click.echo("\n".join(plan_lines(prepared, ranker)), err=not dry_run)
        runs.append(prepared if dry_run else evaluate_all(prepared, ranker, settings))
    if not dry_run:
        _print_runs(runs, benchmark, as_json=as_json)
    return _exit_code([outcome for outcomes in runs for outcome in outcomes])


def _settings(values: dict[str, Any], asked: dict[str, Any]) -> "Settings":
    from jina_vdr.evaluation import Settings
    from jina_vdr.store import Store

    return Settings(
        results=values["results"],
        store=Store(values["cache"] / "store"),
        hub=hub_of(values["cache"], offline=values["offline"]),
        limit=values["limit"],
        force=values["force"],
        asked=asked,
    )


def _print_runs(runs: "Sequence[Outcomes]", benchmark: "Benchmark | None", *, as_json: bool) -> None:
    """Print the results of each variant of the model."""
    import json

    from jina_vdr.evaluation import Evaluation

    if not as_json:
        for outcomes in runs:
            kinds = {o.result.model.vector_type for o in outcomes if isinstance(o, Evaluation)}
            click.echo("".join(f"{kind}-vectors\n\n" for kind in kinds if len(runs) > 1), nl=False)
            _print_outcomes(outcomes, benchmark)
        return
    done = [outcome for outcomes in runs for outcome in outcomes if isinstance(outcome, Evaluation)]
    records = [evaluation.result.model_dump(mode="json", by_alias=True) for evaluation in done]
    click.echo(json.dumps(records, indent=1, ensure_ascii=False))


def _print_outcomes(outcomes: "Outcomes", benchmark: "Benchmark | None") -> None:
    from jina_vdr.evaluation import Evaluation
    from jina_vdr.report import result_table, summary_table

    done = [outcome for outcome in outcomes if isinstance(outcome, Evaluation)]
    results = [evaluation.result for evaluation in done]
    shown = [(evaluation.result, evaluation.selection.some) for evaluation in done]
    for result, subsets in shown:
        click.echo(result_table(result, subsets) + "\n")
    if len(outcomes) > 1 and shown:
        click.echo(summary_table(shown))
    if benchmark and done:
        _print_means(benchmark, [outcome.selection for outcome in outcomes], results)
    _say_where(done, len(outcomes))


def _print_means(benchmark: "Benchmark", asked: "Sequence[Selection]", results: "Sequence[Result]") -> None:
    """Print the benchmark's means; when filters have narrowed it, one over what is left."""
    from jina_vdr.benchmark import aggregated, resolve
    from jina_vdr.listing import counted
    from jina_vdr.report import aggregate, percent

    means = [(mean.name, aggregated(benchmark, mean), mean.over) for mean in benchmark.aggregates]
    if sum(len(s.subsets) for s in asked) < sum(len(s.subsets) for s in resolve(benchmark)):
        means = [(f"mean over {counted(len(asked), 'task')}, as far as asked for", list(asked), "task")]
    for name, wanted, over in means:
        value = aggregate(wanted, results, over)
        click.echo(f"{name}: {percent(value) if value is not None else '- (incomplete)'}")


def _say_where(done: "Sequence[Evaluation]", asked: int) -> None:
    for evaluation in done:
        click.echo(f"result: {evaluation.path}", err=True)
    if len(done) < asked:
        click.echo(f"{len(done)} done, {asked - len(done)} failed", err=True)
    if done:
        click.echo(f"next:   {_program()} results show {done[0].path}", err=True)


def _program() -> str:
    """Return what to type: the path of this command where `jina-vdr` alone would not be found."""
    import shutil
    import sys

    typed = Path(sys.argv[0])
    return str(typed) if typed.name == "jina-vdr" and not shutil.which("jina-vdr") else "jina-vdr"


def _exit_code(outcomes: "Outcomes") -> int:
    """Return 0 when all tasks are done, 1 when some failed, the first error's code when all did."""
    from jina_vdr.evaluation import Failed

    errors = [outcome.error for outcome in outcomes if isinstance(outcome, Failed)]
    if errors and len(errors) == len(outcomes):
        return errors[0].exit_code
    return 1 if errors else 0
