"""Inventory simulation: what a policy would have done to stock, service and cost on given demand.

`events` and `shelves` are pure maths and know no model; `levels` decides as serving does.
"""
