"""Questions about experiments and uplift that both doors must answer, or refuse, alike."""

from __future__ import annotations

from typing import Any

ROWS = 24
TREATED = [row % 3 == 0 for row in range(ROWS)]
BEFORE = [(row * 7 % 11) / 3 for row in range(ROWS)]
OUTCOMES = [before + (row * 5 % 7) / 7 for row, before in enumerate(BEFORE)]
EXPERIMENT: dict[str, Any] = {"treated": TREATED, "outcomes": OUTCOMES}
LOOKS: dict[str, Any] = {
    "control_counts": [100, 200],
    "control_means": [0.1, 1 / 3],
    "control_variances": [4.0, 3.9],
    "treated_counts": [100, 200],
    "treated_means": [0.6, 1.4],
    "treated_variances": [4.0, 4.1],
    "effect_std": 1.0,
}
UNITS: dict[str, Any] = {
    "unit_ids": ["u1", "u2", "u3"],
    "numeric": [
        {"name": "age", "values": [35.0, 61.0, 101.0]},
        {"name": "spend", "values": [1 / 3, 0.0, 2.0], "missing_rows": [1]},
    ],
    "categorical": [{"name": "channel", "values": ["Web", "Phone", "Fax"]}],
}

ACTION_ANSWERED: dict[str, tuple[str, dict[str, Any]]] = {
    "a sample size": (
        "/v1/experiment:planSample",
        {"baseline_mean": 100.0, "baseline_std": 20.0, "relative_effect": 0.03},
    ),
    "a detectable effect": (
        "/v1/experiment:planSample",
        {
            "baseline_mean": 0.1,
            "total_units": 5_000,
            "treated_share": 0.2,
            "cluster_size": 3.0,
            "intraclass_correlation": 0.1,
        },
    ),
    "buckets": (
        "/v1/experiment:assignBucket",
        {
            "unit_ids": ["a", "b", "ü"],
            "salt": "prices",
            "arms": ["on", "off"],
            "shares": [0.2, 0.7],
            "layer": "checkout",
            "layer_end": 0.5,
        },
    ),
    "a sample ratio": ("/v1/experiment:checkSampleRatio", {"observed": [5000, 5050]}),
    "an experiment": ("/v1/experiment:analyzeCuped", EXPERIMENT),
    "an experiment with everything": (
        "/v1/experiment:analyzeCuped",
        {
            **EXPERIMENT,
            "covariates": [{"name": "before", "values": BEFORE}],
            "denominators": [1.0 + row % 2 for row in range(ROWS)],
            "clusters": [f"town {row // 2}" for row in range(ROWS)],
            "received": [row % 3 == 0 and row % 2 == 0 for row in range(ROWS)],
            "guardrails": [
                {"name": "returns", "values": BEFORE, "higher_worse": True, "margin": 0.1}
            ],
            "expected_treated_share": 1 / 3,
            "significance": 0.1,
        },
    ),
    "a switchback": (
        "/v1/experiment:analyzeCuped",
        {
            **EXPERIMENT,
            "treated": [row // 3 % 2 == 0 for row in range(ROWS)],
            "design": "EXPERIMENT_DESIGN_SWITCHBACK",
            "washout_rows": 1,
        },
    ),
    "looks": ("/v1/experiment:testSequentially", LOOKS),
    "rankings": (
        "/v1/experiment:interleave",
        {"ranking_a": ["x", "y"], "ranking_b": ["z", "x"], "salt": "r", "unit_id": "u"},
    ),
    "credits": ("/v1/experiment:interleave", {"credits_a": [1, 0, 2], "credits_b": [0, 3, 2]}),
    "uplift": ("/v1/uplift:predict", UNITS),
    "uplift of units looked up": (
        "/v1/uplift:predict",
        {"unit_ids": ["k1", "nobody", "k2", "ageless"]},
    ),
    "uplift of units half sent": (
        "/v1/uplift:predict",
        {
            "unit_ids": ["nobody", "k1", "k2"],
            "numeric": [{"name": "spend", "values": [1.0, 2.0, 0.0], "missing_rows": [2]}],
        },
    ),
    "uplift of nobody": ("/v1/uplift:predict", {"unit_ids": ["nobody"]}),
    "targeting of units looked up": (
        "/v1/uplift:planTargeting",
        {"unit_ids": ["k1", "k2"], "budget": 2.5, "action_costs": [1.0]},
    ),
    "targeting": (
        "/v1/uplift:planTargeting",
        {**UNITS, "budget": 2.5, "action_costs": [1.0, 2.0, 3.0], "value_per_effect": 1 / 3},
    ),
}

ACTION_REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "a plan of nothing": ("/v1/experiment:planSample", {"baseline_mean": 0.1}),
    "a plan of two things": (
        "/v1/experiment:planSample",
        {"baseline_mean": 0.1, "absolute_effect": 0.01, "power": 1.0},
    ),
    "buckets without salt": ("/v1/experiment:assignBucket", {"unit_ids": ["a"], "arms": ["x"]}),
    "a ratio of one arm": ("/v1/experiment:checkSampleRatio", {"observed": [3]}),
    "an empty arm": ("/v1/experiment:analyzeCuped", {**EXPERIMENT, "treated": [False] * ROWS}),
    "a constant outcome": ("/v1/experiment:analyzeCuped", {**EXPERIMENT, "outcomes": [1.0] * ROWS}),
    "a mismatch": (
        "/v1/experiment:analyzeCuped",
        {**EXPERIMENT, "expected_treated_share": 0.95},
    ),
    "a covariate too short": (
        "/v1/experiment:analyzeCuped",
        {**EXPERIMENT, "covariates": [{"name": "x", "values": [1.0]}]},
    ),
    "an early look": ("/v1/experiment:testSequentially", {**LOOKS, "control_counts": [99, 200]}),
    "half a ranking": (
        "/v1/experiment:interleave",
        {"ranking_a": ["x"], "salt": "r", "unit_id": "u"},
    ),
    "targeting of nobody": (
        "/v1/uplift:planTargeting",
        {"unit_ids": ["k1", "nobody"], "budget": 2.5, "action_costs": [1.0]},
    ),
    "targeting of whom too little is known": (
        "/v1/uplift:planTargeting",
        {"unit_ids": ["ageless"], "budget": 2.5, "action_costs": [1.0]},
    ),
    "an unknown number where none was learned": (
        "/v1/uplift:predict",
        {
            **UNITS,
            "numeric": [
                {"name": "age", "values": [1.0, 2.0, 3.0], "missing_rows": [0]},
                {"name": "spend", "values": [1.0, 2.0, 3.0]},
            ],
        },
    ),
    "a unit twice": ("/v1/uplift:predict", {**UNITS, "unit_ids": ["a", "b", "a"]}),
    "actions that cost nothing": (
        "/v1/uplift:planTargeting",
        {**UNITS, "budget": 1.0, "action_costs": [0.0]},
    ),
}
