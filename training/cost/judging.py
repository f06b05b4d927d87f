"""Judge every quote of a data folder by the code that serves, and write what it says."""

from __future__ import annotations

import datetime as dt
import gc
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl
from rich.table import Table

from serving.adapters.cost_model import COST, open_cost
from serving.adapters.releases import CURRENT, open_release
from serving.domain.cost import Quote, ShouldCostQuery
from serving.domain.cost_answers import ShouldCost
from serving.errors import InvalidField, NoModel, UnknownModel
from serving.flows.cost import CostFlow
from training.batch.processes import beside
from training.cost.documents import cost_documents
from training.cost.quotes import read_quotes
from training.shelf import Shelf
from training.tables.layers import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from serving.adapters.cost_model import OnnxCostModel
    from serving.domain.model import ModelDescription
    from serving.errors import ParlevelError
    from training.cost.documents import Document

    Judge = Callable[[Sequence[pl.DataFrame]], Iterable[pl.DataFrame]]

ROWS = 10_000  # judged together
MIN_BRACKET = 500  # quotes of a quantity from which it is shown on its own
_KEPT = ("quote_id", "sku", "supplier_id", "quantity", "unit_price")
_SCHEMA = {
    "should_cost": pl.Float64,
    "p10": pl.Float64,
    "p50": pl.Float64,
    "p90": pl.Float64,
    "method": pl.String,
    "gap": pl.Float64,
    "gap_flag": pl.Boolean,
    "expected_price": pl.Float64,
    "p_value": pl.Float64,
    "flag": pl.Boolean,
    "reason": pl.String,
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be judged.

    Attributes:
        data: Data folder with the quotes.
        out: Parquet file to write.
        releases: Folder of the releases.
        model: Version of the cost model; ``current`` is the one that serves, else the newest.
        false_alarm_rate: Share of honest quotes the calibrated flag may mark.
        allowed_margin: Margin a supplier may have.
        workers: Processes that judge, at the most.
        part: Quotes judged together.
    """

    data: Path
    out: Path
    releases: Path
    model: str = CURRENT
    false_alarm_rate: float = 0.05
    allowed_margin: float = 0.0
    workers: int = 1
    part: int = ROWS


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of it.

    Attributes:
        judged: One row a quote, as written.
        seconds: Time it took.
    """

    judged: pl.DataFrame
    seconds: float

    @property
    def rows(self) -> int:
        """Quotes judged."""
        return self.judged.height

    def table(self) -> Table:
        """Return shares of flags as a table for the terminal, by quantity where there are many."""
        table = Table("quotes", "count", "gap above 10 %", "flagged", "no estimate")
        counts = self.judged["quantity"].value_counts().sort("quantity")
        often = counts.filter(pl.col("count") >= MIN_BRACKET)["quantity"].to_list()
        groups = [("all", self.judged)]
        groups += [
            (f"quantity {value:g}", self.judged.filter(pl.col("quantity") == value))
            for value in often
        ]
        for name, rows in groups:
            table.add_row(name, f"{rows.height:,}", *_shares(rows))
        return table


class _Fixed:
    """A model source that holds one model, or none."""

    def __init__(self, model: OnnxCostModel | None) -> None:
        self._model = model

    def current(self) -> OnnxCostModel:
        if self._model is None:
            raise NoModel(COST, "parlevel train cost")
        return self._model

    def descriptions(self) -> Sequence[ModelDescription]:
        return [] if self._model is None else [self._model.description]


class _Written:
    """Reference documents as they were made, without a store between."""

    generation = "1"

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents = {(kind, key): dict(body) for kind, key, body in documents}

    def document(self, kind: str, key: str) -> dict[str, Any] | None:
        return self._documents.get((kind, key))


class _Now:
    """A clock for questions that all bring their day."""

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)


def judge_quotes(asked: Judgement, progress: Callable[[int, int], None]) -> Summary:
    """Judge quotes and write one row for each.

    Args:
        asked: What is to be judged.
        progress: Told how many quotes are done and how many there are.

    Raises:
        MissingInput: If the folder has no quotes.
        InvalidField: If the file is not to be parquet.
        UnknownModel: If there is no such version of the model.
        ReleaseRefused: If the model's release fails a check.
    """
    if asked.out.suffix != ".parquet":
        raise InvalidField("out", "must end in .parquet")
    begun = time.monotonic()
    frame = read_quotes(asked.data).frame
    parts, found, done = list(frame.iter_slices(asked.part)), [], 0
    with _judges(asked, len(parts)) as judge:
        for answers in judge(parts):
            found.append(answers)
            done += answers.height
            progress(done, frame.height)
    judged = pl.concat(
        [frame.select(_KEPT), pl.concat(found) if found else pl.DataFrame(schema=_SCHEMA)],
        how="horizontal",
    )
    replace_file(asked.out, judged.write_parquet)
    return Summary(judged, time.monotonic() - begun)


@contextmanager
def _judges(asked: Judgement, parts: int) -> Iterator[Judge]:
    """Give what judges parts in order, in this process or in several beside it."""
    count = min(asked.workers, parts)
    if count <= 1:
        with _no_collection():
            flow = cost_flow(asked.data, asked.releases, asked.model)
            yield lambda wanted: (_judged(flow, asked, part) for part in wanted)
        return
    # What would be refused is refused here, and not by a process that ends.
    open_version(asked.releases, asked.model)
    with beside(count, _begin, (asked,), "judge the quotes again") as pool:
        yield lambda wanted: pool.map(_judge, wanted)


_flows: list[tuple[CostFlow, Judgement]] = []  # of a process of `_judges`: what it answers with


def _begin(asked: Judgement) -> None:
    gc.disable()  # as `_no_collection` does; the process ends with its work
    _flows.append((cost_flow(asked.data, asked.releases, asked.model), asked))


def _judge(part: pl.DataFrame) -> pl.DataFrame:
    return _judged(*_flows[0], part)


def _judged(flow: CostFlow, asked: Judgement, part: pl.DataFrame) -> pl.DataFrame:
    """Return what is said of some quotes, one row each."""
    answers = flow.estimate_many(list(_queries(part, asked)), drivers=False)
    return pl.DataFrame([_row(answer) for answer in answers], schema=_SCHEMA, orient="row")


@contextmanager
def _no_collection() -> Iterator[None]:
    """Hold garbage collection off: among millions of records that all stay it finds nothing.

    It would take a third of the time of a large folder.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def cost_flow(data: Path, releases: Path, wanted: str = CURRENT) -> CostFlow:
    """Return the path that serves should-cost over the tables of a folder.

    Args:
        data: The data folder.
        releases: Folder of the releases.
        wanted: Version of the cost model; ``current`` is the one that serves, else the newest.

    Raises:
        UnknownModel: If there is no such version of the model.
        ReleaseRefused: If the model's release fails a check.
    """
    reference = _Written(cost_documents(data))
    return CostFlow(reference, _Fixed(open_version(releases, wanted)), _Now())


def open_version(releases: Path, wanted: str) -> OnnxCostModel | None:
    """Open a release of the cost model; None where none is registered.

    Raises:
        UnknownModel: If there is no such version.
        ReleaseRefused: If the release fails a check.
    """
    shelf = Shelf(releases / COST)
    version = wanted
    if wanted == CURRENT:
        newest = shelf.versions()
        version = shelf.serving() or (str(newest[-1]) if newest else "")
        if not version:
            return None
    if not version.isdigit() or not shelf.release(version).is_dir():
        raise UnknownModel(f"{COST}/{version}")
    return open_release(shelf.release(version), open_cost)


def _queries(quotes: pl.DataFrame, asked: Judgement) -> Iterator[ShouldCostQuery]:
    """Yield the question of each quote, on the day it was made."""
    for row in quotes.iter_rows(named=True):
        yield ShouldCostQuery(
            sku=row["sku"],
            currency_code=row["currency_code"] or "",
            as_of_date=row["date"],
            quote=Quote(
                unit_price=row["unit_price"],
                quantity=row["quantity"],
                supplier_id=row["supplier_id"],
                minimum_order_quantity=row["minimum_order_quantity"],
                annual_usage=row["annual_usage"],
                bracket_quantities=tuple(row["brackets"]),
                bracket_pricing=row["bracket_pricing"],
            ),
            allowed_margin=asked.allowed_margin,
            false_alarm_rate=asked.false_alarm_rate,
        )


def _row(answer: ShouldCost | ParlevelError) -> tuple[object, ...]:
    if not isinstance(answer, ShouldCost):
        return (*(None,) * (len(_SCHEMA) - 1), str(answer))
    gap = answer.gap
    judged = (
        (None,) * 5
        if gap is None
        else (gap.gap, gap.gap_flag, gap.expected_price, gap.p_value, gap.flag)
    )
    return (
        answer.should_cost,
        answer.should_cost_p10,
        answer.should_cost_p50,
        answer.should_cost_p90,
        answer.method.name.lower(),
        *judged,
        "; ".join(answer.provenance.warnings),
    )


def _shares(rows: pl.DataFrame) -> list[str]:
    if not rows.height:
        return ["-"] * 3
    return [
        _share(rows["gap_flag"].mean()),
        _share(rows["flag"].mean()),
        _share(rows["should_cost"].is_null().mean()),
    ]


def _share(value: object) -> str:
    return f"{value:.1%}" if isinstance(value, float) else "-"
