"""Jina's own API: texts and images in, one vector each or one a token out.

https://api.jina.ai/redoc
"""

import re
from typing import Any

from jina_vdr.encoders.api.batch import Item
from jina_vdr.encoders.api.encoder import ApiEncoder
from jina_vdr.encoders.api.vectors import by_index
from jina_vdr.errors import UsageError

TEXT_MODELS = re.compile(r"jina-(embeddings-v[123]\b|embeddings-v5-text|code-|colbert-)")

TASKS = {
    "retrieval": ("retrieval.query", "retrieval.passage"),
    "text-matching": ("text-matching", "text-matching"),
    "code": ("code.query", "code.passage"),
}
"""What is asked for of queries and of pages."""


class Jina(ApiEncoder):
    """A model of Jina's. `--adapter` chooses the task."""

    family = "jina"
    server = "https://api.jina.ai"
    variables = ("JINA_API_KEY",)

    def _sees_images(self) -> bool:
        return not TEXT_MODELS.match(self._model)

    def _path(self) -> str:
        return "/v1/embeddings"

    def _tasks(self) -> tuple[str | None, str | None]:
        if self._model.startswith("jina-clip"):  # it knows no tasks
            return None, None
        adapter = self._options.adapter or "retrieval"
        if adapter not in TASKS:
            raise UsageError("JV109", f"there is no adapter '{adapter}'", f"known: {', '.join(TASKS)}")
        return TASKS[adapter]

    def _settings(self) -> dict[str, Any]:
        query, document = self._tasks()
        return {"tasks": {"query": query, "document": document}, "truncate": True}

    def _body(self, batch: list[Item], *, is_query: bool) -> dict[str, Any]:
        parts = [_part(item) for item in batch]
        body: dict[str, Any] = {"model": self._model, "input": parts, "truncate": True}
        if task := self._tasks()[0 if is_query else 1]:
            body["task"] = task
        if self._options.truncate_dim:
            body["dimensions"] = self._options.truncate_dim
        if self._multi:  # as numbers: base64 would not say how many rows there are
            return {**body, "return_multivector": True}
        return {**body, "embedding_type": "base64"}

    def _vectors(self, answer: dict[str, Any]) -> list[Any]:
        return by_index(answer.get("data"), *(("embeddings", "embedding") if self._multi else ("embedding",)))


def _part(item: Item) -> dict[str, str]:
    return {"image": item.picture.base64} if item.picture else {"text": item.text}
