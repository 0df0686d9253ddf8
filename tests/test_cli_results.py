"""`jina-vdr results`, and what no file that we write may hold."""

import csv
import json
import os
import platform
import shutil
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from jina_vdr.cli import main
from jina_vdr.comparison import Difference
from jina_vdr.report import comparison_table
from jina_vdr.result import read_result
from tests.replicas import evaluated, images, parquet, png, task_file, text_task


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Results of two models on one task."""
    folder = tmp_path_factory.mktemp("cli")
    text_task(folder)
    evaluated(folder, "bm25")
    evaluated(folder, "fake")
    return folder


@pytest.fixture
def results(root, tmp_path):
    """Those results, in a folder of one's own."""
    shutil.copytree(root / "results", tmp_path / "results")
    return tmp_path / "results"


@pytest.fixture
def run(capsys):
    """Run `jina-vdr results`; return the exit code, stdout and stderr."""

    def run(*arguments):
        code = main(["results", *map(str, arguments)])
        return code, *capsys.readouterr()

    return run


def percent(value):
    return f"{100 * value:.2f}"


def a_file(results, model):
    return next(results.glob(f"{model}/*/*.json"))


def test_list_shows_a_line_a_result(results, run):
    code, out, _ = run("list", "--results", results)
    lines = [line.split() for line in out.splitlines()[2:]]
    assert code == 0
    assert [line[0] for line in lines] == ["bm25", "fake"]
    for model, line in zip(("bm25", "fake"), lines, strict=True):
        result = read_result(a_file(results, model))
        variant = a_file(results, model).parent.name
        assert line[1:] == [variant, "Replica", "2", "nDCG@5", percent(result.main_score), "complete"]
    records = json.loads(run("list", "--results", results, "--json")[1])
    assert [record["main_score"] for record in records] == [
        read_result(a_file(results, model)).main_score for model in ("bm25", "fake")
    ]


@pytest.mark.parametrize("level", [0, 1, 2])
def test_show_takes_a_file_or_the_folder_of_a_variant_or_a_model(results, run, level):
    path = a_file(results, "fake")
    place = (path, *path.parents)[level]
    code, out, _ = run("show", place)
    assert code == 0
    assert out.count("Replica · fake") == 1
    assert f"file:    {path}" in out
    for scores in read_result(path).scores:
        assert percent(scores.main_score) in out
    record = json.loads(run("show", place, "--json")[1])
    assert (record if level == 0 else record[0])["id"] == read_result(path).id


def test_show_of_all_results(results, run):
    (results / "bm25.json").write_text("a file of one's own, beside the folders")
    _, out, _ = run("show", results)
    assert [line.split("·")[1].strip() for line in out.splitlines() if "·" in line] == ["bm25", "fake"]


@pytest.mark.parametrize("place", ["results/nothing", "results/nothing.json"])
def test_a_place_without_results_is_a_usage_error(tmp_path, run, place):
    code, out, err = run("show", tmp_path / place)
    assert (code, out) == (2, "")
    assert "error[JV117]" in err


@pytest.mark.parametrize("command", [["list", "--results"], ["show"], ["export", "--to", "csv"]])
def test_a_damaged_result_file_is_named(results, run, command):
    path = a_file(results, "fake")
    path.write_bytes(path.read_bytes()[:700])
    code, out, err = run(*command, results)
    assert (code, out) == (3, "")
    assert err.startswith(f"error[JV351] {path} is not a result file")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"PAR1")])
def test_a_damaged_table_is_named_where_it_is_needed(results, run, tmp_path, damage):
    path = a_file(results, "fake").with_suffix("") / "fr.test.per_query.parquet"
    damage(path)
    for command in (["compare", results / "bm25"], ["export", "--to", "trec", "--out", tmp_path / "trec"]):
        code, _, err = run(*command, results / "fake")
        assert code == 3
        assert err.startswith(f"error[JV353] {path} is missing or damaged")
    assert run("export", "--to", "csv", results / "fake")[0] == 0


def test_compare_shows_both_and_their_difference(results, run):
    bm25, fake = (read_result(a_file(results, model)) for model in ("bm25", "fake"))
    code, out, _ = run("compare", results / "bm25", results / "fake")
    assert code == 0
    for line, before, after in zip(out.splitlines()[2:], bm25.scores, fake.scores, strict=True):
        difference = f"{100 * (after.main_score - before.main_score):+.2f}"
        shown = ["Replica", before.subset, "10", "nDCG@5", percent(before.main_score)]
        assert line.split()[:7] == [*shown, percent(after.main_score), difference]
    records = json.loads(run("compare", results / "bm25", results / "fake", "--json")[1])
    assert [r["difference"] for r in records] == [r["second"] - r["first"] for r in records]


def test_a_loss_beyond_the_tolerance_ends_with_1(results, run):
    places = [results / "bm25", results / "fake"]
    both = [[s.main_score for s in read_result(next(p.glob("*/*.json"))).scores] for p in places]
    worst = min(after - before for before, after in zip(*both, strict=True))
    if worst > 0:
        places, worst = places[::-1], -max(after - before for before, after in zip(*both, strict=True))
    points = -100 * worst
    assert points > 0.1
    assert run("compare", *places)[0] == 0
    assert run("compare", *places, "--tolerance", points + 0.01)[0] == 0
    code, _, err = run("compare", *places, "--tolerance", points - 0.01)
    assert code == 1
    assert f"lower by {points:.2f} points" in err
    assert run("compare", places[0], places[0], "--tolerance", 0)[0] == 0
    assert run("compare", *places, "--tolerance", -1)[0] == 2


def test_nothing_in_common_is_a_usage_error(results, run, tmp_path):
    text_task(tmp_path / "other", name="Other")
    code, out, err = run("compare", results / "fake", evaluated(tmp_path / "other").path)
    assert (code, out) == (2, "")
    assert "error[JV114]" in err


def test_export_writes_what_it_says(results, run, tmp_path):
    code, out, _ = run("export", "--to", "trec", "--out", tmp_path / "trec", results)
    written = sorted(str(path) for path in (tmp_path / "trec").rglob("*") if path.is_file())
    assert code == 0
    assert sorted(out.splitlines()) == written
    assert len(written) == 2 * 2 * 2  # models, subsets, run and qrels
    for form in ("csv", "json"):
        assert run("export", "--to", form, "--out", tmp_path / form, results)[1] == f"{tmp_path / form}\n"
        assert run("export", "--to", form, "--results", results)[1] == (tmp_path / form).read_text()
    assert run("export", "--to", "parquet", "--out", tmp_path / "all.parquet", results / "fake")[0] == 0
    assert pq.read_table(tmp_path / "all.parquet")["subset"].to_pylist() == ["de", "fr"]
    with (tmp_path / "csv").open(newline="") as file:
        assert [row["model"] for row in csv.DictReader(file)] == ["bm25", "bm25", "fake", "fake"]


@pytest.mark.parametrize("form", ["trec", "parquet"])
def test_formats_that_are_files_need_a_place(results, run, form):
    code, out, err = run("export", "--to", form, results)
    assert (code, out) == (2, "")
    assert "error[JV116]" in err


def test_pairs_are_compared_without_an_interval_and_have_no_run(tmp_path, run):
    words = [f"wort{i % 5} satz{i}" for i in range(12)]
    first, second = (images([png(start + i) for i in range(12)]) for start in (0, 90))
    sides = {"sentence1": first, "sentence2": second}
    texts = {"text1": words, "text2": words[5:] + words[:5], "score": [i % 4 for i in range(12)]}
    parquet(tmp_path / "data/test.parquet", {**sides, **texts})
    task_file(tmp_path, {"format": "pairs"}, type="VisualSTS")
    single, multi = evaluated(tmp_path).path, evaluated(tmp_path, vector_type="multi").path
    (record,) = json.loads(run("compare", single, multi, "--json")[1])
    assert (record["metric"], record["interval"]) == ("cosine_spearman", None)
    assert record["difference"] == record["second"] - record["first"] != 0
    assert run("export", "--to", "trec", "--out", tmp_path / "trec", tmp_path / "results")[1] == ""


def said_by(path):
    """Return all that a file says, as text."""
    if path.suffix != ".parquet":
        return path.read_bytes().decode(errors="replace")
    table = pq.read_table(path)
    return f"{table.to_pydict()} {table.schema.metadata} {pq.read_metadata(path).metadata}"


def test_no_file_names_a_person_a_machine_or_a_folder(tmp_path):
    home = tmp_path / "geheim"
    task = text_task(home / "task")
    places = {"HOME": home, "JINA_VDR_RESULTS": home / "results", "XDG_CACHE_HOME": home / "cache"}
    secrets = {"HF_TOKEN": "hf_geheim", "USER": "geheim", "LOGNAME": "geheim", "MY_KEY": "sk-geheim"}
    environment = {**os.environ, **secrets, **{name: str(place) for name, place in places.items()}}
    for model in ("fake", "bm25"):
        command = ["eval", "--model", model, "--task", str(task)]
        subprocess.run([sys.executable, "-m", "jina_vdr", *command], env=environment, check=True)
    written = [path for place in ("results", "cache") for path in (home / place).rglob("*.*")]
    assert {path.suffix for path in written} == {".json", ".parquet", ".safetensors"}
    for path in written:
        assert "geheim" not in said_by(path)
        assert str(tmp_path.parent) not in said_by(path)
    for path in filter(lambda path: path.suffix == ".json", written):
        made_with = read_result(path).provenance
        assert set(made_with.host) == {"os", "machine", "cpu", "cores"}
        assert platform.node() not in made_with.model_dump_json().replace('"', " ").split()


def test_a_tiny_loss_is_no_negative_zero():
    tiny = Difference("T", "de", "test", "ndcg_at_5", 9, 0.5, 0.5 - 1e-7, None)
    assert comparison_table([tiny]).splitlines()[-1].split()[-2:] == ["+0.00", "-"]
