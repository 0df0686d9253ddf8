"""What goes into one request: as many texts or pictures as the provider takes at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jina_vdr.encoders.api.picture import Picture


@dataclass(frozen=True)
class Item:
    """A text or a picture, its position in the call, and what errors call it."""

    position: int
    name: str
    text: str = ""
    picture: Picture | None = None

    @property
    def bytes(self) -> int:
        """About what it takes in a request."""
        return len(self.picture.url if self.picture else self.text.encode())


@dataclass(frozen=True)
class Limits:
    """What a provider takes in one request.

    `tokens` is compared with a bound: the bytes of a text, a picture's pixels divided by `pixels_a_token`.
    """

    texts: int = 64
    pictures: int = 4
    bytes: int = 32_000_000
    tokens: int | None = None
    pixels_a_token: int = 560

    def most(self, wanted: int | None, *, pictures: bool) -> int:
        """Return how many items go into a request when the user wants `wanted`."""
        allowed = self.pictures if pictures else self.texts
        return min(wanted or allowed, allowed)

    def _tokens(self, item: Item) -> int:
        return item.picture.pixels // self.pixels_a_token if item.picture else item.bytes

    def batches(self, items: Iterable[Item]) -> Iterator[list[Item]]:
        """Cut `items` into runs that fit into one request by bytes and tokens, at least one item each."""
        batch: list[Item] = []
        size = tokens = 0
        for item in items:
            size, tokens = size + item.bytes, tokens + self._tokens(item)
            if batch and (size > self.bytes or (self.tokens is not None and tokens > self.tokens)):
                yield batch
                batch, size, tokens = [], item.bytes, self._tokens(item)
            batch.append(item)
        if batch:
            yield batch
