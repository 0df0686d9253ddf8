"""What an answer that is no success says: try again, wait, the quota is gone, or the request is wrong."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

TRY_AGAIN = frozenset({408, 409, 425})

EXHAUSTED = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "billing_hard_limit_reached",
        "authz_insufficient_balance",
        "authz_resource_limit_exceeded",
    }
)
"""Codes of OpenAI (status 429) and Jina (403) for an account that has nothing left to spend."""

EXHAUSTED_SAYING = "API calls / month"
"""What Cohere, which sends no codes, says of a trial key that is used up (429)."""

LONGEST = 300
"""Characters of a server's message that are shown."""


@dataclass(frozen=True)
class Refusal:
    """An answer that is no success. `wait`: the seconds the server asks for, None where it says nothing."""

    status: int
    message: str
    codes: frozenset[str]
    wait: float | None

    @property
    def is_exhausted(self) -> bool:
        """Whether the account has nothing left: asking again would not help before somebody pays."""
        if self.status == 402:
            return True
        said = bool(self.codes & EXHAUSTED) or EXHAUSTED_SAYING in self.message
        return said and self.status in {403, 429}

    @property
    def is_limit(self) -> bool:
        """Whether the server asks to wait."""
        return self.status == 429 or (self.status == 503 and self.wait is not None)

    @property
    def is_passing(self) -> bool:
        """Whether the same request may well succeed a moment later."""
        return self.status >= 500 or self.status in TRY_AGAIN

    def __str__(self) -> str:
        return f"{self.status} {self.message}".strip()


def refusal(response: httpx2.Response) -> Refusal:
    """Read an answer that is no success."""
    message, codes = _said(response)
    if not message:
        message = response.reason_phrase
    return Refusal(response.status_code, message[:LONGEST], codes, _wait(response.headers.get("Retry-After")))


def _said(response: httpx2.Response) -> tuple[str, frozenset[str]]:
    """Return message and codes. OpenAI and vLLM send {"error": {...}}, Jina and Voyage {"detail": ...}."""
    try:
        body = response.json()
    except ValueError:
        plain = "html" not in response.headers.get("Content-Type", "")
        return (" ".join(response.text.split()) if plain else ""), frozenset()
    if not isinstance(body, dict):
        return _text(body), frozenset()
    error = body.get("error")
    inner: dict[str, Any] = error if isinstance(error, dict) else body
    message = next((inner[key] for key in ("message", "detail", "error") if inner.get(key)), "")
    codes = {str(part.get(key)).lower() for part in (body, inner) for key in ("code", "type")}
    return _text(message), frozenset(codes)


def _text(value: Any) -> str:
    """Say a value on one line; FastAPI's list of complaints keeps what each complains of."""
    if isinstance(value, list):
        parts = [part.get("msg", part) if isinstance(part, dict) else part for part in value]
        return "; ".join(map(str, parts))
    return " ".join(value.split()) if isinstance(value, str) else json.dumps(value)


def _wait(header: str | None) -> float | None:
    """Return the seconds of a Retry-After header: a number, or a date (RFC 9110, section 10.2.3)."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
