"""The figures of a backtest as tables for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from training.backtest.runs import OriginScore

_DAILY = {"rows": "rows", "wmape": "WMAPE", "bias": "bias"}
_SPREAD = {"coverage_50": "in 50", "coverage_90": "in 90", "width_90": "width"}
_LEVELS = ("sku_location", "category_location", "location", "total")
_COVERS = ("full_stock", "all", "sold")
_TAILS = ("0.1", "0.95")


def report_tables(mean: Mapping[str, float], scores: Sequence[OriginScore]) -> Iterator[Table]:
    """Yield what a reader wants first: origins, levels and slices, baselines, service.

    Args:
        mean: Figures averaged over the origins.
        scores: The figures of each origin.
    """
    yield _origins(scores)
    yield _daily(mean)
    yield _baselines(mean)
    if "gain/sku_location/unseen" in mean:
        yield _unseen(mean)
    yield _tails(mean)
    yield _service(mean)


def floor_table(scores: Sequence[OriginScore], floors: Sequence[float]) -> Table:
    """Return how far each origin of a generated world is from what its noise leaves.

    Args:
        scores: The figures of each origin.
        floors: The WMAPE of the true median on the same cells, one an origin.
    """
    table = Table(title="WMAPE over the noise floor, demand in stock")
    table.add_column("origin")
    for name in ("WMAPE", "true median", "times"):
        table.add_column(name, justify="right")
    for one, floor in zip(scores, floors, strict=True):
        own = one.figures["wmape/sku_location/all"]
        table.add_row(str(one.origin), _share(own), _share(floor), f"{own / floor:.3f}")
    return table


def _origins(scores: Sequence[OriginScore]) -> Table:
    table = Table(title="WMAPE by sku, location and day, demand in stock")
    table.add_column("origin")
    for name in ("days", "WMAPE", "95 % interval", "gain", "95 % interval", "bias"):
        table.add_column(name, justify="right", no_wrap=True)
    errors = []
    for one in scores:
        found, name = one.figures, "sku_location/all"
        table.add_row(
            f"{one.origin}{' (cached)' if one.cached else ''}",
            str(one.horizon),
            _share(found.get(f"wmape/{name}")),
            _interval(found, "wmape", name),
            _share(found.get(f"gain/{name}")),
            _interval(found, "gain", name),
            _share(found.get(f"bias/{name}")),
        )
        errors.append(_share(found.get(f"rmspe/{name}")))
    table.caption = (
        "gain: 1 - WMAPE / WMAPE of the best baseline; intervals over locations; "
        f"root mean squared percentage error, by origin: {', '.join(errors)}"
    )
    return table


def _daily(mean: Mapping[str, float]) -> Table:
    # The many columns fit 80 characters without frames and signs.
    table = Table(
        title="Levels and slices in %, mean over origins",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
    metrics = _DAILY | _SPREAD
    table.add_column("level", no_wrap=True)
    table.add_column("slice", no_wrap=True)
    for title in metrics.values():
        table.add_column(title, justify="right", no_wrap=True)
    named = [name.split("/")[1:] for name in mean if name.startswith("rows/")]
    for level in _LEVELS:
        for found, cut in named:
            if found == level:
                values = (mean.get(f"{metric}/{level}/{cut}") for metric in metrics)
                table.add_row(level, cut, *map(_cell, metrics, values))
    table.caption = "in 50, in 90: share within that interval; width: that of in 90 over mean sales"
    return table


def _baselines(mean: Mapping[str, float]) -> Table:
    table = Table(title="Against baselines on the same rows, WMAPE (bias)")
    table.add_column("forecast")
    table.add_column("demand, in stock", justify="right")
    table.add_column("sales, every day", justify="right")
    prefix = "wmape/sku_location/all/"
    names = [name.removeprefix(prefix) for name in mean if name.startswith(prefix)]
    for label, suffix in (("model", ""), *((name, f"/{name}") for name in names)):
        cells = []
        for cut in ("all", "sales"):
            at = f"sku_location/{cut}{suffix}"
            cells.append(f"{_share(mean.get(f'wmape/{at}'))} ({_share(mean.get(f'bias/{at}'))})")
        table.add_row(label, *cells)
    return table


def _unseen(mean: Mapping[str, float]) -> Table:
    table = Table(title="Locations trained on and not, demand in stock")
    for name in ("locations", "gain", "95 % interval"):
        table.add_column(name, justify="right")
    for cut in ("seen", "unseen"):
        name = f"sku_location/{cut}"
        table.add_row(cut, _share(mean.get(f"gain/{name}")), _interval(mean, "gain", name))
    return table


def _tails(mean: Mapping[str, float]) -> Table:
    table = Table(title="Pinball loss against the errors of all series pooled, demand in stock")
    for name in ("quantile", "model", "level x weekday x pooled", "less by"):
        table.add_column(name, justify="right")
    for level in _TAILS:
        own = mean.get(f"pinball_{level}/sku_location/all")
        pooled = mean.get(f"pinball_{level}/sku_location/all/level_pooled")
        if own is not None and pooled:
            table.add_row(level, f"{own:.4g}", f"{pooled:.4g}", _share(1.0 - own / pooled))
    return table


def _service(mean: Mapping[str, float]) -> Table:
    table = Table(title="Service achieved over the week after the origin")
    table.add_column("windows")
    for name in ("rows", "asked 80 %", "asked 95 %", "WMAPE", "bias"):
        table.add_column(name, justify="right")
    for cut in _COVERS:
        at = f"cover/{cut}"
        shares = ("service_80", "service_95", "wmape", "bias")
        cells = (_share(mean.get(f"{metric}/{at}")) for metric in shares)
        table.add_row(cut, _cell("rows", mean.get(f"rows/{at}")), *cells)
    table.caption = (
        "full_stock: windows without a stock-out; all: demand completed on stock-out days; "
        "sold: sales, a lower bound of demand"
    )
    return table


def _interval(found: Mapping[str, float], metric: str, name: str) -> str:
    low, high = (found.get(f"{metric}_{end}/{name}") for end in ("low", "high"))
    return "-" if low is None or high is None else f"{100 * low:.1f}..{_share(high)}"


def _cell(metric: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if metric == "rows" else f"{100 * value:.1f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
