"""Uplift answers: effects, flags, budgets, and what is said where there is no signal."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from serving.domain.series import Provenance
from serving.domain.targeting import plan_targeting
from serving.domain.uplift import (
    CategoricalCovariate,
    NumericCovariate,
    OverlapFlag,
    TargetingQuery,
    UnitsQuery,
    Uplift,
    UpliftRowStatus,
)
from serving.errors import InvalidField, MissingInput, NoSignal, UnknownUnit
from serving.flows.uplift import UpliftFlow
from tests.fakes.doors import DESCRIPTION
from tests.fakes.uplift import (
    ENCODING,
    FakeUpliftModel,
    FakeUpliftModels,
    stored_units,
)


def units(*ages: float, channel: str = "Web") -> UnitsQuery:
    count = len(ages)
    return UnitsQuery(
        tuple(f"u{row}" for row in range(count)),
        (
            NumericCovariate("age", np.array(ages)),
            NumericCovariate("spend", np.ones(count)),
        ),
        (CategoricalCovariate("channel", (channel,) * count),),
    )


def flow(*, lower_is_better: bool = False, records: bool = True) -> UpliftFlow:
    model = FakeUpliftModel(DESCRIPTION, lower_is_better=lower_is_better)
    return UpliftFlow(FakeUpliftModels(model), stored_units(empty=not records))


def test_effects_stand_within_their_intervals_and_say_which_model_gave_them() -> None:
    answer = flow().predict(units(35.0, 60.0))
    assert answer.effects.tolist() == pytest.approx([0.5, 3.0])
    assert ((answer.lower < answer.effects) & (answer.effects < answer.upper)).all()
    assert answer.provenance.model_version == DESCRIPTION.version
    assert answer.provenance.feature_set_hash == ENCODING.digest


def test_an_action_that_lowers_is_answered_in_the_sign_of_the_outcome() -> None:
    good, raw = flow().predict(units(60.0)), flow(lower_is_better=True).predict(units(60.0))
    assert raw.effects[0] == -good.effects[0]
    assert (raw.lower[0], raw.upper[0]) == (-good.upper[0], -good.lower[0])
    query = TargetingQuery(units(60.0), budget=1.0, action_costs=np.array([1.0]))
    plans = [flow(lower_is_better=lower).plan_targeting(query) for lower in (False, True)]
    assert plans[0].expected_gain == plans[1].expected_gain > 0


def test_units_unlike_those_learned_from_are_flagged_and_told() -> None:
    answer = flow().predict(units(50.0, 1.0, 120.0))
    flags = OverlapFlag.OK, OverlapFlag.ONE_ARM, OverlapFlag.OUTSIDE_RANGE
    assert answer.overlap_flags == flags
    assert len(answer.provenance.warnings) == 2
    fax = flow().predict(units(50.0, channel="Fax"))
    assert fax.overlap_flags == (OverlapFlag.OUTSIDE_RANGE,)


def test_a_covariate_the_model_reads_must_be_sent_where_no_units_are_stored() -> None:
    bare = flow(records=False)
    with pytest.raises(InvalidField, match="numeric must hold covariate 'spend'"):
        bare.predict(dataclasses.replace(units(50.0), numeric=units(50.0).numeric[:1]))
    with pytest.raises(InvalidField, match="categorical must hold covariate 'channel'"):
        bare.predict(dataclasses.replace(units(50.0), categorical=()))


def test_units_are_looked_up_and_who_is_not_known_fails_alone() -> None:
    asked = UnitsQuery(("k1", "nobody", "k2", "ageless", "numbered"))
    answer = flow().predict(asked)
    ok, unknown, missing = UpliftRowStatus
    assert answer.row_statuses == (ok, unknown, ok, missing, missing)
    assert answer.row_count == 2
    assert answer.effects.tolist() == pytest.approx([0.5, 3.1])
    assert answer.provenance.features_age_seconds == 0
    nobody = flow().predict(UnitsQuery(("nobody",)))
    assert (nobody.row_statuses, nobody.row_count) == ((unknown,), 0)
    assert nobody.effects.size == 0


def test_what_is_sent_counts_more_than_what_is_stored() -> None:
    age = NumericCovariate("age", np.array([1.0, 40.0, 50.0]))
    spend = NumericCovariate("spend", np.array([2.0, 2.0, 0.0]), np.array([2]))
    answer = flow().predict(UnitsQuery(("nobody", "k1", "ageless"), (age, spend)))
    assert answer.effects.tolist() == pytest.approx([1.0, 2.0])
    assert answer.provenance.features_age_seconds is not None
    whole = flow().predict(units(40.0, 50.0))
    assert whole.provenance.features_age_seconds is None


def test_a_plan_of_units_nobody_knows_is_refused() -> None:
    costs = np.array([1.0])
    with pytest.raises(UnknownUnit, match=r"unit_ids\[1\] 'nobody'"):
        flow().plan_targeting(TargetingQuery(UnitsQuery(("k1", "nobody")), 1.0, costs))
    with pytest.raises(MissingInput, match="ageless"):
        flow().plan_targeting(TargetingQuery(UnitsQuery(("ageless",)), 1.0, costs))
    plan_ = flow().plan_targeting(TargetingQuery(UnitsQuery(("k1", "k2")), 1.0, costs))
    assert plan_.unit_ids == ("k2",)


def test_questions_answered_together_have_the_bits_they_have_alone() -> None:
    asked = [units(50.0, 1.0), UnitsQuery(("nobody",)), units(7.0, channel="Fax"), units(61.0)]
    wrong = dataclasses.replace(
        units(50.0),
        numeric=(NumericCovariate("age", np.zeros(1), np.array([0])), units(50.0).numeric[1]),
    )
    together = flow().predict_many([*asked, wrong])
    assert isinstance(together[-1], InvalidField)
    for query, answer in zip(asked, together, strict=False):
        alone = flow().predict(query)
        assert isinstance(answer, Uplift)
        assert np.array_equal(answer.effects, alone.effects)
        assert answer.overlap_flags == alone.overlap_flags
        assert answer.provenance == alone.provenance


def test_an_unknown_value_is_read_as_its_stand_in_only_where_some_were_learned_from() -> None:
    row = np.array([0])
    unknown = NumericCovariate("spend", np.array([np.nan]), row)
    rows, _ = ENCODING.rows_of(
        dataclasses.replace(units(50.0), numeric=(units(50.0).numeric[0], unknown))
    )
    assert rows[0].tolist() == [50.0, 4.0, 1.0, 0.0, 1.0]
    nobody = NumericCovariate("age", np.array([0.0]), row)
    with pytest.raises(InvalidField, match=r"numeric\[0\]\.missing_rows"):
        flow().predict(dataclasses.replace(units(50.0), numeric=(nobody, units(50.0).numeric[1])))


def test_no_signal_is_said_instead_of_ranking_noise() -> None:
    models = FakeUpliftModels(FakeUpliftModel(DESCRIPTION))
    models.failure = NoSignal("uplift", version="3", figure="AUUC 0.49")
    with pytest.raises(NoSignal, match=r"AUUC 0\.49"):
        UpliftFlow(models, stored_units()).predict(units(50.0))


def test_one_row_has_the_bits_it_has_among_others() -> None:
    ages = np.linspace(1, 99, 50)
    whole = flow().predict(units(*ages))
    for row in (0, 7, 49):
        assert flow().predict(units(ages[row])).effects[0] == whole.effects[row]


def plan(effect: list[float], budget: float, cost: list[float], least: float = 0.0) -> list[str]:
    query = TargetingQuery(
        units(*[50.0] * len(effect)), budget, np.array(cost), minimum_effect=least
    )
    effects = np.array(effect)
    found = plan_targeting(query, (effects, effects - 1, effects + 1), Provenance())
    assert found.total_cost <= budget
    assert (np.diff(found.curve_gains) >= 0).all()
    return list(found.unit_ids)


def test_the_budget_goes_to_most_gain_per_money() -> None:
    assert plan([1.0, 3.0, 2.0], 2.0, [1.0]) == ["u1", "u2"]
    assert plan([1.0, 3.0, 2.0], 3.0, [1.0, 9.0, 2.0]) == ["u0", "u2"]
    assert plan([1.0, 3.0], 0.0, [1.0]) == []


def test_who_loses_or_promises_too_little_is_never_chosen() -> None:
    assert plan([-1.0, 0.0, 0.5], 9.0, [1.0]) == ["u2"]
    assert plan([0.2, 0.5], 9.0, [1.0], least=0.5) == ["u1"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"budget": -1.0}, "budget"),
        ({"action_costs": np.array([1.0, 2.0, 3.0])}, "action_costs"),
        ({"action_costs": np.array([0.0])}, "action_costs"),
        ({"minimum_effect": -0.1}, "minimum_effect"),
        ({"value_per_effect": 0.0}, "value_per_effect"),
    ],
)
def test_money_out_of_range_is_refused(changes: dict[str, Any], field: str) -> None:
    query = TargetingQuery(units(50.0, 60.0), 1.0, np.array([1.0]))
    with pytest.raises(InvalidField, match=field):
        dataclasses.replace(query, **changes)
