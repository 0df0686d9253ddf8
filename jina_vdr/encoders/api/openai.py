"""Any server that speaks OpenAI's `/v1/embeddings`: texts in, one vector each out.

https://platform.openai.com/docs/api-reference/embeddings/create
"""

from typing import Any
from urllib.parse import urlsplit

from jina_vdr.encoders.api.batch import Item, Limits
from jina_vdr.encoders.api.encoder import ApiEncoder


class OpenAI(ApiEncoder):
    """A model that reads texts. `--base-url` is as OpenAI's own client takes it: with the version."""

    family = "openai"
    server = "https://api.openai.com/v1"
    variables = ("OPENAI_API_KEY",)

    def _request(self) -> Limits:
        return Limits(tokens=300_000)

    def _sees_images(self) -> bool:
        return False

    def _path(self) -> str:
        return "/v1/embeddings"

    def _url(self, server: str) -> str:
        return f"{server}/embeddings" if urlsplit(server).path else server + self._path()

    def _settings(self) -> dict[str, Any]:
        return {"prompts": {"query": self._prompt(is_query=True), "document": self._prompt(is_query=False)}}

    def _prompt(self, *, is_query: bool) -> str:
        return (self._options.query_prompt if is_query else self._options.document_prompt) or ""

    def _body(self, batch: list[Item], *, is_query: bool) -> dict[str, Any]:
        """Ask for base64: float32 without rounding, in a third of the bytes."""
        prompt = self._prompt(is_query=is_query)
        body: dict[str, Any] = {"model": self._model, "input": [prompt + item.text for item in batch]}
        if self._options.truncate_dim:
            body["dimensions"] = self._options.truncate_dim
        return {**body, "encoding_format": "base64"}
