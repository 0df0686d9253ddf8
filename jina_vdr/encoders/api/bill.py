"""What was asked for and what it costs."""

import threading
from typing import Any

from jina_vdr.modelfile import Price


class Bill:
    """Counts requests, tokens and images of one run, from many threads; `price` is the model file's."""

    def __init__(self, price: Price | None) -> None:
        self._price = price
        self._lock = threading.Lock()
        self._requests = self._tokens = self._images = 0

    def add(self, tokens: int, images: int) -> None:
        """Add an answered request: the tokens that the answer bills, the images that were sent."""
        with self._lock:
            self._requests += 1
            self._tokens += tokens
            self._images += images

    def entries(self) -> dict[str, Any]:
        """Return what is recorded beside a result."""
        counted = {"requests": self._requests, "tokens": self._tokens, "images": self._images}
        if self._price is None:
            return counted
        cost = self._tokens / 1e6 * (self._price.per_million_tokens or 0)
        cost += self._images * (self._price.per_image or 0)
        return {**counted, "cost": round(cost, 6), "currency": self._price.currency}
