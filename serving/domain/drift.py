"""The drift question and its answer, valid by construction."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from serving.domain.series import check_key
from serving.errors import InvalidField, TooLarge

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from serving.domain.series import Provenance
    from serving.domain.sketch import Sketch

    Floats = NDArray[np.float64]

MIN_ROWS = 30  # on each side, for a verdict
MAX_FEATURES = 1_000
MAX_VALUES = 20_000_000  # of one side
MAX_WINDOW_DAYS = 90


class DriftVerdict(enum.IntEnum):
    """What a check concludes; numbers as in the contract."""

    STABLE = 1
    DRIFTED = 2
    TOO_FEW_ROWS = 3
    BROKEN_DATA = 4


class FindingKind(enum.IntEnum):
    """What is wrong with data beside drift; numbers as in the contract."""

    MISSING_DATA = 1
    MISSING_FEATURE = 2
    NEW_FEATURE = 3
    CHANGED_TYPE = 4
    NEW_CATEGORY = 5
    OUT_OF_RANGE = 6
    NOT_FINITE = 7
    CONSTANT_REFERENCE = 8


# Findings that make figures of drift meaningless until they are mended.
BREAKING = frozenset(
    {
        FindingKind.MISSING_DATA,
        FindingKind.MISSING_FEATURE,
        FindingKind.CHANGED_TYPE,
        FindingKind.NOT_FINITE,
    }
)


class PsiReading(enum.IntEnum):
    """The conventional reading of a population stability index; numbers as in the contract."""

    NONE = 1
    MODERATE = 2
    MAJOR = 3


@dataclass(frozen=True, slots=True)
class Column:
    """The values of one feature, one a row; exactly one of values and labels is set.

    Attributes:
        name: Name of the feature.
        values: Numbers, NaN where missing, shape (rows,); None for a categorical feature.
        labels: Categories, None where missing; None for a numeric feature.
    """

    name: str
    values: Floats | None = None
    labels: tuple[str | None, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse a column that is neither numeric nor categorical, or both."""
        check_key("name", self.name)
        if (self.values is None) == (self.labels is None):
            raise InvalidField(self.name, "must have either numbers or categories")

    @property
    def rows(self) -> int:
        """Rows, those without a value among them."""
        if self.values is not None:
            return int(self.values.size)
        return len(self.labels or ())


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows of several features.

    Attributes:
        columns: The features, all of as many rows; a name stands once.
        blocks: Number of the block each row belongs to, as its day; rows of a block resemble each
            other. None where rows stand alone. Shape (rows,).
    """

    columns: tuple[Column, ...]
    blocks: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        """Refuse ragged, repeated and too many columns."""
        if len(self.columns) > MAX_FEATURES:
            raise TooLarge("features", limit=MAX_FEATURES)
        seen: set[str] = set()
        for index, column in enumerate(self.columns):
            if column.name in seen:
                raise InvalidField(f"columns[{index}].name", "must stand once")
            seen.add(column.name)
            if column.rows != self.rows:
                raise InvalidField(f"columns[{index}]", f"must have {self.rows} rows as the first")
        if self.rows * len(self.columns) > MAX_VALUES:
            raise TooLarge("values of one side (rows x features)", limit=MAX_VALUES)
        if self.blocks is not None and self.blocks.size != self.rows:
            raise InvalidField("blocks", f"must have {self.rows} entries, one a row")

    @property
    def rows(self) -> int:
        """Rows of every column."""
        return self.columns[0].rows if self.columns else 0


@dataclass(frozen=True, slots=True)
class DriftQuery:
    """Asks whether current rows differ from reference rows.

    Attributes:
        reference: Reference rows; None takes the model's training profile.
        current: Current rows; None takes the model's logged traffic.
        model_name: Model whose profile or traffic is taken; empty where both sides are sent.
        model_version: Its version; the one that serves where empty.
        window_days: Latest days of traffic that count as current, 1 to MAX_WINDOW_DAYS.
        false_alarm_rate: Share of checks of unchanged data that may cry drift, 0.0001 to 0.5.
        importances: Importance of features, 0 or more; those left out have the mean of the others.
    """

    reference: Sample | None = None
    current: Sample | None = None
    model_name: str = ""
    model_version: str = ""
    window_days: int = 7
    false_alarm_rate: float = 0.05
    importances: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a question without two sides, and rates that are none."""
        if not self.model_name and (self.reference is None or self.current is None):
            raise InvalidField("model_name", "is required unless reference and current are sent")
        if not 1 <= self.window_days <= MAX_WINDOW_DAYS:
            raise InvalidField("window_days", f"must be from 1 to {MAX_WINDOW_DAYS}")
        if not 0.0001 <= self.false_alarm_rate <= 0.5:  # noqa: PLR2004 - as documented
            raise InvalidField("false_alarm_rate", "must be from 0.0001 to 0.5")
        for name, value in self.importances.items():
            if not (np.isfinite(value) and value >= 0):
                raise InvalidField(f"importances[{name}]", "must be a finite number of 0 or more")


@dataclass(frozen=True, slots=True)
class Profile:
    """Sketches of features, by name and block.

    Attributes:
        features: Sketches of each feature, one a block, on one grid.
        blocked: Whether blocks stand or fall together; else there is one block.
        days: The day of each block, ascending; empty where blocks are no days.
        importances: Importance of features to the model, where it is known.
    """

    features: Mapping[str, tuple[Sketch, ...]]
    blocked: bool = False
    days: tuple[dt.date, ...] = ()
    importances: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DataFinding:
    """Something wrong with the data of one feature.

    Attributes:
        feature: Name of the feature.
        kind: What is wrong.
        row_count: Current rows it is wrong with; 0 where it is the feature as a whole.
        share: Share of current rows, 0 to 1.
        detail: The finding in one sentence.
    """

    feature: str
    kind: FindingKind
    row_count: int
    share: float
    detail: str


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """How one feature's current values differ from its reference.

    Attributes:
        name: Name of the feature.
        verdict: What the calibrated test concludes.
        p_value: Probability of a gap as great in unchanged data; None where a side has no
            value.
        adjusted_p_value: The same, adjusted for how many features there are.
        ks: Kolmogorov-Smirnov gap, 0 to 1; None for categories.
        chi_square: Pearson's statistic over categories, or the ten bins of numbers.
        psi: Population stability index over the same cells.
        psi_reading: Its conventional reading at 0.10 and 0.25, which knows nothing of sample size.
        wasserstein: Mean distance values have moved, in reference standard deviations; None for
            categories and a constant reference.
        reference_missing_share: Share of reference rows without a value.
        current_missing_share: Share of current rows without a value.
        importance: Share of the importance of all features.
        change_date: Day on which blocks of days say the values changed; None where they do not.
    """

    name: str
    verdict: DriftVerdict
    p_value: float | None
    adjusted_p_value: float | None
    ks: float | None
    chi_square: float | None
    psi: float | None
    psi_reading: PsiReading
    wasserstein: float | None
    reference_missing_share: float
    current_missing_share: float
    importance: float
    change_date: str | None = None


@dataclass(frozen=True, slots=True)
class JointDrift:
    """Whether a classifier tells current rows from reference rows.

    Attributes:
        auc: Share of held-out pairs it orders rightly; 0.5 is chance.
        p_value: Probability of that share in unchanged data.
        adjusted_p_value: The same, adjusted together with the features'.
    """

    auc: float
    p_value: float
    adjusted_p_value: float


@dataclass(frozen=True, slots=True)
class DriftReport:
    """Whether current rows differ from reference rows.

    Attributes:
        verdict: The conclusion.
        features: Each feature's, in the order of the reference.
        findings: What is wrong with the data beside drift.
        joint: The classifier's; None where rows of either side are not at hand or too few.
        reference_row_count: Rows of the reference.
        current_row_count: Current rows.
        detectable_shift: Shift, in standard deviations of a normal feature, that these rows show
            with probability 0.8; None where no shift is shown so surely.
        drifted_importance: Share of importance of the features that drifted.
        false_alarm_rate: Rate the verdict keeps.
        provenance: Where the answer came from.
    """

    verdict: DriftVerdict
    features: tuple[FeatureDrift, ...]
    findings: tuple[DataFinding, ...]
    joint: JointDrift | None
    reference_row_count: int
    current_row_count: int
    detectable_shift: float | None
    drifted_importance: float
    false_alarm_rate: float
    provenance: Provenance
