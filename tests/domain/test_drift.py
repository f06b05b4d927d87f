"""The check of drift: what it concludes, what it finds beside, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from serving.domain.change_points import change_point
from serving.domain.drift import (
    Column,
    DriftQuery,
    DriftReport,
    DriftVerdict,
    FindingKind,
    Profile,
    PsiReading,
    Sample,
)
from serving.domain.drift_check import check, profile_of
from serving.domain.drift_findings import exceedance
from serving.domain.drift_measures import detectable_shift, psi, read_psi, wasserstein
from serving.domain.sketch import lay_grid, sketch_numbers
from serving.domain.two_sample import numeric_p_value
from serving.errors import InvalidField


def numbers(**columns: object) -> Sample:
    return Sample(
        tuple(Column(name, np.asarray(values, dtype=float)) for name, values in columns.items())
    )


def labels(*values: str | None) -> Sample:
    return Sample((Column("colour", labels=values),))


def checked(reference: Sample, current: Sample, **asked: object) -> DriftReport:
    profile = profile_of(reference)
    query = DriftQuery(reference, current, **asked)  # type: ignore[arg-type]
    return check(profile, profile_of(current, profile), query)


def kinds(report: DriftReport) -> set[FindingKind]:
    return {finding.kind for finding in report.findings}


def normal(
    rows: int, seed: int = 0, shift: float = 0.0
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.random.default_rng(seed).normal(size=rows) + shift


def test_psi_has_its_known_answer_and_its_conventional_reading() -> None:
    assert psi(np.full(4, 0.25), np.full(4, 0.25)) == 0.0
    assert psi(np.full(4, 0.25), np.array([0.2, 0.25, 0.25, 0.3])) == pytest.approx(
        0.020273, rel=1e-4
    )
    readings = [read_psi(value) for value in (0.09, 0.10, 0.25)]
    assert readings == [PsiReading.NONE, PsiReading.MODERATE, PsiReading.MAJOR]


def test_a_shift_moves_values_by_its_own_length() -> None:
    first = normal(4_000)
    grid = lay_grid(np.concatenate([first, first + 0.5]))
    moved = wasserstein(sketch_numbers(first, grid), sketch_numbers(first + 0.5, grid))
    assert moved == pytest.approx(0.5, abs=0.01)


def test_a_drifted_feature_is_named_and_the_others_are_not() -> None:
    reference = numbers(a=normal(1_000), b=normal(1_000, 1))
    report = checked(reference, numbers(a=normal(1_000, 2, 0.3), b=normal(1_000, 3)))
    verdicts = {one.name: one.verdict for one in report.features}
    assert report.verdict is DriftVerdict.DRIFTED
    assert verdicts == {"a": DriftVerdict.DRIFTED, "b": DriftVerdict.STABLE}
    assert report.drifted_importance == 0.5


def test_a_parting_of_two_features_shows_jointly() -> None:
    rng = np.random.default_rng(4)
    shared = rng.normal(size=2_000)
    apart = numbers(a=normal(2_000, 5), b=normal(2_000, 6))
    tied = numbers(a=shared, b=0.6 * shared + 0.8 * rng.normal(size=2_000))
    report = checked(apart, tied)
    assert report.joint is not None
    assert report.joint.adjusted_p_value < 0.001
    assert {one.verdict for one in report.features} == {DriftVerdict.STABLE}
    assert report.verdict is DriftVerdict.DRIFTED


def test_fewer_than_thirty_rows_get_the_power_they_have_and_no_verdict() -> None:
    report = checked(numbers(a=normal(1_000)), numbers(a=normal(29, 1, 9.0)))
    assert report.verdict is DriftVerdict.TOO_FEW_ROWS
    assert report.features[0].verdict is DriftVerdict.TOO_FEW_ROWS
    assert report.features[0].p_value is not None
    assert report.detectable_shift == pytest.approx(detectable_shift((1_000, 29), 0.05))
    assert checked(numbers(a=np.empty(0)), numbers(a=normal(2))).detectable_shift is None


def test_the_detectable_shift_is_found_as_often_as_it_says() -> None:
    shift, rng = detectable_shift((300, 300), 0.05), np.random.default_rng(7)

    def found() -> bool:
        first, second = rng.normal(size=300), rng.normal(size=300) + shift
        grid = lay_grid(first)
        both = [sketch_numbers(one, grid).counts for one in (first, second)]
        return numeric_p_value(*both) <= 0.05

    assert 0.7 <= np.mean([found() for _ in range(150)]) <= 0.92


def test_missing_data_are_missing_data_and_no_drift() -> None:
    gone = normal(1_000, 1)
    gone[:300] = np.nan
    report = checked(numbers(a=normal(1_000)), numbers(a=gone))
    assert kinds(report) == {FindingKind.MISSING_DATA}
    assert report.verdict is DriftVerdict.BROKEN_DATA
    assert report.features[0].verdict is DriftVerdict.STABLE
    assert report.features[0].current_missing_share == 0.3


def test_what_was_always_missing_is_no_news() -> None:
    empty = np.full(100, np.nan)
    assert FindingKind.MISSING_DATA not in kinds(checked(numbers(a=empty), numbers(a=empty)))
    report = checked(numbers(a=normal(100)), numbers(a=empty))
    assert FindingKind.MISSING_DATA in kinds(report)
    assert report.features[0].p_value is None


def test_a_schema_that_changed_is_found() -> None:
    before = Sample((Column("a", normal(50)), Column("b", normal(50)), Column("c", normal(50))))
    now = Sample(
        (Column("b", labels=("x",) * 50), Column("c", normal(50)), Column("d", normal(50)))
    )
    report = checked(before, now)
    found = {finding.feature: finding.kind for finding in report.findings}
    assert found["a"] is FindingKind.MISSING_FEATURE
    assert found["b"] is FindingKind.CHANGED_TYPE
    assert found["d"] is FindingKind.NEW_FEATURE
    assert report.verdict is DriftVerdict.BROKEN_DATA


def test_a_new_category_is_found_by_name() -> None:
    report = checked(labels(*"rb" * 50), labels(*"rb" * 49, "green", None))
    (finding,) = [one for one in report.findings if one.kind is FindingKind.NEW_CATEGORY]
    assert "green" in finding.detail
    assert finding.row_count == 1


def test_values_out_of_range_are_found_and_the_next_maximum_is_not() -> None:
    reference = numbers(a=normal(1_000))
    wild = normal(1_000, 1)
    wild[0] = 1e6
    assert FindingKind.OUT_OF_RANGE in kinds(checked(reference, numbers(a=wild)))
    assert exceedance(1, 1_000, 1_000) == 0.5
    false = sum(
        FindingKind.OUT_OF_RANGE
        in kinds(checked(numbers(a=normal(200, seed)), numbers(a=normal(200, seed + 999))))
        for seed in range(60)
    )
    assert false <= 8


def test_infinite_values_are_found() -> None:
    wild = normal(100, 1)
    wild[:3] = np.inf
    report = checked(numbers(a=normal(100)), numbers(a=wild))
    assert FindingKind.NOT_FINITE in kinds(report)
    assert report.verdict is DriftVerdict.BROKEN_DATA


def test_a_constant_reference_is_told_and_any_change_from_it_shows() -> None:
    report = checked(numbers(a=np.ones(100)), numbers(a=np.r_[np.ones(60), np.zeros(40)]))
    assert FindingKind.CONSTANT_REFERENCE in kinds(report)
    assert report.verdict is DriftVerdict.DRIFTED
    assert report.features[0].wasserstein is None


def test_an_empty_reference_has_no_verdict() -> None:
    empty = numbers(a=np.empty(0))
    report = checked(empty, numbers(a=normal(100)))
    assert report.verdict is DriftVerdict.TOO_FEW_ROWS
    assert report.features[0].psi is None


def test_a_hundred_thousand_rows_of_thirty_unchanged_features_are_stable() -> None:
    rng = np.random.default_rng(8)
    sides = [
        numbers(**{f"f{place}": rng.normal(size=100_000) for place in range(30)}) for _ in range(2)
    ]
    report = checked(*sides)
    assert report.verdict is DriftVerdict.STABLE


def test_shards_that_are_added_conclude_as_one_pass() -> None:
    first, second = normal(20_000), normal(20_000, 1, 0.05)
    profile = profile_of(numbers(a=first))
    shards = [profile_of(numbers(a=part), profile) for part in np.split(second, 8)]
    whole = profile_of(numbers(a=second), profile)
    summed = Profile({"a": tuple(block for one in shards for block in one.features["a"])})
    one, other = (
        check(profile, side, DriftQuery(numbers(), numbers())) for side in (whole, summed)
    )
    assert one.features[0].p_value == other.features[0].p_value
    assert one.features[0].psi == other.features[0].psi


@pytest.mark.parametrize(
    "wrong",
    [
        {"false_alarm_rate": 0.0},
        {"window_days": 0},
        {"importances": {"a": -1.0}},
        {"importances": {"a": float("nan")}},
    ],
)
def test_a_question_of_no_meaning_is_refused(wrong: dict[str, object]) -> None:
    side = numbers(a=normal(30))
    with pytest.raises(InvalidField):
        DriftQuery(side, side, **wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidField, match="model_name"):
        DriftQuery()


def test_a_change_is_dated_to_the_block_it_began_in() -> None:
    rng = np.random.default_rng(9)
    levels = np.r_[np.zeros(20), np.full(8, 2.0)] + 0.2 * rng.normal(size=28)
    grid = np.linspace(-4, 6, 40)
    blocks = [sketch_numbers(level + rng.normal(size=200), grid).counts for level in levels]
    found = change_point(np.stack(blocks))
    assert found is not None
    assert found.first == 20
    assert found.p_value <= 0.01
    steady = change_point(np.stack(blocks[:20]))
    assert steady is not None
    assert steady.p_value > 0.01
    assert change_point(np.stack(blocks[:5])) is None
