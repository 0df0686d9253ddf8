"""The words that task files may use: types, domains, document formats, query kinds."""

TYPES = ("VisualDocumentRetrieval", "VisualSTS", "Retrieval")

DOMAINS = (
    "Academic",
    "Demographics",
    "Education",
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
