"""Rerankers behind HTTP: one request a query, with its pages.

https://api.jina.ai/redoc, https://docs.cohere.com/reference/rerank, https://docs.voyageai.com/reference/reranker-api
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from jina_vdr.encoders.api.batch import Item, Limits
from jina_vdr.encoders.api.bill import Bill
from jina_vdr.encoders.api.client import Client
from jina_vdr.encoders.api.encoder import BLANK, CONCURRENCY, count
from jina_vdr.encoders.api.endpoint import Endpoint, find_key, server_url
from jina_vdr.encoders.api.pause import PATIENCE, Patience
from jina_vdr.encoders.api.picture import Fit
from jina_vdr.encoders.api.pool import Pool
from jina_vdr.encoders.api.vectors import BadAnswer
from jina_vdr.errors import DataError, VDRError
from jina_vdr.model import ModelSpec
from jina_vdr.records import ModelInfo, Page
from jina_vdr.rerankers.base import Pair, Scored


class ApiReranker(ABC):
    """A reranker whose scores come over HTTP. A provider says how its requests and answers look.

    A query whose pages do not fit into one request is asked several times, unless pages are judged beside
    each other.
    """

    server: ClassVar[str]
    path: ClassVar[str]
    variables: ClassVar[tuple[str, ...]]
    limits: ClassVar[Limits] = Limits(texts=1000)
    answered: ClassVar[str] = "results"

    def __init__(self, spec: ModelSpec, patience: Patience = PATIENCE) -> None:
        options = spec.options
        self._model = spec.checkpoint
        sees = self._sees_images() and options.document_input in {None, "image"}
        self.document_input = "image" if sees else "text"
        self.listwise = self._is_listwise()
        self._fit = Fit(pixels=options.max_pixels)
        self._most = options.batch_size
        self._concurrency = options.concurrency or CONCURRENCY
        address = server_url(options.base_url or self.server)
        self._endpoint = Endpoint(
            address.removesuffix("/" + self.path.split("/")[1]) + self.path,
            find_key(self.variables, needed=not options.base_url),
        )
        self._client = Client(spec.name, self._endpoint, patience, self._concurrency)
        self._bill = Bill(None)
        self._info = ModelInfo(
            name=spec.name,
            family=spec.family,
            settings={
                "endpoint": self.path,
                "document_input": options.document_input,
                **(self._fit.settings() if sees else {}),
            },
        )

    @property
    def info(self) -> ModelInfo:
        """What runs, and what it has cost so far."""
        runtime = {"host": self._endpoint.host, "concurrency": self._concurrency, **self._bill.entries()}
        return replace(self._info, runtime=runtime)

    def score(self, pairs: Sequence[Pair]) -> Iterator[Scored]:
        """Yield the scores that each answer holds."""

        def work(positions: list[int], stop: threading.Event) -> Iterator[Scored]:
            items = (self._item(i, pairs[i][1]) for i in positions)
            for batch in [list(items)] if self.listwise else self.limits.batches(items):
                scores = self._asked(pairs[positions[0]][0].text, batch, stop)
                yield [item.position for item in batch], scores

        kept = 0
        try:
            for scored in Pool(self._lists(pairs), work, self._concurrency).run():
                yield scored
                kept += len(scored[0])
        except VDRError as error:
            error.hint = f"{kept} of {len(pairs)} pages were scored and are kept; {error.hint}"
            raise

    def _lists(self, pairs: Sequence[Pair]) -> list[list[int]]:
        """Return the positions of the pages of each query, cut to what one request takes."""
        lists = [list(group) for _, group in groupby(range(len(pairs)), key=lambda i: pairs[i][0])]
        if self.listwise:
            return lists
        most = self.limits.most(self._most, pictures=self.document_input == "image")
        return [part[i : i + most] for part in lists for i in range(0, len(part), most)]

    def _item(self, position: int, page: Page) -> Item:
        if page.open_image and self.document_input == "image":
            return Item(position, page.id, picture=self._fit.picture(page.open_image()))
        text = page.read_text() or ""
        return Item(position, page.id, text if text.strip() else BLANK)

    def _asked(self, query: str, batch: list[Item], stop: threading.Event) -> NDArray[np.float32]:
        """Return the scores of a batch; an answer that cannot be right is asked for once more."""
        body = {"model": self._model, "query": query, **self._body(batch)}
        try:
            return self._answer(body, batch, stop)
        except BadAnswer:
            pass
        try:
            return self._answer(body, batch, stop)
        except BadAnswer as error:
            raise DataError("JV454", f"{self._info.name}: {error}", "its server is at fault") from error

    def _answer(self, body: dict[str, Any], batch: list[Item], stop: threading.Event) -> NDArray[np.float32]:
        answer = self._client.ask(body, stop)
        images = sum(item.picture is not None for item in batch)
        self._bill.add(count(answer.get("usage"), "total_tokens"), images)
        return _scores(answer.get(self.answered), [item.name for item in batch])

    def _sees_images(self) -> bool:
        return False

    def _is_listwise(self) -> bool:
        return False

    @abstractmethod
    def _body(self, batch: list[Item]) -> dict[str, Any]:
        """Return what a request says beside the model and the query."""


class Jina(ApiReranker):
    """jina-reranker-m0, which looks at images; -v3, which judges all texts of a query together; -v2."""

    server = "https://api.jina.ai"
    path = "/v1/rerank"
    variables = ("JINA_API_KEY",)

    def _sees_images(self) -> bool:
        return "-m0" in self._model

    def _is_listwise(self) -> bool:
        return "-v3" in self._model

    def _body(self, batch: list[Item]) -> dict[str, Any]:
        parts = [{"image": item.picture.base64} if item.picture else {"text": item.text} for item in batch]
        return {"documents": parts, "return_documents": False}


class Cohere(ApiReranker):
    """rerank-v3.5, rerank-v4.0: texts only."""

    server = "https://api.cohere.com"
    path = "/v2/rerank"
    variables = ("CO_API_KEY", "COHERE_API_KEY")

    def _body(self, batch: list[Item]) -> dict[str, Any]:
        return {"documents": [item.text for item in batch]}


class Voyage(ApiReranker):
    """rerank-2.5: texts only, cut where they are too long."""

    server = "https://api.voyageai.com"
    path = "/v1/rerank"
    variables = ("VOYAGE_API_KEY",)
    answered = "data"

    def _body(self, batch: list[Item]) -> dict[str, Any]:
        return {"documents": [item.text for item in batch], "truncation": True}


def _scores(entries: Any, names: Sequence[str]) -> NDArray[np.float32]:
    """Return the scores of an answer, whose entries come best first and say which page they are about."""
    scores = np.full(len(names), np.nan, np.float32)
    for entry in entries if isinstance(entries, list) else []:
        place, score = (
            entry.get(key) if isinstance(entry, dict) else None for key in ("index", "relevance_score")
        )
        if place in range(len(names)) and isinstance(score, int | float):
            scores[place] = score
    if not np.isfinite(scores).all():
        raise BadAnswer(f"it has no score for page '{names[int(np.argmin(np.isfinite(scores)))]}'")
    return scores
