"""``parlevel serve``: run, start, stop and inspect the service."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from serving import settings as configuration
from training import service_process

if TYPE_CHECKING:
    from training.service_process import Running

NOT_RUNNING = 3  # as an init script's status has it
FOLLOW_SECONDS = 0.2

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Run, stop and inspect the service."
)
_console = Console()


@app.command()
def run() -> None:
    """Run the service in the foreground, both doors in one process."""
    service_process.run(configuration.load())


@app.command()
def start() -> None:
    """Start the service in the background and wait until both doors are open."""
    settings = configuration.load()
    running = service_process.find(settings)
    if running is not None:
        _console.print(f"already running, process {running.pid}")
        _print_doors(running)
        return
    begun = time.monotonic()
    running, states = service_process.start(settings)
    with _console.status("opening both doors"):
        for _ in states:
            pass
    _console.print(f"ready in {time.monotonic() - begun:.1f} s, process {running.pid}")
    _print_doors(running)


@app.command()
def stop() -> None:
    """Let requests in flight finish and stop the service."""
    settings = configuration.load()
    running = service_process.find(settings)
    if running is None:
        _console.print("not running")
        return
    with _console.status("draining"):
        service_process.stop(settings, running)
    _console.print(f"stopped, process {running.pid}")


@app.command()
def status() -> None:
    """Say whether the service runs and where; exits with 3 where it does not."""
    running = service_process.find(configuration.load())
    if running is None:
        _console.print("not running")
        raise SystemExit(NOT_RUNNING)
    word = "ready" if running.ready else "not ready"
    _console.print(f"running, {word}, process {running.pid}")
    _print_doors(running)


@app.command()
def logs(
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Lines from the end.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
) -> None:
    """Print the end of the log of the service in the background."""
    path = service_process.log_file(configuration.load())
    if not path.exists():
        _console.print(f"no log yet: {path}")
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        tail = file.readlines()[-lines:] if lines else []
        typer.echo("".join(tail), nl=False)
        while follow:
            typer.echo(file.read(), nl=False)
            time.sleep(FOLLOW_SECONDS)


def _print_doors(running: Running) -> None:
    _console.print(f"  HTTP  http://{running.host}:{running.http_port}", highlight=False)
    _console.print(f"  gRPC  {running.host}:{running.grpc_port}", highlight=False)
