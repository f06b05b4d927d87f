"""The path of a should-cost question: bill first, quotes where there is none, gap last."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from serving.domain.cost import (
    BatchShouldCostQuery,
    CostOverrides,
    CostRowStatus,
    Quote,
    ShouldCostMethod,
    ShouldCostQuery,
)
from serving.domain.cost_answers import ShouldCost
from serving.errors import InvalidField, MissingInput, MissingRate, NoModel, UnknownSeries
from serving.flows.cost import CostFlow
from serving.flows.cost_answers import tail_probability
from serving.flows.cost_desk import PART
from tests.fakes.cost import (
    ENCODING,
    SILENT,
    FakeClock,
    FakeCostModel,
    FakeCostModels,
    FakeCostReference,
    cost_flow,
)


def test_a_part_with_a_bill_is_answered_from_it() -> None:
    answer = cost_flow().estimate(ShouldCostQuery("bracket"))

    assert answer.method is ShouldCostMethod.BILL
    assert answer.provenance.formula_version == "should-cost/1"
    assert answer.provenance.model_name == ""
    assert answer.should_cost == pytest.approx(sum(one.cost for one in answer.elements))
    assert answer.as_of_date == "2026-06-30"
    assert answer.should_cost_p10 < answer.should_cost_p50 < answer.should_cost_p90


def test_a_part_without_a_bill_is_answered_from_quotes_and_says_so() -> None:
    answer = cost_flow().estimate(ShouldCostQuery("tube", quote=Quote(quantity=10.0)))

    assert answer.method is ShouldCostMethod.QUOTES
    assert answer.provenance.model_version == "3"
    assert "no bill of materials" in answer.provenance.warnings[0]
    assert answer.elements == ()


def test_a_bill_nobody_priced_is_answered_from_quotes_and_names_what_it_lacks() -> None:
    answer = cost_flow().estimate(ShouldCostQuery("unpriced"))
    assert "component 'mystery'" in answer.provenance.warnings[0]
    with pytest.raises(MissingInput, match="component 'mystery'"):
        cost_flow().estimate(ShouldCostQuery("unpriced", ShouldCostMethod.BILL))


def test_without_a_model_a_part_without_a_bill_has_no_estimate() -> None:
    with pytest.raises(NoModel, match="parlevel train cost"):
        cost_flow(model=False).estimate(ShouldCostQuery("tube"))


def test_without_a_model_a_gap_is_answered_without_its_calibrated_flag() -> None:
    query = ShouldCostQuery("bracket", quote=Quote(1_000.0))
    answer = cost_flow(model=False).estimate(query)

    assert answer.gap is not None
    assert (answer.gap.gap_flag, answer.gap.p_value, answer.gap.flag) == (True, None, None)
    assert "no cost model serves" in answer.provenance.warnings[-1]


def test_what_changes_nothing_is_said() -> None:
    of_gold = CostOverrides(commodity_prices={"gold": 9.0, "steel": 2.0})
    said = cost_flow().estimate(ShouldCostQuery("bracket", overrides=of_gold)).provenance.warnings
    assert [text for text in said if "changes nothing" in text] == [
        "no line of the bill is of 'gold': its price changes nothing"
    ]
    from_quotes = ShouldCostQuery("bracket", ShouldCostMethod.QUOTES, overrides=of_gold)
    (warning,) = cost_flow().estimate(from_quotes).provenance.warnings
    assert "the overrides change nothing" in warning


def test_a_quote_unlike_those_trained_on_is_said_to_be_one() -> None:
    model = FakeCostModel()
    model.encoding = replace(ENCODING, quoted_quantities=(10.0, 500.0))
    flow = CostFlow(FakeCostReference(), FakeCostModels(model), FakeClock())

    def warnings(quote: Quote) -> tuple[str, ...]:
        query = ShouldCostQuery("bracket", quote=quote, overrides=CostOverrides(tariff_rate=0.0))
        said = flow.estimate(query).provenance.warnings
        return tuple(text for text in said if "quote" in text)

    assert warnings(Quote(9.0, 10.0, "S1")) == ()
    (other,) = warnings(Quote(9.0, 10.0, "nobody"))
    assert "supplier 'nobody'" in other
    (one,) = warnings(Quote(9.0))
    assert "10 to 500 units" in one
    assert warnings(Quote(None, 1.0, "nobody")) == (), "nothing is judged without a price"
    assert warnings(Quote(9.0, 100.0)) == ()
    model.encoding = replace(ENCODING, quoted_quantities=(10.0, 50.0, 500.0))
    (between,) = warnings(Quote(9.0, 100.0))
    assert "10, 50, 500 units" in between
    assert warnings(Quote(9.0, 50.0)) == ()


def test_a_quantity_nobody_quoted_is_priced_between_those_beside_it() -> None:
    model = FakeCostModel()
    model.encoding = replace(ENCODING, quoted_quantities=(10.0, 40.0, 1_000.0))
    flow = CostFlow(FakeCostReference(), FakeCostModels(model), FakeClock())

    def told(quantity: float) -> ShouldCost:
        quote = Quote(quantity=quantity, bracket_quantities=(quantity, 1_000.0))
        return flow.estimate(ShouldCostQuery("tube", quote=quote))

    low, high, between = told(10.0), told(40.0), told(20.0)
    assert low.should_cost > between.should_cost > high.should_cost
    assert between.should_cost == pytest.approx((low.should_cost * high.should_cost) ** 0.5)
    assert between.should_cost_p90 == pytest.approx(
        (low.should_cost_p90 * high.should_cost_p90) ** 0.5
    )
    assert told(1.0).should_cost == low.should_cost
    assert told(5_000.0).should_cost == told(1_000.0).should_cost
    mixed = flow.estimate_many(
        [ShouldCostQuery("tube", quote=Quote(quantity=one)) for one in (10.0, 20.0, 40.0)]
    )
    assert [one.should_cost for one in mixed if isinstance(one, ShouldCost)] == [
        flow.estimate(ShouldCostQuery("tube", quote=Quote(quantity=one))).should_cost
        for one in (10.0, 20.0, 40.0)
    ]


def test_a_dearer_quote_has_a_smaller_p_value_and_is_flagged_at_a_larger_rate_first() -> None:
    def gap(price: float, rate: float) -> tuple[float | None, bool | None]:
        query = ShouldCostQuery("tube", quote=Quote(price), false_alarm_rate=rate)
        found = cost_flow().estimate(query).gap
        assert found is not None
        return found.p_value, found.flag

    expected = cost_flow().estimate(ShouldCostQuery("tube")).should_cost
    near, far = gap(expected * 1.1, 0.1), gap(expected * 1.3, 0.1)
    assert near[0] is not None
    assert far[0] is not None
    assert far[0] < 0.1 < near[0]
    assert (near[1], far[1], gap(expected * 1.3, 0.02)[1]) == (False, True, False)


def test_the_batch_says_what_the_single_question_says_and_fails_row_by_row() -> None:
    skus = ("bracket", "nobody", "tube", "gilded")
    prices = np.array([9.0, 1.0, 40.0, 1.0])
    batch = cost_flow().estimate_batch(BatchShouldCostQuery(skus, unit_prices=prices))

    assert batch.row_statuses == (
        CostRowStatus.OK,
        CostRowStatus.UNKNOWN_PART,
        CostRowStatus.OK,
        CostRowStatus.MISSING_RATE,
    )
    singles = [
        cost_flow().estimate(ShouldCostQuery(sku, quote=Quote(price)))
        for sku, price in (("bracket", 9.0), ("tube", 40.0))
    ]
    assert batch.should_costs.tolist() == [one.should_cost for one in singles]
    assert batch.gaps.tolist() == [one.gap.gap for one in singles if one.gap]
    assert batch.p_values.tolist() == [one.gap.p_value for one in singles if one.gap]
    assert batch.element_costs.tolist() == [[one.cost for one in singles[0].elements]]


def test_a_batch_without_a_model_marks_the_rows_it_cannot_answer() -> None:
    batch = cost_flow(model=False).estimate_batch(BatchShouldCostQuery(("tube", "bracket")))
    assert batch.row_statuses == (CostRowStatus.NO_ESTIMATE, CostRowStatus.OK)
    assert batch.row_count == 1


@pytest.mark.parametrize(
    ("query", "failure"),
    [
        (ShouldCostQuery("nobody"), UnknownSeries),
        (ShouldCostQuery("gilded"), MissingRate),
        (ShouldCostQuery("loop"), InvalidField),
        (ShouldCostQuery("tube", ShouldCostMethod.BILL), MissingInput),
    ],
)
def test_what_cannot_be_answered_says_why(query: ShouldCostQuery, failure: type[Exception]) -> None:
    with pytest.raises(failure):
        cost_flow().estimate(query)


def test_questions_asked_together_are_answered_as_if_alone() -> None:
    queries = [
        ShouldCostQuery("tube", quote=Quote(40.0, 3.0)),
        ShouldCostQuery("bracket", quote=Quote(9.0, supplier_id="S2")),
        ShouldCostQuery("tube", currency_code="EUR", quote=Quote(40.0)),
    ]
    together = cost_flow().estimate_many(queries)
    alone = [cost_flow().estimate(query) for query in queries]
    assert all(isinstance(answer, ShouldCost) for answer in together)
    assert together == alone


class Republished(FakeCostReference):
    """The documents, until another generation without the price of a nut is published."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def document(self, kind: str, key: str) -> dict[str, Any] | None:
        self.read.append(key)
        nut = kind == PART and key == "nut"
        return SILENT if nut and self.generation == "2" else super().document(kind, key)


def test_documents_are_read_once_a_generation_and_the_next_one_counts_at_once() -> None:
    reference = Republished()
    flow = CostFlow(reference, FakeCostModels(), FakeClock())
    first = flow.estimate(ShouldCostQuery("bracket"))
    read = len(reference.read)

    assert flow.estimate(ShouldCostQuery("bracket")) == first
    assert len(reference.read) == read
    reference.generation = "2"
    with pytest.raises(MissingInput, match="nut"):
        flow.estimate(ShouldCostQuery("bracket"))


def test_without_drivers_the_elements_are_the_same() -> None:
    (told,) = cost_flow().estimate_many([ShouldCostQuery("bracket")])
    (bare,) = cost_flow().estimate_many([ShouldCostQuery("bracket")], drivers=False)

    assert isinstance(told, ShouldCost)
    assert bare == replace(told, elements=tuple(replace(one, drivers=()) for one in told.elements))


def test_a_tail_probability_stays_within_the_trained_levels() -> None:
    quantiles, levels = np.array([1.0, 2.0, 4.0]), (0.1, 0.5, 0.9)
    found = [tail_probability(price, quantiles, levels) for price in (0.0, 0.5, 2.0, 99.0)]
    assert found == pytest.approx([0.9, 0.9, 0.5, 0.1])
