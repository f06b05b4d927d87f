"""Generates a world from a profile and a seed: two folders, and the facts measured on the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from serving.errors import InvalidField
from training.world.facts import Fact, measure_facts, tally
from training.world.makers import MAKERS, TRADE_MAKERS
from training.world.profiles import LAST_DAY, Profile, find_profile
from training.world.publish import Place, check_replaceable, read_manifest, staged
from training.world.trade import draw_trade
from training.world.world import World, draw_world, stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from training.world.facts import Tally
    from training.world.tables import Tables

# Raised whenever the same profile and seed would give other bytes than before.
GENERATOR_VERSION = 3

DATASET = """\
frequency = "day"
absent_days = "zero"
currency_code = "USD"
country = "US"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSummary:
    """What a world holds.

    Attributes:
        profile: how large it is.
        seed: its seed.
        out: folder of the observed tables.
        truth: folder of the truth.
        digest: SHA-256 over the observed files, in hexadecimal.
        rows: rows of each observed table.
        facts: the facts and what was measured.
        skipped: it stood there already, and nothing was written.
    """

    profile: Profile
    seed: int
    out: Path
    truth: Path
    digest: str
    rows: dict[str, int]
    facts: tuple[Fact, ...]
    skipped: bool


@dataclass(frozen=True, slots=True)
class WorldJob:
    """A world to be generated.

    Attributes:
        profile: how large it is.
        seed: its seed, 0 or more.
        out: folder of the observed tables.
        truth: folder of the truth; neither folder may lie within the other.
        force: replace whatever the folders hold, the same world too.

    Raises:
        InvalidField: when the seed is negative or a folder lies within the other.
    """

    profile: Profile
    seed: int
    out: Path
    truth: Path
    force: bool = False

    def __post_init__(self) -> None:
        """Refuse a seed or folders that cannot be used."""
        if self.seed < 0:
            raise InvalidField("seed", f"must be 0 or more, got {self.seed}")
        out, truth = self.out.resolve(), self.truth.resolve()
        if out.is_relative_to(truth) or truth.is_relative_to(out):
            raise InvalidField("truth", "must lie outside the folder that training reads")
        object.__setattr__(self, "out", out)
        object.__setattr__(self, "truth", truth)

    def run(self, on_step: Callable[[int, int], None]) -> WorldSummary:
        """Generate the world, unless the same one stands there already and may stay.

        Args:
            on_step: told after each step how many are done and how many there are.

        Returns:
            What the world holds.

        Raises:
            InvalidField: when a folder holds anything but an unchanged world.
        """
        standing = None if self.force else self._standing()
        if standing is not None:
            return standing
        check_replaceable("out", self.out, force=self.force)
        check_replaceable("truth", self.truth, force=self.force)
        # Truth is put in place first: tables never stand there without the truth behind them.
        with staged(self.out) as out, staged(self.truth) as truth:
            return _Writer(self, out, truth).write(on_step)

    @property
    def identity(self) -> dict[str, Any]:
        """What decides the bytes of the world, ready for JSON."""
        return {
            "profile": asdict(self.profile),
            "seed": self.seed,
            "generator_version": GENERATOR_VERSION,
            "last_day": LAST_DAY.isoformat(),
        }

    def _standing(self) -> WorldSummary | None:
        observed, truth = read_manifest(self.out), read_manifest(self.truth)
        if observed is None or truth is None:
            return None
        if any(
            found.get(key) != value
            for found in (observed, truth)
            for key, value in self.identity.items()
        ):
            return None
        facts = tuple(Fact(**fact) for fact in truth["facts"])
        return self.summary(observed["digest"], observed["rows"], facts, skipped=True)

    def summary(
        self, digest: str, rows: dict[str, int], facts: tuple[Fact, ...], *, skipped: bool
    ) -> WorldSummary:
        """Summarise the world this job stands for."""
        return WorldSummary(
            profile=self.profile,
            seed=self.seed,
            out=self.out,
            truth=self.truth,
            digest=digest,
            rows=rows,
            facts=facts,
            skipped=skipped,
        )


class _Writer:
    """Writes the tables of one job to its two folders and counts their rows."""

    def __init__(self, job: WorldJob, out: Place, truth: Place) -> None:
        self._job = job
        self._out = out
        self._truth = truth
        self._rows: Counter[str] = Counter()

    def write(self, on_step: Callable[[int, int], None]) -> WorldSummary:
        job = self._job
        world = draw_world(job.profile, job.seed)
        steps = len(MAKERS) + job.profile.parts
        for done, (name, make) in enumerate(MAKERS, start=1):
            self._write_tables(make(world, stream(job.seed, f"tables {name}")))
            on_step(done, steps)
        tallies = []
        for part in range(job.profile.parts):
            tallies.append(self._write_part(world, part))
            on_step(len(MAKERS) + part + 1, steps)
        facts = measure_facts(world, tallies)
        (self._out.staging / "dataset.toml").write_text(DATASET, encoding="utf-8")
        rows = dict(sorted(self._rows.items()))
        described = {"facts": [asdict(fact) for fact in facts]}
        self._truth.write_manifest(job.identity | described)
        digest = self._out.write_manifest(job.identity | {"rows": rows})
        return job.summary(digest, rows, facts, skipped=False)

    def _write_part(self, world: World, part: int) -> Tally:
        trade = draw_trade(world, part)
        number = part if self._job.profile.partitioned else None
        for make in TRADE_MAKERS:
            self._write_tables(make(world, trade), number)
        return tally(world, trade)

    def _write_tables(self, tables: Tables, part: int | None = None) -> None:
        for name, frame in tables.observed.items():
            self._out.write_table(name, frame, part)
            self._rows[name] += frame.height
        for name, frame in tables.truth.items():
            self._truth.write_table(name, frame, part)


def generate(
    profile: str | Profile, seed: int, out: Path, truth: Path | None = None, *, force: bool = False
) -> WorldSummary:
    """Generate a world.

    Args:
        profile: a profile, or the name of one.
        seed: 0 or more; the same profile and seed give the same bytes.
        out: folder of the observed tables.
        truth: folder of the truth, by default ``<out>-truth`` beside it.
        force: replace whatever the folders hold, the same world too.

    Returns:
        What the world holds.

    Raises:
        InvalidField: when an argument cannot be used.
    """
    chosen = find_profile(profile) if isinstance(profile, str) else profile
    job = WorldJob(chosen, seed, out, truth or default_truth(out), force)
    return job.run(lambda _done, _steps: None)


def default_truth(out: Path) -> Path:
    """Return where the truth of a world lies unless told otherwise: beside it.

    Args:
        out: folder of the observed tables.

    Returns:
        ``<out>-truth``.
    """
    resolved = out.resolve()
    return resolved.with_name(f"{resolved.name}-truth")
