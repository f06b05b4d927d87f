"""``parlevel models``: list, show, certify, promote and roll back registered models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from serving import settings
from serving.adapters.features import features_of
from serving.adapters.openers import open_any
from serving.domain.features import feature_set_hash
from serving.errors import FeatureSetMismatch, UnknownModel
from training.batch.models import FORECAST
from training.registry import HEADLINE, Registry

if TYPE_CHECKING:
    from serving.settings import Settings
    from training.registry import Version

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="List, show, certify, promote, roll back."
)
Name = Annotated[str, typer.Argument(help="Registered name, such as forecast.")]
Number = Annotated[str | None, typer.Argument(help="Version; the newest where absent.")]


@app.command("list")
def list_models() -> None:
    """List every version of every registered model, newest first."""
    registry = Registry(settings.load())
    table = Table("model", "version", "state", "registered (UTC)", "metric", "value", "data to")
    for name in registry.names():
        for one in registry.versions(name):
            headline = one.tags.get(HEADLINE, "-")
            value = one.metrics.get(headline)
            table.add_row(
                one.name,
                one.version,
                _state(one),
                f"{one.created:%Y-%m-%d %H:%M}",
                headline,
                "-" if value is None else f"{value:.4g}",
                one.tags.get("data_end", "-"),
            )
    Console().print(
        table if table.rows else "no model is registered: run `parlevel train forecast`"
    )


@app.command()
def show(name: Name, version: Number = None) -> None:
    """Show one version: what it reads, what it was measured at, what its certificate says."""
    configured = settings.load()
    one = _version(Registry(configured), name, version)
    described = open_any(configured.releases / name / one.version).description
    demand = (
        ("horizon, cover", f"{described.max_horizon}, {described.max_cover} days"),
        ("quantiles", ", ".join(f"{level:g}" for level in described.quantile_levels)),
    )
    table = Table(show_header=False)
    for label, value in (
        ("model", f"{name} version {one.version} {_state(one)}"),
        ("graph sha256", described.digest),
        ("feature set", f"{described.feature_set_hash} ({len(described.features)} features)"),
        ("trained", f"{described.trained_time:%Y-%m-%d %H:%M} UTC on data to {described.data_end}"),
        *(demand if described.max_horizon else ()),
        (
            "certificate",
            (
                f"{described.certificate.row_count:,} rows, "
                f"{described.certificate.threshold_row_count:,} on or beside thresholds, "
                f"greatest difference {described.certificate.max_relative_difference:.1e}"
            ),
        ),
        *((metric, f"{value:.4f}") for metric, value in described.metrics),
    ):
        table.add_row(label, value)
    Console().print(table)


@app.command()
def certify(name: Name, version: Number = None) -> None:
    """Check a version's release again: digests, signature, certificate, feature set, first run."""
    configured = settings.load()
    one = _version(Registry(configured), name, version)
    certificate = open_any(configured.releases / name / one.version).description.certificate
    Console().print(
        f"{name} version {one.version} holds: {certificate.row_count:,} rows compared, "
        f"greatest difference {certificate.max_relative_difference:.1e}"
    )


@app.command()
def promote(name: Name, version: Number = None) -> None:
    """Let a version serve, the newest where none is named; refused without a certificate."""
    configured = settings.load()
    registry = Registry(configured)
    one = _version(registry, name, version)
    if name == FORECAST:
        _check_materialised(configured)
    moved = registry.promote(name, one.version)
    Console().print(f"{name} version {one.version} {'serves' if moved else 'already serves'}")


@app.command()
def rollback(name: Name) -> None:
    """Let the version serve that served before."""
    Console().print(f"{name} version {Registry(settings.load()).rollback(name)} serves again")


@app.command()
def repair(name: Name) -> None:
    """Bring the registry's alias to the version that serves, after an interrupted promotion."""
    moved = Registry(settings.load()).repair(name)
    Console().print("the alias was moved" if moved else "nothing to repair")


def _version(registry: Registry, name: str, version: str | None) -> Version:
    versions = registry.versions(name)
    for one in versions:
        if version in (None, one.version):
            return one
    raise UnknownModel(name if version is None else f"{name}/{version}")


def _state(one: Version) -> str:
    if one.serving:
        return "serving" if one.champion else "serving (alias behind: run `models repair`)"
    return "champion, not serving" if one.champion else ""


def _check_materialised(configured: Settings) -> None:
    """Refuse to promote onto features of another set: every answer would fail.

    Raises:
        FeatureSetMismatch: If the stored features are of another feature set.
        NotReady: If nothing is materialised.
    """
    stored = features_of(configured).snapshot().feature_set_hash
    if stored != feature_set_hash():
        raise FeatureSetMismatch(asked=feature_set_hash(), stored=stored)
