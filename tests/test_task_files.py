"""Every rule of a task file: what is refused, where and with which hint; and what its hash depends on."""

import pytest
import yaml

from jina_vdr.dataset import LAYOUTS, Dataset, Part, Render
from jina_vdr.specfile import InvalidSpec
from jina_vdr.task import Protocol, Task, load_task
from jina_vdr.vocabulary import PAIR_METRICS, RETRIEVAL_METRICS
from tests.spec_files import SmallFile

REVISION = "0123456789abcdef0123456789abcdef01234567"
LINES = {
    "name": "name: Mine",
    "dataset": "dataset: {path: ./data}",
    "eval_langs": "eval_langs: [deu-Latn]",
}

FILE = SmallFile("task.yaml", LINES, load_task)
write, refused = FILE.write, FILE.refused


def task(folder, **fields):
    """Load a task whose fields are those of a small one, changed."""
    said = {key: yaml.safe_load(line)[key] for key, line in LINES.items()} | fields
    path = folder / "task.yaml"
    path.write_text(yaml.safe_dump(said), encoding="utf-8")
    return load_task(path)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("dataset: {path: ./data, ‸colums: {id: x}}", "did you mean 'columns'?"),
        ("dataset: {path: ./data, corpus: {‸colums: {id: x}}}", "did you mean 'columns'?"),
        ("dataset: {path: ./data, ‸query: {file: x.csv}}", "did you mean 'queries'?"),
        ("dataset: {path: ./data, render: {‸dpis: 99}}", "did you mean 'dpi'?"),
        ("‸document_format: [tables]", "did you mean 'document_formats'?"),
        ("‸includ: base.yaml", "did you mean 'include'?"),
        ("expected: {default: {‸querys: 3}}", "did you mean 'queries'?"),
        ("protocol: {‸queries_without_positive: drop}", "did you mean 'queries_without_positives'?"),
        ("dataset: {path: ./data, render: {‸zoom: 2}}", "known: dpi, max_side"),
        ("‸wholly_unknown: 1", f"known: schema, {', '.join([*Task.model_fields][1:])}"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(tmp_path, line, hint):
    (problem,) = refused(tmp_path, line)
    assert (problem.code, problem.hint) == ("JV311", hint)


@pytest.mark.parametrize("key", ["name", "dataset", "eval_langs"])
def test_what_is_required_is_named(tmp_path, key):
    path = tmp_path / "task.yaml"
    path.write_text("# head\n" + "\n".join(line for name, line in LINES.items() if name != key))
    with pytest.raises(InvalidSpec, match=rf"task.yaml:2:1: error\[JV312\] '{key}' is missing; add {key}:"):
        load_task(path)


def test_a_data_set_needs_a_path(tmp_path):
    (problem,) = refused(tmp_path, "‸dataset: {format: beir}")
    assert (problem.code, problem.hint) == ("JV312", "add dataset.path:")


COMMIT = "write the 40 hex digits"
OUT = "leads out"
NO_PLACE = "neither a Hub data set"
WRONG = [
    ("‸schema: 2", "2 is not one of 1"),
    ('‸schema: "1"', "take the quotes away"),
    ("‸name: ../up", "'../up' is not made of letters"),
    ("‸name: -x", "not made of"),
    (f"‸name: {'a' * 101}", "not made of"),
    ("‸name: 2024", "YAML read it as a number: put it in quotes"),
    ("‸name:", "it is empty; write text"),
    ("‸version: 0", "greater than or equal to 1"),
    ("‸version: 1.5", "1.5 is not a whole number"),
    ('‸version: "2"', "take the quotes away"),
    ("‸version: yes", "true is not a whole number"),
    ("‸type: VisualDocumentRetrival", "did you mean 'VisualDocumentRetrieval'?"),
    ("‸type: VisualSTS", "does not go with format beir"),
    ("dataset: {path: ./data, ‸format: bier}", "did you mean 'beir'?"),
    ("dataset: {path: ./data, ‸format: [beir]}", "is not one of 'beir'"),
    ("‸dataset: {path: ./data, format: pairs}", "VisualDocumentRetrieval does not go with format pairs"),
    ("‸dataset: [./data]", "is not a mapping"),
    *((f"dataset: {{‸path: {path}}}", OUT) for path in ["../x", "/x", "./a/../b", "~/x", "'a\\b'"]),
    *(
        (f"dataset: {{‸path: {path}}}", NO_PLACE)
        for path in ["a", "a/b/c", "''", "file:/x", "http://x", "a/"]
    ),
    ("dataset: {‸path: 5}", "put it in quotes"),
    ("dataset: {‸path: org/name}", "org/name needs a revision"),
    (f"dataset: {{path: ./data, ‸revision: {REVISION}}}", "a folder here has no revision"),
    *((f"dataset: {{path: a/b, ‸revision: {rev}}}", COMMIT) for rev in ["main", "v1", "abc123f", "''"]),
    (f"dataset: {{path: a/b, ‸revision: {REVISION.upper()}}}", COMMIT),
    (f"dataset: {{path: a/b, ‸revision: {'1' * 40}}}", "YAML read it as a number: put it in quotes"),
    (f"dataset: {{path: a/b, ‸format: folder, revision: {REVISION}}}", "write path: ./name"),
    ("dataset: {path: ./data, ‸pairs: {file: x}}", "layout beir has no part 'pairs'; it has corpus, queries"),
    ("dataset: {path: ./data, format: qa, ‸qrels: {}}", "layout qa has no part 'qrels'; it has pairs"),
    ("dataset: {path: ./data, ‸corpus: x}", "'x' is not a mapping"),
    ("dataset: {path: ./data, corpus: {config: x, ‸file: y}}", "config and file name two places"),
    ("dataset: {path: ./data, corpus: {columns: {‸ids: x}}}", "no column 'ids'; known: id, image, text"),
    ("dataset: {path: ./data, corpus: {columns: {‸id: 5}}}", "put it in quotes"),
    ("dataset: {path: ./data, corpus: {‸columns: [id]}}", "is not a mapping"),
    ("dataset: {path: ./data, render: {‸dpi: 35, ‸max_side: 8193}}", "greater than or equal to 36"),
    ("eval_langs: [‸deu, ‸en-Latn, deu-Latn]", "'deu' is not a language tag like deu-Latn"),
    ("eval_langs: {de: [‸deu-latn], en: [‸English]}", "'deu-latn' is not a language tag"),
    ("eval_langs: {‸de: deu-Latn}", "'deu-Latn' is not a list"),
    ("eval_langs: {de: [deu-Latn], ‸en: []}", "[und-Zyyy] where there is none"),
    ("eval_langs: {‸../de: [deu-Latn]}", "'../de' is not made of"),
    ("eval_langs: [‸5]", "put it in quotes"),
    ("‸eval_langs: deu-Latn", "is not a list"),
    ("‸eval_langs: {}", "needs a language tag"),
    ("‸eval_langs: []", "needs a language tag"),
    ("‸eval_splits: []", "must not be empty"),
    ("eval_splits: [‸../test]", "'../test' is not made of"),
    ("‸main_score: ndgc_at_5", "did you mean 'ndcg_at_5'?"),
    ("‸main_score: no", "YAML read it as a yes or no: put it in quotes"),
    ("‸main_score: cosine_spearman", "does not measure type VisualDocumentRetrieval"),
    ("metrics: [ndcg_at_5, ‸ndcg_at_6, ‸mrr_at_7]", "unknown value 'ndcg_at_6'; did you mean 'ndcg_at_"),
    ("‸metrics: [cosine_pearson]", "cosine_pearson does not measure"),
    ("‸metrics: no", "false is not a list"),
    ("domains: [‸Houing, Legal, ‸Xyz]", "did you mean 'Housing'?"),
    ("document_formats: [‸table]", "did you mean 'tables'?"),
    ("query_formats: [‸qustion]", "did you mean 'question'?"),
    ("‸tags: demo", "'demo' is not a list"),
    ("protocol: {‸queries_without_positives: skip}", "'skip' is not one of 'drop' or 'error'"),
    ("expected: {‸de: {queries: 3}}", "there is no subset 'de'; known: default"),
    ("expected: {default: {‸queries: -1, ‸documents: many}}", "greater than or equal to 0"),
    ("‸is_public: 1", "1 is not true or false"),
    ("‸license:", "it is empty; write text"),
]


@pytest.mark.parametrize(("line", "says"), WRONG)
def test_a_wrong_value_is_refused_at_its_place(tmp_path, line, says):
    problems = refused(tmp_path, line)
    assert {p.code for p in problems} == {"JV313"}
    assert says in str(problems[0])


def test_all_problems_of_a_file_are_told_at_once(tmp_path):
    name, data = "‸name: 5", "dataset: {‸path: ../x, ‸where: here, corpus: {columns: {‸ids: x}}, ‸pairs: {}}"
    problems = refused(tmp_path, name, data, "eval_langs: [‸de]", "‸foo: 1", "domains: [‸Bar]", "‸version: x")
    codes = ["JV313", "JV313", "JV311", "JV313", "JV313", "JV313", "JV311", "JV313", "JV313"]
    assert [p.code for p in problems] == codes


def test_a_problem_in_an_included_file_is_placed_there(tmp_path):
    base = tmp_path / "_base.yaml"
    base.write_text("dataset:\n  path: ./data\n  formt: beir\n")
    path = tmp_path / "task.yaml"
    path.write_text("include: _base.yaml\nname: Mine\neval_langs: [deu-Latn]\n")
    with pytest.raises(InvalidSpec) as caught:
        load_task(path)
    assert (
        str(caught.value) == f"{base}:3:3: error[JV311] unknown key 'dataset.formt'; did you mean 'format'?"
    )


def test_a_small_file_is_filled_in(tmp_path):
    small = task(tmp_path)
    assert (small.main_score, small.metrics) == ("ndcg_at_5", list(RETRIEVAL_METRICS))
    assert (small.subsets, small.languages("default")) == (("default",), ("deu-Latn",))
    assert (small.path, small.root) == (tmp_path / "task.yaml", tmp_path)
    assert (small.eval_splits, small.version, small.dataset.render.dpi) == (["test"], 1, 144)


def test_pair_tasks_have_metrics_of_their_own(tmp_path):
    pairs = task(tmp_path, type="VisualSTS", dataset={"path": "./data", "format": "pairs"})
    assert (pairs.main_score, pairs.metrics) == ("cosine_spearman", list(PAIR_METRICS))


@pytest.mark.parametrize("fields", [{"main_score": "", "metrics": []}, {"main_score": "ndcg_at_5"}])
def test_empty_metrics_are_those_of_the_type(tmp_path, fields):
    assert task(tmp_path, **fields).metrics == list(RETRIEVAL_METRICS)


def test_the_main_score_is_always_measured(tmp_path):
    assert task(tmp_path, main_score="map_at_3", metrics=["mrr_at_5"]).metrics == ["map_at_3", "mrr_at_5"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_parts_that_are_not_given_are_those_of_the_layout(tmp_path, layout):
    kind = "VisualSTS" if layout == "pairs" else "VisualDocumentRetrieval"
    data = task(tmp_path, type=kind, dataset={"path": "./data", "format": layout}).dataset
    for name in ("corpus", "queries", "qrels", "pairs"):
        assert getattr(data, name).model_dump(exclude_unset=True) == LAYOUTS[layout].get(name, {})


def test_a_part_keeps_what_it_says_and_takes_its_other_columns_from_the_layout(tmp_path):
    part = {
        "file": "q.csv",
        "columns": {"text": "question"},
        "where": {"language": "{subset}"},
        "split": "dev",
    }
    queries = task(tmp_path, dataset={"path": "./data", "queries": part}).dataset.queries
    assert (queries.file, queries.data_dir, queries.split) == ("q.csv", None, "dev")
    assert queries.columns == {**LAYOUTS["beir"]["queries"]["columns"], "text": "question"}


CHANGED = {
    "name": "Other",
    "version": 2,
    "type": "Retrieval",
    "eval_splits": ["dev"],
    "eval_langs": ["eng-Latn"],
    "main_score": "map_at_3",
    "metrics": ["ndcg_at_10"],
    "protocol.queries_without_positives": "error",
    "protocol.ignore_identical_ids": True,
    "protocol.clusters": "judgments",
    "dataset.format": "mteb",
    **{f"dataset.{part}": {"split": "dev"} for part in ("corpus", "queries", "qrels")},
    "dataset.images": {"config": "x"},
    "dataset.candidates": {"config": "x"},
    "dataset.documents": "*.pdf",
    "dataset.render": {"dpi": 72},
    "part.config": "x",
    "part.data_dir": "x",
    "part.file": "x",
    "part.split": "x",
    "part.columns": {"id": "x"},
    "part.where": {"x": "y"},
    "render.dpi": 72,
    "render.max_side": 1000,
}
"""What can change a number: a new value for each."""
SAME = {
    "category": "t2t",
    "domains": ["Legal"],
    "document_formats": ["tables"],
    "query_formats": ["keyword"],
    "expected": {"default": {"queries": 3}},
    "is_public": False,
    **{key: ["x"] for key in ("adapted_from", "tags")},
    **dict.fromkeys(("description", "reference", "license", "citation", "mteb_name", "notes"), "x"),
    **dict.fromkeys(("annotations_creators", "sample_creation"), "x"),
    "dataset.path": "./elsewhere",
}
"""What cannot, or stands in a result beside the hash."""
ELSEWHERE = {"schema", "dataset", "protocol", "dataset.revision", "dataset.pairs"}
"""Fields with one value, with fields of their own, or which a folder of this layout cannot have."""
PREFIXES = {"": Task, "protocol.": Protocol, "dataset.": Dataset, "part.": Part, "render.": Render}
FIELDS = [p + (f.alias or n) for p, record in PREFIXES.items() for n, f in record.model_fields.items()]


@pytest.mark.parametrize("field", [field for field in FIELDS if field not in ELSEWHERE])
def test_the_hash_changes_with_all_that_can_change_a_number_and_nothing_else(tmp_path, field):
    value = CHANGED[field] if field in CHANGED else SAME[field]
    part, _, inner = field.rpartition(".")
    said = {
        "dataset": {inner: value},
        "part": {"corpus": {inner: value}},
        "render": {"render": {inner: value}},
    }
    change = {part: {inner: value}} if part == "protocol" else {field: value}
    if part in said:
        change = {"dataset": {"path": "./data", **said[part]}}
    before, after = task(tmp_path), task(tmp_path, **change)
    assert before != after
    assert (before.sha256() != after.sha256()) == (field in CHANGED)


def test_the_hash_is_the_same_as_ever(tmp_path):
    # when this changes, every result that was ever stored is out of date
    assert task(tmp_path).sha256() == "046577e4355aee22cf65f43d00ad7ed783e8fffcc9de6b02f9a1676f8ff57103"


def test_the_hash_does_not_depend_on_how_the_file_is_written(tmp_path):
    plain = task(tmp_path, dataset={"path": "./data", "format": "beir"}, eval_splits=["test"]).sha256()
    (tmp_path / "_base.yaml").write_text("eval_langs: [deu-Latn]\ndataset: {path: ./other}\n")
    path = tmp_path / "task.yaml"
    path.write_text("dataset:\n  path: ./data\ninclude: _base.yaml\nname: Mine # mine\n")
    assert load_task(path).sha256() == plain
