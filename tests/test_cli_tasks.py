"""The commands `jina-vdr tasks` and `jina-vdr benchmarks`: tables, JSON, checks, and new files."""

import json
import re
import subprocess
import sys

import pytest
import yaml

from jina_vdr.catalog import all_tasks, bundled_root, task_files
from jina_vdr.cli import main
from jina_vdr.dataset import LAYOUTS
from jina_vdr.task import load_task
from tests.replicas import beir, task_file

ANNOTATIONS = {"$schema", "$defs", "title", "description", "default"}
COUNTS = ("queries", "documents")
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a command line in an empty folder; return its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def call(*arguments):
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return call


def accepts(schema, value, root=None):
    """Say whether a JSON Schema accepts a value: the few keywords that ours use, and no other."""
    root = root or schema
    rules = {key: rule for key, rule in schema.items() if key not in ANNOTATIONS}
    checks = {
        "$ref": lambda ref: accepts(root["$defs"][ref.removeprefix("#/$defs/")], value, root),
        "anyOf": lambda schemas: any(accepts(inner, value, root) for inner in schemas),
        "oneOf": lambda schemas: sum(accepts(inner, value, root) for inner in schemas) == 1,
        "type": lambda name: isinstance(value, TYPES[name]) and (name != "integer" or value is not True),
        "const": lambda only: value == only,
        "enum": lambda allowed: value in allowed,
        "pattern": lambda pattern: not isinstance(value, str) or bool(re.search(pattern, value)),
        "minimum": lambda least: value >= least,
        "maximum": lambda most: value <= most,
        "minItems": lambda least: len(value) >= least,
        "items": lambda inner: all(accepts(inner, item, root) for item in value),
        "required": lambda names: set(names) <= set(value),
        "properties": lambda known: all(
            accepts(known[k], value[k], root) for k in value.keys() & known.keys()
        ),
        "additionalProperties": lambda rule: all(
            rule is not False and accepts(rule, value[key], root)
            for key in value.keys() - schema.get("properties", {}).keys()
        ),
    }
    ordered = sorted(rules, key=lambda key: key != "type")
    return all(checks[key](rules[key]) for key in ordered)


def schema(run, *flags):
    return json.loads(run("tasks", "schema", *flags)[1])


def lines(text):
    return [line.rstrip() for line in text.rstrip("\n").split("\n")]


def test_list_is_a_table_with_one_row_a_task_and_the_sums(run):
    code, out, err = run("tasks", "list", "--benchmark", "demo", "--language", "de", "--language", "hu")
    assert (code, err) == (0, "")
    rows = [re.split(r"\s{2,}", line) for line in lines(out)]
    assert rows[0] == ["task", "type", "subsets", "languages", "queries", "pages", "score", "formats"]
    pages, pairs = (all_tasks()[name].expected for name in ("DemoPages", "DemoSTS"))
    sums = [f"{getattr(pages['de'], what) + getattr(pages['hu'], what):,}" for what in COUNTS]
    assert rows[2][:7] == ["DemoPages", "VisualDocumentRetrieval", "2", "2", *sums, "nDCG@5"]
    asked = f"{pairs['de'].pairs + pairs['hu'].pairs:,}"
    assert rows[3][:7] == ["DemoSTS", "VisualSTS", "2", "2", asked, "-", "Spearman"]
    said = f"2 tasks, 4 subsets, 2 languages, {sums[0]} queries, {sums[1]} pages, {asked} pairs"
    assert lines(out)[-1] == said


def test_list_has_no_column_for_the_type_where_there_is_one(run):
    out = run("tasks", "list", "--type", "VisualSTS", "--benchmark", "demo", "--language", "German")[1]
    assert lines(out)[0].split()[:2] == ["task", "subsets"]
    pairs = all_tasks()["DemoSTS"].expected["de"].pairs
    assert lines(out)[-1] == f"1 task, 1 subset, 1 language, {pairs} pairs"


def test_a_gated_task_says_so_in_the_list_and_on_its_card(run):
    out = run("tasks", "list", "--benchmark", "ViDoRe(v3)")[1]
    assert [line.split()[0] for line in lines(out) if "(gated)" in line] == [
        "Vidore3NuclearRetrieval",
        "Vidore3TelecomRetrieval",
    ]
    assert "set HF_TOKEN" in run("tasks", "show", "Vidore3NuclearRetrieval")[1]


def test_list_as_json_holds_every_task_with_the_chosen_subsets(run):
    records = json.loads(run("tasks", "list", "--json", "--benchmark", "demo", "--language", "Hungarian")[1])
    assert [(record["name"], record["subsets"], record["languages"]) for record in records] == [
        ("DemoPages", ["hu"], ["hun-Latn"]),
        ("DemoSTS", ["hu"], ["hun-Latn"]),
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["list", "--language", "Germann"], "error[JV103] there is no language 'Germann'"),
        (["list", "--domain", "Legl"], "did you mean 'Legal'?"),
        (["list", "--document-format", "maps", "--type", "STS"], "error[JV106] no task passes all filters"),
        (["list", "--benchmark", "JinaVDRR"], "did you mean 'JinaVDR'?"),
        (["list", "--query-kind", "kwd"], "error[JV112] there is no query kind 'kwd'"),
        (["show", "DemoPage"], "did you mean 'DemoPages'?"),
        (["show"], "error[JV100] Missing argument 'NAME'"),
        (["validate", "none.yaml"], "error[JV101] there is no file or folder none.yaml"),
        (["validate", "cache"], "error[JV101] cache holds no task file"),
        (["new", "../up"], "error[JV113] '../up' cannot name a task"),
        (["new", "a/b"], "error[JV113] 'a/b' cannot name a task"),
        (["new", "my.benchmark"], "error[JV113] my.benchmark.yaml would be taken for a benchmark"),
        (["new", "X", "--format", "csv"], "error[JV100] Invalid value for '--format'"),
    ],
)
def test_what_cannot_be_is_a_usage_error_in_one_line(run, tmp_path, arguments, says):
    (tmp_path / "cache").mkdir()
    code, out, err = run("tasks", *arguments)
    assert (code, out, len(lines(err))) == (2, "", 1)
    assert says in err
    assert list(tmp_path.glob("**/*.yaml")) == []


def test_show_is_a_card_with_a_command_that_runs_the_task(run, tmp_path):
    fields = {
        "description": "Manuals of pumps.",
        "domains": ["Manuals"],
        "license": "cc-by-4.0",
        "reference": "https://example.org/pumps",
        "expected": {"de": {"queries": 1234}},
    }
    languages = {"de": ["deu-Latn"], "both": ["deu-Latn", "eng-Latn"]}
    path = task_file(tmp_path, {}, eval_langs=languages, **fields).rename("my task.yaml")
    code, out, _ = run("tasks", "show", path)
    assert code == 0
    card = lines(out)
    assert card[0] == "Replica: Manuals of pumps."
    assert "score:   nDCG@5" in card
    assert "data:    ./data (beir)" in card
    assert "domains: Manuals" in card
    assert "license: cc-by-4.0" in card
    assert "source:  https://example.org/pumps" in card
    assert [line.split() for line in card if line.startswith(("de ", "both "))] == [
        ["both", "deu-Latn", "eng-Latn", "-", "-", "-"],
        ["de", "deu-Latn", "1,234", "-", "-"],
    ]
    assert card[-1] == "run:     jina-vdr eval --model bm25 --task 'my task.yaml'"


@pytest.mark.parametrize(
    "name", ["DemoSTS", "MMDocIRT2IRetrieval", "MIRACLVisionRetrieval", "RealMMRAGFinReportRetrieval"]
)
def test_show_as_json_is_a_task_file_of_the_same_task(run, tmp_path, name):
    (tmp_path / "again.yaml").write_text(run("tasks", "show", name.lower(), "--json")[1])
    again, bundled = load_task(tmp_path / "again.yaml"), all_tasks()[name]
    assert again.model_dump() == bundled.model_dump()
    assert again.sha256() == bundled.sha256()


def test_validate_reports_every_file_and_exits_with_3_when_one_is_invalid(run, tmp_path):
    task_file(tmp_path, {}).rename("good.yaml")
    (tmp_path / "bad.yml").write_text("name: Bad\nnam: x\neval_langs: [deu]\n")
    (tmp_path / "wrong.yaml").write_text("a: 1\na: 2\n")
    (tmp_path / "_base.yaml").write_text("a base is no task: [")
    (tmp_path / "x.benchmark.yaml").write_text("benchmark: X\ntasks: [good.yaml]\n")
    (tmp_path / "y.benchmark.yml").write_text("benchmark: Y\ntasks: [nothing]\n")
    code, out, err = run("tasks", "validate", ".")
    assert code == 3
    assert lines(out) == ["good.yaml: ok", "x.benchmark.yaml: ok, 1 task"]
    found = [line.partition("]")[0] for line in lines(err)]
    assert found == [
        *["bad.yml:1:1: error[JV312", "bad.yml:2:1: error[JV311", "bad.yml:3:14: error[JV313"],
        "wrong.yaml:2:1: error[JV302",
        "error[JV315",
    ]
    assert "y.benchmark.yml: there is no task 'nothing'" in err


def test_validate_without_files_checks_what_comes_with_us(run):
    code, out, err = run("tasks", "validate")
    assert (code, err) == (0, "")
    assert len(lines(out)) == len(list(bundled_root().glob("[!_]*.yaml")))


def test_validate_data_opens_the_data_and_exits_with_4_when_it_is_wrong(run, tmp_path):
    beir(tmp_path / "data/default")
    good = task_file(tmp_path, {}, expected={"default": {"queries": 3}}).rename("good.yaml")
    assert run("tasks", "validate", "--data", good)[:2] == (0, f"{good.name}: ok, 3 queries, 6 pages\n")
    task_file(tmp_path, {}, name="Counts", expected={"default": {"queries": 4}}).rename("counts.yaml")
    task_file(tmp_path, {"path": "./none"}, name="None").rename("none.yaml")
    assert run("tasks", "validate", ".")[0] == 0
    code, out, err = run("tasks", "validate", "--data", "counts.yaml", "none.yaml", "good.yaml")
    assert (code, out) == (4, "good.yaml: ok, 3 queries, 6 pages\n")
    assert [line[:12] for line in lines(err)] == ["error[JV438]", "error[JV404]"]
    (tmp_path / "bad.yaml").write_text("a: [")
    assert run("tasks", "validate", "--data", ".")[0] == 3


def test_validate_refuses_two_files_that_define_one_task(run, tmp_path):
    first = task_file(tmp_path, {}).rename("first.yaml")
    task_file(tmp_path, {}, name="replica").rename("second.yaml")
    assert run("tasks", "validate", first, first)[0] == 0
    code, out, err = run("tasks", "validate", ".")
    assert (code, out) == (3, "first.yaml: ok\n")
    assert "error[JV314] first.yaml and second.yaml both define task 'replica'" in err


@pytest.mark.parametrize("layout", LAYOUTS)
def test_new_writes_a_file_that_validate_and_the_schema_accept(run, tmp_path, layout):
    code, out, err = run("tasks", "new", "Acme", "--format", layout)
    assert (code, out) == (0, "acme.yaml\n")
    assert "jina-vdr tasks validate --data acme.yaml" in err
    assert run("tasks", "validate", "acme.yaml") == (0, "acme.yaml: ok\n", "")
    assert accepts(schema(run), yaml.safe_load((tmp_path / "acme.yaml").read_text()))
    task = load_task(tmp_path / "acme.yaml")
    assert (task.name, task.dataset.format, task.dataset.path) == ("Acme", layout, "./acme")


@pytest.mark.parametrize("name", ["2024", "1.5", "null", "Yes", "1e3", "0x1f", "2024-01-01", "a.b-c_(d)"])
def test_new_quotes_a_name_that_yaml_would_take_for_something_else(run, tmp_path, name):
    assert run("tasks", "new", name)[0] == 0
    assert load_task(tmp_path / f"{name.lower()}.yaml").name == name


def test_new_leaves_a_file_that_is_there_as_it_is(run, tmp_path):
    (tmp_path / "acme.yaml").write_text("mine")
    code, _, err = run("tasks", "new", "Acme")
    assert (code, (tmp_path / "acme.yaml").read_text()) == (2, "mine")
    assert "error[JV115] acme.yaml is there already; choose another --out" in err
    assert run("tasks", "new", "Acme", "--out", "sub/other.yaml")[0] == 0
    assert load_task(tmp_path / "sub/other.yaml").name == "Acme"


@pytest.mark.parametrize(("flags", "name"), [([], "task"), (["--benchmark"], "benchmark")])
def test_the_schemas_for_editors_are_what_the_command_prints(run, flags, name):
    assert run("tasks", "schema", *flags)[1] == (bundled_root() / f"{name}.schema.json").read_text()


def test_the_schemas_accept_every_bundled_file(run):
    tasks, benchmarks = schema(run), schema(run, "--benchmark")
    for path in task_files(bundled_root()):
        assert accepts(tasks, yaml.safe_load(path.read_text(encoding="utf-8"))), path
    for path in bundled_root().glob("*.benchmark.yaml"):
        assert accepts(benchmarks, yaml.safe_load(path.read_text(encoding="utf-8"))), path


SMALL = {"name": "A", "dataset": {"path": "./a"}, "eval_langs": ["deu-Latn"]}


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({}, True),
        ({"eval_langs": {"de": ["deu-Latn"]}, "expected": {"de": {"queries": 3}}}, True),
        ({"include": "_base.yaml", "name": None, "dataset": {"revision": "0" * 40}}, True),
        ({"include": ["a.yaml", "b.yaml"], "eval_langs": None}, True),
        ({"name": None}, False),
        ({"dataset": {"format": "qa"}}, False),
        ({"nam": "A"}, False),
        ({"dataset": {"path": "./a", "formt": "qa"}}, False),
        ({"dataset": {"path": "./a", "corpus": {"colums": {}}}}, False),
        ({"expected": {"default": {"querys": 3}}}, False),
        ({"eval_langs": "deu-Latn"}, False),
        ({"version": "2"}, False),
        ({"dataset": {"path": "a/b", "revision": "main"}}, False),
        ({"type": "VisualST"}, False),
    ],
)
def test_the_schema_for_editors_knows_keys_and_types(run, changes, accepted):
    said = {key: value for key, value in {**SMALL, **changes}.items() if value is not None}
    assert accepts(schema(run), said) == accepted


def test_benchmarks_are_listed_and_shown(run):
    code, out, _ = run("benchmarks", "list")
    assert (code, lines(out)[2].split()[:3]) == (0, ["demo", "2", "40"])
    card = lines(run("benchmarks", "show", "DEMO")[1])
    assert [line.split()[0] for line in card[4:6]] == ["DemoPages", "DemoSTS"]
    assert "  mean over tasks (2 tasks, orders models)" in card
    assert card[-1] == "run: jina-vdr eval --model bm25 --benchmark DEMO"
    listed = json.loads(run("benchmarks", "list", "--json")[1])[0]
    assert listed == json.loads(run("benchmarks", "show", "demo", "--json")[1])
    assert listed["tasks"] == ["DemoPages", "DemoSTS"]


def test_the_program_sends_results_to_stdout_and_complaints_to_stderr(tmp_path):
    (tmp_path / "bad.yaml").write_text("name: 5\n")
    beir(tmp_path / "data/default")
    good = task_file(tmp_path, {}).name
    command = [sys.executable, "-m", "jina_vdr", "tasks", "validate", "bad.yaml", good]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stdout == f"{good}: ok\n"
    assert lines(done.stderr)[0].startswith("bad.yaml:1:1: error[JV31")
