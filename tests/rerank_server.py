"""Rerank APIs on this machine: three providers, scores that follow from the content, and every fault."""

import base64
import io
import json
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from tests.api_server import KEY, Handler

FIELDS = {
    "jina/v1/rerank": ({"model", "query", "documents"}, {"top_n", "return_documents"}),
    "cohere/v2/rerank": ({"model", "query", "documents"}, {"top_n", "max_tokens_per_doc"}),
    "voyage/v1/rerank": ({"model", "query", "documents"}, {"top_k", "truncation", "return_documents"}),
}


def relevance(query: str, document: Any) -> float:
    """Return the score of a page: how long its text is, or how red its image, less what the query costs."""
    if isinstance(document, dict) and "image" in document:
        image = Image.open(io.BytesIO(base64.b64decode(document["image"], validate=True)))
        size = float(np.asarray(image)[..., 0].mean())
    else:
        size = len(document["text"] if isinstance(document, dict) else document)
    return size / 300 - len(query) / 1000


class RerankHandler(Handler):
    """Answers one request as the provider does that its path names."""

    def answer(self, body: dict[str, Any], fault: str) -> None:
        path = urlsplit(self.path).path.lstrip("/")
        provider = path.partition("/")[0]
        if path not in FIELDS:
            self.reply(404, {"detail": "Not Found"})
        elif self.headers.get("Authorization") != f"Bearer {KEY}":
            self.reply(401, {"detail": f"Incorrect API key: {self.headers.get('Authorization')}"})
        elif not (fault and self.refuse(provider, fault)):
            required, optional = FIELDS[path]
            if (
                not all(map(_holds_something, body["documents"]))
                or not required <= body.keys() <= required | optional
            ):
                self.reply(400, {"detail": f"not as documented: {sorted(body)}"})
            else:
                self.reply(200, self.scored(provider, body, fault))

    def scored(self, provider: str, body: dict[str, Any], fault: str) -> dict[str, Any]:
        documents = body["documents"]
        found = [
            {"index": i, "relevance_score": relevance(body["query"], document)}
            for i, document in enumerate(documents)
        ]
        found.sort(key=lambda entry: -entry["relevance_score"])
        if fault == "short":
            found = found[1:]
        elif fault == "twice":
            found[-1] = found[0]
        elif fault == "nan":
            found[0]["relevance_score"] = float("nan")
        elif fault == "words":
            found[0]["relevance_score"] = "high"
        with self.api.lock:
            self.api.paid.update(json.dumps([body["query"], document]) for document in documents)
        if provider == "cohere":
            return {"results": found, "meta": {"billed_units": {"search_units": 1}}}
        usage = {"total_tokens": 7 * len(documents)}
        return {"data" if provider == "voyage" else "results": found, "usage": usage}


def _holds_something(document: Any) -> bool:
    values = document.values() if isinstance(document, dict) else [document]
    return all(value.strip() for value in values)
