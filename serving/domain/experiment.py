"""Questions about experiments and their answers, valid by construction."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.series import check_key
from serving.errors import InvalidField, TooLarge

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serving.domain.series import Provenance

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

FORMULA_VERSION = "experiment/1"
MAX_ROWS = 100_000
MAX_COLUMNS = 50
LEAST_ROWS = 4
LARGEST = 1e15  # beyond it a float no longer tells single units from their tenths


class ExperimentDesign(enum.IntEnum):
    """How an action was assigned; numbers as in the contract."""

    UNIT = 1
    SWITCHBACK = 2


class GuardrailVerdict(enum.IntEnum):
    """Whether a guardrail's margin holds; numbers as in the contract."""

    HELD = 1
    BREACHED = 2
    UNDECIDED = 3


@dataclass(frozen=True, slots=True)
class ExperimentColumn:
    """A named column of numbers.

    Attributes:
        name: Name, 1 to 200 characters.
        values: Value of each row, shape (n,).
    """

    name: str
    values: Floats


@dataclass(frozen=True, slots=True)
class GuardrailColumn:
    """A metric that must not get worse.

    Attributes:
        name: Name, 1 to 200 characters.
        values: Value of each row, shape (n,).
        higher_worse: A higher value is worse.
        margin: Worsening that is still accepted, in units of the metric, 0 or more.
    """

    name: str
    values: Floats
    higher_worse: bool = False
    margin: float = 0.0


@dataclass(frozen=True, slots=True)
class CupedQuery:
    """Asks for the effect of an experiment.

    Attributes:
        treated: Whether each row was assigned to the action, shape (n,).
        outcomes: Outcome of each row, shape (n,).
        covariates: Covariates measured before the action.
        denominators: Denominator of each row, 0 or more, shape (n,); empty for a mean.
        clusters: Cluster of each row; under a switchback its place. Empty: each its own.
        received: Whether each row received the action, shape (n,) or empty.
        guardrails: Metrics that must not get worse.
        design: How the action was assigned.
        washout_rows: Rows left out after each change of the action, 0 or more.
        expected_treated_share: Share meant to be treated, above 0 and below 1; None: no check.
        acknowledge_sample_ratio: Go on where the sample ratio is not as meant.
        significance: Two-sided probability of a false positive, above 0 and below 0.5.
    """

    treated: Flags
    outcomes: Floats
    covariates: tuple[ExperimentColumn, ...] = ()
    denominators: Floats = field(default_factory=lambda: np.empty(0))
    clusters: tuple[str, ...] = ()
    received: Flags = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    guardrails: tuple[GuardrailColumn, ...] = ()
    design: ExperimentDesign = ExperimentDesign.UNIT
    washout_rows: int = 0
    expected_treated_share: float | None = None
    acknowledge_sample_ratio: bool = False
    significance: float = 0.05

    def __post_init__(self) -> None:
        """Refuse rows that do not fit together, an empty arm and a constant outcome."""
        rows = len(self.treated)
        if rows > MAX_ROWS:
            raise TooLarge("treated", limit=MAX_ROWS)
        if rows < LEAST_ROWS:
            raise InvalidField("treated", f"must have {LEAST_ROWS} rows or more")
        self._check_lengths(rows)
        self._check_columns(rows)
        check_significance(self.significance)
        check_arms(self.treated)
        if np.ptp(self.outcomes) == 0:
            raise InvalidField("outcomes", "must differ between rows: a constant shows no effect")
        if self.washout_rows < 0:
            raise InvalidField("washout_rows", "must be 0 or more")
        if self.denominators.size and not (
            (self.denominators >= 0).all() and (self.denominators <= LARGEST).all()
        ):
            raise InvalidField("denominators", "must be 0 or more")
        if self.expected_treated_share is not None:
            check_share("expected_treated_share", self.expected_treated_share)

    def _check_lengths(self, rows: int) -> None:
        if len(self.outcomes) != rows:
            raise InvalidField("outcomes", "must have as many entries as treated")
        check_amounts("outcomes", self.outcomes)
        for name in ("denominators", "clusters", "received"):
            if len(getattr(self, name)) not in (0, rows):
                raise InvalidField(name, "must be empty or have as many entries as treated")

    def _check_columns(self, rows: int) -> None:
        columns: tuple[tuple[str, tuple[ExperimentColumn | GuardrailColumn, ...]], ...] = (
            ("covariates", self.covariates),
            ("guardrails", self.guardrails),
        )
        for kind, columns_of_kind in columns:
            if len(columns_of_kind) > MAX_COLUMNS:
                raise InvalidField(kind, f"must be at most {MAX_COLUMNS}")
            for index, column in enumerate(columns_of_kind):
                check_key(f"{kind}[{index}].name", column.name)
                if len(column.values) != rows:
                    requirement = "must have as many entries as treated"
                    raise InvalidField(f"{kind}[{index}].values", requirement)
                check_amounts(f"{kind}[{index}].values", column.values)
        for index, guardrail in enumerate(self.guardrails):
            if not 0 <= guardrail.margin <= LARGEST:
                raise InvalidField(f"guardrails[{index}].margin", "must be 0 or more")


@dataclass(frozen=True, slots=True)
class ArmUnits:
    """Units of each arm.

    Attributes:
        control_units: Units not treated.
        treated_units: Units treated.
    """

    control_units: int
    treated_units: int


@dataclass(frozen=True, slots=True)
class EffectEstimate:
    """An estimate with its interval.

    Attributes:
        estimate: Estimate, in units of the metric.
        standard_error: Its standard error.
        lower: Lower end of the interval.
        upper: Upper end of the interval.
        p_value: Two-sided p-value of no effect.
    """

    estimate: float
    standard_error: float
    lower: float
    upper: float
    p_value: float


@dataclass(frozen=True, slots=True)
class CovariateBalance:
    """Difference of a covariate between the arms.

    Attributes:
        name: Name of the covariate.
        standardized_difference: Treated less control mean over the pooled standard deviation.
        p_value: Two-sided p-value of no difference.
    """

    name: str
    standardized_difference: float
    p_value: float


@dataclass(frozen=True, slots=True)
class GuardrailResult:
    """What a guardrail says.

    Attributes:
        name: Name of the metric.
        effect: Effect of assignment on it.
        verdict: Whether its margin holds.
    """

    name: str
    effect: EffectEstimate
    verdict: GuardrailVerdict


@dataclass(frozen=True, slots=True)
class CupedAnswer:
    """The effect of an experiment; fields as in the contract.

    Attributes:
        provenance: Where the answer came from.
        effect: Effect of assignment, covariates taken out.
        unadjusted_effect: The same without covariates.
        control_mean: Metric of the control arm.
        treated_mean: Metric of the treated arm.
        residual_variance_share: Share of the variance within arms the covariates leave.
        units: Rows used of each arm.
        balance: Difference of each covariate between the arms.
        guardrails: Each guardrail.
        complier_effect: Effect on those who comply; None where receiving was not sent.
        compliance: Effect of assignment on receiving; None where receiving was not sent.
        sample_ratio_p_value: Of the sample-ratio check; None without one.
    """

    provenance: Provenance
    effect: EffectEstimate
    unadjusted_effect: EffectEstimate
    control_mean: float
    treated_mean: float
    residual_variance_share: float
    units: ArmUnits
    balance: tuple[CovariateBalance, ...] = ()
    guardrails: tuple[GuardrailResult, ...] = ()
    complier_effect: EffectEstimate | None = None
    compliance: EffectEstimate | None = None
    sample_ratio_p_value: float | None = None


def check_significance(value: float) -> None:
    """Refuse a significance that is not above 0 and below 0.5.

    Args:
        value: Two-sided probability of a false positive.

    Raises:
        InvalidField: If it breaks its rule.
    """
    if not 0 < value < 0.5:  # noqa: PLR2004 - one half is no evidence at all
        raise InvalidField("significance", "must be above 0 and below 0.5")


def check_share(name: str, value: float) -> None:
    """Refuse a share that is not above 0 and below 1.

    Args:
        name: Field it came in.
        value: The share.

    Raises:
        InvalidField: If it breaks its rule.
    """
    if not 0 < value < 1:
        raise InvalidField(name, "must be above 0 and below 1")


def check_amounts(name: str, values: Floats) -> None:
    """Refuse numbers that are not finite or whose squares no float holds well.

    Args:
        name: Field they came in.
        values: The numbers, shape (n,).

    Raises:
        InvalidField: At the first of them.
    """
    wrong = np.flatnonzero(~(np.abs(values) <= LARGEST))
    if wrong.size:
        requirement = f"must be a finite number of at most {LARGEST:g} either way"
        raise InvalidField(f"{name}[{wrong[0]}]", requirement)


def check_arms(treated: Flags) -> None:
    """Refuse an arm of fewer than two rows.

    Args:
        treated: Whether each row was assigned to the action, shape (n,).

    Raises:
        InvalidField: If an arm has too few rows to vary.
    """
    for arm, count in (("treated", int(treated.sum())), ("control", int((~treated).sum()))):
        if count < 2:  # noqa: PLR2004 - one row has no variance
            requirement = f"must have 2 rows or more in the {arm} arm, got {count}"
            raise InvalidField("treated", requirement)


def check_finite(name: str, value: float) -> float:
    """Return a figure, or refuse the inputs that together are beyond a float's range.

    Args:
        name: Field the inputs came in.
        value: The figure.

    Returns:
        The figure.

    Raises:
        InvalidField: If it is not finite.
    """
    if not math.isfinite(value):
        raise InvalidField(name, "must give finite figures: the inputs lie too far apart")
    return value
