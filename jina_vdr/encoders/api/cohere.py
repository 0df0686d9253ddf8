"""Cohere's `/v2/embed`: texts and images in, one vector each out.

https://docs.cohere.com/reference/embed
"""

from typing import Any

from jina_vdr.encoders.api.batch import Item, Limits
from jina_vdr.encoders.api.encoder import ApiEncoder, count
from jina_vdr.encoders.api.picture import Fit
from jina_vdr.encoders.api.vectors import in_order


class Cohere(ApiEncoder):
    """embed-v4.0, or a model of the third generation, which takes one image of 5 MB a request."""

    family = "cohere"
    server = "https://api.cohere.com"
    variables = ("CO_API_KEY", "COHERE_API_KEY")

    def _request(self) -> Limits:
        pictures = 1 if self._is_third() else 4
        return Limits(texts=96, pictures=pictures, bytes=20_000_000, tokens=128_000)

    def _image(self) -> Fit:
        return Fit(bytes=5_000_000 if self._is_third() else 20_000_000)

    def _is_third(self) -> bool:
        return "v3" in self._model

    def _sees_images(self) -> bool:
        return True

    def _path(self) -> str:
        return "/v2/embed"

    def _settings(self) -> dict[str, Any]:
        document = "image" if self._is_third() and self.document_input == "image" else "search_document"
        return {"input_types": {"query": "search_query", "document": document}, "truncate": "END"}

    def _body(self, batch: list[Item], *, is_query: bool) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self._model, "embedding_types": ["base64"], "truncate": "END"}
        if self._options.truncate_dim:
            body["output_dimension"] = self._options.truncate_dim
        urls = [item.picture.url for item in batch if item.picture]
        if urls and self._is_third():
            return {**body, "input_type": "image", "images": urls}
        body["input_type"] = "search_query" if is_query else "search_document"
        if urls:
            parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
            return {**body, "inputs": [{"content": [part]} for part in parts]}
        return {**body, "texts": [item.text for item in batch]}

    def _vectors(self, answer: dict[str, Any]) -> list[Any]:
        """Take the vectors out: they come in the order of the items, without an index."""
        embeddings = answer.get("embeddings")
        return in_order(embeddings.get("base64") if isinstance(embeddings, dict) else None)

    def _tokens(self, answer: dict[str, Any]) -> int:
        meta = answer.get("meta")
        return count(
            meta.get("billed_units") if isinstance(meta, dict) else None, "input_tokens", "image_tokens"
        )
