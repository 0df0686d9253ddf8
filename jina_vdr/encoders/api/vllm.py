"""Models on a vLLM server: single vectors from `/v1/embeddings`, one vector a token from `/pooling`.

https://docs.vllm.ai/en/latest/models/pooling_models/
"""

from typing import Any

from jina_vdr.encoders.api.batch import Item, Limits
from jina_vdr.encoders.api.openai import OpenAI
from jina_vdr.encoders.api.vectors import by_index


class VLLM(OpenAI):
    """A model that vLLM serves (`vllm serve MODEL --runner pooling`).

    An image goes in as a chat message, with the document prompt as the text that follows it. Texts of a
    single-vector model that sees images go in as chat messages too, so that the same template is around both;
    all other texts go in as they are, cut where the model's context ends.
    """

    family = "vllm"
    server = "http://localhost:8000"
    variables = ("VLLM_API_KEY",)
    needs_key = False

    def _request(self) -> Limits:
        """Return: one conversation a request."""
        return Limits(texts=1 if self._chats() else 64, pictures=1)

    def _sees_images(self) -> bool:
        return True

    def _chats(self) -> bool:
        return self.document_input == "image" and not self._multi

    def _path(self) -> str:
        return "/pooling" if self._multi else "/v1/embeddings"

    def _url(self, server: str) -> str:
        return server.removesuffix("/v1") + self._path()

    def _settings(self) -> dict[str, Any]:
        return {**super()._settings(), "texts": "chat" if self._chats() else "plain"}

    def _body(self, batch: list[Item], *, is_query: bool) -> dict[str, Any]:
        """Ask for token vectors as numbers: base64 would not say how many rows there are."""
        body: dict[str, Any] = {"model": self._model, "encoding_format": "float" if self._multi else "base64"}
        if self._multi:
            body["task"] = "token_embed"
        if self._options.truncate_dim:
            body["dimensions"] = self._options.truncate_dim
        prompt = self._prompt(is_query=is_query)
        if batch[0].picture or self._chats():
            return {**body, "messages": [_message(batch[0], prompt)]}
        return {**body, "input": [prompt + item.text for item in batch], "truncate_prompt_tokens": -1}

    def _vectors(self, answer: dict[str, Any]) -> list[Any]:
        return by_index(answer.get("data"), "data" if self._multi else "embedding")


def _message(item: Item, prompt: str) -> dict[str, Any]:
    image = {"type": "image_url", "image_url": {"url": item.picture.url}} if item.picture else None
    text = {"type": "text", "text": prompt + item.text} if prompt + item.text else None
    return {"role": "user", "content": [part for part in (image, text) if part]}
