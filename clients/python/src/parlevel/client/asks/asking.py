"""What the questions of a noun need of a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from parlevel.client.wire.question import Question, ValueT


class Ask(Protocol):
    """Sends a question and returns its answer."""

    def __call__(self, question: Question[ValueT], /) -> ValueT:
        """Send one question until it is answered, refused, or out of time."""


class AsyncAsk(Protocol):
    """Sends a question; its answer is awaited."""

    async def __call__(self, question: Question[ValueT], /) -> ValueT:
        """Send one question until it is answered, refused, or out of time."""
