"""What the tables let orders draw on, as reference documents: lots, neighbours, faster sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from serving.domain.series import SEPARATOR
from serving.domain.supply import MAX_LOTS, MAX_OPTIONS
from serving.flows.reorder_tables import ANY, SUPPLY
from training import tables

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    Document = tuple[str, str, Mapping[str, object]]
    Pair = tuple[str, str]

_PAIR = ("sku", "location")
_LANE = ("location", "neighbour")


def reorder_documents(data_dir: Path, as_of: dt.date | None) -> Iterator[Document]:
    """Yield what each series with stock may draw on beside its stock and its first supplier.

    Args:
        data_dir: The data folder.
        as_of: Last known day; the last one of the stock where None.

    Yields:
        Kind, key and body of each document; none where the tables say nothing of the kind.
    """
    if not tables.exists(data_dir, "inventory"):
        return
    held = _held(data_dir, as_of)
    pairs = held.select(_PAIR).unique().sort(_PAIR)
    lots, lanes, faster = _lots(held), _lanes(data_dir), _faster(data_dir)
    places: dict[str, set[str]] = {}
    for sku, location in pairs.iter_rows():
        places.setdefault(sku, set()).add(location)
    some = False
    for sku, location in pairs.iter_rows():
        body = {
            "lots": lots.get((sku, location), []),
            "neighbours": [
                one for one in lanes.get(location, []) if one["location"] in places[sku]
            ][:MAX_OPTIONS],
            "expedite": faster.get((sku, location), faster.get((sku, ""))),
        }
        if any(body.values()):
            some = True
            yield SUPPLY, SEPARATOR.join((sku, location)), body
    if some:
        yield SUPPLY, ANY, {}


def _held(data_dir: Path, as_of: dt.date | None) -> pl.DataFrame:
    """Return each pair's rows of stock on its latest day."""
    names = ("date", *_PAIR, "on_hand", "expiry_date")
    rows = tables.read(data_dir, "inventory", columns=names)
    if as_of is not None:
        rows = rows.filter(pl.col("date") <= as_of)
    return rows.filter(pl.col("date") == pl.col("date").max().over(_PAIR))


def _lots(held: pl.DataFrame) -> dict[Pair, list[tuple[float, str | None]]]:
    """Return the lots of each pair of which a day of expiry is known, the soonest first."""
    dated = held.filter(pl.col("expiry_date").is_not_null().any().over(_PAIR))
    summed = dated.group_by(*_PAIR, "expiry_date").agg(pl.col("on_hand").sum())
    found: dict[Pair, list[tuple[float, str | None]]] = {}
    for sku, location, day, units in summed.sort(
        *_PAIR, "expiry_date", nulls_last=True
    ).iter_rows():
        found.setdefault((sku, location), []).append(
            (units, None if day is None else day.isoformat())
        )
    return {pair: lots for pair, lots in found.items() if len(lots) <= MAX_LOTS}


def _lanes(data_dir: Path) -> dict[str, list[dict[str, Any]]]:
    """Return from where, how fast and how much each location can be sent to, the nearest first."""
    if not tables.exists(data_dir, "network"):
        return {}
    names = ("upstream", "downstream", "lead_time_days", "processing_days")
    days = pl.col("lead_time_days") + pl.col("processing_days").fill_null(0.0)
    edges = tables.read(data_dir, "network", columns=names).select(
        location="downstream", neighbour="upstream", days=days
    )
    edges = edges.drop_nulls("days").join(_capacities(data_dir), on=_LANE, how="left")
    found: dict[str, list[dict[str, Any]]] = {}
    for location, neighbour, lead, capacity in edges.sort("days", "neighbour").iter_rows():
        option = {"location": neighbour, "days": lead, "capacity": capacity}
        found.setdefault(location, []).append(option)
    return found


def _capacities(data_dir: Path) -> pl.DataFrame:
    """Return the most units a lane between two locations takes."""
    schema = {"location": pl.String, "neighbour": pl.String, "capacity": pl.Float64}
    if not tables.exists(data_dir, "lanes"):
        return pl.DataFrame(schema=schema)
    lanes = tables.read(data_dir, "lanes", columns=("origin", "destination", "capacity"))
    named = lanes.select(location="destination", neighbour="origin", capacity="capacity")
    return named.drop_nulls().group_by(_LANE).agg(pl.col("capacity").sum())


def _faster(data_dir: Path) -> dict[Pair, dict[str, float | None]]:
    """Return the fastest source of each sku and location, "" for all, beside the one ordered from.

    What it costs more is null where a price is missing or the currencies differ.
    """
    if not tables.exists(data_dir, "sourcing"):
        return {}
    names = ("sku", "supplier_id", "location", "share", "lead_time_days", "unit_price")
    rows = tables.read(data_dir, "sourcing", columns=(*names, "currency_code", "preferred"))
    rows = rows.drop_nulls("lead_time_days").with_columns(pl.col("location").fill_null(""))
    rows = rows.sort(
        pl.col("preferred").fill_null(value=False),
        pl.col("share").fill_null(0.0),
        "lead_time_days",
        "supplier_id",
        descending=[True, True, False, False],
    )
    usual = rows.unique(_PAIR, keep="first", maintain_order=True)
    fastest = rows.sort("lead_time_days", "unit_price", nulls_last=True).unique(
        _PAIR, keep="first", maintain_order=True
    )
    extra = (pl.col("unit_price_right") - pl.col("unit_price")).clip(lower_bound=0.0)
    same = pl.col("currency_code").eq_missing(pl.col("currency_code_right"))
    both = usual.join(fastest, on=_PAIR).filter(
        pl.col("lead_time_days_right") < pl.col("lead_time_days")
    )
    both = both.select(*_PAIR, "lead_time_days_right", pl.when(same).then(extra))
    return {
        (sku, location): {"lead_time_days": days, "extra_unit_cost": cost}
        for sku, location, days, cost in both.iter_rows()
    }
