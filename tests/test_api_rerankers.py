"""Rerankers behind HTTP, against a server on this machine that answers as the providers do, or wrongly."""

import json
import threading

import pytest
from PIL import Image

from jina_vdr.cli import main
from jina_vdr.encoders.making import load
from jina_vdr.errors import DataError, VDRError
from jina_vdr.family import RERANKERS
from jina_vdr.model import ModelSpec, Options
from jina_vdr.rerank import PairScorer, Reranked
from jina_vdr.store import Store
from tests.api_encoders import QUICK
from tests.api_server import KEY, api_server
from tests.rankers import Listed, page, pairs, picture, scored
from tests.replicas import beir, task_file
from tests.rerank_server import RerankHandler, relevance
from tests.test_rerank import collection

MODELS = {"jina": "jina-reranker-m0", "cohere": "rerank-v3.5", "voyage": "rerank-2.5"}
QUERIES = ["lang", "kurz?"]
TEXTS = ["Seite 1", "die zweite Seite", "  ", "Ende der langen Liste"]
SENT = [text if text.strip() else "." for text in TEXTS]


@pytest.fixture
def api(keys):
    with api_server(RerankHandler) as served:
        yield served


def reranker(api, provider, model=None, **options):
    spec = ModelSpec(
        f"{provider}-rerank",
        model or MODELS[provider],
        options=Options(base_url=f"{api.url}/{provider}", **options),
    )
    return load(spec.family, RERANKERS)(spec, QUICK)


def text_pages():
    return [page(i, text) for i, text in enumerate(TEXTS)]


@pytest.mark.parametrize("provider", MODELS)
def test_each_page_gets_the_score_of_its_index_whatever_the_order_of_the_answer(api, provider):
    ours = reranker(api, provider)
    wanted = [relevance(query, text) for query in QUERIES for text in SENT]
    assert scored(ours, pairs(text_pages(), QUERIES)) == pytest.approx(wanted)
    assert len(api.requests) == 2
    assert {body["model"] for _, body in api.requests} == {MODELS[provider]}
    assert ours.info.runtime["requests"] == 2
    assert ours.info.runtime["tokens"] == (0 if provider == "cohere" else 56)


def test_m0_sees_images_without_loss_and_reads_pages_that_have_none(api):
    ours = reranker(api, "jina")
    pages = [page(0, "Text", picture(1)), page(1, "nur Text"), page(2, None, picture(3))]
    assert (ours.document_input, reranker(api, "cohere").document_input) == ("image", "text")
    wanted = [shade / 300 - len("lang") / 1000 for shade in (60, len("nur Text"), 180)]
    assert scored(ours, pairs(pages, ["lang"])) == pytest.approx(wanted)
    (_, body), *_ = api.requests
    assert [sorted(document) for document in body["documents"]] == [["image"], ["text"], ["image"]]
    assert ours.info.runtime["images"] == 2
    assert ours.info.settings["image_format"] == "png"
    assert scored(reranker(api, "jina", document_input="text"), pairs(pages[:1], ["lang"])) == pytest.approx(
        [relevance("lang", "Text")]
    )


def test_images_are_scaled_to_the_pixels_asked_for_and_go_a_few_at_a_time(api):
    pages = [page(i, None, Image.new("RGB", (400, 600), (i, 0, 0))) for i in range(9)]
    ours = reranker(api, "jina", max_pixels=2400)
    scored(ours, pairs(pages, ["lang"]))
    assert sorted(len(body["documents"]) for _, body in api.requests) == [1, 4, 4]
    assert ours.info.settings["max_pixels"] == 2400
    assert max(len(document["image"]) for _, body in api.requests for document in body["documents"]) < 1000


def test_pages_of_a_query_are_cut_to_requests_unless_they_are_judged_beside_each_other(api):
    scored(reranker(api, "voyage", batch_size=3), pairs(text_pages(), QUERIES))
    assert sorted(len(body["documents"]) for _, body in api.requests) == [1, 1, 3, 3]
    api.requests.clear()
    beside = reranker(api, "jina", "jina-reranker-v3", batch_size=3)
    scored(beside, pairs(text_pages(), QUERIES))
    assert [len(body["documents"]) for _, body in api.requests] == [4, 4]
    assert (beside.listwise, beside.document_input, reranker(api, "jina").listwise) == (True, "text", False)


@pytest.mark.parametrize("fault", ["429 0", "503", "html", "drop", "short", "twice", "nan", "words"])
@pytest.mark.parametrize("provider", MODELS)
def test_what_goes_wrong_once_is_asked_for_again(api, provider, fault):
    api.faults = {1: fault}
    wanted = [relevance(query, text) for query in QUERIES for text in SENT]
    ours = reranker(api, provider, concurrency=1)
    assert scored(ours, pairs(text_pages(), QUERIES)) == pytest.approx(wanted)
    assert len(api.requests) == 3


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ("short", "JV454", "no score for page '"),
        ("503", "JV451", "does not answer after 4 tries"),
        ("quota", "JV453", "0 of 8 pages were scored"),
        ("401", "JV452", "refuses"),
    ],
)
def test_what_stays_wrong_is_one_line_without_the_key(api, fault, code, said):
    api.always = fault
    with pytest.raises(VDRError) as refused:
        scored(reranker(api, "jina"), pairs(text_pages(), QUERIES))
    assert (refused.value.code, "\n" in str(refused.value)) == (code, False)
    assert said in str(refused.value)
    assert KEY not in str(refused.value)


def test_queries_are_asked_side_by_side(api):
    api.meet = threading.Barrier(3)
    scored(reranker(api, "cohere", concurrency=3), pairs(text_pages(), ["a", "b", "c"]))
    assert api.most_under_way == 3


def test_what_was_paid_for_before_the_quota_ran_out_is_not_paid_for_again(api, tmp_path):
    def rank():
        ours = reranker(api, "voyage", concurrency=1)
        first = Listed({"0": [*"012345"], "1": [*"543210"]})
        return Reranked(first, PairScorer(ours, Store(tmp_path)), 6).rank(collection(), 6)

    api.faults = {2: "quota"}
    with pytest.raises(DataError, match=r"JV453.*6 of 12 pages were scored and are kept"):
        rank()
    run = rank()
    assert "".join(run["0"].ids) == "450231"
    assert [body["query"] for _, body in api.requests] == ["long", "short", "short"]
    assert set(api.paid.values()) == {1}


def test_it_runs_end_to_end_and_the_key_is_nowhere(api, tmp_path):
    beir(
        tmp_path / "data/default",
        n_pages=12,
        n_queries=5,
        corpus={"text": ["Seite " * i for i in range(1, 13)]},
    )
    folders = ["--results", str(tmp_path / "results"), "--cache", str(tmp_path / "cache")]
    arguments = [
        "eval",
        "--model",
        "fake",
        "--rerank",
        "voyage:rerank-2.5",
        "--base-url",
        f"{api.url}/voyage",
    ]
    assert main([*arguments, "--task", str(task_file(tmp_path, {})), *folders]) == 0
    (path,) = (tmp_path / "results").glob("*/*/*.json")
    result = json.loads(path.read_text())
    assert result["model"]["name"] == "fake+rerank-2.5"
    assert result["model"]["settings"]["reranker"]["family"] == "voyage-rerank"
    assert result["provenance"]["runtime"]["reranker.requests"] == 5
    assert api.url not in json.dumps(result["model"])
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_without_a_key_its_variable_is_named(monkeypatch, complains):
    for variable in ("JINA_API_KEY", "VOYAGE_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    for name, variable in (
        ("jina:jina-reranker-m0", "JINA_API_KEY"),
        ("voyage:rerank-2.5", "VOYAGE_API_KEY"),
    ):
        complains(["eval", "--model", "bm25", "--rerank", name, "--task", "DemoPages"], "JV145", variable)
