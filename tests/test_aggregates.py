"""The means of a benchmark: over what, in which order, and none while something is missing."""

import random
from statistics import fmean

import pytest

from jina_vdr.benchmark import aggregated, find_benchmark, load_benchmark
from jina_vdr.catalog import Selection, whole
from jina_vdr.cli import main
from jina_vdr.errors import InvalidFile
from jina_vdr.report import aggregate
from jina_vdr.result import Result, Scores, TaskRecord
from jina_vdr.task import load_task
from tests.replicas import evaluated, task_file, text_task

OVERS = ("task", "subset", "language")


@pytest.fixture
def two(tmp_path):
    """Two tasks and a result of each; one subset of the second is in two languages."""
    text_task(tmp_path)
    first, task = evaluated(tmp_path).result, load_task(tmp_path / "replica.yaml")
    text_task(tmp_path, ("de", "fr", "es"), n_queries=13)
    languages = {"de": ["deu-Latn"], "fr": ["deu-Latn", "fra-Latn"], "es": ["spa-Latn"]}
    second = load_task(task_file(tmp_path, {}, eval_langs=languages, name="Second"))
    return (task, second), (first, evaluated(tmp_path).result)


def test_means_over_tasks_subsets_and_languages(two):
    tasks, results = two
    a_de, a_fr = (scores.main_score for scores in results[0].scores)
    b_de, b_es, b_fr = (results[1].of("test", subset).main_score for subset in ("de", "es", "fr"))
    assert len({a_de, a_fr, b_de, b_fr, b_es}) == 5
    over_tasks = fmean([(a_de + a_fr) / 2, (b_de + b_fr + b_es) / 3])
    over_languages = fmean([fmean([a_de, b_de, b_fr]), fmean([a_fr, b_fr]), b_es])
    means = [aggregate([whole(task) for task in tasks], results, over) for over in OVERS]
    assert means == pytest.approx([over_tasks, fmean([a_de, a_fr, b_de, b_fr, b_es]), over_languages])


def test_a_mean_over_some_subsets_takes_those_alone_and_a_task_may_stand_twice(two):
    (_, second), results = two
    b_de, b_es, b_fr = (results[1].of("test", subset).main_score for subset in ("de", "es", "fr"))
    parts = [Selection(second, ("de",)), Selection(second, ("fr", "es"))]
    assert aggregate(parts, results, "task") == pytest.approx((b_de + (b_fr + b_es) / 2) / 2)
    assert aggregate(parts, results, "subset") == pytest.approx(fmean([b_de, b_fr, b_es]))


@pytest.mark.parametrize("over", OVERS)
def test_there_is_no_mean_while_something_is_missing(two, over):
    (first, second), results = two
    partial = results[1].model_copy(update={"status": "partial", "scores": results[1].scores[:1]})
    wanted = [whole(first), whole(second)]
    assert partial.main_score is None
    assert aggregate(wanted, [results[0], partial], over) is None
    assert aggregate(wanted, [results[0]], over) is None
    assert aggregate([], results, over) is None
    there = Selection(second, (partial.scores[0].subset,))
    assert aggregate([whole(first), there], [results[0], partial], over) is not None


def made_up(selections, seed=0):
    """Return a result for each task with random scores."""
    rng = random.Random(seed)
    results = {}
    for selection in selections:
        task = selection.task
        scores = [
            Scores.model_construct(
                split=split, subset=subset, main_score=rng.random(), languages=list(task.languages(subset))
            )
            for split in task.eval_splits
            for subset in task.subsets
        ]
        record = TaskRecord.model_construct(name=task.name)
        results[task.name] = Result.model_construct(status="complete", task=record, scores=scores)
    return results


AGGREGATES = ("VisualSTS17Eng", "VisualSTS17Multilingual", "VisualSTS-b-Eng", "VisualSTS-b-Multilingual")


@pytest.mark.parametrize("name", AGGREGATES)
def test_the_means_of_visual_sts_are_those_that_mteb_computes(name):
    mteb = pytest.importorskip("mteb")
    from mteb.results import TaskResult

    benchmark = find_benchmark("MIEB(VisualSTS)")
    mean = next(aggregate for aggregate in benchmark.aggregates if aggregate.name == name)
    wanted = aggregated(benchmark, mean)
    results = made_up(wanted)
    (selection,) = wanted
    theirs = mteb.get_task(name)
    (inner,) = theirs.metadata.tasks
    assert inner.metadata.name == selection.task.mteb_name
    assert sorted(inner.hf_subsets) == sorted(selection.subsets)
    scores = {
        s.subset: {"main_score": s.main_score, "cosine_spearman": s.main_score}
        for s in results[selection.task.name].scores
        if s.subset in selection.subsets
    }
    task_result = TaskResult.from_task_results(inner, {"test": scores}, evaluation_time=1)
    expected = theirs.combine_task_results([task_result]).get_score()
    assert aggregate(wanted, list(results.values()), mean.over) == pytest.approx(expected)


def test_visual_sts_in_english_is_the_mean_over_the_seven_tasks_of_mieb():
    benchmark = find_benchmark("MIEB(VisualSTS)")
    english = next(mean for mean in benchmark.aggregates if benchmark.is_primary(mean))
    wanted = aggregated(benchmark, english)
    results = made_up(wanted)
    scores = [results[s.task.name].of("test", subset).main_score for s in wanted for subset in s.subsets]
    assert len(scores) == 7
    assert aggregate(wanted, list(results.values()), english.over) == pytest.approx(fmean(scores))


def test_the_public_mean_of_vidore_v3_does_without_the_gated_tasks():
    benchmark = find_benchmark("ViDoRe(v3)")
    public, gated, every = benchmark.aggregates[:3]
    tasks = [selection.task for selection in aggregated(benchmark, every)]
    results = made_up([whole(task) for task in tasks if task.is_public])
    values = [
        aggregate(aggregated(benchmark, mean), list(results.values()), "task") for mean in (public, every)
    ]
    assert len(results) == 8
    assert values[0] == pytest.approx(fmean(result.main_score for result in results.values()))
    assert values[1] is None
    assert not any(selection.task.is_public for selection in aggregated(benchmark, gated))


def benchmark_file(folder, aggregates):
    path = folder / "mine.benchmark.yaml"
    tasks = "tasks: [{task: DemoPages, subsets: [de, fr]}]\n"
    path.write_text(f"benchmark: Mine\n{tasks}aggregates:\n{aggregates}")
    return path


@pytest.mark.parametrize(
    ("member", "says"),
    [
        ("DemoSTS", "'one' is over DemoSTS, which is not in the benchmark"),
        (
            "{task: DemoPages, subsets: [de, it]}",
            "'one' is over DemoPages, which is not in the benchmark, or not",
        ),
        ("DemoPage", "there is no task 'DemoPage'; did you mean 'DemoPages'?"),
    ],
)
def test_a_mean_over_what_the_benchmark_leaves_out_is_refused(tmp_path, capsys, member, says):
    path = benchmark_file(tmp_path, f"  - {{name: one, over: task, of: [{member}]}}\n")
    benchmark = load_benchmark(path)
    with pytest.raises(InvalidFile, match="JV315") as caught:
        aggregated(benchmark, benchmark.aggregates[0])
    assert says in str(caught.value)
    assert main(["tasks", "validate", str(path)]) == 3
    assert says in capsys.readouterr().err


def test_of_a_narrowed_benchmark_the_mean_is_over_what_is_left(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text_task(tmp_path)
    (tmp_path / "mine.benchmark.yaml").write_text("benchmark: Mine\ntasks: [replica.yaml]\n")
    command = ["eval", "--model", "fake", "--benchmark", "mine.benchmark.yaml", "--cache", "cache"]
    assert main([*command, "--language", "fra"]) == 0
    narrowed = capsys.readouterr().out.splitlines()
    assert main(command) == 0
    whole = capsys.readouterr().out.splitlines()
    name, _, value = narrowed[-1].rpartition(": ")
    assert name == "mean over 1 task, as far as asked for"
    assert value in next(line for line in whole if line.startswith("fr "))
    assert whole[-1].startswith("mean over tasks: ")
    assert value not in whole[-1]


def test_a_failed_task_leaves_the_means_that_do_not_need_it(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text_task(tmp_path)
    (tmp_path / "replica.yaml").rename("good.yaml")
    task_file(tmp_path, {"path": "./none"}, name="Bad").rename("bad.yaml")
    means = "".join(f"  - {{name: {name}, over: task, of: [{name}.yaml]}}\n" for name in ("good", "bad"))
    path = tmp_path / "mine.benchmark.yaml"
    path.write_text(f"benchmark: Mine\ntasks: [good.yaml, bad.yaml]\naggregates:\n{means}")
    code = main(["eval", "--model", "fake", "--benchmark", path.name, "--cache", "cache"])
    said = capsys.readouterr().out.splitlines()
    assert code == 1
    assert said[-1] == "bad: - (incomplete)"
    assert said[-2].startswith("good: ")
    assert 0 < float(said[-2].removeprefix("good: ")) < 100
