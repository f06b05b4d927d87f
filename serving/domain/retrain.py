"""The verdict on a model: keep, watch, retrain or fix the data, from what was measured each day.

A rule fires when it was broken on so many measured days in a row, and goes on firing until as many
as HYSTERESIS_DAYS in a row were clean, so that a verdict does not flap. Days on which nothing was
measured neither break a rule nor mend it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.domain.series import Provenance

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

HYSTERESIS_DAYS = 7
FORMULA = "retrain-1"


class RetrainVerdict(enum.IntEnum):
    """What to do about a model; numbers as in the contract."""

    KEEP = 1
    WATCH = 2
    RETRAIN = 3
    FIX_DATA = 4


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the verdict.

    Attributes:
        name: Its name.
        verdict: What it asks for once it fires.
        days: Measured days in a row on which it must be broken to fire.
    """

    name: str
    verdict: RetrainVerdict
    days: int


RULES = (
    Rule("missing_data", RetrainVerdict.FIX_DATA, 1),
    Rule("broken_features", RetrainVerdict.FIX_DATA, 1),
    Rule("wmape_category_location", RetrainVerdict.RETRAIN, HYSTERESIS_DAYS),
    Rule("backtest_band", RetrainVerdict.RETRAIN, HYSTERESIS_DAYS),
    Rule("bias_28_days", RetrainVerdict.RETRAIN, 1),
    Rule("feature_drift", RetrainVerdict.RETRAIN, HYSTERESIS_DAYS),
    Rule("coverage", RetrainVerdict.WATCH, HYSTERESIS_DAYS),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one rule saw on one day.

    Attributes:
        date: The day.
        rule: Name of the rule.
        value: What was measured; None where nothing could be.
        limit: What the value is held to.
        broken: Whether the value breaks the rule.
        detail: What was seen, in one sentence.
    """

    date: dt.date
    rule: str
    value: float | None
    limit: float | None
    broken: bool
    detail: str


@dataclass(frozen=True, slots=True)
class RuleEvidence:
    """What one rule says on the last day measured.

    Attributes:
        rule: Name of the rule.
        fired: It decides now.
        value: What was measured last; None where nothing was.
        limit: What the value is held to.
        days_broken: Measured days in a row, the last among them, on which it was broken.
        detail: What was seen last, in one sentence.
    """

    rule: str
    fired: bool
    value: float | None
    limit: float | None
    days_broken: int
    detail: str


@dataclass(frozen=True, slots=True)
class RetrainAnswer:
    """What to do about a model.

    Attributes:
        verdict: The verdict.
        rule: The rule that decided; empty where none fired.
        reason: The verdict in one sentence.
        since_date: Since when the verdict has stood, ISO 8601.
        as_of_date: Last day that was measured, ISO 8601.
        evidence: What every rule saw.
        provenance: Where the answer came from; the model is the one judged.
    """

    verdict: RetrainVerdict
    rule: str
    reason: str
    since_date: str
    as_of_date: str
    evidence: tuple[RuleEvidence, ...]
    provenance: Provenance


@dataclass(slots=True)
class _State:
    rule: Rule
    last: Reading | None = None
    broken: int = 0
    clean: int = 0
    fired: bool = False

    def read(self, reading: Reading) -> None:
        self.last = reading
        self.broken = self.broken + 1 if reading.broken else 0
        self.clean = 0 if reading.broken else self.clean + 1
        if self.broken >= self.rule.days:
            self.fired = True
        elif self.clean >= HYSTERESIS_DAYS:
            self.fired = False

    def evidence(self) -> RuleEvidence:
        last = self.last
        return RuleEvidence(
            rule=self.rule.name,
            fired=self.fired,
            value=last.value if last else None,
            limit=last.limit if last else None,
            days_broken=self.broken,
            detail=last.detail if last else "nothing was measured",
        )


def decide(readings: Sequence[Reading], rules: Sequence[Rule] = RULES) -> RetrainAnswer:
    """Replay the days and say what to do on the last of them.

    Args:
        readings: One or more; of several of one rule and day the last counts.
        rules: The rules.

    Returns:
        The verdict; its provenance names no model yet.
    """
    states = {rule.name: _State(rule) for rule in rules}
    by_day: dict[dt.date, dict[str, Reading]] = {}
    for reading in readings:
        if reading.rule in states:
            by_day.setdefault(reading.date, {})[reading.rule] = reading
    verdict, since = None, None
    for day in sorted(by_day):
        for name, reading in by_day[day].items():
            states[name].read(reading)
        found = _verdict(list(states.values()))
        if verdict is None or found[0] is not verdict[0]:
            since = day
        verdict = found
    decided, rule = verdict or (RetrainVerdict.KEEP, "")
    last = max(by_day, default=None)
    return RetrainAnswer(
        verdict=decided,
        rule=rule,
        reason=_reason(decided, rule, states),
        since_date=since.isoformat() if since else "",
        as_of_date=last.isoformat() if last else "",
        evidence=tuple(state.evidence() for state in states.values()),
        provenance=Provenance(formula_version=FORMULA),
    )


def _verdict(states: Sequence[_State]) -> tuple[RetrainVerdict, str]:
    fired = [state for state in states if state.fired]
    if fired:
        worst = max(fired, key=lambda state: state.rule.verdict)
        return worst.rule.verdict, worst.rule.name
    if any(state.broken for state in states):
        return RetrainVerdict.WATCH, ""
    return RetrainVerdict.KEEP, ""


def _reason(verdict: RetrainVerdict, rule: str, states: dict[str, _State]) -> str:
    if rule:
        last = states[rule].last
        return last.detail if last else ""
    broken = [name for name, state in states.items() if state.broken]
    if verdict is RetrainVerdict.WATCH:
        days = ", ".join(f"{name} for {states[name].broken} days" for name in broken)
        return f"broken, but not for as long as it takes: {days}"
    return "no rule is broken"
