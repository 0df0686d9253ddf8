"""Models of sentence-transformers: its own vectors, whatever the batch, from a folder or the Hub."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from pytrec_eval import RelevanceEvaluator
from safetensors.torch import load_file, save_file
from sentence_transformers import MultiVectorEncoder, SentenceTransformer

from jina_vdr.cli import main
from jina_vdr.encoders.base import gather
from jina_vdr.encoders.sentence_transformers import SentenceTransformers
from jina_vdr.errors import DataError, OutOfMemory, UsageError
from jina_vdr.model import Options, parse_model
from jina_vdr.ranking import best
from jina_vdr.records import Page
from jina_vdr.similarity import score_blocks
from tests import checkpoints
from tests.checkpoints import PROMPTS, WIDTH, damaged, starve
from tests.hub_server import run, run_several
from tests.replicas import beir, task_file

TEXTS = ["Wie hoch?", "zwei", "Frage 1 von 12, mit vielen Wörtern", "a", "", "1.234,5 kg", "Ende der Liste."]
PAGES = [f"Seite {i} von {i * i}" for i in range(12)]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    makers = (checkpoints.text_model, checkpoints.image_model, checkpoints.multi_vector_model)
    return {name: make(root / name) for name, make in zip(("text", "image", "multi"), makers, strict=True)}


def encoder(folder, **options):
    return SentenceTransformers(parse_model(f"st:{folder}", Options(device="cpu", **options)))


def page(number, text=None, image=None):
    return Page(str(number), str(number), image and (lambda: image), lambda: text)


def text_pages():
    return [page(i, text) for i, text in enumerate(TEXTS)]


def picture(shade):
    return Image.new("RGB", (40, 60), (shade * 60 % 256, 90, 9))


def items(embeddings):
    return np.split(embeddings.values, embeddings.offsets[1:-1])


def close(found, wanted, tolerance=1e-6):
    np.testing.assert_allclose(np.asarray(found, np.float64), np.asarray(wanted), rtol=0, atol=tolerance)


def test_a_text_model_gives_the_vectors_of_sentence_transformers_prompts_included(models):
    ours, theirs = encoder(models["text"]), SentenceTransformer(str(models["text"]), device="cpu")
    queries, pages = gather(ours.encode_queries(TEXTS)), gather(ours.encode_documents(text_pages()))
    close(queries.values, theirs.encode_query(TEXTS))
    close(queries.values, theirs.encode([PROMPTS["query"] + text for text in TEXTS], prompt=""))
    close(pages.values, theirs.encode_document(TEXTS))
    close(pages.values, theirs.encode([PROMPTS["document"] + text for text in TEXTS], prompt=""))
    assert queries.values.dtype == np.float32
    assert queries.offsets.tolist() == list(range(len(TEXTS) + 1))


def test_a_multi_vector_model_gives_one_row_a_token_and_no_padding(models):
    ours, theirs = encoder(models["multi"]), MultiVectorEncoder(str(models["multi"]), device="cpu")
    found = items(gather(ours.encode_queries(TEXTS)))
    alone = [theirs.encode_query([text])[0].numpy() for text in TEXTS]
    assert [len(rows) for rows in found] == [len(rows) for rows in alone]
    assert [len(rows) for rows in found][3:5] == [6, 5]  # [CLS] [ Q ] a [SEP]
    assert {rows.dtype for rows in found} == {np.dtype(np.float16)}
    for rows, wanted in zip(found, alone, strict=True):
        close(rows, wanted, 5e-4)  # half a step of float16 below 1


@pytest.mark.parametrize("name", ["text", "multi", "image"])
def test_the_batch_size_changes_no_ranking(models, name):
    pages = [page(i, image=picture(i)) for i in range(7)] if name == "image" else text_pages()
    rankings, values = [], []
    for batch_size in (1, 3, 16):
        ours = encoder(models[name], batch_size=batch_size)
        queries, documents = gather(ours.encode_queries(TEXTS)), gather(ours.encode_documents(pages))
        ((_, scores),) = score_blocks(queries, documents, ours.info.similarity)
        rankings.append([best(row, [page.id for page in pages], 7).ids for row in scores])
        values.append(documents.values)
    assert rankings[0] == rankings[1] == rankings[2]
    assert len(set(rankings[0])) > 1
    for other in values[1:]:
        close(other, values[0], 1e-3 if name == "multi" else 2e-6)


def test_truncated_vectors_are_cut_and_normalised_again(models):
    whole = SentenceTransformer(str(models["text"]), device="cpu").encode_query(TEXTS)
    cut = encoder(models["text"], truncate_dim=8)
    close(gather(cut.encode_queries(TEXTS)).values, [row[:8] / np.linalg.norm(row[:8]) for row in whole])
    assert cut.info.settings["truncate_dim"] == 8


def test_a_prompt_of_the_users_stands_in_the_place_of_the_checkpoints_own(models):
    ours = encoder(models["text"], query_prompt="frage: ", document_prompt="")
    theirs = SentenceTransformer(str(models["text"]), device="cpu")
    found = gather(ours.encode_queries(TEXTS)), gather(ours.encode_documents(text_pages()))
    close(found[0].values, theirs.encode(["frage: " + text for text in TEXTS], prompt=""))
    close(found[1].values, theirs.encode(TEXTS, prompt=""))
    assert ours.info.settings["prompts"] == {"query": "frage: ", "document": ""}
    assert encoder(models["text"]).info.settings["prompts"] == PROMPTS


@pytest.mark.parametrize(
    "option",
    [
        {"dtype": "bfloat16"},
        {"attention": "eager"},
        {"query_prompt": "Frage: "},
        {"document_prompt": "Seite: "},
        {"truncate_dim": 8},
        {"similarity": "dot"},
        {"max_pixels": 10_000},
        {"document_input": "text"},
    ],
    ids=str,
)
def test_each_option_that_can_change_a_number_is_another_model(models, option):
    plain, other = encoder(models["image"]).info, encoder(models["image"], **option).info
    assert (plain.settings, plain.similarity) != (other.settings, other.similarity)


def test_how_a_model_runs_is_beside_what_it_is(models):
    plain, other = encoder(models["text"]).info, encoder(models["text"], batch_size=3).info
    assert plain.settings == other.settings
    assert other.runtime == {"device": "cpu", "batch_size": 3}


def test_the_dtype_is_the_checkpoints_own_unless_the_user_chooses(tmp_path):
    folder = checkpoints.text_model(tmp_path)
    assert encoder(folder).info.settings["dtype"] == "float32"
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "dtype": "bfloat16"}))
    half = encoder(folder)
    assert half.info.settings["dtype"] == "bfloat16"
    gather(half.encode_queries(TEXTS))
    assert {weight.dtype for weight in half._model.parameters()} == {torch.bfloat16}


def test_more_dimensions_than_the_model_has_are_refused(models):
    gather(encoder(models["text"], truncate_dim=WIDTH).encode_queries(TEXTS))
    with pytest.raises(UsageError, match=f"gives {WIDTH} dimensions, not {WIDTH + 1}") as refused:
        gather(encoder(models["text"], truncate_dim=WIDTH + 1).encode_queries(TEXTS))
    assert refused.value.code == "JV109"


def test_a_text_that_looks_like_an_image_is_encoded_as_text(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture(1).save("page.png")
    texts = ["page.png", "https://example.com/page.png", "data:image/png;base64,AAAA", "Text"]
    found = gather(encoder(models["image"]).encode_queries(texts)).values
    close(found, checkpoints.clip_text_vectors(models["image"], texts))


def test_an_image_model_sees_images_and_reads_pages_that_have_none(models):
    theirs = SentenceTransformer(str(models["image"]), device="cpu")
    pages = [page(0, "Text zum Bild", picture(0)), page(1, "nur Text"), page(2, None, picture(2)), page(3)]
    found = gather(encoder(models["image"]).encode_documents(pages)).values
    close(found[[0, 2]], theirs.encode_document([picture(0), picture(2)]))
    close(found[[1, 3]], checkpoints.clip_text_vectors(models["image"], ["nur Text", ""]))


@pytest.mark.parametrize(
    ("make", "declared", "wanted", "similarity"),
    [
        (checkpoints.text_model, "dot", None, "dot"),
        (checkpoints.text_model, "dot", "cosine", "cosine"),
        (checkpoints.text_model, None, None, "cosine"),
        (checkpoints.multi_vector_model, "meanmaxsim", None, "meanmaxsim"),
        (checkpoints.multi_vector_model, "maxsim", "meanmaxsim", "meanmaxsim"),
        (checkpoints.multi_vector_model, None, None, "maxsim"),
    ],
)
def test_the_similarity_is_the_models_unless_the_user_chooses(tmp_path, make, declared, wanted, similarity):
    assert encoder(make(tmp_path, declared), similarity=wanted).info.similarity == similarity


@pytest.mark.parametrize(
    ("name", "suffix", "options", "code"),
    [
        ("text", "", {"similarity": "maxsim"}, "JV109"),
        ("multi", "", {"similarity": "cosine"}, "JV109"),
        ("multi", "", {"similarity": "dot"}, "JV109"),
        ("multi", "", {"truncate_dim": 4}, "JV109"),
        ("text", "@main", {}, "JV107"),
    ],
)
def test_what_does_not_fit_the_checkpoint_is_refused(models, name, suffix, options, code):
    with pytest.raises(UsageError) as refused:
        encoder(f"{models[name]}{suffix}", **options)
    assert refused.value.code == code


@pytest.mark.parametrize("said", [{"model_type": "ColBERT"}, {}], ids=["new", "old"])
def test_a_checkpoint_of_pylate_is_a_multi_vector_model(tmp_path, said):
    folder = checkpoints.pylate_model(tmp_path, **said)
    ours, theirs = encoder(folder), MultiVectorEncoder(str(folder), device="cpu")
    assert (ours.info.vector_type, ours.info.similarity) == ("multi", "maxsim")
    for rows, wanted in zip(
        items(gather(ours.encode_queries(TEXTS))), theirs.encode_query(TEXTS), strict=True
    ):
        close(rows, wanted, 5e-4)


@pytest.mark.parametrize(
    "name", ["empty", "cut weights", "no weights", "no pooling", "config", "SparseEncoder"]
)
def test_a_folder_that_holds_no_model_we_run_is_one_line(models, name):
    with pytest.raises(DataError) as refused:
        gather(encoder(damaged(models["text"], name)).encode_queries(TEXTS))
    assert refused.value.code == "JV441"
    assert "\n" not in str(refused.value)
    assert name in str(refused.value)


def test_the_revision_of_a_folder_changes_with_a_weight_a_prompt_and_nothing_else(models, tmp_path):
    def revision():
        return encoder(folder).info.revision

    folder = shutil.copytree(models["text"], tmp_path / "elsewhere")
    first = revision()
    assert first == encoder(models["text"]).info.revision
    assert first.startswith("sha256:")
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.LayerNorm.bias"][0] += 1e-3
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    second = revision()
    config = (folder / "config_sentence_transformers.json").read_text()
    (folder / "config_sentence_transformers.json").write_text(config.replace("query: ", "frage: "))
    assert len({first, second, revision()}) == 3


def test_where_memory_runs_out_batches_are_halved_and_stay_so(models):
    ours = encoder(models["text"], batch_size=100)
    wanted = gather(ours.encode_queries(TEXTS)).values
    sizes = starve(ours._model, fits=2)
    close(gather(ours.encode_queries(TEXTS)).values, wanted, 2e-6)
    assert sizes == [7, 3, 1, 1, 1, 1, 1, 1, 1]
    gather(ours.encode_documents(text_pages()))
    assert sizes[9:] == [1] * 7


def test_one_item_that_does_not_fit_ends_the_run(models):
    ours = encoder(models["text"])
    starve(ours._model, fits=0)
    with pytest.raises(OutOfMemory) as refused:
        gather(ours.encode_queries(TEXTS))
    assert (refused.value.code, refused.value.exit_code) == ("JV501", 5)
    assert "\n" not in str(refused.value)


@pytest.fixture
def task(tmp_path):
    beir(tmp_path / "data/default", n_pages=12, n_queries=5, corpus={"text": PAGES})
    return task_file(tmp_path, {})


def call(task, model, results="results"):
    folders = ["--results", str(task.parent / results), "--cache", str(task.parent / "cache")]
    return ["eval", "--model", f"st:{model}", "--task", str(task), *folders]


def result(task, results="results"):
    (path,) = (task.parent / results).glob("*/*/*.json")
    return json.loads(path.read_text())


def test_an_evaluation_gives_what_trec_eval_makes_of_the_models_own_scores(models, task, hub):
    hub.requests.clear()
    done = run(task.parent, hub.url, *call(task, models["text"]))
    assert (done.returncode, hub.requests) == (0, [])
    theirs = SentenceTransformer(str(models["text"]), device="cpu")
    queries = theirs.encode_query([f"Frage {i}" for i in range(5)])
    scores = theirs.similarity(queries, theirs.encode_document(PAGES)).tolist()
    ranked = {str(q): {str(p): score for p, score in enumerate(row)} for q, row in enumerate(scores)}
    judged = {str(q): {str(q): 1, str(q + 1): 2} for q in range(5)}
    values = RelevanceEvaluator(judged, {"ndcg_cut_5"}).evaluate(ranked).values()
    mean = np.mean([value["ndcg_cut_5"] for value in values])
    assert result(task)["scores"][0]["main_score"] == pytest.approx(mean)
    assert f"{100 * mean:.2f}" in done.stdout


def test_a_second_evaluation_takes_all_vectors_from_the_store(models, task, capsys):
    def kept():
        return {path: path.stat().st_mtime_ns for path in task.parent.rglob("*.safetensors")}

    assert main(call(task, models["text"])) == 0
    first = kept()
    assert len(first) == 2
    assert main(call(task, models["text"], "again")) == 0
    assert kept() == first
    assert result(task, "again")["scores"][0]["metrics"] == result(task)["scores"][0]["metrics"]


def test_models_on_the_hub_are_pinned_and_what_is_wrong_is_one_line_each(models, task, hub):
    commit = hub.add("models/org/text", models["text"])
    hub.add("models/org/gated", models["text"], "gated")
    hub.add("models/sentence-transformers/text", models["text"])
    empty = damaged(models["multi"], "empty")
    names = ["org/text", "org/nothing", f"org/text@{'0' * 40}", "org/gated", "org/a--b", empty]
    home = task.parent / "home"
    done = run_several(home, hub.url, [*[call(task, name) for name in names], call(task, "text", "bare")])
    assert "codes [0, 4, 4, 4, 4, 4, 0]" in done.stdout
    assert result(task, "bare")["model"]["name"] == "sentence-transformers/text"
    lines = [line for line in done.stderr.splitlines() if line.startswith("error[")]
    assert [line[6:11] for line in lines] == ["JV402", "JV402", "JV403", "JV402", "JV441"]
    assert "Traceback" not in done.stderr
    hub.requests.clear()
    offline = run(home, hub.url, *call(task, f"org/text@{commit}", "offline"), "--offline")
    assert (offline.returncode, hub.requests) == (0, [])
    online, offline = result(task), result(task, "offline")
    assert online["model"] == offline["model"]
    assert (online["model"]["name"], online["model"]["revision"]) == ("org/text", commit)
    assert online["scores"][0]["metrics"] == offline["scores"][0]["metrics"]


@pytest.mark.parametrize("package", ["sentence_transformers", "torch"])
def test_without_the_extra_the_command_that_installs_it_is_named(models, task, package):
    done = run_several(task.parent, "http://127.0.0.1:9", [call(task, models["text"])], missing=package)
    assert done.stdout.strip() == "codes [2]"
    assert done.stderr.splitlines() == [
        f'error[JV102] {package} is not installed; run: pip install "jina-vdr[models]"'
    ]
