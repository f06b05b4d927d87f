from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from serving.errors import InvalidField
from training.tables import TableRefused, conform
from training.tables.checking import ROW
from training.tables.conditions import Context
from training.tables.recipes import blank_missing, cook, parse_recipe


def cooked(
    frame: pl.DataFrame, *steps: str, last_days: dict[str, date] | None = None
) -> pl.DataFrame:
    text = f'[[table]]\ntable = "sales"\nsteps = [{", ".join(steps)}]'
    (block,) = parse_recipe(text, name="made up").blocks
    source = frame.with_row_index(ROW, offset=1).with_columns(pl.col(ROW).cast(pl.Int64))
    return cook(block, source, Context("sales", last_days or {}))


def column(frame: pl.DataFrame, name: str, *steps: str) -> list[object]:
    return cooked(frame, *steps)[name].to_list()


def test_a_price_multiplier_becomes_a_discount_held_at_zero() -> None:
    step = (
        '{ do = "linear", column = "discount", source = "m", factor = -1, offset = 1, minimum = 0 }'
    )

    made = column(pl.DataFrame({"m": ["1", "0.75", "1.1", None]}), "discount", step)

    assert made == [0.0, 0.25, 0.0, None]


def test_hours_out_of_stock_become_an_available_fraction() -> None:
    step = '{ do = "linear", column = "f", source = "h", factor = -0.0625, offset = 1 }'

    assert column(pl.DataFrame({"h": [0, 4, 16]}), "f", step) == [1.0, 0.75, 0.0]


def test_a_cell_that_cannot_be_converted_is_refused_with_its_row() -> None:
    step = '{ do = "linear", column = "x", source = "x" }'

    with pytest.raises(TableRefused) as refusal:
        cooked(pl.DataFrame({"x": ["1", "two", None]}), step)

    assert [(each.row, each.column) for each in refusal.value.violations] == [(2, "x")]


@pytest.mark.parametrize(
    ("text", "pattern", "day"),
    [
        ("2010-12-01 08:26:00", "", date(2010, 12, 1)),
        ("2010-12-01T08:26", "", date(2010, 12, 1)),
        ("2010-12-01", "", date(2010, 12, 1)),
        ("01/12/2010", "%d/%m/%Y", date(2010, 12, 1)),
        ("01/12/2010 08:26", "%d/%m/%Y %H:%M", date(2010, 12, 1)),
        ("Dec-10", "%b-%y", date(2010, 12, 1)),
    ],
)
def test_the_day_is_read_out_of_text(text: str, pattern: str, day: date) -> None:
    step = f'{{ do = "day", column = "date", source = "at", format = "{pattern}" }}'

    assert column(pl.DataFrame({"at": [text]}), "date", step) == [day]


def test_the_day_is_read_out_of_a_time_stamp() -> None:
    frame = pl.DataFrame({"at": [datetime(2024, 1, 2, 23, 59, tzinfo=UTC)]})

    assert column(frame, "at", '{ do = "day", column = "at", source = "at" }') == [date(2024, 1, 2)]


def test_text_that_is_no_date_is_refused_with_its_row() -> None:
    with pytest.raises(TableRefused, match="row 2, column at: must be a date"):
        cooked(
            pl.DataFrame({"at": ["2024-01-01", "01.02.2024"]}),
            '{ do = "day", column = "date", source = "at" }',
        )


LINES = pl.DataFrame(
    {
        "sku": ["A", "A", "A", "B"],
        "quantity": [6.0, 2.0, -3.0, -1.0],
        "price": [1.0, 2.0, 1.0, 5.0],
    }
)
GATHER = (
    '{ do = "sum", by = ["sku"], sum_from_zero = ["quantity"], '
    'weighted_mean = { price = "quantity" } }'
)


def test_returns_are_netted_within_the_day_and_held_at_zero() -> None:
    made = cooked(LINES, '{ do = "returns", treat = "net" }', GATHER)

    assert made["quantity"].to_list() == [5.0, 0.0]
    assert made["price"].to_list() == [1.25, None]


def test_returns_can_be_kept_apart() -> None:
    made = cooked(LINES, '{ do = "returns", treat = "separate" }')

    assert made["quantity"].to_list() == [6.0, 2.0, 0.0, 0.0]
    assert made["returned_quantity"].to_list() == [0.0, 0.0, 3.0, 1.0]


def test_returns_can_be_dropped() -> None:
    assert len(cooked(LINES, '{ do = "returns", treat = "drop" }')) == 2


def test_an_empty_cell_is_not_added_up_as_zero() -> None:
    frame = pl.DataFrame({"sku": ["A", "A"], "quantity": ["1", None]})

    with pytest.raises(TableRefused, match="row 2, column quantity: must be filled"):
        cooked(frame, '{ do = "sum", by = ["sku"], sum = ["quantity"] }')


def test_a_gathered_row_is_refused_by_the_number_of_its_first_source_row() -> None:
    frame = LINES.with_columns(date=pl.lit("2024-01-01"), location=pl.lit("x"))
    made = cooked(frame, '{ do = "sum", by = ["date", "sku", "location"], sum = ["quantity"] }')

    with pytest.raises(TableRefused) as refusal:
        conform("sales", made)

    assert [each.row for each in refusal.value.violations] == [4]


def test_columns_of_periods_become_rows_and_empty_ones_none() -> None:
    frame = pl.DataFrame({"Part": [1, 2], "Jan-98": [0, 3], "Feb-98": [None, 4.0]})

    made = cooked(frame, '{ do = "unpivot", keep = ["Part"], name = "month", value = "quantity" }')

    assert sorted(made.select("Part", "month", "quantity").rows()) == [
        (1, "Jan-98", "0"),
        (2, "Feb-98", "4.0"),
        (2, "Jan-98", "3"),
    ]


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ('equals = "1"', [1]),
        ('differs = "1"', [2.5]),
        ('among = ["1", "2.5"]', [1, 2.5]),
        ("above = 1", [2.5]),
        ("at_least = 1", [1, 2.5]),
        ("below = 2.5", [1]),
        ("at_most = 2.5", [1, 2.5]),
        ('matches = "^2"', [2.5]),
        ("empty = true", [None]),
        ("empty = false", [1, 2.5]),
    ],
)
def test_rows_are_kept_where_the_condition_holds(condition: str, kept: list[float | None]) -> None:
    step = f'{{ do = "keep", where = [{{ column = "x", {condition} }}] }}'

    assert column(pl.DataFrame({"x": [1.0, 2.5, None]}), "x", step) == kept


def test_columns_are_composed_replaced_multiplied_and_set() -> None:
    frame = pl.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"], "c": [3, 4]})
    made = cooked(
        frame,
        '{ do = "compose", column = "ab", sources = ["a", "b"] }',
        '{ do = "replace", column = "b", values = { x = "", y = "why" } }',
        '{ do = "product", column = "ac", sources = ["a", "c"] }',
        '{ do = "constant", column = "d", value = "k", where = [{ column = "c", above = 3 }] }',
        '{ do = "take", columns = ["ab", "b", "ac", "d"] }',
    )

    assert made.drop(ROW).rows() == [("1-x", None, 3.0, None), ("2-y", "why", 8.0, "k")]


def test_the_weekday_of_a_sunday_is_seven() -> None:
    step = '{ do = "date_part", column = "w", source = "date", part = "weekday" }'

    assert column(pl.DataFrame({"date": ["2024-06-09"]}), "w", step) == [7]


def test_only_days_after_the_last_sales_are_to_come() -> None:
    frame = pl.DataFrame({"date": ["2024-01-01", "2024-01-02"]})
    step = '{ do = "days_after", table = "sales" }'

    assert len(cooked(frame, step, last_days={"sales": date(2024, 1, 1)})) == 1
    assert len(cooked(frame, step)) == 2


def test_words_for_missing_become_empty_cells() -> None:
    blanked = blank_missing(pl.DataFrame({"x": ["NA", "1"], "n": [1, 2]}), ("NA",))

    assert blanked.rows() == [(None, 1), ("1", 2)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = ", "is no TOML"),
        ("", "must be given at least once"),
        ('colour = "red"', "recipe.colour is no setting"),
        ('[[table]]\ntable = "sale"', "did you mean 'sales'"),
        ('[[table]]\ntable = "sales"\n' * 2, "must make each table once"),
        ('[[table]]\ntable = "sales"\nstep = []', "did you mean 'steps'"),
        ('[[table]]\ntable = "sales"\nsteps = [{ do = "renames" }]', "did you mean 'rename'"),
        (
            '[[table]]\ntable = "sales"\nsteps = [{ do = "rename" }]',
            r"steps\[0\].columns must be given",
        ),
        (
            '[[table]]\ntable = "sales"\nsteps = [{ do = "take", columns = "date" }]',
            "must be a list",
        ),
        (
            '[[table]]\ntable = "sales"\nsteps = [{ do = "returns", treat = "ignore" }]',
            "must be one of net, separate, drop",
        ),
        (
            '[[table]]\ntable = "sales"\nsteps = [{ do = "keep", where = [{ column = "x" }] }]',
            "must say what to test",
        ),
        (
            '[[table]]\ntable = "sales"\nsteps = [{ do = "product", column = "x", sources = [2] }]',
            r"sources\[0\] must be text",
        ),
        ('[dataset]\nfrequency = "hour"\n[[table]]\ntable = "sales"', "must be day, week or month"),
        ('[dataset]\ncurrency_code = "euro"\n[[table]]\ntable = "sales"', "three capital letters"),
    ],
)
def test_a_wrong_recipe_is_refused_where_it_is_wrong(text: str, said: str) -> None:
    with pytest.raises(InvalidField, match=said):
        parse_recipe(text, name="wrong")


def test_a_step_that_reads_an_absent_column_says_which_and_what_is_there() -> None:
    with pytest.raises(InvalidField, match=r"step 1 \(take\).*b.*columns are a"):
        cooked(pl.DataFrame({"a": [1]}), '{ do = "take", columns = ["b"] }')


def test_a_rename_swaps_but_never_overwrites() -> None:
    frame = pl.DataFrame({"a": [1], "b": [2]})

    swapped = cooked(frame, '{ do = "rename", columns = { a = "b", b = "a" } }')

    assert swapped.select("a", "b").row(0) == (2, 1)
    with pytest.raises(InvalidField, match="is taken"):
        cooked(frame, '{ do = "rename", columns = { a = "b" } }')
    with pytest.raises(InvalidField, match="there are only a, b"):
        cooked(frame, '{ do = "rename", columns = { c = "d" } }')


def test_the_day_of_a_zoned_time_stamp_is_the_local_one() -> None:
    late = datetime(2024, 1, 2, 4, tzinfo=UTC)
    frame = pl.DataFrame({"at": [late]}).with_columns(
        pl.col("at").dt.convert_time_zone("America/New_York")
    )

    assert column(frame, "at", '{ do = "day", column = "at", source = "at" }') == [date(2024, 1, 1)]
