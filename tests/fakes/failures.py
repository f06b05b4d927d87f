"""One failure of each kind, for the tables that must be total."""

from __future__ import annotations

import datetime as dt

from serving import errors

FAILURES: tuple[errors.ParlevelError, ...] = (
    errors.InvalidField("plan[0].price", "must be a finite number above 0"),
    errors.BeyondTrained("horizon_days", limit="at most 28"),
    errors.MalformedBody("the bytes are no request"),
    errors.UnsupportedMedia("text/xml"),
    errors.TooLarge("rows", limit=10_000),
    errors.UnknownSeries("sku", "Schraube M8 ü"),
    errors.UnknownSupplier("supplier_id", "SUP-9"),
    errors.UnknownUnit("unit_ids[2]", "U-9"),
    errors.UnknownModel("uplift"),
    errors.UnknownRoute("/v1/nothing"),
    errors.MissingInput("on_hand", "inventory"),
    errors.MissingRate("price of commodity 'steel'", dt.date(2026, 6, 30), "commodity_prices"),
    errors.NoModel("forecast", "parlevel train forecast"),
    errors.NoFeatures(),
    errors.FeatureSetMismatch(asked="aa", stored="bb"),
    errors.BrokenRecord("product", "P1"),
    errors.StaleFeatures("demand_state", age_seconds=100_000, limit_seconds=86_400),
    errors.TooFewObservations("periods wholly in stock", found=5, least=12),
    errors.NoSignal("uplift", version="3", figure="AUUC 0.49, 0.41 to 0.57"),
    errors.SampleRatioMismatch(treated=6_000, rows=10_000, p_value=5.5e-89),
    errors.Overloaded("16 requests are in flight already", retry_after_seconds=1.5),
    errors.Draining("the server is closing", retry_after_seconds=1.0),
    errors.StoreUnavailable("redis://store:6379/0", "does not answer (timed out)", "start it"),
    errors.DeadlineExceeded("the deadline passed before the model ran"),
    errors.ReleaseRefused("forecast 8", "a quantile crosses"),
)
