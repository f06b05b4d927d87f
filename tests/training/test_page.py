"""Report pages: what is given stands there as text, and nothing is loaded from elsewhere."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from training.page import Page, share

if TYPE_CHECKING:
    from pathlib import Path


def drawn() -> Figure:
    figure = Figure(figsize=(2.0, 1.0))
    figure.subplots().plot([1, 2], [3, 4])
    return figure


def test_what_is_given_is_text_and_never_markup() -> None:
    page = Page("A <b>title</b>")
    page.section("<script>")
    page.text("1 < 2 & 3")
    page.table(("<i>",), [("<u>",)], "<s>")
    page.figure(drawn(), '"><script>')
    html = page.html()
    for markup in ("<b>", "<script>", "<i>", "<u>", "<s>"):
        assert markup not in html
    assert "1 &lt; 2 &amp; 3" in html


def test_cells_are_written_as_readers_expect_them() -> None:
    page = Page("Cells")
    row_of = ("x", 1_234_567, 0.123456, 373_123.4, None, float("nan"))
    page.table(("a", "b", "c", "d", "e", "f"), [row_of])
    row = re.search(r"<tbody>\n<tr>(.*)</tr>", page.html())
    assert row is not None
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", row[1])
    assert cells == ["x", "1,234,567", "0.1235", "373,123", "-", "-"]


def test_text_columns_are_set_left() -> None:
    page = Page("Columns")
    page.table(("a", "b"), [("x", "why")], text_columns=("b",))
    assert '<td>x</td><td class="text">why</td>' in page.html()


def test_a_figure_is_inside_the_page_and_said_in_words() -> None:
    page = Page("Figure")
    page.figure(drawn(), "A line.")
    found = re.search(r'src="data:image/svg\+xml;base64,([^"]+)" alt="A line\."', page.html())
    assert found is not None
    assert b"<svg" in base64.b64decode(found[1])


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        page = Page("Twice")
        page.figure(drawn(), "A line.")
        page.write(tmp_path / "made" / f"{name}.html")
    one, other = ((tmp_path / "made" / f"{name}.html").read_bytes() for name in ("one", "other"))
    assert one == other
    assert [file.name for file in sorted((tmp_path / "made").iterdir())] == [
        "one.html",
        "other.html",
    ]


def test_a_page_may_load_nothing() -> None:
    assert "default-src 'none'" in Page("Closed").html()


def test_shares_are_percentages_and_what_is_not_known_is_a_dash() -> None:
    assert [share(0.12345), share(0.5, 0), share(None), share(float("nan"))] == [
        "12.3 %",
        "50 %",
        "-",
        "-",
    ]
