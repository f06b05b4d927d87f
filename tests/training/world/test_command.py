"""The command prints what it made, and one sentence when it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from training import cli

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as leaving:
        cli.main(["world", *arguments])
    return leaving.value.code


def test_it_writes_a_world_and_shows_its_facts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "w"
    assert run("--profile", "quick", "--seed", "7", "--out", str(out)) == 0
    printed = capsys.readouterr().out
    assert "quick world of seed 7 written to" in printed
    assert "purchase_orders" in printed
    assert "weekend" in printed
    assert (tmp_path / "w-truth" / "demand.parquet").is_file()
    assert run("--profile", "quick", "--seed", "7", "--out", str(out)) == 0
    assert "already stands" in capsys.readouterr().out


def test_without_a_folder_it_is_the_world_of_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEVEL_HOME", str(tmp_path / "home"))
    assert run("--profile", "quick") == 0
    assert (tmp_path / "home" / "tables" / "sales.parquet").is_file()
    assert (tmp_path / "home-truth" / "demand.parquet").is_file()


def test_an_unknown_profile_is_one_sentence_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--profile", "huge", "--out", str(tmp_path / "w")) == 2
    assert "profile must be one of quick, demo, full, scale" in capsys.readouterr().err
