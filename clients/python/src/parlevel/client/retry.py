"""When a call is tried again: policy, budget, and the attempts of one call."""

from __future__ import annotations

import random
import threading
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from parlevel.client.errors import Unavailable
from parlevel.client.status import failure_of

if TYPE_CHECKING:
    import grpc


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How calls that end UNAVAILABLE are tried again; no other status is.

    The pause before retry n is drawn uniformly from 0 to ``initial_backoff_seconds *
    multiplier ** (n - 1)``, at most ``max_backoff_seconds``, and starts after the pause the server
    asked for (RetryInfo). A retry whose pause would pass the deadline is not made.
    """

    max_attempts: int = 4
    """Attempts of one call, the first included; 1 or more, and 1 never retries."""
    initial_backoff_seconds: float = 0.05
    """Longest pause before the first retry, 0 or more."""
    max_backoff_seconds: float = 1.0
    """Longest pause before any retry, 0 or more."""
    multiplier: float = 2.0
    """Growth of the longest pause from one retry to the next, 1 or more."""
    budget_ratio: float = 0.1
    """Retries earned by each call, 0 or more: 0.1 adds at most 10 % load in the long run."""
    budget_capacity: float = 10.0
    """Retries the budget holds at most and at the start, 0 or more."""

    def __post_init__(self) -> None:
        """Refuse a policy that would retry for ever or never pause.

        Raises:
            ValueError: A number is outside its range.
        """
        least = {
            "max_attempts": 1.0,
            "initial_backoff_seconds": 0.0,
            "max_backoff_seconds": 0.0,
            "multiplier": 1.0,
            "budget_ratio": 0.0,
            "budget_capacity": 0.0,
        }
        for name, bound in least.items():
            if not getattr(self, name) >= bound:
                message = f"{name} must be {bound:g} or more"
                raise ValueError(message)

    def longest_pause(self, retry: int) -> float:
        """Compute the longest pause in seconds before the given retry.

        Args:
            retry: Which retry, 1 for the first.

        Returns:
            Seconds, 0 or more.

        >>> [RetryPolicy().longest_pause(retry) for retry in (1, 2, 3, 9)]
        [0.05, 0.1, 0.2, 1.0]
        """
        backoff = self.initial_backoff_seconds * self.multiplier ** (retry - 1)
        return min(self.max_backoff_seconds, backoff)


class RetryBudget:
    """A token bucket shared by all calls of a client: a server in trouble is not buried.

    Each call earns a share of a retry, each retry costs one. Safe to share between threads.
    """

    def __init__(self, *, ratio: float, capacity: float) -> None:
        """Start full, with the retries earned by a call and the most that are kept."""
        self._ratio = ratio
        self._capacity = capacity
        self._tokens = capacity
        self._lock = threading.Lock()

    def earn(self) -> None:
        """Note a call."""
        with self._lock:
            self._tokens = min(self._capacity, self._tokens + self._ratio)

    def spend(self) -> bool:
        """Take one retry; False where less than one is left."""
        with self._lock:
            # Ten earnings of 0.1 are a hair below 1 in floating point.
            if self._tokens < 1.0 - 1e-9:
                return False
            self._tokens = max(0.0, self._tokens - 1.0)
            return True


class Attempts:
    """The attempts of one call, within one deadline and under one request id."""

    def __init__(
        self,
        policy: RetryPolicy,
        budget: RetryBudget,
        *,
        timeout_seconds: float,
        request_id: str | None,
    ) -> None:
        """Start the clock of the call and earn its share of a retry.

        Args:
            policy: When to try again.
            budget: Shared by all calls of the client.
            timeout_seconds: Time all attempts and pauses may take together, above 0.
            request_id: Sent as ``x-request-id`` with every attempt; made up where None.
        """
        self._policy = policy
        self._budget = budget
        self._deadline = time.monotonic() + timeout_seconds
        self._retries = 0
        self.request_id = request_id or uuid.uuid4().hex
        budget.earn()

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Headers of every attempt."""
        return (("x-request-id", self.request_id),)

    def remaining_seconds(self) -> float:
        """Return the time left for the next attempt, 0 or more."""
        return max(0.0, self._deadline - time.monotonic())

    def pause_seconds(self, error: grpc.RpcError) -> float:
        """Decide on the next attempt after a failed one.

        Args:
            error: What the channel raised.

        Returns:
            Seconds to pause before the next attempt.

        Raises:
            CallFailed: There is no next attempt.
        """
        failed = failure_of(error, self.request_id)
        self._retries += 1
        if not isinstance(failed, Unavailable) or self._retries >= self._policy.max_attempts:
            raise failed from error
        # Jitter keeps clients that failed together from coming back together.
        jitter = random.uniform(0.0, self._policy.longest_pause(self._retries))  # noqa: S311
        pause = (failed.failure.retry_after_seconds or 0.0) + jitter
        if pause >= self.remaining_seconds() or not self._budget.spend():
            raise failed from error
        return pause
