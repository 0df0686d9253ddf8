"""Voyage's `/v1/multimodalembeddings`, and `/v1/embeddings` for its models that read only texts.

https://docs.voyageai.com/reference/multimodal-embeddings-api
"""

from typing import Any

from jina_vdr.encoders.api.batch import Item, Limits
from jina_vdr.encoders.api.encoder import ApiEncoder
from jina_vdr.encoders.api.picture import Fit


class Voyage(ApiEncoder):
    """A model of Voyage's: an image has at most 16 million pixels and 20 MB, a request 320,000 tokens."""

    family = "voyage"
    server = "https://api.voyageai.com"
    variables = ("VOYAGE_API_KEY",)

    def _request(self) -> Limits:
        return Limits(tokens=320_000, pixels_a_token=560)

    def _image(self) -> Fit:
        return Fit(pixels=16_000_000, bytes=20_000_000)

    def _sees_images(self) -> bool:
        return "multimodal" in self._model

    def _path(self) -> str:
        return "/v1/multimodalembeddings" if self._sees_images() else "/v1/embeddings"

    def _settings(self) -> dict[str, Any]:
        return {"input_types": {"query": "query", "document": "document"}, "truncation": True}

    def _body(self, batch: list[Item], *, is_query: bool) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "input_type": "query" if is_query else "document",
            "truncation": True,
            "encoding_format": "base64",
        }
        if self._options.truncate_dim:
            body["output_dimension"] = self._options.truncate_dim
        if self._sees_images():
            return {**body, "inputs": [{"content": [_part(item)]} for item in batch]}
        return {**body, "input": [item.text for item in batch]}


def _part(item: Item) -> dict[str, str]:
    if item.picture:
        return {"type": "image_base64", "image_base64": item.picture.url}
    return {"type": "text", "text": item.text}
