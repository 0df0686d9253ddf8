"""The words that task files may use: types, domains, document formats, query kinds, and names."""

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

FILE_NAME = r"[A-Za-z0-9][A-Za-z0-9._()-]{0,99}"
"""What a task, subset or split may be called: these also name files, and nothing in them leads elsewhere."""
