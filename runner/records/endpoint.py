"""An OpenAI-compatible server: where it is, and how hard it may be asked."""

from typing import Annotated

from pydantic import Field

from runner.records.base import Count, Positive, PositiveAmount, Record, Slug, Text

PerMinute = Positive | None
"""None for no limit."""


class Endpoint(Record):
    """A server, and the model that it is asked for."""

    id: Slug
    url: Annotated[str, Field(pattern=r"^https?://[^\s/@?#]+(/[^\s@?#]*)?$")]
    """Its address up to and with the version, such as `http://127.0.0.1:8000/v1`; without name or password."""
    model: Text
    """The name that the server gives the model."""
    key_variable: Annotated[str, Field(pattern=r"^([A-Z][A-Z0-9_]*)?$")] = ""
    """The environment variable that holds the key, which stands in no file; none where empty."""


class Asking(Record):
    """How hard a server may be asked, and how long it is waited for."""

    concurrency: Positive = 16
    """Requests under way at once."""
    requests_per_minute: PerMinute = None
    tokens_per_minute: PerMinute = None
    """Of prompts and answers together, as estimated before a request is sent."""
    timeout_s: PositiveAmount = 60.0
    retries: Count = 6
    """How often a request is sent again where the server is busy, failing or out of reach."""
    longest_wait_s: PositiveAmount = 60.0
    """Between two tries; a server that asks for more ends it, and it can be taken up later."""
