"""Training runs of the cost model: quotes in, a certified and registered version out."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from serving.adapters.cost_model import COST
from serving.errors import InvalidField, ReleaseRefused
from training import tables
from training.cost.certificate import certify
from training.cost.encoding import find_encoding, quantities_of
from training.cost.model import LEVELS, MEMBERS, CostRecipe, train
from training.cost.quotes import read_catalogue, read_quotes
from training.cost.scoring import score
from training.registry import Candidate, Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from serving.settings import Settings

HEADLINE = "rmsle"
CERTIFIED_ROWS = 2_000
_CODE = tuple(f"cost/{name}.py" for name in ("model", "pairs", "graph", "encoding", "quotes"))
_MEANINGS = {
    "rmsle": "root mean squared error of log(1 + price)",
    "within_10": "estimates within 10 % of the quote",
    "false_flags": "quotes flagged at 5 %",
    "worst_bracket_false_flags": "the same, worst quantity of 500 quotes or more",
    "found_30": "overcharges of 30 % found at 5 %",
    "interval_80": "quotes within the 10 % and 90 % quantile",
}


@dataclass(frozen=True, slots=True)
class CostRun:
    """What a cost training run is asked.

    Attributes:
        data: Data folder.
        recipe: How to train.
        force: Train even if a version of the same content is registered.
        evaluate: Score only, register nothing.
    """

    data: Path
    recipe: CostRecipe
    force: bool = False
    evaluate: bool = False

    def tags(self) -> dict[str, str]:
        """Return the content hashes that identify what this run would register."""
        code = hashlib.sha256()
        for file in _CODE:
            code.update((Path(__file__).parents[1] / file).read_bytes())
        return {
            "data_sha256": tables.digest(self.data),
            "recipe": json.dumps(asdict(self.recipe), sort_keys=True),
            "code_sha256": code.hexdigest(),
        }


@dataclass(frozen=True, slots=True)
class CostResult:
    """What a run yields.

    Attributes:
        version: Registered version; empty where nothing was registered.
        skipped: The version was there already.
        metrics: Figures on held-out parts by name; empty where skipped.
    """

    version: str
    skipped: bool
    metrics: Mapping[str, float]

    def table(self) -> Table:
        """Return the figures as a table for the terminal."""
        table = Table("on parts held out", "value", "meaning")
        for name, meaning in _MEANINGS.items():
            table.add_row(name, f"{self.metrics[name]:.4f}", meaning)
        return table


def steps(recipe: CostRecipe) -> int:
    """Return the steps a run tells of, for the progress bar."""
    return (recipe.folds + 1) * len(MEMBERS) + 4


def run_cost(settings: Settings, run: CostRun, tell: Callable[[str], None]) -> CostResult:
    """Train, score, and unless only the figures are wanted export, certify and register.

    Args:
        settings: Where the registry and the releases are.
        run: What is asked.
        tell: Told the name of each step as it begins.

    Raises:
        MissingInput: If there are no quotes, or for too few parts.
        InvalidField: If a quote has no price, or quotes are in several currencies.
        ReleaseRefused: If the certificate does not pass.
    """
    known = None
    if not (run.force or run.evaluate):
        known = Registry(settings).find(COST, run.tags())
    if known is not None:
        return CostResult(known, skipped=True, metrics={})
    tell("reading quotes and parts")
    quotes, catalogue = read_quotes(run.data), read_catalogue(run.data)
    currency = _one_currency(quotes.frame["currency_code"].drop_nulls().unique().to_list(), run)
    prices = quotes.frame["unit_price"].to_numpy()
    if (prices <= 0).any():
        raise InvalidField("quotes.unit_price", "must be above 0 to train on")
    skus, parts = np.unique(quotes.skus, return_inverse=True)
    encoding = find_encoding(catalogue, skus.tolist(), quotes.terms.suppliers)
    encoding = replace(encoding, quoted_quantities=quantities_of(quotes.terms.quantity))
    rows = encoding.rows(quotes.skus, quotes.terms, catalogue.rows(encoding, quotes.skus))
    fit, held = train(rows, prices, parts, run.recipe, tell)
    metrics = score(held, prices, quotes.terms.quantity)
    if run.evaluate:
        return CostResult("", skipped=False, metrics=metrics)
    facts = {
        "quantile_levels": list(LEVELS),
        "part_encoding": encoding.to_json(),
        "currency_code": currency,
        "data_end": str(quotes.frame["date"].max()),
        "metrics": metrics,
    }
    tell("export and certificate")
    graph = fit.graph()
    certificate = certify(graph, fit, rows[:: max(1, len(rows) // CERTIFIED_ROWS)])
    if not certificate["passed"]:
        failed = [check["name"] for check in certificate["checks"] if not check["passed"]]
        raise ReleaseRefused(COST, f"its graph differs from its model on {', '.join(failed)}")
    tell("registration")
    with tempfile.TemporaryDirectory() as scratch:
        version = Registry(settings).register(
            Candidate(
                name=COST,
                graph=graph,
                certificate=certificate,
                features=encoding.features,
                feature_set_hash=encoding.digest,
                facts=facts,
                headline=HEADLINE,
                parameters={**asdict(run.recipe), "features": len(encoding.features)},
                metrics=metrics,
                tags={**run.tags(), "data_end": str(facts["data_end"])},
                artifacts={"card": _card(Path(scratch) / "model_card.md", metrics, len(rows))},
            )
        )
    return CostResult(version, skipped=False, metrics=metrics)


def _one_currency(codes: list[str], run: CostRun) -> str:
    """Return the currency all quotes are in; where they name none, that of the data."""
    if len(codes) > 1:
        raise InvalidField("quotes.currency_code", f"must be one to train on, not {sorted(codes)}")
    return codes[0] if codes else tables.dataset(run.data).currency_code


def _card(file: Path, metrics: Mapping[str, float], quotes: int) -> Path:
    """Write the model card as markdown and return its file."""
    figures = "\n".join(f"| {_MEANINGS[name]} | {value:.4f} |" for name, value in metrics.items())
    file.write_text(
        "# Should-cost from quotes\n\n"
        "What it answers: the price a quote for a part should have, its distribution, and how\n"
        "likely an honest quote is to lie as far above it.\n\n"
        f"How it was made: boosted trees of the log price of {quotes:,} quotes from attributes of\n"
        "the part, of its components and of the quote; a second head for the expected error; and\n"
        "conformal factors by quantity, all judged on parts that were held out whole.\n\n"
        "What to know before relying on it: flags are right as often as they say for parts and\n"
        "quotes like those it was trained on, all together and by quantity, not for each part.\n"
        "Overcharges that were in the quotes it was trained on count as honest.\n\n"
        f"| on parts held out | value |\n|---|---|\n{figures}\n",
        encoding="utf-8",
    )
    return file
