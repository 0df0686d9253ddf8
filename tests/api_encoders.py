"""Encoders of the tests' embedding APIs, what they are asked to encode, and the vectors they must give."""

import numpy as np
from PIL import Image

from jina_vdr.encoders.api.cohere import Cohere
from jina_vdr.encoders.api.jina import Jina
from jina_vdr.encoders.api.openai import OpenAI
from jina_vdr.encoders.api.pause import Patience
from jina_vdr.encoders.api.vllm import VLLM
from jina_vdr.encoders.api.voyage import Voyage
from jina_vdr.encoders.base import gather
from jina_vdr.errors import DataError
from jina_vdr.model import ModelSpec, Options
from jina_vdr.records import Page
from tests.api_vectors import image_content, multi, single, text_content

CLASSES = {"openai": OpenAI, "vllm": VLLM, "jina": Jina, "cohere": Cohere, "voyage": Voyage}
MODELS = {
    "openai": "text-embedding-3-small",
    "vllm": "org/model",
    "jina": "jina-embeddings-v4",
    "cohere": "embed-v4.0",
    "voyage": "voyage-multimodal-3.5",
}


QUICK = Patience(tries=4, first=0.001, longest=0.004, granted=5, answer=5)


TEXTS = [f"Frage {i}, Wort" for i in range(10)]


def encoder(api, provider, model="", patience=QUICK, known=None, **options):
    options = {"base_url": api.base(provider), "batch_size": 2, **options}
    spec = ModelSpec(provider, model or MODELS[provider], options=Options(**options), known=known)
    return CLASSES[provider](spec, patience)


def picture(i):
    """Return an image of which no pixel is like its neighbours: any loss changes it."""
    return Image.fromarray(np.random.default_rng(i).integers(0, 256, (30 + i, 20, 3), np.uint8), "RGB")


def page(i, text=None, image=None):
    return Page(f"p{i}", str(i), image and (lambda: image), lambda: text)


def pages(n=7):
    return [page(i, f"Text {i}", picture(i)) for i in range(n)]


def items(parts):
    embeddings = gather(parts)
    return np.split(embeddings.values, embeddings.offsets[1:-1])


def until_error(parts):
    """Return the positions of what came before the error, and the error."""
    kept = []
    try:
        for part in parts:
            kept += part.positions
    except DataError as error:
        return kept, error
    raise AssertionError(f"no error after {kept}")


def same(found, wanted):
    assert len(found) == len(wanted)
    for rows, expected in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(rows, np.atleast_2d(expected).astype(rows.dtype))


FAMILIES = {
    "openai": ({}, ""),
    "openai prompts": ({"query_prompt": "q: ", "document_prompt": "d: "}, ""),
    "openai cut": ({"truncate_dim": 8}, ""),
    "vllm": ({"document_prompt": "Describe."}, ""),
    "vllm multi": ({"vector_type": "multi", "query_prompt": "Query: ", "document_prompt": "Describe."}, ""),
    "vllm text": ({"document_input": "text", "document_prompt": "d: "}, ""),
    "vllm cut": ({"truncate_dim": 8}, ""),
    "jina": ({}, ""),
    "jina multi": ({"vector_type": "multi"}, ""),
    "jina cut": ({"truncate_dim": 8}, ""),
    "jina text": ({}, "jina-embeddings-v3"),
    "jina adapter": ({"adapter": "text-matching"}, ""),
    "jina clip": ({}, "jina-clip-v2"),
    "cohere": ({}, ""),
    "cohere third": ({}, "embed-multilingual-v3.0"),
    "cohere cut": ({"truncate_dim": 8}, ""),
    "cohere text": ({"document_input": "text"}, ""),
    "voyage": ({}, ""),
    "voyage cut": ({"truncate_dim": 8}, ""),
    "voyage text": ({}, "voyage-3.5"),
}


def wanted(name, texts, shown):
    """Return the vectors that the provider's documentation promises for queries and pages."""
    provider, _, variant = name.partition(" ")
    options, _ = FAMILIES[name]
    query, document = {
        "openai": ("", ""),
        "vllm": ("plain", "chat") if variant == "multi" else ("chat", "chat"),
        "jina": ("retrieval.query", "retrieval.passage"),
        "cohere": ("search_query", "search_document"),
        "voyage": ("query", "document"),
    }[provider]
    if variant == "text" and provider == "vllm":
        query = document = "plain"
    if variant == "adapter":
        query = document = "text-matching"
    if variant == "clip":
        query = document = ""
    if variant == "third":
        document = "image"
    vector = multi if variant == "multi" else lambda *given: single(*given, options.get("truncate_dim", 16))
    before = {side: options.get(f"{side}_prompt", "") for side in ("query", "document")}
    queries = [vector(text_content(before["query"] + text), query) for text in texts]
    if provider == "openai" or variant == "text":
        contents = [text_content(before["document"] + p.read_text()) for p in shown]
    else:
        contents = [image_content(p.open_image(), before["document"]) for p in shown]
    return queries, [vector(content, document) for content in contents]
