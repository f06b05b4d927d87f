"""Kills: work ended at random moments, after which the old state or the new must stand whole."""
