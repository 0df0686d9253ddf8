"""One request and its answer: what passes is tried again, what does not is one error."""

import json
import threading
from functools import cached_property
from typing import Any

import httpx2

from jina_vdr import __version__
from jina_vdr.encoders.api.endpoint import Endpoint
from jina_vdr.encoders.api.pause import Patience, Pause
from jina_vdr.encoders.api.refusal import Refusal, refusal
from jina_vdr.errors import DataError, first_line

HINTS = {
    401: "mend the key in the environment",
    403: "mend the key in the environment",
    404: "mend the model's name or --base-url",
    413: "try a smaller --batch-size or --max-pixels",
}
"""What may help when a server refuses a request."""


class Client:
    """Posts JSON to one endpoint, from many threads. `name` is what errors call the model."""

    def __init__(self, name: str, endpoint: Endpoint, patience: Patience, connections: int) -> None:
        self._name = name
        self._endpoint = endpoint
        self._patience = patience
        self._connections = connections
        self._pause = Pause(patience)
        self._was_reached = False

    def ask(self, body: dict[str, Any], stop: threading.Event) -> dict[str, Any]:
        """Return the JSON object that the server answers.

        A rate limit is waited out, as long as it lets a request through now and then; what else may pass is
        tried `tries` times. Raises Stopped when told to stop meanwhile, DataError for what will not pass.
        """
        content = json.dumps(body).encode()
        failures = 0
        while True:
            sent = self._pause.keep(stop)
            trouble = self._try(content)
            if isinstance(trouble, dict):
                self._pause.answered()
                return trouble
            if isinstance(trouble, Refusal) and trouble.is_limit:
                self._wait_for_limit(trouble, sent)
                continue
            failures += 1
            if failures == self._patience.tries:
                raise self._lasting(trouble)
            stop.wait(self._patience.wait(failures))

    def _try(self, content: bytes) -> dict[str, Any] | Refusal | str:
        """Return the answer, or what kept it from coming that may pass; raise for what will not."""
        try:
            response = self._http.post(
                self._endpoint.url,
                content=content,
                headers={"Content-Type": "application/json", **self._endpoint.headers},
            )
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
            if not self._was_reached:
                raise self._unreachable(error) from error
            return first_line(error)
        except httpx2.HTTPError as error:
            return first_line(error)
        self._was_reached = True
        if response.is_success:
            return _object(response)
        trouble = refusal(response)
        if trouble.is_exhausted:
            raise self._exhausted(str(trouble))
        if not (trouble.is_limit or trouble.is_passing):
            raise self._refused(trouble)
        return trouble

    def _wait_for_limit(self, limit: Refusal, sent: float) -> None:
        wait = limit.wait or 0.0
        if wait > self._patience.granted:
            raise self._exhausted(f"it asks to wait {wait:.0f} s ({limit})")
        if self._pause.begin(wait, sent, self._endpoint.host) >= self._patience.tries:
            raise self._lasting(limit)

    @cached_property
    def _http(self) -> httpx2.Client:
        try:
            return httpx2.Client(
                timeout=httpx2.Timeout(self._patience.answer, connect=30.0, pool=None),
                limits=httpx2.Limits(max_connections=self._connections),
                headers={"User-Agent": f"jina-vdr/{__version__}"},
            )
        except (ValueError, ImportError) as error:  # not repeated: the address of a proxy may hold a password
            raise DataError(
                "JV451",
                f"{self._name}: the proxy that the environment names cannot be used",
                "mend HTTPS_PROXY, HTTP_PROXY or ALL_PROXY",
            ) from error

    def _unreachable(self, error: Exception) -> DataError:
        return DataError(
            "JV451",
            f"{self._name}: {self._endpoint.host} cannot be reached ({self._said(first_line(error))})",
            "start the server, mend --base-url, or go online",
        )

    def _lasting(self, trouble: Refusal | str) -> DataError:
        return DataError(
            "JV451",
            f"{self._name}: {self._endpoint.host} does not answer after {self._patience.tries} tries "
            f"({self._said(str(trouble))})",
            "later the same command goes on from there; a smaller --concurrency asks less at a time",
        )

    def _refused(self, trouble: Refusal) -> DataError:
        said = self._said(str(trouble))
        hint = HINTS.get(trouble.status, "mend what it complains of")
        return DataError("JV452", f"{self._name}: {self._endpoint.host} refuses: {said}", hint)

    def _exhausted(self, trouble: str) -> DataError:
        return DataError(
            "JV453",
            f"{self._name}: the quota at {self._endpoint.host} is used up: {self._said(trouble)}",
            "add to it, then the same command goes on from there",
        )

    def _said(self, text: str) -> str:
        return self._endpoint.scrubbed(text)


def _object(response: httpx2.Response) -> dict[str, Any] | str:
    try:
        answer = response.json()
    except ValueError:
        return "the answer is no JSON, or ends early"
    return answer if isinstance(answer, dict) else "the answer is no JSON object"
