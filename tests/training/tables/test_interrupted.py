from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from training.tables import read
from training.tables.importing import Order

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.tables.importing import Outcome

    Bring = Callable[[Order], tuple[Outcome, ...]]
    Written = Callable[..., Path]

HEADER = "date,sku,location,quantity\n"
OLD = HEADER + "2024-01-01,A,x,3\n2024-01-02,A,x,0\n"
NEW = HEADER + "2024-01-01,A,x,7\n"
LATER = HEADER + "2024-01-03,A,x,5\n"
# Imports FILE into DIR, and kills itself in place of the given call of os.replace.
KILLED_IMPORT = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from training.tables.importing import Order, Sender, import_file
data_dir, file, calls = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
replace = os.replace
def dying(*arguments):
    global calls
    calls -= 1
    if calls == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*arguments)
os.replace = dying
order = Order(file, table="sales")
import_file(data_dir, order, Sender("ana", datetime.now(UTC)), tell=lambda _: None)
"""


def quantities(data_dir: Path) -> list[float]:
    return list(read(data_dir, "sales")["quantity"])


@pytest.mark.parametrize("call", range(1, 5))
def test_an_import_that_fails_at_any_write_leaves_the_old_rows_or_the_new(
    bring: Bring, written: Written, data_dir: Path, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(Order(written(OLD), table="sales"))
    replace, calls = os.replace, iter(range(1, 100))

    def failing(source: Path, target: Path) -> None:
        if next(calls) == call:
            raise OSError(28, "no space left")
        replace(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", failing)
        with pytest.raises(OSError, match="no space left"):
            bring(Order(written(NEW), table="sales"))

    assert quantities(data_dir) == ([3.0, 0.0] if call <= 3 else [7.0])
    bring(Order(written(LATER), table="sales"))
    assert quantities(data_dir) == [5.0]
    assert len(list(data_dir.glob("clean/sales/*"))) <= 2
    assert not list(data_dir.rglob("*.partial"))


@pytest.mark.parametrize("call", [1, 3, 4])
def test_a_killed_import_leaves_a_whole_state_and_the_next_one_sweeps(
    bring: Bring, written: Written, data_dir: Path, call: int
) -> None:
    bring(Order(written(OLD), table="sales"))
    command = [sys.executable, "-c", KILLED_IMPORT, str(data_dir), str(written(NEW)), str(call)]

    root = Path(__file__).parents[3]
    killed = subprocess.run(command, check=False, timeout=120, cwd=root)

    assert killed.returncode == -signal.SIGKILL
    assert quantities(data_dir) == ([3.0, 0.0] if call <= 3 else [7.0])
    bring(Order(written(LATER), table="sales"))
    assert quantities(data_dir) == [5.0]
    assert not list(data_dir.rglob("*.partial"))
    records = {path.stem for path in (data_dir / "loads").iterdir()}
    assert {path.stem for path in data_dir.glob("raw/sales/*")} == records


def test_sweeping_leaves_files_alone_that_no_import_made(
    bring: Bring, written: Written, data_dir: Path
) -> None:
    own = data_dir / "raw" / "photos" / "holiday.csv"
    own.parent.mkdir(parents=True)
    own.write_text("mine")

    bring(Order(written(OLD), table="sales"))

    assert own.read_text() == "mine"
