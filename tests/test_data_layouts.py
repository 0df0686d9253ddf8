"""Every layout of a data set is read as it lies on the Hub or on disk."""

import numpy as np
import pymupdf
import pytest

from jina_vdr.errors import DataError
from tests.replicas import beir, card, images, load, parquet, png, qa, replica_task, table

QA = {"format": "qa"}
SHARED = {
    "corpus": {"data_dir": "corpus"},
    "queries": {"data_dir": "queries", "where": {"language": "{subset}"}},
    "qrels": {"data_dir": "qrels"},
}


def pdf(path, pages):
    path.parent.mkdir(parents=True, exist_ok=True)
    document = pymupdf.open()
    for text in pages:
        document.new_page(width=300, height=400).insert_text((40, 60), text)
    document.save(path)
    return path


def ids(items):
    return [item.id for item in items]


def test_beir_folders_of_several_subsets_are_kept_apart(tmp_path):
    beir(tmp_path / "data/de")
    beir(tmp_path / "data/jp", n_pages=5, n_queries=2)
    task = replica_task(tmp_path, {}, eval_langs={"de": ["deu-Latn"], "jp": ["jpn-Jpan"]})
    german, japanese = load(task, "de"), load(task, "jp")
    assert (len(german.corpus), len(german.queries)) == (6, 3)
    assert (len(japanese.corpus), len(japanese.queries)) == (5, 2)
    assert {query.language for query in japanese.queries} == {"jpn-Jpan"}


def test_integer_ids_become_text_and_grades_are_kept(tmp_path):
    beir(tmp_path / "data/default")
    data = load(replica_task(tmp_path, {}))
    assert ids(data.corpus) == ["0", "1", "2", "3", "4", "5"]
    assert data.qrels == {"0": {"0": 1, "1": 2}, "1": {"1": 1, "2": 2}, "2": {"2": 1, "3": 2}}


def test_string_ids_are_kept_as_they_are(tmp_path):
    names = [f"page-0{i}" for i in range(6)]
    qrels = {"corpus-id": ["page-00", "page-01", "page-01", "page-02", "page-02", "page-03"]}
    beir(tmp_path / "data/default", corpus={"corpus-id": names}, qrels=qrels)
    assert ids(load(replica_task(tmp_path, {})).corpus) == names


def test_shards_are_read_in_their_order_across_row_groups(tmp_path):
    beir(tmp_path / "data/default", n_pages=20)
    corpus = tmp_path / "data/default/corpus"
    (corpus / "test-00000-of-00001.parquet").unlink()
    for shard, start in (("00001", 10), ("00000", 0)):
        rows = range(start, start + 10)
        columns = {"corpus-id": list(rows), "image": images([png(i) for i in rows])}
        parquet(corpus / f"test-{shard}-of-00002.parquet", columns, row_group_size=3)
    data = load(replica_task(tmp_path, {}))
    assert ids(data.corpus) == [str(i) for i in range(20)]
    assert [page.open_image().getpixel((0, 0))[0] for page in reversed(data.corpus)] == [*range(19, -1, -1)]


def test_only_the_named_split_is_read(tmp_path):
    beir(tmp_path / "data/default")
    extra = {"corpus-id": [99], "image": images([png(99)])}
    parquet(tmp_path / "data/default/corpus/train-00000-of-00001.parquet", extra)
    assert "99" not in ids(load(replica_task(tmp_path, {})).corpus)


def test_where_keeps_the_queries_of_one_language_and_shared_qrels_may_name_the_others(tmp_path):
    beir(tmp_path / "data", queries={"language": ["german", "french", "german"]})
    languages = {"german": ["deu-Latn"], "french": ["fra-Latn"]}
    task = replica_task(tmp_path, SHARED, eval_langs=languages)
    assert ids(load(task, "german").queries) == ["0", "2"]
    assert ids(load(task, "french").queries) == ["1"]
    assert set(load(task, "french").qrels) == {"1"}


def test_a_language_column_names_the_language_of_each_query(tmp_path):
    beir(tmp_path / "data/default", queries={"language": ["de", "fra-Latn", None]})
    data = load(replica_task(tmp_path, {}, eval_langs=["deu-Latn", "fra-Latn"]))
    assert [query.language for query in data.queries] == ["deu-Latn", "fra-Latn", "und"]


def test_queries_without_a_relevant_page_and_blank_ones_are_counted(tmp_path):
    beir(tmp_path / "data/default", n_queries=4, queries={"query": ["Frage", " ", None, "Frage"]})
    qrels = {"query-id": [0, 1, 3], "corpus-id": [0, 1, 2], "score": [1, 1, 0]}
    parquet(tmp_path / "data/default/qrels/test-00000-of-00001.parquet", qrels)
    data = load(replica_task(tmp_path, {}))
    assert ids(data.queries) == ["0"]
    assert data.dropped == {"blank": 2, "no_relevant_page": 1}


@pytest.mark.parametrize("qrels_config", ["qrels", "default"])
def test_mteb_configs_without_subsets(tmp_path, qrels_config):
    root = tmp_path / "data"
    beir(
        root,
        corpus={"corpus-id": None, "id": list("abcdef")},
        queries={"query-id": None, "query": None, "id": list("xyz"), "text": ["A", "B", "C"]},
        qrels={"query-id": list("xxyyzz"), "corpus-id": list("abbccd")},
    )
    card(root, {"corpus": "corpus/test-*", "queries": "queries/test-*", qrels_config: "qrels/test-*"})
    data = load(replica_task(tmp_path, {"format": "mteb"}))
    assert [query.text for query in data.queries] == ["A", "B", "C"]
    assert data.qrels["y"] == {"b": 1, "c": 2}


def test_mteb_configs_with_subsets(tmp_path):
    root = tmp_path / "data"
    configs = {}
    for subset, n in (("german", 3), ("french", 2)):
        text = [f"{subset} {i}" for i in range(n)]
        beir(
            root / subset,
            n_queries=n,
            corpus={"corpus-id": None, "id": list(range(6))},
            queries={"query-id": None, "query": None, "id": list(range(n)), "text": text},
        )
        configs |= {
            f"{subset}-{part}": f"{subset}/{part}/*.parquet" for part in ("corpus", "queries", "qrels")
        }
    card(root, configs)
    task = replica_task(
        tmp_path, {"format": "mteb"}, eval_langs={"german": ["deu-Latn"], "french": ["fra-Latn"]}
    )
    assert [query.text for query in load(task, "french").queries] == ["french 0", "french 1"]
    assert len(load(task, "german").queries) == 3


def test_qa_rows_become_pages_queries_and_all_their_qrels(tmp_path):
    rows = [
        ("Wie hoch?", "b.png", png(1)),
        ("Wie hoch?", "a.png", png(2)),
        (None, "c.png", png(3)),
        ("", "d.png", png(4)),
        (" \n", "e.png", png(5)),
        ("Wann?", "b.png", png(1)),
    ]
    qa(tmp_path / "data/data/test-00000-of-00001.parquet", rows, text_description=list("uvwxyz"))
    data = load(replica_task(tmp_path, QA))
    assert ids(data.corpus) == ["b.png", "a.png", "c.png", "d.png", "e.png"]
    assert {query.text: set(data.qrels[query.id]) for query in data.queries} == {
        "Wie hoch?": {"a.png", "b.png"},
        "Wann?": {"b.png"},
    }
    assert data.dropped == {"blank": 3, "no_relevant_page": 0}
    assert data.corpus[1].read_text() == "v"


def test_pairs_keep_order_scores_and_texts(tmp_path):
    columns = {
        "sentence1": images([png(1), png(2)]),
        "sentence2": images([png(3), png(1)]),
        "score": [0.5, 4],
        "text1": ["a", "b"],
        "text2": ["c", "a"],
    }
    parquet(tmp_path / "data/test-00000-of-00001.parquet", columns)
    pairs = load(replica_task(tmp_path, {"format": "pairs"}, type="VisualSTS"))
    np.testing.assert_array_equal(pairs.scores, [0.5, 4])
    assert pairs.first[0].content == pairs.second[1].content
    assert [page.read_text() for page in pairs.second] == ["c", "a"]


def test_a_folder_of_pdfs_and_images(tmp_path):
    root = tmp_path / "data"
    pdf(root / "pdfs/manual.pdf", ["eins", "zwei", "drei"])
    pdf(root / "pdfs/2024/manual.pdf", ["vier"])
    (root / "pdfs/scan.png").write_bytes(png(7))
    (root / "pdfs/notes.txt").write_text("no page")
    pdf(root / "elsewhere.pdf", ["fünf"])
    table(
        root / "queries.csv",
        ("query-id", "query", "kind"),
        ("q,1", 'Was ist "drei"?', "question"),
        ("2", "Scan", ""),
    )
    table(
        root / "qrels.tsv",
        ("query-id", "corpus-id", "score"),
        ("q,1", "manual_p3", 2),
        ("2", "scan", 1),
        ("2", "2024/manual_p1", 1),
    )
    data = load(replica_task(tmp_path, {"format": "folder", "documents": "pdfs/**/*"}))
    assert ids(data.corpus) == ["2024/manual_p1", "manual_p1", "manual_p2", "manual_p3", "scan"]
    assert data.qrels == {"q,1": {"manual_p3": 2}, "2": {"scan": 1, "2024/manual_p1": 1}}
    assert (data.queries[0].text, data.queries[0].kind) == ('Was ist "drei"?', "question")
    assert data.corpus[3].read_text().strip() == "drei"
    assert data.corpus[1].open_image().size == (600, 800)


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("pdfs/*.pdf", ["a_p1"]),
        ("**/*.pdf", ["pdfs/2024/b_p1", "pdfs/a_p1"]),
        ("pdfs/20??/*", ["pdfs/2024/b_p1"]),
    ],
)
def test_a_glob_says_which_documents_are_pages(tmp_path, glob, found):
    root = tmp_path / "data"
    pdf(root / "pdfs/a.pdf", ["a"])
    pdf(root / "pdfs/2024/b.pdf", ["b"])
    found = [name.removeprefix("pdfs/") if glob == "pdfs/20??/*" else name for name in found]
    table(root / "queries.csv", ("query-id", "query"), ("1", "?"))
    table(root / "qrels.tsv", ("query-id", "corpus-id", "score"), ("1", found[0], 1))
    assert ids(load(replica_task(tmp_path, {"format": "folder", "documents": glob})).corpus) == found


def test_a_broken_image_fails_only_when_it_is_opened(tmp_path):
    beir(tmp_path / "data/default", corpus={"image": images([png(0), png(1)[:40], *map(png, range(2, 6))])})
    data = load(replica_task(tmp_path, {}))
    assert data.corpus[0].open_image().size == data.corpus[2].open_image().size == (16, 20)
    with pytest.raises(DataError, match="page '1'") as refused:
        data.corpus[1].open_image()
    assert refused.value.code == "JV411"


def test_equal_images_have_equal_content_and_others_not(tmp_path):
    beir(tmp_path / "data/default", corpus={"image": images([png(i // 2) for i in range(6)])})
    content = [page.content for page in load(replica_task(tmp_path, {})).corpus]
    assert content[0] == content[1] != content[2] == content[3]


def test_datasets_writes_what_we_read(tmp_path):
    datasets = pytest.importorskip("datasets")
    from PIL import Image

    features = datasets.Features({"corpus-id": datasets.Value("string"), "image": datasets.Image()})
    pictures = [Image.new("RGB", (8, 9), (i, 0, 0)) for i in range(6)]
    corpus = datasets.Dataset.from_dict({"corpus-id": list("012345"), "image": pictures}, features)
    beir(tmp_path / "data/default")
    corpus.to_parquet(str(tmp_path / "data/default/corpus/test-00000-of-00001.parquet"))
    data = load(replica_task(tmp_path, {}))
    assert [page.open_image().getpixel((0, 0)) for page in data.corpus] == [(i, 0, 0) for i in range(6)]
