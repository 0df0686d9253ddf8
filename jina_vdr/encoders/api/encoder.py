"""A model behind HTTP as an encoder: what all providers share."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from jina_vdr.encoders.api.batch import Item, Limits
from jina_vdr.encoders.api.bill import Bill
from jina_vdr.encoders.api.client import Client
from jina_vdr.encoders.api.endpoint import Endpoint, find_key, server_url, url_of
from jina_vdr.encoders.api.pause import PATIENCE, Patience
from jina_vdr.encoders.api.picture import Fit
from jina_vdr.encoders.api.pool import Pool
from jina_vdr.encoders.api.vectors import BadAnswer, Reader, by_index
from jina_vdr.encoders.base import Encoded, pack
from jina_vdr.errors import DataError, UsageError, VDRError
from jina_vdr.model import ModelSpec
from jina_vdr.records import ModelInfo, Page
from jina_vdr.similarity import check_similarity

CONCURRENCY = 8

BLANK = "."
"""What is sent for a blank text: providers refuse an empty one, and a page without words is no mistake."""


class ApiEncoder(ABC):
    """An encoder whose vectors come over HTTP. A provider says how its requests and answers look.

    An answer is yielded as soon as it is there. Single vectors leave as float32, multi-vectors as float16.
    """

    family: ClassVar[str]
    server: ClassVar[str]
    variables: ClassVar[tuple[str, ...]]
    """The environment variables that may hold the key; the first is the one that errors name."""
    needs_key: ClassVar[bool] = True

    def __init__(self, spec: ModelSpec, patience: Patience = PATIENCE) -> None:
        self._options = options = spec.chosen
        self._model = spec.checkpoint
        self._multi = options.vector_type == "multi"
        if self._multi and options.truncate_dim:
            raise UsageError("JV109", "--truncate-dim cuts single vectors; multi-vectors have one width")
        vector_type = "multi" if self._multi else "single"
        similarity = options.similarity or ("maxsim" if self._multi else "cosine")
        check_similarity(vector_type, similarity)
        sees = "image" in spec.known.modalities if spec.known else self._sees_images()
        wanted = options.document_input or ("image" if sees else "text")
        self.document_input = "image" if wanted == "image" else "text"
        self._limits, fit = self._request(), self._image()
        self._fit = replace(fit, pixels=_least(options.max_pixels, fit.pixels))
        self._concurrency = options.concurrency or CONCURRENCY
        self._endpoint = Endpoint(
            self._url(server_url(options.base_url or self.server)),
            find_key(self.variables, needed=self.needs_key and not options.base_url),
        )
        self._client = Client(spec.name, self._endpoint, patience, self._concurrency)
        self._reader = Reader(multi=self._multi, width=options.truncate_dim)
        self._bill = Bill(spec.known.price if spec.known else None)
        self._info = ModelInfo(
            name=spec.name,
            family=self.family,
            revision=spec.known.revision if spec.known else None,
            vector_type=vector_type,
            similarity=similarity,
            settings={
                "model": self._model,
                "endpoint": self._path(),
                "truncate_dim": options.truncate_dim,
                "document_input": options.document_input or self.document_input,
                **(self._fit.settings() if self.document_input == "image" else {}),
                **self._settings(),
            },
        )

    @property
    def info(self) -> ModelInfo:
        """What runs, and what it has cost so far."""
        runtime = {"host": self._endpoint.host, "concurrency": self._concurrency, **self._bill.entries()}
        return replace(self._info, runtime=runtime)

    def encode_queries(self, queries: Sequence[str]) -> Iterator[Encoded]:
        """Encode texts as queries."""

        def item(i: int) -> Item:
            return Item(i, queries[i][:40], queries[i])

        chunks = self._chunks(range(len(queries)), pictures=False)
        return self._encode(chunks, item, is_query=True)

    def encode_documents(self, pages: Sequence[Page]) -> Iterator[Encoded]:
        """Encode the images of pages, and the text of pages that have none."""
        seen = [i for i, page in enumerate(pages) if page.open_image and self.document_input == "image"]
        read = sorted({*range(len(pages))} - {*seen})

        def item(i: int) -> Item:
            page = pages[i]
            if page.open_image and self.document_input == "image":
                return Item(i, page.id, picture=self._fit.picture(page.open_image()))
            text = page.read_text() or ""
            return Item(i, page.id, text if text.strip() else BLANK)

        chunks = self._chunks(seen, pictures=True) + self._chunks(read, pictures=False)
        return self._encode(chunks, item, is_query=False)

    def _chunks(self, positions: Sequence[int], *, pictures: bool) -> list[Sequence[int]]:
        most = self._limits.most(self._options.batch_size, pictures=pictures)
        return [positions[i : i + most] for i in range(0, len(positions), most)]

    def _encode(
        self, chunks: list[Sequence[int]], item: Callable[[int], Item], *, is_query: bool
    ) -> Iterator[Encoded]:
        """Yield the answers for all items; `item` is made in the thread that asks for it."""

        def work(chunk: Sequence[int], stop: threading.Event) -> Iterator[Encoded]:
            for batch in self._limits.batches(map(item, chunk)):
                yield self._asked(batch, stop, is_query=is_query)

        kept, total = 0, sum(map(len, chunks))
        try:
            for encoded in Pool(chunks, work, self._concurrency).run():
                yield encoded
                kept += len(encoded.positions)
        except VDRError as error:
            error.hint = f"{kept} of {total} items were answered and are kept; {error.hint}"
            raise

    def _asked(self, batch: list[Item], stop: threading.Event, *, is_query: bool) -> Encoded:
        """Return the vectors of a batch; an answer that cannot be right is asked for once more."""
        body = self._body(batch, is_query=is_query)
        names = [item.name for item in batch]
        for last in (False, True):
            answer = self._client.ask(body, stop)
            self._bill.add(self._tokens(answer), sum(item.picture is not None for item in batch))
            try:
                vectors = self._reader.read(self._vectors(answer), names)
                break
            except BadAnswer as error:
                if last:
                    raise DataError(
                        "JV454",
                        f"{self._info.name}: {error}",
                        "look at the server; the same command asks again",
                    ) from error
        dtype = np.float16 if self._multi else np.float32
        return Encoded([item.position for item in batch], pack(vectors, dtype))

    def _url(self, server: str) -> str:
        """Return where requests go."""
        return url_of(server, self._path())

    def _vectors(self, answer: dict[str, Any]) -> list[Any]:
        """Take the vectors out of an answer, in the order of the items."""
        return by_index(answer.get("data"), "embedding")

    def _tokens(self, answer: dict[str, Any]) -> int:
        """Return the tokens that an answer bills."""
        return count(answer.get("usage"), "total_tokens")

    def _request(self) -> Limits:
        """Return what one request may hold."""
        return Limits()

    def _image(self) -> Fit:
        """Return what an image must fit into."""
        return Fit()

    @abstractmethod
    def _sees_images(self) -> bool:
        """Whether a model of this name takes images, as far as we know."""

    @abstractmethod
    def _path(self) -> str:
        """Return the path of the endpoint, with the version of the API."""

    @abstractmethod
    def _settings(self) -> dict[str, Any]:
        """Return what only this provider has and can change a number."""

    @abstractmethod
    def _body(self, batch: list[Item], *, is_query: bool) -> dict[str, Any]:
        """Return the request for a batch: all texts, or all pictures."""


def count(usage: Any, *fields: str) -> int:
    """Return the sum of the numbers that `usage` has in these fields."""
    found = [usage.get(field) for field in fields] if isinstance(usage, dict) else []
    return sum(int(number) for number in found if isinstance(number, int | float))


def _least(*numbers: int | None) -> int | None:
    return min((number for number in numbers if number is not None), default=None)
