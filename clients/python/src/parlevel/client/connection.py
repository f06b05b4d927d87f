"""What both clients share: the settings of a client and the channel options they lead to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parlevel.client.retry import Attempts, RetryBudget

if TYPE_CHECKING:
    from parlevel.client.limits import Limits
    from parlevel.client.retry import RetryPolicy
    from parlevel.client.wire.question import Question, ValueT


@dataclass(frozen=True, slots=True)
class CallRules:
    """The rules every call of one client follows."""

    timeout_seconds: float
    """Deadline of a call that names none, above 0."""
    retry: RetryPolicy
    """When a call is tried again."""
    limits: Limits
    """What the server takes in one call."""
    budget: RetryBudget
    """Retries left; shared by all calls."""

    @classmethod
    def of(cls, timeout_seconds: float, retry: RetryPolicy, limits: Limits) -> CallRules:
        """Make the rules of a new client, with a full budget.

        Args:
            timeout_seconds: Deadline of a call that names none, above 0.
            retry: When a call is tried again.
            limits: What the server takes in one call.

        Returns:
            The rules.

        Raises:
            ValueError: The timeout is not positive.
        """
        if not timeout_seconds > 0:
            message = "timeout_seconds must be above 0"
            raise ValueError(message)
        budget = RetryBudget(ratio=retry.budget_ratio, capacity=retry.budget_capacity)
        return cls(timeout_seconds, retry, limits, budget)

    def begin(self, question: Question[ValueT], default_timeout_seconds: float) -> Attempts:
        """Start the clock of one call.

        Args:
            question: What is asked.
            default_timeout_seconds: Deadline where the question names none.

        Returns:
            The attempts of the call.
        """
        timeout = question.timeout_seconds
        return Attempts(
            self.retry,
            self.budget,
            timeout_seconds=default_timeout_seconds if timeout is None else timeout,
            request_id=question.request_id,
        )


def channel_options(limits: Limits) -> list[tuple[str, int]]:
    """List the options of a channel.

    Args:
        limits: What the server takes in one call.

    Returns:
        Pairs (option, value).
    """
    return [
        ("grpc.max_send_message_length", limits.message_bytes),
        ("grpc.max_receive_message_length", limits.message_bytes),
        # Retries are counted against our budget; the channel's own would multiply them.
        ("grpc.enable_retries", 0),
        # The default first reconnect waits a second, longer than most retries.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 5_000),
    ]
