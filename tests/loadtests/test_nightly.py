"""The table of nightly costs."""

from __future__ import annotations

from rich.console import Console

from loadtests.nightly import Night, table


def test_each_night_stands_beside_the_first() -> None:
    nights = [Night(1_000, 2.0, 1.5, 300.0), Night(10_000, 9.0, 12.0, 400.0)]
    console = Console(width=120)
    with console.capture() as shown:
        console.print(table(nights))
    text = shown.get()
    assert "1.500" in text
    assert "1.200" in text
    assert "0.80x" in text
