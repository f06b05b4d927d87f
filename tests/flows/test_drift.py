"""The drift flow: where each side comes from, and what cannot be answered."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from serving.domain.drift import Column, DriftQuery, DriftVerdict, Profile, Sample
from serving.domain.drift_check import profile_of
from serving.domain.retrain import Reading, RetrainVerdict
from serving.errors import InvalidField, NothingMeasured, UnknownModel
from serving.flows.drift import DriftFlow
from tests.fakes.doors import DESCRIPTION

LAST = dt.date(2026, 6, 30)
SAID = replace(DESCRIPTION, name="forecast", version="2")


def rows(days: int, shift_from: int | None = None, seed: int = 0) -> Sample:
    rng = np.random.default_rng(seed)
    block = np.repeat(np.arange(days), 60)
    moved = 0.0 if shift_from is None else 3.0 * (block >= shift_from)
    columns = (
        Column("a", rng.normal(size=block.size) + moved),
        Column("b", rng.normal(size=block.size)),
    )
    return Sample(columns, block)


TRAINING = replace(profile_of(rows(28)), importances={"a": 3.0, "b": 1.0})


class Models:
    def descriptions(self) -> list[object]:
        return [SAID]


@dataclass
class Profiles:
    asked: list[tuple[str, str]] = field(default_factory=list)

    def training(self, name: str, version: str) -> Profile:
        self.asked.append((name, version))
        if version != "2":
            raise NothingMeasured("no profile", "train")
        return TRAINING


@dataclass
class Traffic:
    sample: Sample
    since: list[dt.date] = field(default_factory=list)

    def window(self, name: str, version: str, first_day: dt.date) -> Profile:
        del name, version
        self.since.append(first_day)
        made = profile_of(self.sample, TRAINING)
        days = len(made.features["a"])
        dates = tuple(LAST - dt.timedelta(days=days - 1 - place) for place in range(days))
        return replace(made, days=dates)


class Readings:
    def readings(self, name: str) -> list[Reading]:
        if name != "forecast":
            raise NothingMeasured("nothing", "measure")
        return [Reading(LAST, "missing_data", 0.2, 0.05, broken=True, detail="gone")]


class Clock:
    def now(self) -> dt.datetime:
        return dt.datetime.combine(LAST, dt.time(12), dt.UTC)


def flow(sample: Sample | None = None) -> DriftFlow:
    return DriftFlow(
        (Models(),),  # type: ignore[arg-type]
        Profiles(),
        Traffic(sample or rows(14)),
        Readings(),
        Clock(),
    )


def test_traffic_is_held_against_training_by_the_models_own_importance() -> None:
    asked = flow()
    report = asked.check(DriftQuery(model_name="forecast", window_days=14))
    assert report.verdict is DriftVerdict.STABLE
    assert [one.importance for one in report.features] == [0.75, 0.25]
    assert asked._traffic.since == [LAST - dt.timedelta(days=13)]  # type: ignore[attr-defined]
    assert (report.provenance.model_version, report.provenance.formula_version) == ("2", "drift-1")


def test_a_change_within_the_traffic_is_dated() -> None:
    changed = flow(rows(14, shift_from=6, seed=1))
    report = changed.check(DriftQuery(model_name="forecast", window_days=14))
    found = {one.name: one for one in report.features}
    assert found["a"].verdict is DriftVerdict.DRIFTED
    assert found["a"].change_date == (LAST - dt.timedelta(days=7)).isoformat()
    assert found["b"].change_date is None


def test_rows_are_held_against_training_on_its_grid() -> None:
    moved = Sample((Column("a", np.full(300, 9.0)), Column("b", np.zeros(300))))
    report = flow().check(DriftQuery(current=moved, model_name="forecast"))
    assert report.verdict is DriftVerdict.DRIFTED
    assert report.joint is None  # the rows of training are not at hand


def test_traffic_is_held_against_rows() -> None:
    report = flow().check(DriftQuery(reference=rows(20, seed=5), model_name="forecast"))
    assert report.verdict is DriftVerdict.STABLE
    assert report.current_row_count == 14 * 60


def test_what_is_not_there_cannot_be_checked() -> None:
    with pytest.raises(UnknownModel):
        flow().check(DriftQuery(model_name="nobody"))
    with pytest.raises(NothingMeasured):
        flow().check(DriftQuery(model_name="forecast", model_version="1"))
    with pytest.raises(InvalidField, match=r"current\.columns"):
        flow().check(DriftQuery(rows(2), Sample(())))


def test_the_verdict_names_the_model_it_is_on() -> None:
    answer = flow().verdict("")
    assert (answer.verdict, answer.rule) == (RetrainVerdict.FIX_DATA, "missing_data")
    assert answer.provenance.model_name == "forecast"
    with pytest.raises(UnknownModel):
        flow().verdict("nobody")
