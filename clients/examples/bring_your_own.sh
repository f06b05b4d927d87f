#!/usr/bin/env bash
# From a raw file to served and batch decisions: bring_your_own.sh FILE RECIPE.toml [ROWS]
# Uses PARLEVEL_HOME and the ports of the environment; `parlevel` must be on the path.
set -euo pipefail

file=$1
recipe=$2
rows=${3:-240000}
tables=${PARLEVEL_HOME:?name a folder to work in}/tables

parlevel import "$file" --recipe "$recipe" --out "$tables"
parlevel validate "$tables"
parlevel up --data "$tables" --rows "$rows"
parlevel forecast --data "$tables" --horizon 7 --out "$PARLEVEL_HOME/forecasts.parquet"
parlevel reorder --data "$tables" --cover-days 7 --service-level 0.95 \
	--out "$PARLEVEL_HOME/orders.parquet"
parlevel serve stop
