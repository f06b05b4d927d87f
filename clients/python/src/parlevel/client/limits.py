"""What a server takes in one call, and how long a call of a batch may last."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of the server; larger batches are split over several calls."""

    message_bytes: int = 64 * 1024 * 1024
    """Largest message sent or received, 1 or more."""
    batch_rows: int = 10_000
    """Most rows in one call, 1 or more."""
    batch_values: int = 1_000_000
    """Most forecast values (rows x days x (levels + 1)) in one call, 1 or more."""
    batch_timeout_seconds: float = 60.0
    """Deadline of each call of a batch that names none, above 0."""

    def __post_init__(self) -> None:
        """Refuse limits nothing can pass.

        Raises:
            ValueError: A limit is not positive.
        """
        for name in ("message_bytes", "batch_rows", "batch_values", "batch_timeout_seconds"):
            if not getattr(self, name) > 0:
                message = f"{name} must be above 0"
                raise ValueError(message)

    def rows_per_call(self, values_per_row: int) -> int:
        """Compute how many rows fit in one call.

        Args:
            values_per_row: Forecast values of one row, 1 or more.

        Returns:
            Rows, 1 or more: a single row too large for the server is for the server to refuse.

        >>> Limits().rows_per_call(30 * (9 + 1))
        3333
        """
        return max(1, min(self.batch_rows, self.batch_values // max(1, values_per_row)))
