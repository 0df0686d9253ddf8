"""The words that task files may use: types, domains, document formats, query kinds, metrics, and names."""

TYPES = ("VisualDocumentRetrieval", "VisualSTS", "Retrieval", "STS")

PAIR_TYPES = ("VisualSTS", "STS")
"""Types whose data are pairs with a human score, not queries and pages."""

DOMAINS = (
    "Academic",
    "Demographics",
    "Education",
    "Encyclopaedic",
    "Energy",
    "Engineering",
    "Environment",
    "Finance",
    "Government",
    "Historic",
    "Housing",
    "Legal",
    "Manuals",
    "Marketing",
    "Medical",
    "Mixed",
    "News",
    "Programming",
    "Science",
    "Social",
    "Software",
    "Web",
)

DOCUMENT_FORMATS = (
    "catalogs",
    "charts",
    "digital-docs",
    "forms",
    "handwriting",
    "illustrations",
    "maps",
    "markdown-docs",
    "mixed",
    "rendered-text",
    "scans",
    "slides",
    "tables",
)

QUERY_FORMATS = ("question", "keyword", "key-phrase", "description", "fact", "instruction")

CUTOFFS = (1, 3, 5, 10, 20, 100)
TREC_EVAL_NAMES = {
    "ndcg": "ndcg_cut",
    "map": "map_cut",
    "recall": "recall",
    "precision": "P",
    "mrr": "recip_rank",
}
RETRIEVAL_METRICS = tuple(f"{kind}_at_{k}" for kind in TREC_EVAL_NAMES for k in CUTOFFS)
PAIR_METRICS = ("cosine_spearman", "cosine_pearson")

FILE_NAME = r"[A-Za-z0-9][A-Za-z0-9._()-]{0,99}"
"""What a task, subset or split may be called: these also name files, and nothing in them leads elsewhere."""


def display_name(metric: str) -> str:
    """Return the name of a metric on screen: `ndcg_at_5` -> `nDCG@5`."""
    kind, at, k = metric.partition("_at_")
    names = {"ndcg": "nDCG", "map": "MAP", "mrr": "MRR", "recall": "Recall", "precision": "P"}
    pairs = {"cosine_spearman": "Spearman", "cosine_pearson": "Pearson"}
    return f"{names[kind]}@{k}" if at else pairs.get(metric, metric)
