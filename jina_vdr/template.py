"""The first version of a task file, to be filled in."""

import re

from jina_vdr.errors import UsageError
from jina_vdr.vocabulary import FILE_NAME

HEAD = """\
# yaml-language-server: $schema={schema}
# Completion in editors: jina-vdr tasks schema > {schema}
# Check it with: jina-vdr tasks validate --data FILE
schema: 1
name: {quoted}
type: {type}
description: What these pages are and who asks.
"""

DATASETS = {
    "folder": """\
dataset:
  path: ./{folder}              # a folder beside this file
  format: folder
  documents: "**/*"             # PDFs and images; page 3 of manual.pdf has the id manual_p3
  render: {{dpi: 144, max_side: 2048}}
  queries: {{file: queries.csv}}  # columns query-id, query; language, kind and cluster where you have them
  qrels: {{file: qrels.tsv}}      # columns query-id, corpus-id, score
""",
    "beir": """\
dataset:
  path: ./{folder}              # or a Hub data set: org/name with its revision
  format: beir                  # {{subset}}/corpus, {{subset}}/queries, {{subset}}/qrels
""",
    "mteb": """\
dataset:
  path: ./{folder}              # or a Hub data set: org/name with its revision
  format: mteb                  # configs {{subset}}-corpus, {{subset}}-queries, {{subset}}-qrels
""",
    "qa": """\
dataset:
  path: ./{folder}              # or a Hub data set: org/name with its revision
  format: qa                    # one row a query-page pair
  pairs: {{columns: {{query: query, image: image, page: image_filename}}}}
""",
    "pairs": """\
dataset:
  path: ./{folder}              # or a Hub data set: org/name with its revision
  format: pairs                 # two rendered sentences and a score a row
  pairs: {{columns: {{first: sentence1, second: sentence2, score: score}}}}
""",
}

TAIL = """\
eval_langs: [eng-Latn]          # or one line a subset: {{de: [deu-Latn], en: [eng-Latn]}}
domains: []
document_formats: []
query_formats: []
license: ""
# expected: {{default: {{queries: 20, documents: 300}}}}   # a difference then stops the run
"""

SCHEMA = "task.schema.json"


def template(name: str, layout: str) -> str:
    """Return the text of a new task file. Raises UsageError when `name` cannot name a task."""
    import yaml

    if not re.fullmatch(FILE_NAME, name):
        raise UsageError("JV113", f"'{name}' cannot name a task", "use letters, digits, '.', '_' and '-'")
    kind = "VisualSTS" if layout == "pairs" else "VisualDocumentRetrieval"
    quoted = name if yaml.safe_load(name) == name else f'"{name}"'
    return (HEAD + DATASETS[layout] + TAIL).format(
        quoted=quoted, folder=name.lower(), type=kind, schema=SCHEMA
    )
