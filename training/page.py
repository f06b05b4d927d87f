"""Report pages: headings, paragraphs, tables and figures in one HTML file that needs no network.

A page is built from top to bottom and written once::

    page = Page("Forecast report")
    page.section("Accuracy")
    page.text("WMAPE on the median, days in stock.")
    page.table(("level", "WMAPE"), [("sku x location", "36.2 %"), ("total", "4.1 %")])
    page.figure(figure, "WMAPE by days ahead.")  # a matplotlib Figure
    page.write(Path("report.html"))

Everything given is text and is escaped; a figure becomes an inline SVG image, so the same inputs
give the same bytes. Draw on `matplotlib.figure.Figure` directly, never through pyplot, and pass
``rasterized=True`` to marks that come by the thousand.
"""

from __future__ import annotations

import base64
import io
import math
from html import escape
from typing import TYPE_CHECKING

import matplotlib as mpl

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    Cell = str | float | None  # an int is a float to the type checker

ABSENT = "-"
# One palette for all pages; it stays apart for readers who do not tell red from green.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#222222")
_WHOLE_FROM = 1_000.0  # beyond it a fraction says nothing
_DPI = 150  # of marks that are rasterized within a figure
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """\
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff; margin: 0; }
main { max-width: 64rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .4rem; border-bottom: 1px solid #d8d8d8; }
p { margin: .5rem 0; max-width: 48rem; }
.scroll { overflow-x: auto; margin: .8rem 0 1.2rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #e6e6e6; vertical-align: top; }
th { border-bottom: 2px solid #888; text-align: right; }
td { text-align: right; white-space: nowrap; }
th.text, td.text { text-align: left; white-space: normal; }
td.text:first-child { white-space: nowrap; }
caption, figcaption { text-align: left; color: #555; font-size: .9rem; padding: .3rem 0; }
caption { caption-side: bottom; }
figure { margin: 1rem 0; }
figure img { max-width: 100%; height: auto; display: block; }
"""


class Page:
    """A report page under construction."""

    def __init__(self, title: str) -> None:
        """Begin a page with its title, which is its first heading too."""
        self._title = title
        self._parts: list[str] = []

    def section(self, heading: str) -> None:
        """Begin a section under a heading."""
        self._parts.append(f"<h2>{escape(heading)}</h2>")

    def text(self, paragraph: str) -> None:
        """Add a paragraph."""
        self._parts.append(f"<p>{escape(paragraph)}</p>")

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[Cell]],
        caption: str = "",
        *,
        text_columns: Collection[str] | None = None,
    ) -> None:
        """Add a table.

        Args:
            columns: Heading of each column.
            rows: Cells, as many a row as there are columns: text as it stands, whole numbers with
                thousands set apart, other numbers to four digits, None and NaN as a dash.
            caption: What the figures are, below the table.
            text_columns: Columns set flush left; the first one where None.
        """
        left = set(columns[:1] if text_columns is None else text_columns)
        classes = [' class="text"' if name in left else "" for name in columns]
        head = "".join(
            f'<th scope="col"{kind}>{escape(name)}</th>'
            for name, kind in zip(columns, classes, strict=True)
        )
        body = "\n".join(
            "<tr>"
            + "".join(
                f"<td{kind}>{escape(_written(cell))}</td>"
                for cell, kind in zip(row, classes, strict=True)
            )
            + "</tr>"
            for row in rows
        )
        said = f"<caption>{escape(caption)}</caption>" if caption else ""
        self._parts.append(
            f'<div class="scroll"><table>{said}<thead><tr>{head}</tr></thead>\n'
            f"<tbody>\n{body}\n</tbody></table></div>"
        )

    def figure(self, figure: Figure, caption: str) -> None:
        """Add a figure.

        Args:
            figure: What was drawn.
            caption: What it shows, below it and for readers who do not see it.
        """
        image = io.BytesIO()
        # Names within the image come from the salt and no date is kept: same figure, same bytes.
        with mpl.rc_context({"svg.hashsalt": "parlevel"}):
            figure.savefig(
                image, format="svg", dpi=_DPI, bbox_inches="tight", metadata={"Date": None}
            )
        data = base64.b64encode(image.getvalue()).decode()
        text = escape(caption)
        self._parts.append(
            f'<figure><img src="data:image/svg+xml;base64,{data}" alt="{text}">'
            f"<figcaption>{text}</figcaption></figure>"
        )

    def html(self) -> str:
        """Return the page as it stands."""
        title, parts = escape(self._title), "\n".join(self._parts)
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{title}</title>\n<style>\n{_STYLE}</style>\n</head>\n"
            f"<body>\n<main>\n<h1>{title}</h1>\n{parts}\n</main>\n</body>\n</html>\n"
        )

    def write(self, path: Path) -> None:
        """Write the page to a file, whole or not at all.

        Args:
            path: The file; folders above it are made.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.write_text(self.html(), encoding="utf-8")
        new.replace(path)


def share(value: float | None, digits: int = 1) -> str:
    """Write a fraction as a percentage, None and NaN as a dash.

    Example:
        >>> share(0.9512), share(None)
        ('95.1 %', '-')
    """
    if value is None or math.isnan(value):
        return ABSENT
    return f"{100 * value:.{digits}f} %"


def figures(value: float) -> str:
    """Write a number to four figures, a large one whole.

    Example:
        >>> figures(0.123456), figures(373_123.4), figures(12.0)
        ('0.1235', '373,123', '12')
    """
    if float(value).is_integer() or abs(value) >= _WHOLE_FROM:
        return f"{value:,.0f}"
    return f"{value:,.4g}"


def _written(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    return ABSENT if cell is None or math.isnan(cell) else figures(cell)
