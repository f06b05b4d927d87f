"""Uplift: which action pays, for whom, learned from an experiment."""
