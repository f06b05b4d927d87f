"""Demand features offline: histories from tables, records at origins, and the feature store."""
