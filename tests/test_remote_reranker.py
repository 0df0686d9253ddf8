"""Rerankers that bring their own code: called as their authors say, and only where the user trusts them."""

import json

import pytest
import torch
from safetensors.torch import save_file

from jina_vdr.errors import OutOfMemory, VDRError
from jina_vdr.model import ModelSpec, Options
from jina_vdr.rerankers.remote import remote_reranker
from tests import reranker_checkpoints
from tests.rankers import page, pairs, picture, scored
from tests.reranker_checkpoints import LISTWISE
from tests.test_cross_encoder import evaluated, task  # noqa: F401

QUERIES = ["neunneun9", "zwei", "fünf5"]
TEXTS = ["a" * 5, "b" * 9, "", "c" * 2]
PENALTIES = [3.0 * abs(len(query) - 9) for query in QUERIES]


def reranker(folder, **options):
    given = Options(trust_remote_code=True, device="cpu", **options)
    return remote_reranker(ModelSpec("remote-rerank", str(folder), options=given))


def text_pages():
    return [page(i, text) for i, text in enumerate(TEXTS)]


def test_pairs_go_to_compute_score_texts_as_texts_and_images_as_images(tmp_path):
    ours = reranker(reranker_checkpoints.remote_reranker(tmp_path / "m0"), batch_size=3)
    pages = [page(0, "Text zum Bild", picture(1)), page(1, "nur Text"), page(2, None, picture(2))]
    red = [60.0, 120.0]
    wanted = [score - penalty for penalty in PENALTIES for score in (red[0], 8.0, red[1])]
    assert scored(ours, pairs(pages, QUERIES)) == wanted
    assert type(ours._model).calls == [(3, 3, "text"), (6, 3, "image")]
    assert (ours.document_input, ours.listwise) == ("image", False)


def test_one_pair_alone_has_its_score_too(tmp_path):
    ours = reranker(reranker_checkpoints.remote_reranker(tmp_path / "m0"), document_input="text")
    assert scored(ours, pairs([page(0, "fünf5", picture(1))], QUERIES[:1])) == [5.0]


def test_all_texts_of_a_query_go_to_rerank_at_once_and_scores_come_back_by_index(tmp_path):
    ours = reranker(reranker_checkpoints.remote_reranker(tmp_path / "v3", LISTWISE))
    asked = pairs(text_pages(), ["gleich", "gleich"])
    assert scored(ours, asked) == pytest.approx([5 / 9, 1, 0, 2 / 9] * 2)
    assert type(ours._model).calls == [("gleich", TEXTS)] * 2
    assert (ours.document_input, ours.listwise) == ("text", True)


def test_memory_that_a_list_does_not_fit_into_asks_for_fewer_pages(tmp_path):
    ours = reranker(reranker_checkpoints.remote_reranker(tmp_path / "v3", LISTWISE))

    def rerank(query, documents):
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB.")

    ours._model.rerank = rerank
    with pytest.raises(OutOfMemory, match=r"JV501.*4 pages.*--rerank-top"):
        scored(ours, pairs(text_pages(), ["zwei"]))


def test_code_is_not_run_unless_it_is_trusted(tmp_path, complains):
    folder = reranker_checkpoints.remote_reranker(tmp_path / "m0")
    (folder / "modeling.py").write_text("raise SystemExit('it ran')\n")
    for name in (folder, f"remote:{folder}"):
        complains(
            ["eval", "--model", "bm25", "--rerank", name, "--task", "DemoPages"],
            "JV143",
            "--trust-remote-code",
        )


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ("methods", "JV441", "no compute_score and no rerank"),
        ("weights", "JV441", "lacks 1 weights"),
        ("imports", "JV102", "nothing_of_that_name"),
    ],
)
def test_a_checkpoint_that_does_not_rerank_is_one_line(tmp_path, change, code, said):
    methods = "" if change == "methods" else reranker_checkpoints.PAIRWISE
    folder = reranker_checkpoints.remote_reranker(tmp_path / "m0", methods)
    if change == "weights":
        save_file({"other": torch.zeros(1)}, folder / "model.safetensors", {"format": "pt"})
    elif change == "imports":
        (folder / "modeling.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(VDRError) as refused:
        scored(reranker(folder), pairs(text_pages(), ["zwei"]))
    assert refused.value.code == code
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_it_runs_end_to_end(tmp_path, task):  # noqa: F811
    folder = reranker_checkpoints.remote_reranker(tmp_path / "m0")
    arguments = ["--rerank", str(folder), "--document-input", "text", "--trust-remote-code"]
    _, result = evaluated(task, *arguments)
    said = result["model"]["settings"]["reranker"]
    assert (result["model"]["name"], said["family"]) == ("fake+m0", "remote-rerank")
    assert said["revision"].startswith("sha256:")
    assert json.dumps(said).count("trust") == 0
