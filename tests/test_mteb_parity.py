"""The same files and vectors get the same metrics from MTEB's own loaders and evaluator as from ours."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval

from jina_vdr.measurement import measure_run
from jina_vdr.model import Options, parse_model
from jina_vdr.ranker import make_ranker
from jina_vdr.store import Store
from jina_vdr.task import load_task
from jina_vdr.vocabulary import RETRIEVAL_METRICS, TREC_EVAL_NAMES
from tests.replicas import beir, card, images, load, parquet, png, qa, task_file

TASKS = Path(__file__).parent.parent / "tasks"
LANGUAGES = {"my": ["mya-Mymr"], "ur": ["urd-Arab"]}
COLUMNS = {"beir": ("corpus-id", "query-id", "query"), "mteb": ("id", "id", "text")}
N_PAGES, N_QUERIES, DIM = 130, 40, 16


@dataclass(frozen=True)
class Subset:
    """Judged pages by query text, and the vectors of both by page id and query text: [rows, dim] each."""

    judged: dict
    pages: dict
    queries: dict

    @property
    def rows(self):
        return [(text, page, grade) for text, judged in self.judged.items() for page, grade in judged.items()]

    def ids(self, layout, name):
        """Return the id of each query by its text; in the qa layout it is a hash of the text."""
        if layout == "qa":
            return {text: hashlib.sha256(text.encode()).hexdigest()[:16] for text in self.judged}
        return {text: f"{name}{i}" for i, text in enumerate(self.judged)}


def by_hand(judged, pages, queries):
    """Return a subset whose vectors have one dimension: a number, or a list of them for late interaction."""
    vectors = [{k: np.array(v, np.float32).reshape(-1, 1) for k, v in d.items()} for d in (pages, queries)]
    return Subset(judged, *vectors)


@pytest.fixture(autouse=True)
def own_cache(mteb, tmp_path, monkeypatch):
    """Give each test a cache of its own: datasets takes two folders of one name for one."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "datasets")


def random_subset(seed, page_ids, similarity, grades=(0, 1, 2, 3)):
    """Draw a subset: a query is near its best page. Late interaction gets positive vectors."""
    generator = np.random.default_rng(seed)
    late = similarity == "maxsim"

    def draw(low, high):
        values = generator.normal(size=(generator.integers(low, high) if late else 1, DIM))
        values = np.abs(values) ** 3 if late else values
        lengths = np.linalg.norm(values, axis=1, keepdims=True) * generator.uniform(0.9, 1.1)
        return np.float32(values / lengths)

    pages, judged, queries = {page: draw(3, 9) for page in page_ids}, {}, {}
    for i in range(N_QUERIES):
        chosen = [page_ids[j] for j in generator.choice(N_PAGES, len(grades), replace=False)]
        judged[f"Frage {i} von {seed}?"] = dict(zip(chosen, grades, strict=True))
        queries[f"Frage {i} von {seed}?"] = draw(2, 6) + pages[chosen[-1]][:1]
    return Subset(judged, pages, queries)


def write(root, layout, subsets):
    """Write `subsets` in a layout, and return their task file."""
    for name, subset in subsets.items():
        shade = {page: i for i, page in enumerate(subset.pages)}
        if layout == "qa":
            asked = [(text, page) for text, page, _ in subset.rows] + [(None, page) for page in subset.pages]
            qa(root / "data/test.parquet", [(text, page, png(shade[page])) for text, page in asked])
        else:
            cells = images([png(i) for i in shade.values()])
            write_tables(root / "data" / name, subset, subset.ids(layout, name), cells, COLUMNS[layout])
    if layout == "mteb":
        parts = [(name, part) for name in subsets for part in ("corpus", "queries", "qrels")]
        card(root / "data", {f"{name}-{part}": f"{name}/{part}/*.parquet" for name, part in parts})
    return task_file(root, {"format": layout}, eval_langs=LANGUAGES if len(subsets) > 1 else ["deu-Latn"])


def write_tables(folder, subset, ids, cells, columns):
    texts, pages, grades = map(list, zip(*subset.rows, strict=True))
    none = dict.fromkeys(COLUMNS["beir"])
    beir(
        folder,
        corpus={**none, columns[0]: list(subset.pages), "image": cells},
        queries={**none, columns[1]: list(ids.values()), columns[2]: list(ids)},
        qrels={"query-id": [ids[text] for text in texts], "corpus-id": pages, "score": grades},
    )


def ours(path, subset, name="default", similarity="dot"):
    """Return what we measure with the vectors of `subset` in files."""
    root, task = path.parent, load_task(path)
    ids = subset.ids(task.dataset.format, name)
    queries = {ids[text]: vectors for text, vectors in subset.queries.items()}
    late = similarity == "maxsim"
    for what, vectors in (("queries", queries), ("documents", subset.pages)):
        cells = [(v if late else v[0]).tolist() for v in vectors.values()]
        names = [str(key) for key in vectors]
        parquet(root / f"vectors/Replica/{name}/{what}.parquet", {"id": names, "embedding": cells})
    spec = parse_model(f"precomputed:{root}/vectors", Options(similarity=similarity))
    data = load(task, name)
    run = make_ranker(spec, Store(root / "store")).rank(data, 100)
    return measure_run(data, "test", run, task.metrics, task.main_score)


def theirs(mteb, path, subsets, similarity="dot", **attributes):
    """Return what MTEB measures in each subset: its model looks vectors up by page id and query text."""
    from mteb.models.abs_encoder import AbsEncoder
    from mteb.models.model_meta import ModelMeta, ScoringFunction

    scoring = ScoringFunction("MaxSim" if similarity == "maxsim" else similarity)

    class Lookup(AbsEncoder):
        def __init__(self):
            said = {"name": "test/lookup", "revision": "1", "modalities": ["text", "image"]}
            self.mteb_model_meta = ModelMeta.create_empty({**said, "similarity_fn_name": scoring})

        def encode(self, inputs, *, task_metadata, hf_split, hf_subset, prompt_type=None, **kwargs):
            subset = subsets[hf_subset]
            if prompt_type == "query":
                found = [subset.queries[text] for batch in inputs for text in batch["text"]]
            else:
                pages = {str(page): vectors for page, vectors in subset.pages.items()}
                found = [pages[i.removeprefix("corpus-test-")] for batch in inputs for i in batch["id"]]
            return found if similarity == "maxsim" else np.concatenate(found)

    task = mteb_task(mteb, load_task(path), **attributes)
    result = mteb.evaluate(Lookup(), task, cache=None, show_progress_bar=False)
    return {scores["hf_subset"]: scores for scores in result.task_results[0].scores["test"]}


def mteb_task(mteb, task, **attributes):
    """Define the task as MTEB does, with its own loaders; it keeps its means before it rounds them."""
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.tasks.retrieval.multilingual import jina_vdr_bench_retrieval as jina_vdr

    def unrounded(self, scores, qrels, results, **_):
        names = next(iter(scores.values()))
        return {f"unrounded {name}": float(np.mean([v[name] for v in scores.values()])) for name in names}

    dataset = {"path": str(task.root / task.dataset.path), "revision": "main"}
    said = {"name": task.name, "description": "", "dataset": dataset, "eval_langs": task.eval_langs}
    metadata = mteb.TaskMetadata(**{**jina_vdr.COMMON_METADATA, **said})
    loader = {"beir": {"load_data": jina_vdr.load_data}, "qa": {"load_data": load_qa_rows}, "mteb": {}}
    body = {"metadata": metadata, "task_specific_scores": unrounded, **loader[task.dataset.format]}
    return type(task.name, (AbsTaskRetrieval,), body | attributes)()


def load_qa_rows(self, **kwargs):
    """Read the qa layout, for which MTEB has no loader: all rows with one query count."""
    from datasets import Dataset, load_dataset

    rows = load_dataset(self.metadata.dataset["path"], split="test")
    qrels, first = {}, {}
    for i, (query, name) in enumerate(zip(rows["query"], rows["image_filename"], strict=True)):
        first.setdefault(name, i)
        if query is not None:
            qrels.setdefault(query, {})[name] = 1
    corpus = rows.select(first.values()).rename_column("image_filename", "id").select_columns(["id", "image"])
    queries = Dataset.from_dict({"id": list(qrels), "text": list(qrels)})
    split = {"corpus": corpus, "queries": queries, "relevant_docs": qrels, "top_ranked": None}
    self.dataset, self.data_loaded = {"default": {"test": split}}, True


def assert_the_same(measured, scores):
    for metric in RETRIEVAL_METRICS:
        value, (kind, _, k) = measured.metrics[metric], metric.partition("_at_")
        exact = metric if kind == "mrr" else f"unrounded {TREC_EVAL_NAMES[kind]}_{k}"
        assert (metric, value) == (metric, pytest.approx(scores[exact], abs=1e-9))
        assert (metric, value) == (metric, pytest.approx(scores[metric], abs=6e-6))


@pytest.mark.parametrize("similarity", ["cosine", "dot", "maxsim"])
@pytest.mark.parametrize("layout", ["beir", "mteb", "qa"])
def test_every_metric_is_that_of_mteb(mteb, tmp_path, layout, similarity):
    names = ["default"] if layout == "qa" else list(LANGUAGES)
    page_ids = [i if layout == "beir" else f"Seite {i}/a.png" for i in range(N_PAGES)]
    grades = (1, 1, 1) if layout == "qa" else (0, 1, 2, 3)
    subsets = {name: random_subset(i, page_ids, similarity, grades) for i, name in enumerate(names)}
    path = write(tmp_path, layout, subsets)
    scores = theirs(mteb, path, subsets, similarity)
    for name, subset in subsets.items():
        measured = ours(path, subset, name, similarity)
        assert (measured.n_queries, measured.n_documents) == (N_QUERIES, N_PAGES)
        assert 0.2 < measured.metrics["ndcg_at_5"] < 0.8
        assert_the_same(measured, scores[name])


def both(mteb, root, layout, subset, similarity="dot", **attributes):
    path = write(root, layout, {"default": subset})
    measured = ours(path, subset, similarity=similarity)
    return measured, theirs(mteb, path, {"default": subset}, similarity, **attributes)["default"]


def trec_eval(judged, scores):
    values = pytrec_eval.RelevanceEvaluator({"?": judged}, {"ndcg_cut.5"}).evaluate({"?": scores})
    return values["?"]["ndcg_cut_5"]


def test_ties_stand_in_the_order_of_mteb_where_it_keeps_all_of_them(mteb, tmp_path):
    subset = random_subset(3, list(range(N_PAGES)), "dot")
    for vectors in (subset.pages, subset.queries):
        vectors.update({key: np.round(values * 2) for key, values in vectors.items()})
    measured, scores = both(mteb, tmp_path, "beir", subset)
    assert measured.n_tied_at_5 > 10
    assert_the_same(measured, scores)


def test_of_pages_tied_at_the_cut_mteb_keeps_those_that_topk_meets_and_we_the_largest_ids(mteb, tmp_path):
    import torch

    kept = torch.topk(torch.ones(1, N_PAGES), 11, dim=1).indices[0].tolist()
    pages = [f"p{i:03}" for i in range(N_PAGES - 1)]
    pages.insert(max(set(range(N_PAGES)) - set(kept)), "p999")
    subset = by_hand({"?": {"p999": 1}}, dict.fromkeys(pages, 1), {"?": 1})
    measured, scores = both(mteb, tmp_path, "beir", subset, k_values=(1, 3, 5, 10))
    assert scores["ndcg_at_5"] == 0
    assert measured.metrics["ndcg_at_5"] == 1


@pytest.mark.parametrize(("text", "grade"), [(" ", 1), ("Wer weiß?", 0)], ids=["blank", "no relevant page"])
def test_mteb_averages_over_queries_that_nothing_answers_and_we_do_not(mteb, tmp_path, text, grade):
    judged = {"Wie hoch?": {"a": 1}, text: {"b": grade}}
    subset = by_hand(judged, {**dict.fromkeys("bcdefgh", -1), "a": 1}, dict.fromkeys(judged, 1))
    measured, scores = both(mteb, tmp_path, "beir", subset)
    assert (measured.n_queries, sum(measured.dropped.values())) == (1, 1)
    assert measured.metrics["precision_at_1"] == 1
    assert scores["precision_at_1"] == 0.5


def test_all_pages_of_a_repeated_query_count_where_the_reference_keeps_the_last_row(mteb, tmp_path):
    found = {"a": 3.0, "b": 2.0, "c": 1.0}
    measured, scores = both(mteb, tmp_path, "qa", by_hand({"?": {"a": 1, "b": 1}}, found, {"?": 1}))
    assert measured.metrics["ndcg_at_5"] == scores["ndcg_at_5"] == 1
    assert trec_eval({"b": 1}, found) == pytest.approx(1 / np.log2(3))


def test_negative_scores_rank_pages_where_the_reference_lifts_all_but_the_first_to_0(mteb, tmp_path):
    found = {"a": -3.0, "b": -1.0, "c": -2.0}
    measured, scores = both(mteb, tmp_path, "qa", by_hand({"?": {"b": 1}}, found, {"?": 1}))
    assert measured.metrics["ndcg_at_5"] == scores["ndcg_at_5"] == 1
    assert trec_eval({"b": 1}, {"a": -3.0, "b": 0.0, "c": 0.0}) == pytest.approx(1 / np.log2(3))


def test_a_short_page_gets_no_score_from_padding_as_it_does_in_mteb(mteb, tmp_path):
    from mteb.similarity_functions import max_sim, pairwise_max_sim

    subset = by_hand({"?": {"long": 1}}, {"long": [-2, -3, -4], "short": -5}, {"?": 1})
    measured, scores = both(mteb, tmp_path, "beir", subset, "maxsim")
    assert measured.metrics["ndcg_at_5"] == 1
    assert scores["unrounded ndcg_cut_5"] == pytest.approx(1 / np.log2(3))
    query, vectors = subset.queries["?"], list(subset.pages.values())
    assert max_sim([query], vectors).tolist() == [[-2, 0]]
    assert pairwise_max_sim([query, query], vectors).tolist() == [-2, -5]


def test_datasets_reads_the_demo_and_finds_the_counts_of_its_task_files(mteb):
    from datasets import load_dataset

    pages, pairs = load_task(TASKS / "demo-pages.yaml"), load_task(TASKS / "demo-sts.yaml")
    for subset in pages.subsets:
        for part, counted in (("corpus", "documents"), ("queries", "queries"), ("qrels", "qrels")):
            rows = load_dataset(str(TASKS / "demo/pages"), f"{subset}-{part}", split="test")
            assert len(rows) == getattr(pages.expected[subset], counted)
        rows = load_dataset(str(TASKS / "demo/sts"), subset, split="test")
        assert len(rows) == pairs.expected[subset].pairs


def test_mteb_reads_the_demo_as_it_reads_jinavdr(mteb):
    demo = load_task(TASKS / "demo-pages.yaml")
    task = mteb_task(mteb, demo.model_copy(update={"eval_langs": LANGUAGES}))
    task.load_data()
    for subset in LANGUAGES:
        data, qrels = load(demo, subset), task.relevant_docs[subset]["test"]
        assert task.queries[subset]["test"]["text"] == [query.text for query in data.queries]
        assert sum(map(len, qrels.values())) == sum(map(len, data.qrels.values()))
        for row, page in zip(task.corpus[subset]["test"], data.corpus, strict=True):
            assert row["id"] == f"corpus-test-{page.id}"
            assert row["image"].convert("RGB").tobytes() == page.open_image().tobytes()
