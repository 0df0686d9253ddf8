"""Where requests go, and with which key: the key comes from the environment and is shown nowhere."""

import os
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from jina_vdr.errors import UsageError

HIDDEN = "***"

PART = 8
"""Characters in a row that give a key away: providers repeat its beginning or its end."""


class Endpoint:
    """A URL, and the headers that open it."""

    def __init__(self, url: str, key: str | None) -> None:
        self.url = url
        self.host = urlsplit(url).netloc
        self._key = key

    @property
    def headers(self) -> dict[str, str]:
        """What shows the server that we may ask."""
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}

    def scrubbed(self, text: str) -> str:
        """Return `text` without the key, or what may be parts of it."""
        if not self._key:
            return text
        words = text.replace(self._key, HIDDEN).split(" ")
        return " ".join(HIDDEN if self._gives_away(word) else word for word in words)

    def _gives_away(self, word: str) -> bool:
        parts = (word[i : i + PART] for i in range(len(word) - PART + 1))
        return any(part in (self._key or "") for part in parts)


def server_url(text: str) -> str:
    """Return the address of a server as the user gives it, without a slash at its end.

    Raises UsageError for what is no address, or holds more than one: a user, a password, a query. It is not
    repeated, for it may be secret.
    """
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError("JV146", "--base-url is no address", "write it like http://localhost:8000")
    if parts.username is not None or parts.query or parts.fragment:
        raise UsageError(
            "JV146",
            f"--base-url holds more than the address of {parts.hostname}",
            "a key goes into the environment, never into a URL",
        )
    return text.rstrip("/")


def url_of(server: str, path: str) -> str:
    """Return the URL of an endpoint; a server may be given with the version that `path` begins with."""
    return server.removesuffix("/" + path.split("/")[1]) + path


def find_key(variables: Sequence[str], *, needed: bool) -> str | None:
    """Return the key that the first of `variables` to be set holds.

    Raises UsageError that names the variable where none is set although a key is needed, or one holds what
    cannot be a key: an HTTP client would repeat that in its own error.
    """
    for name in variables:
        key = os.environ.get(name, "").strip()
        if key and not re.fullmatch(r"[!-~]+", key):
            raise UsageError("JV145", f"{name} does not hold a key", "it has a space or a special character")
        if key:
            return key
    if needed:
        raise UsageError("JV145", f"{variables[0]} is not set", "keys are read from the environment only")
    return None
