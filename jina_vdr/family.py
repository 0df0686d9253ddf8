"""The kinds of model: where the code of each is, which options reach it, what stands behind its prefix."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """A kind of model. `argument` is what follows the prefix: NAME is a checkpoint, which has revisions.

    `is_encoder`: whether it gives vectors; what does not ranks pages in its own way. `gives_both`: whether
    one pass gives single and multi-vectors.
    """

    target: str
    about: str
    options: frozenset[str] = frozenset()
    argument: str = ""
    extra: str = ""
    is_encoder: bool = True
    gives_both: bool = False


_LOCAL = frozenset({"device", "batch_size", "dtype", "similarity", "query_prompt", "document_prompt"})
_VISION = _LOCAL | {"attention", "image_backend", "document_input", "max_pixels", "truncate_dim"}
_SCORED = frozenset({"truncate_dim", "similarity"})
_HTTP = frozenset({"batch_size", "base_url", "concurrency", "document_input", "max_pixels"})

FAMILIES = {
    "bm25": Family(
        "jina_vdr.lexical:bm25",
        "BM25 over the text of pages (text column, PDF text, else OCR)",
        is_encoder=False,
    ),
    "tesseract": Family(
        "jina_vdr.lexical:tesseract", "BM25 over what Tesseract reads in the page images", is_encoder=False
    ),
    "fake": Family(
        "jina_vdr.encoders.fake:Fake",
        "hashed words instead of a model: for tests and docs",
        frozenset({"vector_type", "truncate_dim", "similarity"}),
    ),
    "precomputed": Family(
        "jina_vdr.precomputed:Precomputed",
        "vectors that lie in a folder as parquet",
        frozenset({"similarity"}),
        argument="DIR",
        is_encoder=False,
    ),
    "st": Family(
        "jina_vdr.encoders.sentence_transformers:SentenceTransformers",
        "any sentence-transformers model, single- or multi-vector",
        _LOCAL | {"truncate_dim", "attention", "document_input", "max_pixels", "trust_remote_code"},
        argument="NAME",
        extra="models",
    ),
    "hf": Family(
        "jina_vdr.encoders.transformers_models:transformers_model",
        "a checkpoint of transformers' own: ColPali and its like, CLIP and its like, Qwen-VL embedders",
        _VISION | {"vector_type"},
        argument="NAME",
        extra="models",
    ),
    "plug": Family(
        "jina_vdr.encoders.plug:Plug",
        "a class of yours, in a Python file or an installed package",
        _VISION | {"vector_type", "adapter", "trust_remote_code", "base_url", "concurrency"},
        argument="FILE.py:CLASS",
    ),
    "jina-v4": Family(
        "jina_vdr.encoders.jina_v4:JinaV4",
        "jina-embeddings-v4, without its remote code",
        _VISION | {"vector_type", "adapter"},
        argument="NAME",
        extra="models",
        gives_both=True,
    ),
    "colpali-engine": Family(
        "jina_vdr.encoders.colpali_engine:ColPaliEngine",
        "models of colpali_engine: ColQwen2.5, ColQwen3, ColSmol, BiQwen2, ...; adapters over a base",
        _VISION | {"vector_type"},
        argument="NAME",
        extra="colpali",
    ),
    "mteb": Family(
        "jina_vdr.encoders.mteb_wrapper:Mteb",
        "any model of MTEB's registry, through MTEB's own wrapper",
        frozenset({"device", "batch_size", "similarity", "document_input", "trust_remote_code"}),
        argument="NAME",
        extra="mteb",
    ),
    "remote": Family(
        "jina_vdr.encoders.remote_code:RemoteCode",
        "a checkpoint that brings code with encode_text and encode_image",
        (_VISION - {"image_backend", "query_prompt", "document_prompt"})
        | {"vector_type", "adapter", "trust_remote_code"},
        argument="NAME",
        extra="models",
    ),
    "openai": Family(
        "jina_vdr.encoders.api.openai:OpenAI",
        "texts through OpenAI's API, or a server that speaks it",
        (_HTTP - {"document_input", "max_pixels"}) | {*_SCORED, "query_prompt", "document_prompt"},
        argument="MODEL",
    ),
    "vllm": Family(
        "jina_vdr.encoders.api.vllm:VLLM",
        "a model on a vLLM server, single- or multi-vector",
        _HTTP | {*_SCORED, "vector_type", "query_prompt", "document_prompt"},
        argument="MODEL",
    ),
    "jina": Family(
        "jina_vdr.encoders.api.jina:Jina",
        "Jina's API, single- or multi-vector",
        _HTTP | {*_SCORED, "vector_type", "adapter"},
        argument="MODEL",
    ),
    "cohere": Family(
        "jina_vdr.encoders.api.cohere:Cohere", "Cohere's API", _HTTP | _SCORED, argument="MODEL"
    ),
    "voyage": Family(
        "jina_vdr.encoders.api.voyage:Voyage", "Voyage's API", _HTTP | _SCORED, argument="MODEL"
    ),
}

RERANKERS = {
    "cross-encoder": Family(
        "jina_vdr.rerankers.cross_encoder:CrossEncoders",
        "any cross-encoder of sentence-transformers",
        frozenset({"device", "batch_size", "dtype", "attention", "max_pixels", "document_input"})
        | {"query_prompt", "trust_remote_code"},
        argument="NAME",
        extra="models",
        is_encoder=False,
    ),
    "remote-rerank": Family(
        "jina_vdr.rerankers.remote:remote_reranker",
        "a checkpoint that brings code with compute_score, or rerank",
        frozenset({"device", "batch_size", "dtype", "attention", "document_input", "trust_remote_code"}),
        argument="NAME",
        extra="models",
        is_encoder=False,
    ),
    "jina-rerank": Family("jina_vdr.rerankers.api:Jina", "Jina's reranker API", _HTTP, "MODEL", "", False),
    "cohere-rerank": Family("jina_vdr.rerankers.api:Cohere", "Cohere's", _HTTP, "MODEL", "", False),
    "voyage-rerank": Family("jina_vdr.rerankers.api:Voyage", "Voyage's", _HTTP, "MODEL", "", False),
}
"""What scores a query and a page together: `--rerank` takes them, `--model` does not."""


def flag(option: str) -> str:
    """Return how an option is written on the command line."""
    return "--" + option.replace("_", "-")
