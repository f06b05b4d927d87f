"""Frozen values and pure maths; numpy and scipy only."""
