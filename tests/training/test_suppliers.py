"""Suppliers from the tables, published and served."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from serving.adapters.reference import Reference
from serving.domain.supplier import LeadTimeQuery, RankingQuery
from serving.errors import MissingInput, UnknownSupplier
from serving.flows.supplier import SupplierFlow
from training.features.reference import materialize_reference
from training.supplier_batch import covered, predict_orders
from training.suppliers import known_orders

if TYPE_CHECKING:
    from pathlib import Path

FIRST = dt.date(2026, 1, 1)
LAST = dt.date(2026, 6, 30)


def orders(seed: int, count: int = 400) -> pl.DataFrame:
    """Draw orders of three suppliers: one keeps its promises, one half of them, one is new."""
    rng = np.random.default_rng(seed)
    supplier = rng.choice(["keeps", "breaks", "new"], count, p=[0.6, 0.39, 0.01])
    ordered = [FIRST + dt.timedelta(int(day)) for day in rng.integers(0, 150, count)]
    promised = rng.integers(10, 20, count)
    late = np.where(supplier == "breaks", rng.choice([-1, 6], count), rng.integers(-3, 1, count))
    return pl.DataFrame(
        {
            "po_id": [f"PO-{number}" for number in range(count)],
            "sku": rng.choice(["A", "B"], count),
            "supplier_id": supplier,
            "order_date": ordered,
            "promised_date": [
                day + dt.timedelta(int(days)) for day, days in zip(ordered, promised, strict=True)
            ],
            "delivered_date": [
                day + dt.timedelta(int(days))
                for day, days in zip(ordered, promised + late, strict=True)
            ],
            "unit_price": np.where(supplier == "breaks", 12.0, 10.0),
            "plant_id": "P",
        }
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("orders")
    orders(0).write_parquet(folder / "purchase_orders.parquet")
    pl.DataFrame(
        {
            "date": [LAST] * 2,
            "sku": ["A"] * 2,
            "supplier_id": ["keeps", "breaks"],
            "batch_size": [1000, 1000],
            "defects": [1, 60],
        }
    ).write_parquet(folder / "quality_events.parquet")
    return folder


@pytest.fixture(scope="module")
def flow(data: Path) -> SupplierFlow:
    features = data / "features"
    assert materialize_reference(data, features, LAST) > 0
    reference = Reference(features / "reference")
    assert reference.refresh()
    return SupplierFlow(reference)


def test_what_was_delivered_later_is_open_on_the_known_day() -> None:
    day = FIRST + dt.timedelta(60)
    known = known_orders(orders(1), day)
    assert known.select((pl.col("order_date") <= day).all()).item()
    later = known.filter(pl.col("open"))
    assert later.height > 0
    assert later["delivered_date"].null_count() == later.height
    assert later.select((pl.col("taken_days") >= 0).all()).item()


def test_performance_tells_who_keeps_promises(flow: SupplierFlow) -> None:
    keeps = flow.get_performance("keeps").performance
    breaks = flow.get_performance("breaks").performance
    assert keeps.on_time.shrunk is not None
    assert breaks.on_time.shrunk is not None
    assert keeps.on_time.shrunk > 0.95
    assert breaks.on_time.shrunk == pytest.approx(0.5, abs=0.1)
    assert breaks.on_time.low is not None
    assert breaks.on_time.low < breaks.on_time.shrunk < (breaks.on_time.high or 0.0)
    assert breaks.price_premium is not None
    assert breaks.price_premium > 0
    assert breaks.defects.observed == 0.06


def test_a_supplier_of_few_orders_is_drawn_toward_the_others(flow: SupplierFlow) -> None:
    new = flow.get_performance("new").performance
    assert new.on_time.observed == 1.0
    assert new.on_time.shrunk is not None
    assert new.on_time.shrunk < 1.0


def test_lead_times_follow_promise_and_supplier(flow: SupplierFlow) -> None:
    asked = LeadTimeQuery("breaks", "P", "A", promised_days=15.0, levels=(0.1, 0.9))
    found = flow.predict_lead_time(asked)
    assert found.days == pytest.approx((14.0, 21.0), abs=1.0)
    assert found.group == ("breaks", "P", "A")


def test_an_item_never_ordered_is_answered_by_its_supplier(flow: SupplierFlow) -> None:
    found = flow.predict_lead_time(LeadTimeQuery("breaks", "P", "Z"))
    assert found.group == ("breaks", "P")
    assert found.provenance.warnings


def test_the_ranking_puts_the_reliable_first(flow: SupplierFlow) -> None:
    found = flow.rank_suppliers(RankingQuery(("breaks", "keeps")))
    assert [one.supplier_id for one in found.ranked] == ["keeps", "breaks"]


def test_who_never_had_an_order_is_unknown(flow: SupplierFlow) -> None:
    with pytest.raises(UnknownSupplier, match="nobody"):
        flow.get_performance("nobody")
    with pytest.raises(UnknownSupplier, match=r"supplier_ids\[1\]"):
        flow.rank_suppliers(RankingQuery(("keeps", "nobody")))


def test_without_orders_the_missing_table_is_named(tmp_path: Path) -> None:
    assert materialize_reference(tmp_path, tmp_path / "features", LAST) == 0
    reference = Reference(tmp_path / "features" / "reference")
    assert not reference.refresh()
    with pytest.raises(MissingInput, match="purchase_orders"):
        SupplierFlow(reference).get_performance("keeps")


def test_equal_tables_publish_nothing_anew(data: Path, flow: SupplierFlow) -> None:
    del flow
    current = data / "features" / "reference" / "current"
    before = current.readlink()
    materialize_reference(data, data / "features", LAST)
    assert current.readlink() == before


def test_a_batch_answers_as_the_flow_and_counts_what_it_covered(
    data: Path, flow: SupplierFlow, tmp_path: Path
) -> None:
    orders(5).write_parquet(tmp_path / "purchase_orders.parquet")
    predicted = predict_orders(data, tmp_path, LAST, (0.1, 0.9))
    first = predicted.row(0, named=True)
    query = LeadTimeQuery(
        first["supplier_id"], "P", first["sku"], first["promised_days"], levels=(0.1, 0.9)
    )
    assert (first["p10"], first["p90"]) == flow.predict_lead_time(query).days
    shares = {level: share for level, _, share in covered(predicted, (0.1, 0.9))}
    assert shares[0.9] > 0.85
