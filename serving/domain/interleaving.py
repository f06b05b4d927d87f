"""Two rankings in one: team-draft interleaving and the test of who earned more credit."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy.special import bdtr, betaincinv

from serving.domain.buckets import positions
from serving.domain.series import check_key
from serving.errors import InvalidField, TooLarge

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from serving.domain.series import Provenance

    Counts = NDArray[np.int64]

MAX_ITEMS = 1_000
MAX_SESSIONS = 1_000_000


class RankingTeam(enum.IntEnum):
    """Whose item stands at a place; numbers as in the contract."""

    A = 1
    B = 2


@dataclass(frozen=True, slots=True)
class InterleavingQuery:
    """Asks for an interleaved ranking, for the credit test, or for both.

    Attributes:
        ranking_a: Items of ranking A, best first.
        ranking_b: Items of ranking B, best first.
        salt: Names the experiment; with unit_id it decides the coin tosses.
        unit_id: Who sees the ranking.
        credits_a: Credits of A's items in each session, 0 or more, shape (sessions,).
        credits_b: Credits of B's items in each session, shape (sessions,).
        length: Items to show; None: as many as the longer ranking has.
    """

    ranking_a: tuple[str, ...]
    ranking_b: tuple[str, ...]
    salt: str
    unit_id: str
    credits_a: Counts
    credits_b: Counts
    length: int | None = None

    def __post_init__(self) -> None:
        """Refuse rankings and credits that break their rules, and a question for nothing."""
        ranked = bool(self.ranking_a or self.ranking_b)
        if not ranked and not len(self.credits_a):
            raise InvalidField("ranking_a", "is required where no credits are sent")
        if ranked:
            check_key("salt", self.salt)
            check_key("unit_id", self.unit_id)
        for name in ("ranking_a", "ranking_b"):
            self._check_ranking(name, getattr(self, name), required=ranked)
        if self.length is not None and not 1 <= self.length <= MAX_ITEMS:
            raise InvalidField("length", f"must be 1 to {MAX_ITEMS:,}")
        if len(self.credits_a) != len(self.credits_b):
            raise InvalidField("credits_b", "must have as many entries as credits_a")
        if len(self.credits_a) > MAX_SESSIONS:
            raise TooLarge("credits_a", limit=MAX_SESSIONS)
        for name in ("credits_a", "credits_b"):
            if (getattr(self, name) < 0).any():
                raise InvalidField(name, "must be 0 or more")

    def _check_ranking(self, name: str, items: tuple[str, ...], *, required: bool) -> None:
        if required and not items:
            raise InvalidField(name, "is required where the other ranking is sent")
        if len(items) > MAX_ITEMS:
            raise TooLarge(name, limit=MAX_ITEMS)
        for index, item in enumerate(items):
            check_key(f"{name}[{index}]", item)
        if len(set(items)) < len(items):
            raise InvalidField(name, "must hold each item once")


@dataclass(frozen=True, slots=True)
class CreditTest:
    """Which ranking earned more credit; fields as in the contract.

    Attributes:
        wins_a: Sessions in which A's items earned more.
        wins_b: Sessions in which B's items earned more.
        ties: Sessions in which both earned the same.
        share_b: Share of decided sessions that B won; 0.5 where none is decided.
        lower: Lower end of its exact 95 % interval.
        upper: Upper end of its exact 95 % interval.
        p_value: Two-sided exact p-value of both being equally good.
    """

    wins_a: int
    wins_b: int
    ties: int
    share_b: float
    lower: float
    upper: float
    p_value: float


@dataclass(frozen=True, slots=True)
class Interleaved:
    """An interleaved ranking and the credit test; fields as in the contract.

    Attributes:
        provenance: Where the answer came from.
        items: Items to show, best first.
        teams: Whose item each is.
        credit_test: The credit test; None without credits.
    """

    provenance: Provenance
    items: tuple[str, ...]
    teams: tuple[RankingTeam, ...]
    credit_test: CreditTest | None


def team_draft(query: InterleavingQuery) -> tuple[tuple[str, ...], tuple[RankingTeam, ...]]:
    """Interleave two rankings: in each round a coin decides which team picks its best item first.

    The coin is SHA-256 of salt, unit and round, so the same unit sees the same ranking again.

    Args:
        query: The rankings, how many items to show, and who sees them.

    Returns:
        Items, best first, and the team of each; fewer where both rankings run out.

    Source: Radlinski, Kurup and Joachims, "How does clickthrough data reflect retrieval quality?",
    CIKM (2008).

    Example:
        >>> import numpy as np
        >>> none = np.empty(0, dtype=np.int64)
        >>> query = InterleavingQuery(("x", "y"), ("y", "z"), "ranking test", "u", none, none)
        >>> items, teams = team_draft(query)
        >>> sorted(items), [team.name for team in teams]
        (['x', 'y'], ['B', 'A'])
    """
    rankings = {RankingTeam.A: query.ranking_a, RankingTeam.B: query.ranking_b}
    length = query.length or max(map(len, rankings.values()))
    rounds = -(-length // 2)
    coins = positions(query.salt, [f"{query.unit_id}\x1f{number}" for number in range(rounds)])
    shown: dict[str, RankingTeam] = {}
    for coin in coins:
        first, second = (
            (RankingTeam.A, RankingTeam.B) if coin < 0.5 else (RankingTeam.B, RankingTeam.A)  # noqa: PLR2004 - a fair coin
        )
        for team in (first, second):
            best = next((item for item in rankings[team] if item not in shown), None)
            if best is not None and len(shown) < length:
                shown[best] = team
    return tuple(shown), tuple(shown.values())


def compare_credits(credits_a: Counts, credits_b: Counts) -> CreditTest:
    """Test by signs over sessions which ranking earned more credit; ties say nothing.

    Args:
        credits_a: Credits of A's items in each session, shape (n,).
        credits_b: Credits of B's items in each session, shape (n,).

    Returns:
        Wins, B's share of them with its exact (Clopper-Pearson) interval, and the exact p-value.

    Source: Chapelle et al., "Large-scale validation and analysis of interleaved search
    evaluation", ACM TOIS 30 (2012).

    Example:
        >>> import numpy as np
        >>> test = compare_credits(np.array([0] * 8 + [1, 1]), np.array([1] * 8 + [0, 1]))
        >>> test.wins_b, test.ties, round(test.p_value, 6)
        (8, 1, 0.039062)
    """
    wins_a, wins_b = int((credits_a > credits_b).sum()), int((credits_b > credits_a).sum())
    decided = wins_a + wins_b
    tail = float(bdtr(min(wins_a, wins_b), decided, 0.5)) if decided else 1.0
    return CreditTest(
        wins_a=wins_a,
        wins_b=wins_b,
        ties=len(credits_a) - decided,
        share_b=wins_b / decided if decided else 0.5,
        lower=float(betaincinv(wins_b, wins_a + 1, 0.025)) if wins_b else 0.0,
        upper=float(betaincinv(wins_b + 1, wins_a, 0.975)) if wins_a else 1.0,
        p_value=min(1.0, 2.0 * tail),
    )
