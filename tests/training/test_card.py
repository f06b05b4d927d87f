from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.fits import made_up
from training.card import accuracy_plot, importance_plot, model_card

if TYPE_CHECKING:
    from pathlib import Path

FACTS = {"max_horizon": 28, "data_end": "2026-06-30", "metrics": {"wmape/total/all": 0.123456}}
CERTIFICATE = {
    "checks": [{"name": "daily: unusual rows", "rows": 1234, "max_relative_difference": 6e-8}]
}
PNG = b"\x89PNG"


def test_a_card_states_facts_metrics_and_certificate(tmp_path: Path) -> None:
    text = model_card(tmp_path / "card.md", facts=FACTS, certificate=CERTIFICATE).read_text()
    assert "- max_horizon: 28" in text
    assert "- wmape/total/all: 0.1235" in text
    assert "- daily: unusual rows: 1,234 rows, greatest difference 6.0e-08" in text
    assert "{" not in text


def test_plots_are_written_with_rivals_and_without(tmp_path: Path) -> None:
    metrics = {"wmape/sku_location/h1-7": 0.4, "wmape/sku_location/h8-14": 0.5}
    rival = {f"{name}/seasonal_naive": value + 0.1 for name, value in metrics.items()}
    for number, shown in enumerate((metrics, metrics | rival, {})):
        file = accuracy_plot(shown, tmp_path / f"{number}.png")
        assert file.read_bytes().startswith(PNG)
    assert importance_plot(made_up(trees=2).fit, tmp_path / "i.png").read_bytes().startswith(PNG)
