"""`tasks import-mteb`: a task of MTEB becomes a task file, from its metadata alone or with its data."""

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from jina_vdr.catalog import all_tasks
from jina_vdr.cli import main
from jina_vdr.errors import DataError, UsageError, VDRError
from jina_vdr.mteb.data import load_data
from jina_vdr.mteb.layouts import hub_dataset
from jina_vdr.mteb.metadata import TYPES, counts, expected, our_tag
from jina_vdr.mteb.tasks import find_task, import_task
from jina_vdr.task import load_task
from jina_vdr.taskfile import task_yaml
from tests.hub_server import Repo, hub_server, run_several
from tests.replicas import beir, card, evaluated, images, load, parquet, png

pytest.importorskip("mteb")

BUNDLED = {task.mteb_name: task for task in all_tasks().values() if task.mteb_name}
OTHERWISE = {
    "JinaVDRShiftProjectRetrieval": {"eval_langs"},
    "JinaVDRTabFQuadRetrieval": {"eval_langs"},
    "VidoreShiftProjectRetrieval": {"eval_langs"},
    "VidoreTabfquadRetrieval": {"eval_langs"},
    "IRPapersT2IRetrieval": {"dataset"},
    "STSBenchmarkMultilingualVisualSTS": {"eval_splits"},
}
"""What we correct, or say in another way than MTEB: see the notes of these files."""


def registry():
    from mteb import tasks
    from mteb.abstasks import AbsTask

    kinds = [kind for kind in vars(tasks).values() if isinstance(kind, type) and issubclass(kind, AbsTask)]
    return {kind.metadata.name: kind for kind in kinds}


@dataclass(frozen=True)
class Sweep:
    tasks: dict
    refused: dict


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Import every task of the installed MTEB."""
    root, done = tmp_path_factory.mktemp("sweep"), Sweep({}, {})
    for name in registry():
        try:
            done.tasks[name] = load_task(import_task(name, root / f"{name}.yaml"))
        except VDRError as error:
            done.refused[name] = error
    return done


def test_every_task_of_mteb_becomes_a_task_file_or_one_error(sweep):
    assert len(sweep.tasks) + len(sweep.refused) == len(registry())
    assert {error.code for error in sweep.refused.values()} == {"JV125", "JV126", "JV127"}
    assert all(error.hint and name in error.message for name, error in sweep.refused.items())
    taken = Counter(registry()[name].metadata.type for name in sweep.tasks)
    assert set(taken) == set(TYPES)
    assert taken["Retrieval"] > 350
    assert taken["DocumentUnderstanding"] > 90
    assert taken["STS"] > 40


def test_an_imported_task_says_what_mteb_says(sweep):
    for name, task in sweep.tasks.items():
        metadata = registry()[name].metadata
        assert (task.name, task.mteb_name, task.type) == (name, name, TYPES[metadata.type])
        assert (task.dataset.path, task.dataset.revision) == (
            metadata.dataset["path"],
            metadata.dataset["revision"],
        )
        assert (list(task.subsets), task.eval_splits) == (metadata.hf_subsets, metadata.eval_splits)
        assert task.category == metadata.category
        assert task.is_public == metadata.is_public
        assert task.license == (metadata.license or "")
        assert task.protocol.ignore_identical_ids == getattr(registry()[name], "ignore_identical_ids", False)
        assert task.main_score == metadata.main_score or metadata.main_score in task.notes
        for subset, tags in metadata.hf_subsets_to_langscripts.items():
            human = [our_tag(tag) for tag in tags if not tag.endswith("-Code")]
            assert list(task.languages(subset)) == (list(dict.fromkeys(human)) or ["und-Zyyy"])
            assert all(tag in task.languages(subset) or tag in task.notes for tag in tags)


def test_an_import_says_the_same_as_the_file_that_comes_with_us(sweep):
    said = ["dataset", "type", "category", "main_score", "eval_splits", "eval_langs"]
    differ, counted = {}, 0
    for name, ours in BUNDLED.items():
        theirs = sweep.tasks[name]
        if other := {key for key in said if getattr(theirs, key) != getattr(ours, key)}:
            differ[name] = other
        for subset, found in theirs.expected.items():
            known = ours.expected[subset].model_copy(update={"qrels": None})
            assert (name, subset, found) == (name, subset, known)
            counted += 1
    assert differ == OTHERWISE
    assert counted > 300


def test_counts_are_of_all_queries_and_not_of_unique_texts(sweep):
    task = sweep.tasks["RealMMRAGFinSlidesRetrieval"]
    stats = registry()[task.name].metadata.descriptive_stats["test"]
    assert stats["queries_text_statistics"]["unique_texts"] < task.expected["default"].queries
    assert stats["documents_image_statistics"]["unique_images"] < task.expected["default"].documents


def test_no_counts_are_expected_where_those_of_the_splits_differ(sweep):
    task = sweep.tasks["STSBenchmarkMultilingualVisualSTS"]
    assert task.eval_splits == ["dev", "test"]
    assert not task.expected
    assert "# No counts are expected: those of the splits differ.\n" in task.path.read_text()
    assert expected([{"a": {"pairs": 1}}, {"a": {"pairs": 1}}]) == ({"a": {"pairs": 1}}, "")
    assert expected([{"a": {"pairs": 1}}, {"a": {"pairs": 2}}])[0] == {}


def test_only_what_is_sure_is_counted():
    def counted(**changes):
        texts = {"total_text_length": 40, "average_text_length": 10.0, "min_text_length": 3}
        judged = {"min_relevant_docs_per_query": 1}
        texts |= {key: value for key, value in changes.items() if key in texts}
        judged |= {key: value for key, value in changes.items() if key in judged}
        stats = {"num_samples": 14, "queries_text_statistics": texts, "relevant_docs_statistics": judged}
        metadata = SimpleNamespace(
            type="Retrieval",
            eval_splits=["test"],
            hf_subsets=["default"],
            descriptive_stats={"test": stats},
        )
        return counts(SimpleNamespace(metadata=metadata))[0]["default"]

    assert counted() == {"queries": 4, "documents": 10}
    assert counted(min_text_length=0) == counted(min_relevant_docs_per_query=0) == {"documents": 10}
    assert counted(average_text_length=0) == {}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("cmn-Hans", "zho-Hans"),
        ("cmn-Hant", "zho-Hant"),
        ("kor-Kore", "kor-Hang"),
        ("arb-Arab", "ara-Arab"),
        ("arb-Latn", "arb-Latn"),
        ("hin-Latn", "hin-Latn"),
        ("srp-Latn", "srp-Latn"),
        ("ary-Arab", "ary-Arab"),
    ],
)
def test_a_language_is_renamed_only_in_its_own_script(theirs, ours):
    assert our_tag(theirs) == ours


def test_a_written_task_file_reads_as_it_was_said():
    fields = {
        "schema": 1,
        "name": "no",
        "description": "Wörter: 'a', \"b\" # und " + "lange Texte " * 20 + "\u2028Ende",
        "dataset": {"path": "org/name", "revision": "0" * 40, "corpus": {"columns": {"id": "a, b"}}},
        "eval_langs": {"no": ["nob-Latn"], "1": ["deu-Latn", "eng-Latn"], "a: b": ["und-Zyyy"]},
        "protocol": {"ignore_identical_ids": True},
        "reference": "https://example.org/#a",
        "expected": {"no": {"queries": 1}},
        "citation": "@misc{a,\n  title = {x},\n}",
    }
    text = task_yaml(fields, ["On top"])
    assert yaml.safe_load(text) == fields
    assert text.startswith('# On top\nschema: 1\nname: "no"\n')
    assert '  corpus: {columns: {id: "a, b"}}\n' in text
    assert '  "1": [deu-Latn, eng-Latn]\n' in text
    assert "citation: |-\n  @misc{a,\n    title" in text


@pytest.mark.parametrize(
    ("name", "code", "names"),
    [
        ("NFCorpsu", "JV101", ["'NFCorpsu'", "'NFCorpus'"]),
        ("AmazonCounterfactualClassification", "JV125", ["Classification", "DocumentUnderstanding"]),
        ("AskUbuntuDupQuestions", "JV125", ["Reranking"]),
        ("Core17InstructionRetrieval", "JV125", ["InstructionReranking"]),
        ("CIRRIT2IRetrieval", "JV125", ["it2i"]),
        ("FlickrImageToAudioRetrieval", "JV125", ["i2a"]),
        ("VisualSTS17Eng", "JV125", ["import those: STS17MultilingualVisualSTS"]),
        ("StakeholderGrounding", "JV125", ["scored by code of its own"]),
        ("BIRCO-DorisMae", "JV126", ["pins no commit of mteb/BIRCO-DorisMae-Test", "--data"]),
        ("LIMITRetrieval", "JV126", ["recall_at_2", "tasks new"]),
        ("BelebeleRetrieval", "JV127", ["load_data of its own", "--data"]),
        ("SICKFr", "JV127", ["dataset_transform of its own", "--data"]),
        ("FaithDial", "JV127", ["conversations", "--data"]),
    ],
)
def test_a_task_that_cannot_be_imported(complains, name, code, names):
    complains(["tasks", "import-mteb", name], code, name, *names)


def test_what_no_data_can_mend_is_told_before_it_is_loaded(complains):
    complains(["tasks", "import-mteb", "CodeEditSearchRetrieval", "--data"], "JV126", "'c++'")
    complains(["tasks", "import-mteb", "LIMITRetrieval", "--data"], "JV126", "recall_at_2")


def test_a_loader_that_we_know_is_not_known_with_further_changes():
    kind = find_task("JinaVDRMPMQARetrieval")
    assert hub_dataset(kind, "VisualDocumentRetrieval")["path"] == "jinaai/mpmqa_small_beir"
    changed = type("Changed", (kind,), {"dataset_transform": lambda self, **_: None})
    with pytest.raises(UsageError, match="of its own"):
        hub_dataset(changed, "VisualDocumentRetrieval")


def test_a_file_that_is_there_stays(complains):
    Path("nfcorpus.yaml").write_text("mine")
    Path("arguana").mkdir()
    complains(["tasks", "import-mteb", "NFCorpus"], "JV115", "nfcorpus.yaml")
    complains(["tasks", "import-mteb", "ArguAna", "--data"], "JV115", "arguana")
    complains(["tasks", "import-mteb", "ArguAna", "--out", "a.benchmark.yaml"], "JV113", "a.benchmark.yaml")
    assert Path("nfcorpus.yaml").read_text() == "mine"


def test_without_mteb_the_error_says_what_to_install(complains, monkeypatch):
    monkeypatch.setitem(sys.modules, "mteb", None)
    complains(["tasks", "import-mteb", "NFCorpus"], "JV102", 'pip install "jina-vdr[mteb]"')


def test_the_command_writes_a_file_and_says_what_is_next(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["tasks", "import-mteb", "NFCorpus"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("nfcorpus.yaml\n", "next: jina-vdr tasks validate --data nfcorpus.yaml\n")
    assert main(["tasks", "validate", "nfcorpus.yaml"]) == 0


@pytest.fixture
def local(tmp_path, monkeypatch):
    """Point a task of MTEB at the folder `hub`; everything stays offline and below `tmp_path`."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    monkeypatch.setenv("MTEB_CACHE", str(tmp_path / "mteb"))
    monkeypatch.chdir(tmp_path)

    def point(name):
        kind = find_task(name)
        monkeypatch.setitem(kind.metadata.dataset, "path", str(tmp_path / "hub"))
        return kind

    return point


def with_images(path, *columns):
    """Type columns as images: so MTEB decodes them, as those of the Hub."""
    from datasets import Dataset, Image

    rows = Dataset.from_parquet(str(path))
    for column in columns:
        rows = rows.cast_column(column, Image())
    rows.to_parquet(path)


def import_with_data(name):
    assert main(["tasks", "import-mteb", name, "--data", "--out", "replica.yaml"]) == 0
    return load_task(Path("replica.yaml").absolute())


def assert_the_same(task, theirs):
    """Assert that we read of each subset the ids, texts, images and judgments that MTEB has loaded."""
    for subset in task.subsets:
        said = theirs.dataset[subset]["test"]
        data, judged = load(task, subset), said["relevant_docs"]
        assert [page.id for page in data.corpus] == said["corpus"]["id"]
        assert [(query.id, query.text) for query in data.queries] == list(
            zip(said["queries"]["id"], said["queries"]["text"], strict=True)
        )
        assert data.qrels == {query.id: judged[query.id] for query in data.queries}
        assert task.expected[subset].queries == len(said["queries"])
        assert task.expected[subset].documents == len(said["corpus"])
        for page, row in zip(data.corpus, said["corpus"], strict=True):
            if "image" in row:
                assert row["image"].convert("RGB").tobytes() == page.open_image().tobytes()
            else:
                assert page.read_text() == f"{row['title']} {row['text']}".strip()


def test_the_data_that_code_of_mteb_loads_is_written_and_evaluated(tmp_path, local, capsys):
    kind = local("Vidore2ESGReportsRetrieval")
    asked = [f"Frage {i} auf {language}" for language in kind.metadata.eval_langs for i in range(3)]
    languages = [language for language in kind.metadata.eval_langs for _ in range(3)]
    beir(
        tmp_path / "hub",
        queries={"query-id": list(range(12)), "query": asked, "language": languages},
        qrels={"query-id": list(range(12)), "corpus-id": [i % 6 for i in range(12)], "score": [2] * 12},
    )
    with_images(tmp_path / "hub/corpus/test-00000-of-00001.parquet", "image")
    card(tmp_path / "hub", {part: f"{part}/*.parquet" for part in ("corpus", "queries", "qrels")})
    capsys.readouterr()
    task = import_with_data("Vidore2ESGReportsRetrieval")
    out, err = capsys.readouterr()
    assert (out, err) == ("replica.yaml\n", "next: jina-vdr tasks validate --data replica.yaml\n")
    assert task.dataset.path == "./vidore2esgreportsretrieval"
    assert_the_same(task, load_data(kind))
    assert load(task, "german").corpus[2].id == "corpus-test-2"
    scores = evaluated(tmp_path).result.scores
    assert [(score.subset, score.n_queries, score.n_documents) for score in scores] == [
        (subset, 3, 6) for subset in task.subsets
    ]


def test_texts_titles_and_odd_ids_come_through(tmp_path, local):
    kind = local("NFCorpus")
    pages = ["a/b", "ü 1", "003", "-4"]
    parquet(
        tmp_path / "hub/corpus/corpus-00000-of-00001.parquet",
        {"_id": pages, "title": ["Ein Titel", "", "", "x"], "text": ["eins", "zwei", "drei", ""]},
    )
    parquet(
        tmp_path / "hub/queries/queries-00000-of-00001.parquet",
        {"_id": ["q,1", "q2", "q3"], "text": ["Was?", "Wo?", "Wer?"]},
    )
    parquet(
        tmp_path / "hub/qrels/test-00000-of-00001.parquet",
        {"query-id": ["q,1", "q,1", "q2"], "corpus-id": ["a/b", "-4", "003"], "score": [2, 0, 1]},
    )
    entries = [
        {"config_name": name, "data_files": [{"split": split, "path": f"{folder}/*.parquet"}]}
        for name, split, folder in (
            ("corpus", "corpus", "corpus"),
            ("queries", "queries", "queries"),
            ("default", "test", "qrels"),
        )
    ]
    (tmp_path / "hub/README.md").write_text(f"---\n{yaml.safe_dump({'configs': entries})}---\n")
    task = import_with_data("NFCorpus")
    assert_the_same(task, load_data(kind))
    assert [page.read_text() for page in load(task).corpus] == ["Ein Titel eins", "zwei", "drei", "x"]


@pytest.mark.parametrize("name", ["STS12", "STS12VisualSTS"])
def test_pairs_come_through_with_their_scores(tmp_path, local, name):
    kind = local(name)
    rendered = name != "STS12"
    sides = [[f"Satz {i} {side}" for i in range(5)] for side in "ab"]
    shades = [images([png(i + 50 * side) for i in range(5)]) for side in (0, 1)]
    first, second = shades if rendered else sides
    columns = {"sentence1": first, "sentence2": second, "score": [0.0, 1.2, 2.5, 3.3, 5.0]}
    path = parquet(tmp_path / "hub/data/test-00000-of-00001.parquet", columns)
    if rendered:
        with_images(path, "sentence1", "sentence2")
    task = import_with_data(name)
    pairs, theirs = load(task), load_data(kind).dataset["test"]
    assert pairs.scores.tolist() == theirs["score"]
    assert task.expected["default"].pairs == 5
    for pages, column in ((pairs.first, "sentence1"), (pairs.second, "sentence2")):
        for page, cell in zip(pages, theirs[column], strict=True):
            said = page.open_image().tobytes() if rendered else page.read_text()
            assert said == (cell.convert("RGB").tobytes() if rendered else cell)


def text_hub(root, queries=None, **parts):
    """Write a data set for MTEB's general loader; `parts` are further configs."""
    tables = {
        "corpus": {"id": ["a", "b"], "text": ["eins", "zwei"]},
        "queries": {"id": ["1"], "text": ["Was?"], **(queries or {})},
        "qrels": {"query-id": ["1"], "corpus-id": ["a"], "score": [1]},
        **parts,
    }
    for part, columns in tables.items():
        parquet(root / "hub" / part / "test-00000-of-00001.parquet", columns)
    card(root / "hub", {part: f"{part}/*.parquet" for part in tables})


@pytest.mark.parametrize(
    ("parts", "names"),
    [
        ({"queries": {"text": [[{"role": "user", "content": "Was?"}]]}}, ["conversations"]),
        ({"instruction": {"query-id": ["1"], "instruction": ["Suche"]}}, ["instructions"]),
    ],
)
def test_queries_that_are_more_than_a_text_are_refused(tmp_path, local, complains, parts, names):
    local("FaithDial")
    text_hub(tmp_path, **parts)
    load_data(find_task("FaithDial"))  # fills the caches: `complains` allows no new file
    complains(["tasks", "import-mteb", "FaithDial", "--data"], "JV125", "FaithDial", *names)


def test_the_candidates_of_queries_are_written_and_alone_ranked(tmp_path, local):
    local("FaithDial")
    found = {"query-id": ["1"], "corpus-ids": [["b"]]}
    text_hub(tmp_path, top_ranked=found)
    data = load(import_with_data("FaithDial"))
    assert data.candidates == {"1": frozenset("b")}
    assert data.qrels == {"1": {"a": 1}}


def test_queries_that_nothing_answers_are_written_and_not_counted(tmp_path, local):
    local("ArguAna")
    asked = {"id": ["1", "2", "3"], "text": ["Was?", " ", "Wer?"]}
    judged = {"query-id": ["1", "2", "3"], "corpus-id": ["a", "a", "b"], "score": [1, 1, 0]}
    text_hub(tmp_path, queries=asked, qrels=judged)
    task = import_with_data("ArguAna")
    assert task.expected["default"].queries == 1
    assert load(task).dropped == {"blank": 1, "no_relevant_page": 1}
    assert task.protocol.ignore_identical_ids


def test_a_failure_leaves_nothing_behind(tmp_path, local, complains):
    local("NFCorpus")
    text_hub(tmp_path, qrels={"query-id": ["1"], "corpus-id": ["a"], "grade": [1]})
    with pytest.raises(DataError, match="score"):
        load_data(find_task("NFCorpus"))
    complains(["tasks", "import-mteb", "NFCorpus", "--data"], "JV408", "NFCorpus", "score")


def test_what_the_hub_does_not_give_is_one_error(tmp_path):
    beir(tmp_path / "hub/default")
    revision = find_task("JinaVDRMPMQARetrieval").metadata.dataset["revision"]
    commands = [
        ["tasks", "import-mteb", name, "--data"] for name in ("JinaVDRMPMQARetrieval", "JinaVDRTQARetrieval")
    ]
    with hub_server() as hub:
        hub.repos["datasets/jinaai/mpmqa_small_beir"] = Repo(revision, tmp_path / "hub", "gated")
        done = run_several(tmp_path / "home", hub.url, commands)
    gated, missing = done.stderr.splitlines()
    assert gated.startswith("error[JV403] jinaai/mpmqa_small_beir is gated; accept its terms")
    assert missing.startswith("error[JV402] jinaai/tqa_beir: ")
    assert done.stdout == "codes [4, 4]\n"
    assert {path.name for path in (tmp_path / "home").iterdir()} <= {".cache", "hf"}


def test_a_data_set_that_is_not_in_the_cache_is_one_error(complains, monkeypatch):
    import datasets
    import huggingface_hub

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    complains(["tasks", "import-mteb", "NFCorpus", "--data"], "JV401", "mteb/nfcorpus")
