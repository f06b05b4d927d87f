"""The units of an experiment as a model learns from them, and what makes them unfit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy.special import chdtrc

from serving.domain.covariates import CategoricalSource, Encoding, NumericSource
from serving.domain.sample_ratio import MISMATCH_P
from serving.errors import InvalidField, MissingInput, SampleRatioMismatch
from training.tables import reading
from training.tables.checking import ROW

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Rows = NDArray[np.float32]
    Flags = NDArray[np.bool_]

TABLE = "experiment"
KNOWN = ("unit_id", "treated", "outcome", "propensity", "instrument")
TREATED_DATE = "treated_date"
DATE_SUFFIX = "_date"
LEAST_UNITS_PER_ARM = 30
MOST_LEVELS = 50
RARE_LEVEL = 10  # units below which a category is no column of its own


@dataclass(frozen=True, slots=True)
class Units:
    """Units of an experiment.

    Attributes:
        unit_ids: Their names, shape (n,).
        rows: Covariates as the columns of a model, shape (n, features).
        treated: Whether each was treated, shape (n,).
        outcomes: Outcome of each, in its good direction, shape (n,).
        propensity: Known probability of being treated, shape (n,); None where not known.
        encoding: How the columns came from the covariates.
        covariates: The covariates themselves, a column each.
        warnings: What was left out, in sentences.
    """

    unit_ids: NDArray[np.str_]
    rows: Rows
    treated: Flags
    outcomes: Floats
    propensity: Floats | None
    encoding: Encoding
    covariates: pl.DataFrame
    warnings: tuple[str, ...] = ()

    def take(self, rows: NDArray[np.intp]) -> Units:
        """Return some of the units."""
        return Units(
            unit_ids=self.unit_ids[rows],
            rows=self.rows[rows],
            treated=self.treated[rows],
            outcomes=self.outcomes[rows],
            propensity=None if self.propensity is None else self.propensity[rows],
            encoding=self.encoding,
            covariates=self.covariates[rows],
            warnings=self.warnings,
        )


def read_experiment(
    data_dir: Path, *, lower_is_better: bool = False, acknowledge: bool = False
) -> Units:
    """Read the experiment of a data folder.

    Args:
        data_dir: Folder with a table ``experiment``.
        lower_is_better: The action is to lower the outcome; effects are then those of its negative.
        acknowledge: Go on where the treated share is not the one the propensity promises.

    Raises:
        TableRefused: If the table breaks its contract: a unit in both arms, a treatment that is not
            yes or no.
        MissingInput: If there is no such table.
        InvalidField: If an arm has too few units, the outcome is constant, there is no covariate,
            or one was measured after the treatment.
        SampleRatioMismatch: If the treated share is not as promised, unacknowledged.
    """
    frame = reading.read(data_dir, TABLE)
    _check_dates(frame)
    treated = frame["treated"].to_numpy().astype(bool)
    outcomes = frame["outcome"].to_numpy().astype(np.float64)
    _check_arms(treated, outcomes)
    propensity = _propensity(frame)
    if propensity is not None:
        _check_ratio(treated, propensity, acknowledge=acknowledge)
    covariates, warnings = covariates_of(frame)
    encoding = encoding_of(covariates)
    return Units(
        unit_ids=frame["unit_id"].to_numpy().astype(np.str_),
        rows=encode(encoding, covariates)[0],
        treated=treated,
        outcomes=-outcomes if lower_is_better else outcomes,
        propensity=propensity,
        encoding=encoding,
        covariates=covariates,
        warnings=warnings,
    )


def encoding_of(covariates: pl.DataFrame) -> Encoding:
    """Return how covariates become columns, from the values they have."""
    numbers, kinds = [], []
    for name in covariates.columns:
        column = covariates[name]
        if column.dtype == pl.String:
            counts = column.drop_nulls().value_counts().sort(name)
            common = counts.filter(pl.col("count") >= RARE_LEVEL)
            kinds.append(CategoricalSource(name, tuple(common[name].to_list())))
        else:
            known = column.drop_nulls().to_numpy()
            low, stand_in, high = np.quantile(known, (0.0, 0.5, 1.0)).tolist()
            numbers.append(NumericSource(name, low, high, stand_in, column.null_count() > 0))
    return Encoding(tuple(numbers), tuple(kinds))


def encode(encoding: Encoding, covariates: pl.DataFrame) -> tuple[Rows, Flags]:
    """Turn covariates into the columns of a model; say which units lie outside what was seen."""
    numbers = {
        one.name: covariates[one.name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        for one in encoding.numeric
    }
    kinds = {one.name: covariates[one.name].to_list() for one in encoding.categorical}
    return encoding.encode(numbers, kinds)


def read_units(data_dir: Path) -> pl.DataFrame:
    """Read units that may have no outcome yet.

    Raises:
        MissingInput: If there is no table, or it names no units.
        InvalidField: If a unit stands twice.
    """
    plain = reading.plain_files(data_dir, TABLE)
    columns = reading.load_plain(data_dir, TABLE).columns if plain else list(KNOWN)
    whole = all(name in columns for name in ("treated", "outcome"))
    frame = reading.read(data_dir, TABLE) if whole else reading.load_plain(data_dir, TABLE)
    if "unit_id" not in frame.columns:
        raise MissingInput("unit_id", TABLE)
    ids = frame["unit_id"]
    if ids.is_duplicated().any() or ids.null_count():
        raise InvalidField("unit_id", "must be given for every unit, each once")
    return frame.drop(ROW, strict=False)


def read_covariates(data_dir: Path, encoding: Encoding) -> tuple[list[str], pl.DataFrame]:
    """Read units that may have no outcome yet, and the covariates a model reads.

    Raises:
        MissingInput: If there is no table, or it lacks a covariate of the model.
        InvalidField: If a unit stands twice, or a number is none.
    """
    frame = read_units(data_dir)
    ids = frame["unit_id"].cast(pl.String)
    wanted = [one.name for one in encoding.numeric] + [one.name for one in encoding.categorical]
    for name in wanted:
        if name not in frame.columns:
            raise MissingInput(f"covariate {name!r}", TABLE)
    found = frame.select(
        *(_number(frame[one.name]) for one in encoding.numeric),
        *(frame[one.name].cast(pl.String) for one in encoding.categorical),
    )
    for one in encoding.numeric:
        if found[one.name].null_count() and not one.may_miss:
            raise InvalidField(
                one.name, "must be filled: the model learned from no unknown value of it"
            )
    return ids.to_list(), found


def _number(column: pl.Series) -> pl.Series:
    cast = column.cast(pl.Float64, strict=False)
    lost = cast.is_null() & column.is_not_null()
    if lost.any():
        raise InvalidField(column.name, f"must be a number, got {column.filter(lost)[0]!r}")
    return cast


def _check_dates(frame: pl.DataFrame) -> None:
    """Refuse covariates measured after the treatment, where columns tell when each was."""
    if TREATED_DATE not in frame.columns:
        return
    treated = days_of(frame[TREATED_DATE])
    for name in frame.columns:
        covariate = name.removesuffix(DATE_SUFFIX)
        if not name.endswith(DATE_SUFFIX) or covariate not in frame.columns:
            continue
        late = (days_of(frame[name]) > treated).fill_null(value=False)
        if late.any():
            unit = frame["unit_id"].filter(late)[0]
            raise InvalidField(
                covariate,
                f"was measured after the treatment ({name} is later than {TREATED_DATE} for "
                f"{late.sum()} units, {unit!r} the first): the action may have moved it",
            )


def days_of(column: pl.Series) -> pl.Series:
    """Return a column of dates, or of their text, as dates; what is none is empty."""
    if column.dtype == pl.String:
        return column.str.to_date("%Y-%m-%d", strict=False)
    return column.cast(pl.Date)


def _check_arms(treated: Flags, outcomes: Floats) -> None:
    for arm, count in (("treated", int(treated.sum())), ("control", int((~treated).sum()))):
        if count < LEAST_UNITS_PER_ARM:
            requirement = f"must have {LEAST_UNITS_PER_ARM} units or more in the {arm} arm"
            raise InvalidField("treated", f"{requirement}, got {count}")
    if np.ptp(outcomes) == 0:
        raise InvalidField("outcome", "must differ between units: a constant shows no effect")


def _propensity(frame: pl.DataFrame) -> Floats | None:
    if "propensity" not in frame.columns or frame["propensity"].null_count() == len(frame):
        return None
    if frame["propensity"].null_count():
        raise InvalidField("propensity", "must be given for every unit or for none")
    known = frame["propensity"].to_numpy().astype(np.float64)
    if not ((known > 0) & (known < 1)).all():
        raise InvalidField("propensity", "must be above 0 and below 1: who is sure has no control")
    return known


def _check_ratio(treated: Flags, propensity: Floats, *, acknowledge: bool) -> None:
    """Test whether as many units are treated as their propensities promise."""
    surplus = treated.sum() - propensity.sum()
    p_value = float(chdtrc(1, surplus**2 / (propensity * (1.0 - propensity)).sum()))
    if p_value < MISMATCH_P and not acknowledge:
        raise SampleRatioMismatch(treated=int(treated.sum()), rows=len(treated), p_value=p_value)


def covariates_of(frame: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return the covariates, numbers as Float64 and categories as String, and what was left out."""
    kept: list[pl.Series] = []
    warnings: list[str] = []
    for name in frame.columns:
        if name in KNOWN or name.endswith(DATE_SUFFIX):
            continue
        column = frame[name]
        numeric = column.dtype.is_numeric() or column.dtype == pl.Boolean
        values = column.cast(pl.Float64 if numeric else pl.String)
        reason = _unfit(values)
        if reason:
            warnings.append(f"covariate {name!r} is left out: {reason}")
        else:
            kept.append(values)
    if not kept:
        raise InvalidField(TABLE, "must have a covariate that differs between units")
    return pl.DataFrame(kept), tuple(warnings)


def _unfit(values: pl.Series) -> str:
    known = values.drop_nulls()
    if known.n_unique() < 2:  # noqa: PLR2004 - one value tells nobody apart
        return "it is the same for every unit"
    if values.dtype == pl.String:
        common: Sequence[int] = known.value_counts()["count"].to_list()
        levels = sum(count >= RARE_LEVEL for count in common)
        if levels > MOST_LEVELS:
            return f"it has more than {MOST_LEVELS} categories"
        if not levels:
            return f"no category of it has {RARE_LEVEL} units"
    return ""
