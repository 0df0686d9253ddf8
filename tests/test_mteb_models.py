"""Models of MTEB's registry: what MTEB's own wrappers give, without the padding."""

import json
from functools import partial
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from pytrec_eval import RelevanceEvaluator

from jina_vdr.cli import main
from jina_vdr.encoders.base import gather
from jina_vdr.encoders.sentence_transformers import SentenceTransformers
from jina_vdr.errors import DataError, OutOfMemory, UsageError
from jina_vdr.model import Options, parse_model
from jina_vdr.ranking import best
from jina_vdr.records import Page
from jina_vdr.similarity import score_blocks
from tests import checkpoints
from tests.checkpoints import starve
from tests.replicas import beir, images, png, task_file

TEXTS = ["Wie hoch?", "zwei", "Frage 1 von 12, mit vielen Wörtern", "a", "1.234,5 kg", "Ende der Liste."]
PAGES = [png(4000 * i) for i in range(6)]
RANDOM = "mteb/baseline-random-encoder"


@pytest.fixture(scope="module")
def registered(mteb, tmp_path_factory):
    """Give a function that adds a wrapper to MTEB's registry, for a checkpoint on disk; it returns the name.

    MTEB wants torchvision for all models with images but its baselines, whatever their wrapper uses.
    """
    from mteb.models.model_implementations import MODEL_REGISTRY
    from mteb.models.model_meta import ModelMeta, ScoringFunction

    def register(label, loader, modalities=("text", "image"), similarity="cosine", **said):
        name = f"mteb/baseline-{label}"
        fields = {"name": name, "loader": loader, "revision": "1", "modalities": list(modalities), **said}
        fields["similarity_fn_name"] = ScoringFunction(similarity)
        MODEL_REGISTRY[name] = ModelMeta.create_empty(overwrites=fields)
        return name

    before = set(MODEL_REGISTRY)
    yield register
    for name in set(MODEL_REGISTRY) - before:
        del MODEL_REGISTRY[name]


@pytest.fixture(scope="module")
def models(registered, tmp_path_factory):
    """Register MTEB's wrappers over tiny checkpoints; return where these lie."""
    from mteb.models.model_implementations.clip_models import CLIPModel
    from mteb.models.sentence_transformer_wrapper import MultiVectorWrapper, SentenceTransformerEncoderWrapper

    root = tmp_path_factory.mktemp("models")
    image = checkpoints.image_model(root / "image")
    multi = checkpoints.multi_vector_model(root / "multi")
    late = {"model_type": ["late-interaction"], "similarity": "MaxSim", "modalities": ["text"]}
    registered("clip", partial(wrapped, CLIPModel, image))
    registered("st", partial(wrapped, SentenceTransformerEncoderWrapper, image))
    registered("multi", partial(wrapped, MultiVectorWrapper, multi), **late)
    registered("padded", partial(wrapped, padding(MultiVectorWrapper), multi), **late)
    return {"image": image, "multi": multi}


def wrapped(wrapper, folder, _name, revision=None, device=None, **arguments):
    """Return an MTEB wrapper of the checkpoint in a folder."""
    return wrapper(str(folder), revision=None, device=device, **arguments)


def padding(wrapper):
    """Return a wrapper that gives one array, as most do: masked on the left, padded on the right."""

    class Padded(wrapper):
        def encode(self, inputs, **arguments):
            rows = [torch.nn.functional.pad(item, (0, 0, 2, 0)) for item in self._encode(inputs, **arguments)]
            return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)

    return Padded


class Given:
    """A wrapper that gives what stands in `vectors` for each item."""

    def __init__(self, name, revision=None, vectors=None, **arguments):
        self.vectors = vectors

    def encode(self, inputs, *, task_metadata, hf_split, hf_subset, prompt_type=None, **arguments):
        found = [self.vectors[item] for batch in inputs for item in batch["text"]]
        return torch.nn.utils.rnn.pad_sequence([torch.tensor(rows) for rows in found], batch_first=True)


class Empty(Given):
    def encode(self, inputs, **arguments):
        return torch.zeros(0, 4)


def encoder(label, **options):
    from jina_vdr.encoders.mteb_wrapper import Mteb

    name = label if "/" in label else f"mteb/baseline-{label}"
    return Mteb(parse_model(f"mteb:{name}", Options(**options)))


def native(folder):
    return SentenceTransformers(parse_model(f"st:{folder}", Options(device="cpu")))


def page(number, text=None, image=None):
    return Page(str(number), str(number), image and (lambda: image), lambda: text)


def picture(shade):
    return Image.new("RGB", (40, 60), (shade * 60 % 256, 90, 9))


def items(embeddings):
    return np.split(embeddings.values, embeddings.offsets[1:-1])


def close(found, wanted, tolerance):
    np.testing.assert_allclose(np.asarray(found, np.float64), np.asarray(wanted), rtol=0, atol=tolerance)


@pytest.mark.parametrize("label", ["clip", "st"])
def test_a_wrapper_gives_the_vectors_of_our_own_route(models, label):
    ours, theirs = native(models["image"]), encoder(label, device="cpu", batch_size=4)
    pages = [page(i, "Text", picture(i)) for i in range(70)] + [page(70, "nur Text")]
    close(gather(theirs.encode_queries(TEXTS)).values, gather(ours.encode_queries(TEXTS)).values, 1e-4)
    parts = list(theirs.encode_documents(pages))
    close(gather(parts).values, gather(ours.encode_documents(pages)).values, 1e-4)
    assert [len(part.positions) for part in parts] == [64, 6, 1]
    assert (theirs.info.vector_type, theirs.info.similarity) == ("single", "cosine")


@pytest.mark.parametrize("label", ["multi", "padded"])
def test_rows_of_late_interaction_are_those_of_our_own_route_without_padding(models, label):
    ours, theirs = native(models["multi"]), encoder(label)
    for side in ("encode_queries", "encode_documents"):
        given = TEXTS if side == "encode_queries" else [page(i, text) for i, text in enumerate(TEXTS)]
        wanted = items(gather(getattr(ours, side)(given)))
        found = items(gather(getattr(theirs, side)(given)))
        assert [len(rows) for rows in found] == [len(rows) for rows in wanted]
        for rows, right in zip(found, wanted, strict=True):
            close(rows, right, 1e-3)
            assert rows.dtype == np.float16
    assert (theirs.info.vector_type, theirs.info.similarity) == ("multi", "maxsim")
    assert theirs.document_input == "text"


def test_one_item_keeps_its_rows(models):
    (found,) = items(gather(encoder("padded").encode_queries(["a"])))
    assert found.shape == (6, 8)  # [CLS] [ Q ] a [SEP]


def test_padding_does_not_win_where_all_products_are_negative(registered, mteb):
    vectors = {
        "Frage": [[1.0, 0.0]],
        "far": [[-1.0, 0.0]],
        "near": [[-0.5, 0.0], [-0.6, 0.0], [-0.7, 0.0]],
        "zero": [[-0.8, 0.0], [0.0, 0.0]],
        "nothing": [[0.0, 0.0]],
    }
    late = {"model_type": ["late-interaction"], "similarity": "MaxSim", "modalities": ["text"]}
    name = registered("negative", Given, loader_kwargs={"vectors": vectors}, **late)
    ids = ["far", "near", "zero", "nothing"]
    ours = encoder(name)
    queries, pages = (
        gather(ours.encode_queries(["Frage"])),
        gather(ours.encode_documents([page(i, i) for i in ids])),
    )
    ((_, scores),) = score_blocks(queries, pages, "maxsim")
    assert np.diff(pages.offsets).tolist() == [1, 3, 1, 1]
    close(scores[0], [-1, -0.5, -0.8, 0], 1e-3)
    assert best(scores[0], ids, 4).ids == ("nothing", "near", "zero", "far")
    padded = torch.nn.utils.rnn.pad_sequence([torch.tensor(vectors[i]) for i in ids], batch_first=True)
    close(mteb.similarity_functions.max_sim(torch.tensor([vectors["Frage"]]), padded)[0], [0, -0.5, 0, 0], 0)


def test_a_text_that_looks_like_an_image_is_encoded_as_text(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture(1).save("page.png")
    texts = ["page.png", "https://example.com/page.png", "Text"]
    found = gather(encoder("st").encode_queries(texts)).values
    close(found, checkpoints.clip_text_vectors(models["image"], texts), 1e-4)


def test_the_baselines_of_mteb_run_with_images_and_texts(mteb):
    pages = [page(0, None, picture(0)), page(1, "Text"), page(2, None, picture(2))]
    single, multi = encoder(RANDOM), encoder("mteb/baseline-random-colbert")
    assert gather(single.encode_documents(pages)).values.shape == (3, 32)
    assert np.diff(gather(multi.encode_documents(pages)).offsets).tolist() == [8, 8, 8]
    assert single.document_input == "image"
    assert encoder(RANDOM, document_input="ocr").document_input == "text"


def evaluated(tmp_path, model, *options):
    folders = ["--results", str(tmp_path / "results"), "--cache", str(tmp_path / "cache")]
    assert main(["eval", "--model", f"mteb:{model}", *options, *folders]) == 0
    return [json.loads(path.read_text()) for path in sorted((tmp_path / "results").glob("*/*/*.json"))]


def test_an_evaluation_gives_what_trec_eval_makes_of_the_wrappers_own_scores(models, tmp_path, mteb):
    beir(tmp_path / "data/default", n_pages=6, n_queries=5, corpus={"image": images(PAGES)})
    (result,) = evaluated(tmp_path, "mteb/baseline-clip", "--task", str(task_file(tmp_path, {})))
    clip = mteb.get_model("mteb/baseline-clip")
    queries = clip.get_text_embeddings([{"text": [f"Frage {i}" for i in range(5)]}])
    pages = clip.get_image_embeddings([{"image": [Image.open(BytesIO(data)) for data in PAGES]}])
    scores = clip.similarity(queries, pages).tolist()
    ranked = {str(q): {str(p): score for p, score in enumerate(row)} for q, row in enumerate(scores)}
    judged = {str(q): {str(q): 1, str(q + 1): 2} for q in range(5)}
    values = RelevanceEvaluator(judged, {"ndcg_cut_5"}).evaluate(ranked).values()
    wanted = np.mean([value["ndcg_cut_5"] for value in values])
    assert result["scores"][0]["main_score"] == pytest.approx(wanted)


def test_the_demo_benchmark_runs_without_the_bars_of_the_wrapper(mteb, tmp_path, capsys):
    results = evaluated(tmp_path, RANDOM, "--benchmark", "demo", "--language", "deu", "--limit", "3")
    assert {(result["model"]["name"], result["model"]["revision"]) for result in results} == {(RANDOM, "2")}
    assert {result["task"]["type"] for result in results} == {"VisualDocumentRetrieval", "VisualSTS"}
    assert "Encoding" not in capsys.readouterr().err


def test_what_a_wrapper_is_given_is_in_the_settings(registered, mteb):
    from mteb.types import OutputDType

    given = {"torch_dtype": OutputDType.FLOAT16, "vectors": {"a": [1.0]}, "instruction": evaluated}
    name = registered("given", partial(Given, fps=2), loader_kwargs=given)
    info = encoder(name).info
    said = {"fps": 2, "torch_dtype": "float16", "vectors": {"a": [1.0]}, "instruction": "evaluated"}
    assert (info.settings["loader"], info.settings["arguments"]) == ("Given", said)
    assert info.settings["prompts"] == mteb.get_task("JinaVDRDocQAAI").metadata.prompt
    assert info.settings["versions"]["mteb"] == mteb.__version__
    assert encoder(f"{name}@abc").info.revision == "abc"
    assert encoder(name, similarity="dot").info.similarity == "dot"


def test_where_memory_runs_out_batches_are_halved_and_stay_so(models):
    ours = encoder("multi", batch_size=100)
    wanted = gather(ours.encode_queries(TEXTS)).values
    sizes = starve(ours._model.model, fits=2)
    close(gather(ours.encode_queries(TEXTS)).values, wanted, 2e-3)
    gather(ours.encode_queries(TEXTS))
    assert sizes == [6, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]


def test_one_item_that_does_not_fit_ends_the_run(models):
    ours = encoder("multi")
    starve(ours._model.model, fits=0)
    with pytest.raises(OutOfMemory, match="one item a batch"):
        gather(ours.encode_queries(TEXTS))


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("mteb/baseline-random-encoders", "JV107", "did you mean 'mteb/baseline-random-encoder'?"),
        ("mteb/baseline-random-cross-encoder", "JV135", "--rerank"),
        ("mteb/baseline-bm25s", "JV135", "bm25"),
        ("facebook/dinov2-base", "JV135", "takes image and no text"),
        ("yibinlei/LENS-d4000", "JV135", "results only"),
        (
            "jinaai/jina-embeddings-v4",
            "JV143",
            "4a58ca57710c49f51896e4bc820e202fbf64904b; read it",
        ),
        ("jinaai/jina-clip-v2", "JV143", "--trust-remote-code"),
        ("openai/clip-vit-base-patch32", "JV102", "torchvision>0.2.1"),
    ],
)
def test_a_model_that_cannot_run_is_refused_before_anything_is_loaded(complains, mteb, name, code, words):
    complains(
        ["eval", "--model", f"mteb:{name}", "--benchmark", "demo", "--language", "deu"], code, name, words
    )


def test_a_pin_that_does_not_hold_is_said_in_the_words_of_mteb(mteb):
    with pytest.raises(
        UsageError, match=r"transformers<5.0.0,>=4.52.0; .*\(installed: 5.*mteb\[jina-v4,image"
    ):
        encoder("jinaai/jina-embeddings-v4", trust_remote_code=True)


@pytest.mark.parametrize(
    ("label", "loader", "said"),
    [
        ("empty", Empty, "gave 0 vectors for 1 items"),
        ("flat", partial(Given, vectors={"a": [[1.0], [2.0]]}), r"gave \(2, 1\) for an item"),
    ],
)
def test_another_number_or_shape_than_asked_for_is_an_error(registered, label, loader, said):
    with pytest.raises(DataError, match=said) as refused:
        gather(encoder(registered(label, loader)).encode_queries(["a"]))
    assert refused.value.code == "JV456"


def test_what_a_wrapper_lacks_when_it_loads_is_one_line(registered):
    def loader(name, **arguments):
        import no_such_package  # noqa: F401

    def damaged(name, **arguments):
        raise OSError("no weights\nhere")

    with pytest.raises(UsageError, match=r"JV102.*baseline-lacking needs.*no_such_package"):
        gather(encoder(registered("lacking", loader)).encode_queries(["a"]))
    with pytest.raises(DataError, match=r"JV441.*no weights$"):
        gather(encoder(registered("damaged", damaged)).encode_queries(["a"]))
