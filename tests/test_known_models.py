"""The models known by name: their files, what MTEB's registry says of the same models, list and card."""

import json
import re
from pathlib import Path

import pytest
import yaml

from jina_vdr.cli import main
from jina_vdr.errors import InvalidFile
from jina_vdr.family import FAMILIES
from jina_vdr.modelfile import FOLDER, ModelFile, all_models, find_model, load_model, read_models
from jina_vdr.similarity import LATE_INTERACTION, check_similarity
from jina_vdr.specfile import InvalidSpec
from tests.spec_files import SmallFile

DOCS = Path(__file__).parent.parent / "docs"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LINES = {
    "name": "name: org/mine",
    "family": "family: st",
    "revision": f"revision: {COMMIT}",
    "vector_types": "vector_types: [single]",
}

PUBLISHED = {
    "colpali-v1.2": "vidore/colpali-v1.2",
    "dse-qwen2-2b-mrl-v1": "MrLight/dse-qwen2-2b-mrl-v1",
    "jinaai/jina-clip-v1": "jinaai/jina-clip-v1",
    "jinaai/jina-clip-v2": "jinaai/jina-clip-v2",
    "jinaai/jina-embeddings-v4": "jinaai/jina-embeddings-v4",
    "jinaai/jina-embeddings-v5-omni-nano": "jinaai/jina-embeddings-v5-omni-nano",
    "jinaai/jina-embeddings-v5-omni-small": "jinaai/jina-embeddings-v5-omni-small",
    "siglip-so400m-patch14-384": "google/siglip-so400m-patch14-384",
    "vidore/colpali-v1.2": "vidore/colpali-v1.2",
    "vidore/colpali-v1.3": "vidore/colpali-v1.3",
    "vidore/colqwen2-v1.0": "vidore/colqwen2-v1.0",
    "vidore/colqwen2.5-v0.2": "vidore/colqwen2.5-v0.2",
    "voyage-multimodal-3": "voyage-multimodal-3",
    "voyageai/voyage-multimodal-3": "voyage-multimodal-3",
}
"""How papers and result files call models of JinaVDR and ViDoRe, but for lexical ones -> our name."""

OTHERWISE = {
    ("llamaindex/vdr-2b-multi-v1", "modalities"): "MTEB's wrapper does not pass images yet",
    ("llamaindex/vdr-2b-multi-v1", "training_sets"): "MTEB has the letters of one name as a set",
    ("nomic-ai/nomic-embed-multimodal-3b", "dimensions"): "the hidden size of Qwen2.5-VL-3B, not projected",
    ("nomic-ai/nomic-embed-multimodal-7b", "dimensions"): "the hidden size of Qwen2.5-VL-7B, not projected",
    ("voyage-multimodal-3", "license"): "the licence of its tokenizer",
    ("voyage-multimodal-3", "max_tokens"): "the provider says 32,000",
}
"""What a file says otherwise than MTEB's registry, and why."""

FILE = SmallFile("model.yaml", LINES, load_model)
write, refused = FILE.write, FILE.refused


@pytest.fixture
def said(capsys):
    """Run a command; return what it prints, and complains of, with its exit code."""

    def run(*arguments):
        code = main(["models", *arguments])
        return code, *capsys.readouterr()

    return run


def test_each_file_is_named_after_its_model():
    models = {path.stem: load_model(path).name for path in FOLDER.iterdir()}
    assert models == {name.replace("/", "__"): name for name in all_models()}
    assert len(models) >= 40


def test_each_known_model_is_run_by_a_family_that_takes_what_its_file_sets():
    for model in all_models().values():
        takes = FAMILIES[model.family].options
        prompts = {f"{side}_prompt": text for side, text in model.prompts}
        code = {"trust_remote_code": model.remote_code or None}
        sets = {"dtype": model.dtype, "max_pixels": model.max_pixels, **prompts, **code}
        assert {name for name, value in sets.items() if value is not None} <= takes, model.name


def test_each_known_model_can_be_scored():
    for model in all_models().values():
        for vector_type in model.vector_types:
            check_similarity(vector_type, getattr(model.similarity, vector_type))
        assert ("multi" in model.vector_types) == bool(LATE_INTERACTION & {model.similarity.multi})


def test_what_is_loaded_is_one_commit_of_one_repository():
    for model in all_models().values():
        repository, commit = model.source
        if model.open_weights:
            assert re.fullmatch(r"[\w.-]+/[\w.-]+", repository)
            assert re.fullmatch("[0-9a-f]{40}", commit)
        else:
            assert (repository, commit) == (model.name, None)
    copy = "7d3c8ab1c1908b32d701308fb1dfb2968d150c67"
    assert all_models()["vidore/colpali-v1.3"].source == ("vidore/colpali-v1.3-hf", copy)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_model_with_published_results_is_known_by_the_name_it_has_there(name):
    assert find_model(name).name == PUBLISHED[name]


def test_a_name_is_found_in_any_case_and_an_unknown_one_is_not():
    assert find_model("JinaAI/Jina-Embeddings-V4") is all_models()["jinaai/jina-embeddings-v4"]
    assert find_model("OpenAI/text-embedding-3-small") is all_models()["text-embedding-3-small"]
    assert find_model("jinaai/jina-embeddings") is None


def test_models_are_sorted_by_name_whatever_the_case():
    names = list(all_models())
    assert names == sorted(names, key=str.casefold)


@pytest.fixture(scope="module")
def registry(mteb):
    """Return MTEB's registry by name."""
    return {meta.name: meta for meta in mteb.get_model_metas()}


def as_file(meta):
    """Return what the registry says of a model, as a file of ours would."""
    sizes = meta.embed_dim if isinstance(meta.embed_dim, list | tuple) else [meta.embed_dim]
    trained = meta.training_datasets
    return {
        "revision": meta.revision if meta.open_weights else None,
        "license": meta.license or "",
        "parameters": meta.n_parameters,
        "training_sets": None if trained is None else sorted(trained),
        "open_weights": meta.open_weights,
        "max_tokens": int(meta.max_tokens) if meta.max_tokens else None,
        "modalities": [name for name in ("text", "image") if name in meta.modalities],
        "dimensions": ("multi" if "late-interaction" in meta.model_type else "single", max(sizes)),
    }


def differing(model, theirs):
    """Return the fields in which a file says otherwise than the registry."""
    ours = model.model_dump()
    ours["dimensions"] = (theirs["dimensions"][0], ours["dimensions"][theirs["dimensions"][0]])
    return {field for field in theirs if ours[field] != theirs[field]}


def test_files_say_what_mteb_says_but_for_what_is_wrong_there(registry):
    found, compared = set(), 0
    for model in all_models().values():
        for name in {model.name, *model.aliases} & registry.keys():
            found |= {(model.name, field) for field in differing(model, as_file(registry[name]))}
            compared += 1
    assert found == OTHERWISE.keys()
    assert compared >= 120


def test_every_model_that_mteb_knows_is_compared_with_it(registry):
    unknown = {m.name for m in all_models().values() if not {m.name, *m.aliases} & registry.keys()}
    assert unknown == {
        "MrLight/dse-qwen2-2b-mrl-v1",
        "jina-embeddings-v4",
        "vidore/colqwen2-v1.0-hf",
        "voyage-multimodal-3.5",
    }


def test_the_pixels_and_prompts_of_jina_embeddings_v4_are_those_of_its_own_code():
    model = all_models()["jinaai/jina-embeddings-v4"]
    assert (model.max_pixels, model.prompts.query, model.prompts.document) == (
        768 * 28 * 28,
        "Query: ",
        "Passage: ",
    )
    assert model.vector_types == ["single", "multi"]
    assert model.truncate_dims == [128, 256, 512, 1024, 2048]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("‸revison: x", "did you mean 'revision'?"),
        ("prompts: {‸qury: x}", "did you mean 'query'?"),
        ("similarity: {‸singel: dot}", "did you mean 'single'?"),
        ("price: {as_of: 2026-01, source: x, per_image: 1, ‸curency: EUR}", "did you mean 'currency'?"),
        ("‸wholly_unknown: 1", f"known: {', '.join(ModelFile.model_fields)}"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(tmp_path, line, hint):
    (problem,) = refused(tmp_path, line)
    assert (problem.code, problem.hint) == ("JV311", hint)


@pytest.mark.parametrize("key", ["name", "family", "vector_types"])
def test_what_is_required_is_named(tmp_path, key):
    path = tmp_path / "model.yaml"
    path.write_text("\n".join(line for name, line in LINES.items() if name != key))
    with pytest.raises(InvalidSpec, match=rf"model.yaml:1:1: error\[JV312\] '{key}' is missing; add {key}:"):
        load_model(path)


WRONG = [
    ("‸revision: main", "branches move: write the 40 hex digits"),
    (f"‸checkpoint: org/copy@{COMMIT[:7]}", "is not org/name@commit"),
    ("‸checkpoint: org/copy", "is not org/name@commit"),
    ("vector_types: [‸double]", "'double' is not one of 'single' or 'multi'"),
    ("‸vector_types: []", "must not be empty"),
    ("modalities: [‸video]", "'video' is not one of 'text' or 'image'"),
    ("similarity: {‸multi: maxsim}", "multi is none of the vector types: single"),
    ("dimensions: {‸multi: 128}", "multi is none of the vector types: single"),
    ("similarity: {‸single: maxsim}", "'maxsim' is not one of 'cosine' or 'dot'"),
    ("dimensions: {‸single: 0}", "greater than or equal to 1"),
    ("‸truncate_dims: [64]", "they cut single vectors"),
    ("‸dtype: bf16", "did you mean 'bfloat16'?"),
    ("‸max_pixels: 602,112", "'602,112' is not a whole number"),
    ("‸max_pixels: 0", "greater than or equal to 1"),
    ("prompts: {‸query: 5}", "put it in quotes"),
    ("‸training_sets: NQ", "'NQ' is not a list"),
    ("‸open_weights: false", "have neither revision nor checkpoint"),
    ("‸price: {source: x, as_of: 2026-01}", "say per_million_tokens, per_image, or both"),
    ("‸price: {source: x, as_of: 2026-01, per_image: 1}", "open weights have no price"),
    ("price: {source: x, ‸as_of: May 2026, per_image: 1}", "'May 2026' is not a date like 2026-07"),
    ("price: {source: x, as_of: 2026-01, ‸per_image: -1}", "greater than or equal to 0"),
    ("price: {source: x, as_of: 2026-01, ‸per_image: free}", "valid number"),
    ("‸note:", "it is empty; write text"),
]


@pytest.mark.parametrize(("line", "says"), WRONG, ids=[line for line, _ in WRONG])
def test_a_value_that_cannot_be_is_refused_at_its_place(tmp_path, line, says):
    assert says in str(refused(tmp_path, line)[0])


def test_weights_without_a_commit_are_refused(tmp_path):
    assert "weights need a revision" in str(refused(tmp_path, "revision:", "‸name: org/mine")[0])


def test_vectors_are_not_cut_to_more_than_they_have(tmp_path):
    lines = ["dimensions: {single: 512}", "truncate_dims: [64, 512]"]
    assert load_model(write(tmp_path, *lines)).truncate_dims == [64, 512]
    refused(tmp_path, lines[0], "‸truncate_dims: [64, 1024]")


@pytest.mark.parametrize(
    ("first", "second"),
    [("{}", "name: ORG/Mine"), ("{}", "aliases: [Org/mine]"), ("aliases: [a]", "aliases: [A]")],
)
def test_two_files_of_one_name_or_alias_are_refused(tmp_path, first, second):
    texts = {"a": {"name": "org/mine"}, "b": {"name": "org/other"}}
    for stem, line in (("a", first), ("b", second)):
        small = {"family": "st", "revision": COMMIT, "vector_types": ["single"], **texts[stem]}
        (tmp_path / f"{stem}.yaml").write_text(yaml.safe_dump({**small, **yaml.safe_load(line)}))
    with pytest.raises(InvalidFile, match=r"JV314.*a\.yaml and .*b\.yaml both define model '(org/mine|a)'"):
        read_models(tmp_path)


def test_the_list_has_one_row_a_model(said):
    code, out, err = said("list")
    rows = [re.split(r"\s{2,}", line.strip()) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert rows[0] == ["model", "family", "reads", "vectors", "parameters", "license"]
    assert [row[0] for row in rows[2:-2]] == list(all_models())
    v4 = ["jinaai/jina-embeddings-v4", "jina-v4", "text, image", "single 2048, multi 128", "3.9 B"]
    assert [*v4, "cc-by-nc-4.0"] in rows
    assert ["BAAI/bge-m3", "st", "text", "single 1024", "568 M", "mit"] in rows
    assert rows[-1] == [f"{len(all_models())} models"]


def test_the_list_holds_the_families_that_are_asked_for(said):
    records = json.loads(said("list", "--json", "--family", "voyage", "--family", "cohere")[1])
    assert [record["name"] for record in records] == [
        "embed-v4.0",
        "voyage-multimodal-3",
        "voyage-multimodal-3.5",
    ]
    assert {record["family"] for record in json.loads(said("list", "--json")[1])} > {"voyage", "cohere"}
    assert said("list", "--family", "cohere")[1].endswith("\n\n1 model\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["list", "--family", "voyag"], "error[JV112] no known model is of the family 'voyag'; did you mean"),
        (["list", "--family", "bm25"], "of the family 'bm25'; known: "),
        (["show", "jinaai/jina-embeddings-v"], "error[JV107] there is no known model 'jinaai/jina-embeddi"),
        (["show", "vidore/colpali-1.2"], "did you mean 'vidore/colpali-v1.2'?"),
        (["show", "voyageai/voyage-multimodal3"], "did you mean 'voyageai/voyage-multimodal-3'?"),
        (["show", "zzz"], "; jina-vdr models list shows all; others run by a prefix, as st:NAME"),
    ],
)
def test_what_is_not_known_is_a_usage_error_in_one_line(said, arguments, says):
    code, out, err = said(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


def test_the_card_says_all_that_the_file_says(said):
    card = said("show", "JINAAI/jina-embeddings-v4")[1].splitlines()
    assert card[0] == "jinaai/jina-embeddings-v4"
    for line in (
        "family:   jina-v4",
        "revision: 4a58ca57710c49f51896e4bc820e202fbf64904b",
        "vectors:  single, 2,048 dimensions, cosine; multi, 128 dimensions, maxsim",
        "cut to:   128, 256, 512, 1024, 2048",
        "pixels:   602,112 a page",
        'prompts:  query "Query: ", document "Passage: "',
        "size:     3,934,695,552 parameters",
        "license:  cc-by-nc-4.0",
    ):
        assert line in card
    assert card[-2:] == ["", "run:      jina-vdr eval --model jinaai/jina-embeddings-v4"]


def test_the_card_shows_what_a_prompt_has_at_its_end(said):
    card = said("show", "intfloat/multilingual-e5-large-instruct")[1]
    assert r'answer the query\nQuery: "' in card


def test_the_card_says_where_code_of_the_checkpoint_runs_and_what_it_needs(said):
    card = said("show", "jinaai/jina-clip-v2")[1]
    assert card.endswith("jina-vdr eval --model jinaai/jina-clip-v2 --trust-remote-code\n")
    assert re.search(r"^requires: .*transformers>=4.52.0,<5.0.0$", card, re.MULTILINE)


def test_the_card_of_a_service_says_what_it_asks_and_where_that_stands(said):
    card = said("show", "voyageai/voyage-multimodal-3")[1]
    price = (
        "0.12 USD a million tokens, 0.0012 USD an image at most (2024-12, https://docs.voyageai.com/pricing)"
    )
    assert f"price:    {price}\n" in card
    assert "revision:" not in card


def test_training_sets_that_are_not_known_are_not_taken_for_none(said):
    assert "trained:  not known\n" in said("show", "Qwen/Qwen3-VL-Embedding-2B")[1]
    assert "trained:  on nothing that MTEB names\n" in said("show", "voyage-multimodal-3")[1]
    assert "trained:  VidoreArxivQARetrieval, VidoreDocVQARetrieval, " in said("show", "colpali-v1.2")[1]


@pytest.mark.parametrize(
    "name", ["jinaai/jina-embeddings-v4", "voyage-multimodal-3", "vidore/colpali-v1.3", "jinaai/jina-clip-v1"]
)
def test_show_as_json_is_a_file_of_the_same_model(said, tmp_path, name):
    (tmp_path / "again.yaml").write_text(said("show", name, "--json")[1])
    assert load_model(tmp_path / "again.yaml") == all_models()[name]


def test_the_page_of_known_models_is_what_the_command_prints(said):
    page = said("list", "--markdown")[1]
    assert (DOCS / "known-models.md").read_text() == page
    assert all(page.count(f"| [{name}](") == 1 for name in all_models())
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert {row.count(" | ") for row in rows} == {5}


def test_a_price_names_the_page_that_says_it():
    priced = [model.price.source for model in all_models().values() if model.price]
    assert priced
    assert all(source.startswith("https://") for source in priced)
