"""``parlevel home``: back up, restore and upgrade the home folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from serving import settings
from training import operations

MIB = 1024 * 1024

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Back up, restore and upgrade the home."
)
Archive = Annotated[Path, typer.Argument(help="Archive, .tar.gz.")]


@app.command()
def backup(file: Archive) -> None:
    """Save tables, current features, registry and releases; the service may run on.

    Example: parlevel home backup monday.tar.gz
    """
    home = settings.load().home
    with Console(stderr=True).status(f"saving {home}"):
        size = operations.backup(home, file)
    Console().print(f"{home} saved to {file}, {size / MIB:.1f} MiB")


@app.command()
def restore(
    file: Archive,
    *,
    force: Annotated[bool, typer.Option(help="Replace a home that is not empty.")] = False,
) -> None:
    """Put a saved home in place; the service must be stopped."""
    configured = settings.load()
    with Console(stderr=True).status(f"restoring {configured.home}"):
        operations.restore(configured, file, force=force)
    Console().print(f"{configured.home} restored from {file}")


@app.command()
def upgrade() -> None:
    """Bring a home written by an older version, or moved from another place, up to date."""
    home = settings.load().home
    before, after = operations.upgrade(home)
    said = "was current" if before == after else f"upgraded from layout {before} to {after}"
    Console().print(f"{home} {said}")
