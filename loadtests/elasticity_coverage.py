"""How often the intervals of elasticities cover the truth.

    python -m loadtests.elasticity_coverage --seeds 1000

Draws two years of weekly sales a seed, of a known elasticity: where every week sells, where many
weeks sell nothing, where the price follows demand, and both; prints the share of 95 % intervals
that hold the truth, and of those that a regression without the instrument would give.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from serving.domain.elasticity import ElasticityQuery, estimate_elasticity

if TYPE_CHECKING:
    from serving.domain.elasticity import Elasticity

WEEKS = 104
PRICE = 10.0
ELASTICITIES = (-0.5, -1.5, -2.5, -3.5)


@dataclass(frozen=True, slots=True)
class Scene:
    """A kind of market.

    Attributes:
        name: What it is called.
        level: Log of the units a week at the usual price.
        counted: Sales are whole units drawn around their mean, so that weeks may sell none.
        endogenous: The price follows demand, and a cost shock moves it beside.
    """

    name: str
    level: float
    counted: bool
    endogenous: bool

    def drawn(self, seed: int, elasticity: float) -> ElasticityQuery:
        """Draw two years of weeks."""
        rng = np.random.default_rng(seed)
        shock, surge = rng.normal(size=WEEKS), 0.3 * rng.normal(size=WEEKS)
        season = np.sin(np.arange(WEEKS) * 2 * np.pi / 52)
        follows = 0.3 * surge if self.endogenous else 0.0
        price = 0.15 * shock + follows + 0.05 * rng.normal(size=WEEKS)
        mean = np.exp(self.level + elasticity * price + 0.2 * season + surge)
        sold = mean * np.exp(0.1 * rng.normal(size=WEEKS))
        return ElasticityQuery(
            price=PRICE * np.exp(price),
            quantity=rng.poisson(mean).astype(np.float64) if self.counted else sold,
            available_fraction=np.ones(WEEKS),
            controls=season[:, None],
            instrument=shock if self.endogenous else None,
        )


SCENES = (
    Scene("every week sells", 3.0, counted=False, endogenous=False),
    Scene("weeks without a sale", 0.5, counted=True, endogenous=False),
    Scene("price follows demand", 3.0, counted=False, endogenous=True),
    Scene("both", 0.5, counted=True, endogenous=True),
)


def covers(found: Elasticity, elasticity: float) -> bool:
    """Say whether a confidence set holds the truth."""
    low = -math.inf if found.interval.low is None else found.interval.low
    high = math.inf if found.interval.high is None else found.interval.high
    return (low <= elasticity <= high) == found.interval.inside


def main(seeds: Annotated[int, typer.Option(help="Markets drawn of each kind.")] = 1000) -> None:
    """Print how often 95 % intervals cover the truth, by kind of market."""
    table = Table(
        "market", "method", "95 % intervals that hold the truth", "without the instrument"
    )
    with Progress(transient=True) as progress:
        bar = progress.add_task("drawing markets", total=seeds * len(SCENES))
        for scene in SCENES:
            held, naive, methods = 0, 0, set()
            for seed in range(seeds):
                truth = ELASTICITIES[seed % len(ELASTICITIES)]
                asked = scene.drawn(seed, truth)
                found = estimate_elasticity(asked)
                held += covers(found, truth)
                methods.add(found.method.name.lower())
                if scene.endogenous:
                    plain = estimate_elasticity(replace(asked, instrument=None))
                    naive += covers(plain, truth)
                progress.advance(bar)
            table.add_row(
                scene.name,
                ", ".join(sorted(methods)),
                f"{held / seeds:.1%}",
                f"{naive / seeds:.1%}" if scene.endogenous else "-",
            )
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
