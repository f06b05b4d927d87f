"""The verdict: which rule decides, from when on, and that it does not flap."""

from __future__ import annotations

import datetime as dt

from serving.domain.retrain import RULES, Reading, RetrainVerdict, decide

FIRST = dt.date(2026, 6, 1)


def days(rule: str, pattern: str) -> list[Reading]:
    """Return a reading a day: ``x`` is broken, ``.`` is clean, a blank is a day unmeasured."""
    return [
        Reading(FIRST + dt.timedelta(days=place), rule, 0.3, 0.25, mark == "x", f"{rule} {place}")
        for place, mark in enumerate(pattern)
        if mark != " "
    ]


def test_nothing_measured_and_nothing_broken_is_keep() -> None:
    assert decide([]).verdict is RetrainVerdict.KEEP
    assert decide(days("missing_data", "...")).verdict is RetrainVerdict.KEEP


def test_a_broken_rule_is_watched_until_it_was_broken_for_seven_days() -> None:
    six, seven = (decide(days("wmape_category_location", "x" * count)) for count in (6, 7))
    assert (six.verdict, six.rule) == (RetrainVerdict.WATCH, "")
    assert "wmape_category_location for 6 days" in six.reason
    assert (seven.verdict, seven.rule) == (RetrainVerdict.RETRAIN, "wmape_category_location")
    assert seven.since_date == "2026-06-07"


def test_missing_data_come_first_and_at_once() -> None:
    answer = decide([*days("wmape_category_location", "x" * 9), *days("missing_data", "........x")])
    assert (answer.verdict, answer.rule) == (RetrainVerdict.FIX_DATA, "missing_data")


def test_a_verdict_does_not_flap() -> None:
    pattern = "x" * 7 + "." * 6 + "x" + "." * 6
    verdicts = {
        decide(days("backtest_band", pattern[:length])).verdict
        for length in range(7, len(pattern) + 1)
    }
    assert verdicts == {RetrainVerdict.RETRAIN}
    assert decide(days("backtest_band", "x" * 7 + "." * 7)).verdict is RetrainVerdict.KEEP


def test_a_day_without_a_measurement_neither_breaks_nor_mends() -> None:
    assert decide(days("feature_drift", "xxx xxxx")).verdict is RetrainVerdict.RETRAIN
    assert decide(days("bias_28_days", "x......       ")).verdict is RetrainVerdict.RETRAIN


def test_of_two_readings_of_a_day_the_later_counts() -> None:
    again = [*days("missing_data", "x"), *days("missing_data", ".")]
    assert decide(again).verdict is RetrainVerdict.KEEP


def test_every_rule_shows_what_it_saw() -> None:
    answer = decide(days("missing_data", "x"))
    assert [one.rule for one in answer.evidence] == [rule.name for rule in RULES]
    assert answer.evidence[0].days_broken == 1
    assert answer.evidence[1].detail == "nothing was measured"
