from __future__ import annotations

import io

import polars as pl
import pytest

from serving.errors import InvalidField
from training.tables import CONTRACTS, TableRefused, conform, contract

# One good row of every canonical table, with every column that has a range or a relation.
GOOD = {
    "sales": "date,sku,location,quantity,price,discount,promoted,available_fraction\n"
    "2024-01-01,A,x,2.5,9.9,0.1,1,0.5\n",
    "plan": "date,sku,location,discount\n2024-01-01,A,x,0.2\n",
    "overrides": (
        "date,sku,location,factor,author,created_date,expires_date\n"
        "2024-01-09,A,x,1.2,ana,2024-01-01,2024-01-31\n"
    ),
    "demand_tags": "date,sku,location,tag,author\n2024-01-01,A,x,outlier,ana\n",
    "products": "sku,category,price,launch_date,pack_size\nA,c,1,2020-01-01,6\n",
    "locations": "location,latitude,longitude\nx,-33.5,151.2\n",
    "campaigns": "campaign_id,start_date,end_date,sku\nc,2024-01-01,2024-01-01,\n",
    "calendar": "date,country,holiday_name,payday,derby_day\n2024-01-01,DE,New Year,0,2\n",
    "weather": "date,city,issued_date,temperature_avg\n2024-01-03,b,2024-01-01,-4\n",
    "exchange_rates": "date,from_currency,to_currency,rate\n2024-01-01,EUR,USD,1.1\n",
    "inventory": "date,sku,location,on_hand,lot_id\n2024-01-01,A,x,4,l\n",
    "policy": "sku,location,service_target\n,,0.95\n",
    "sourcing": "sku,supplier_id,share\nA,s,1\n",
    "network": "upstream,downstream,lead_time_days\na,b,3\n",
    "lanes": "lane,returns_share\nl,0.1\n",
    "suppliers": "supplier_id,on_time_rate,price_premium\ns,0.9,-0.05\n",
    "purchase_orders": "po_id,sku,supplier_id,order_date,promised_date,delivered_date\n"
    "p,A,s,2024-01-01,2024-01-05,\n",
    "plants": "plant_id,labor_rate_hourly\np,20\n",
    "bills_of_material": "sku,component,quantity\nA,B,2\n",
    "commodity_prices": "date,commodity,price,currency\n2024-01-01,steel,700,USD\n",
    "freight_rates": "origin_country,destination_country,rate_per_kg,valid_from,valid_to,"
    "rate_range\n"
    "CN,US,0.09,2024-01-01,2024-12-31,0.1",
    "part_attributes": "sku,attribute,value\nA,length,12.5",
    "tariffs": "origin_country,destination_country,rate,valid_from,valid_to\n"
    "CN,US,0.25,2024-01-01,\n",
    "quotes": "quote_id,date,sku,supplier_id,quantity,unit_price\nq,2024-01-01,A,s,10,1.5\n",
    "cost_transactions": "date,sku,plant_id,raw_material_price,budget_labor_rate,"
    "total_unit_cost,volume\n2024-01-01,A,p,2,3,9,100\n",
    "cost_actions": "action_id,date,sku,action_type,actual_saving\na,2024-01-01,A,automate,-5\n",
    "quality_events": "date,sku,supplier_id,batch_size,defects\n2024-01-01,A,s,100,2\n",
    "experiment": "unit_id,treated,outcome,age,segment\n1,true,-3.5,44,young\n",
}

BROKEN = [
    ("sales", "quantity", "-1", "at least 0"),
    ("sales", "quantity", "", "must be filled"),
    ("sales", "quantity", "many", "must be a number"),
    ("sales", "quantity", "nan", "finite"),
    ("sales", "quantity", "inf", "finite"),
    ("sales", "quantity", "1e300", "at most 1e+12"),
    ("sales", "price", "-0.01", "at least 0"),
    ("sales", "discount", "1.01", "at most 1"),
    ("sales", "available_fraction", "-0.1", "at least 0"),
    ("sales", "promoted", "maybe", "true or false"),
    ("sales", "date", "2024-02-30", "civil date"),
    ("sales", "date", "2024-01-01T10:00:00", "civil date"),
    ("sales", "date", "0024-01-01", "between 1900-01-01"),
    ("sales", "date", "", "must be filled"),
    ("sales", "sku", " ", "must be filled"),
    ("plan", "discount", "20", "at most 1"),
    ("products", "pack_size", "-6", "at least 0"),
    ("locations", "latitude", "91", "at most 90"),
    ("campaigns", "end_date", "2023-12-31", "must not be before start_date"),
    ("calendar", "derby_day", "yes", "must be a number"),
    ("weather", "issued_date", "2024-01-04", "must not exceed date"),
    ("exchange_rates", "rate", "0", "above 0"),
    ("inventory", "on_hand", "-1", "at least 0"),
    ("policy", "service_target", "95", "at most 1"),
    ("sourcing", "share", "1.5", "at most 1"),
    ("network", "upstream", "b", "must differ from downstream"),
    ("lanes", "returns_share", "2", "at most 1"),
    ("suppliers", "on_time_rate", "90", "at most 1"),
    ("purchase_orders", "delivered_date", "2023-12-31", "must not be before order_date"),
    ("purchase_orders", "promised_date", "2023-12-31", "must not be before order_date"),
    ("plants", "labor_rate_hourly", "-1", "at least 0"),
    ("bills_of_material", "component", "A", "must differ from sku"),
    ("bills_of_material", "quantity", "0", "above 0"),
    ("commodity_prices", "price", "", "must be filled"),
    ("freight_rates", "rate_range", "1.5", "must be at most 1"),
    ("tariffs", "valid_to", "2023-12-31", "must not be before valid_from"),
    ("quotes", "quantity", "0", "above 0"),
    ("cost_transactions", "volume", "-100", "at least 0"),
    ("cost_actions", "actual_saving", "-inf", "finite"),
    ("quality_events", "defects", "101", "must not exceed batch_size"),
    ("quality_events", "defects", "1.5", "whole number"),
    ("experiment", "treated", "2", "true or false"),
    ("overrides", "factor", "-1", "at least 0"),
    ("overrides", "author", "", "must be filled"),
    ("overrides", "expires_date", "2023-12-31", "must not be before created_date"),
]


def received(text: str) -> pl.DataFrame:
    return pl.read_csv(io.StringIO(text), infer_schema=False)


def test_every_canonical_table_has_a_contract_and_an_example() -> None:
    assert set(GOOD) == set(CONTRACTS)
    assert len(CONTRACTS) == 28


@pytest.mark.parametrize("table", GOOD)
def test_a_good_row_of_every_table_is_taken(table: str) -> None:
    assert len(conform(table, received(GOOD[table]))) == 1


@pytest.mark.parametrize(("table", "column", "cell", "rule"), BROKEN)
def test_a_broken_cell_is_refused_with_its_row_column_and_rule(
    table: str, column: str, cell: str, rule: str
) -> None:
    good = received(GOOD[table])
    unlike = good.with_columns(
        pl.lit("other").alias(name) for name in good.columns if name in ("sku", "campaign_id")
    )
    broken = good.with_columns(pl.lit(cell).alias(column))

    with pytest.raises(TableRefused) as refusal:
        conform(table, pl.concat([unlike, broken]))

    violations = [each for each in refusal.value.violations if each.column == column]
    assert [each.row for each in violations if rule in each.rule] == [2]


@pytest.mark.parametrize("table", [name for name, each in CONTRACTS.items() if each.key])
def test_a_repeated_key_is_refused_at_the_later_row(table: str) -> None:
    good = received(GOOD[table])

    with pytest.raises(TableRefused) as refusal:
        conform(table, pl.concat([good, good]))

    assert refusal.value.total == 1
    assert refusal.value.violations[0].row == 2
    assert "must not repeat" in refusal.value.violations[0].rule


def test_quality_events_may_repeat_because_two_batches_can_look_alike() -> None:
    good = received(GOOD["quality_events"])

    assert len(conform("quality_events", pl.concat([good, good]))) == 2


def test_the_first_twenty_violations_are_named_and_all_are_counted() -> None:
    frame = pl.DataFrame({"date": "2024-01-01", "sku": [f"{n}" for n in range(50)]})
    frame = frame.with_columns(location=pl.lit("x"), quantity=pl.lit(-1.0), price=pl.lit(-1.0))

    with pytest.raises(TableRefused, match="and 80 more") as refusal:
        conform("sales", frame)

    assert len(refusal.value.violations) == 20
    assert (refusal.value.total, refusal.value.rows) == (100, 50)
    assert [each.row for each in refusal.value.violations] == [n // 2 + 1 for n in range(20)]


def test_an_unknown_column_is_refused_with_the_nearest_canonical_name() -> None:
    with pytest.raises(TableRefused, match="did you mean 'quantity'"):
        conform("sales", received("date,sku,location,Quantty\n2024-01-01,A,x,1\n"))


def test_a_missing_column_is_refused_by_name() -> None:
    with pytest.raises(TableRefused) as refusal:
        conform("sales", received("date,sku,quantity\n2024-01-01,A,1\n"))

    assert refusal.value.violations[0].column == "location"
    assert refusal.value.violations[0].row == 0


def test_an_unknown_table_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InvalidField, match="did you mean 'sales'"):
        contract("sale")


def test_two_rows_without_an_optional_part_of_the_key_repeat_each_other() -> None:
    with pytest.raises(TableRefused) as refusal:
        conform("policy", received("sku,location,margin\n,,1\nA,,1\n,,2\n"))

    assert [each.row for each in refusal.value.violations] == [3]


def test_numeric_ids_become_text_without_a_fraction() -> None:
    frame = pl.DataFrame(
        {"date": ["2024-01-01"], "sku": [17850.0], "location": [3], "quantity": [1]}
    )

    row = conform("sales", frame).row(0, named=True)

    assert (row["sku"], row["location"]) == ("17850", "3")


def test_an_id_in_csv_keeps_its_leading_zeros() -> None:
    stored = conform("sales", received("date,sku,location,quantity\n2024-01-01,007,01,1\n"))

    assert stored.row(0)[1:3] == ("007", "01")


def test_a_time_stamp_is_a_date_only_at_midnight() -> None:
    frame = pl.DataFrame({"sku": ["A", "B"], "location": ["x", "x"], "quantity": [1, 1]})
    days = pl.Series("date", ["2024-01-01 00:00", "2024-01-01 08:26"])

    with pytest.raises(TableRefused) as refusal:
        conform("sales", frame.with_columns(days.str.to_datetime("%Y-%m-%d %H:%M")))

    assert [each.row for each in refusal.value.violations] == [2]


def test_covariates_of_an_experiment_keep_their_kind() -> None:
    stored = conform("experiment", received(GOOD["experiment"]))

    assert stored.select("age", "segment").row(0) == (44.0, "young")


def test_rows_come_out_series_first_and_time_last() -> None:
    text = "date,sku,location,quantity\n2024-01-02,A,x,1\n2024-01-01,B,x,2\n2024-01-01,A,x,3\n"

    assert conform("sales", received(text))["quantity"].to_list() == [3.0, 1.0, 2.0]


def test_columns_of_lists_are_refused_as_cells_not_as_a_crash() -> None:
    frame = pl.DataFrame(
        {"date": ["2024-01-01"], "sku": ["A"], "location": ["x"], "quantity": [[1, 2]]}
    )

    with pytest.raises(TableRefused, match="must be a number"):
        conform("sales", frame)
