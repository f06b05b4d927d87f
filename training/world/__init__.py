"""The synthetic world: seeded tables of a made-up company, and the truth behind them.

The observed tables are what a company would have; training reads them and never the truth, which
lies in a folder of its own and serves tests as the oracle.
"""

from training.world.facts import Fact
from training.world.generation import WorldJob, WorldSummary, default_truth, generate
from training.world.profiles import LAST_DAY, PROFILES, Profile, find_profile

__all__ = [
    "LAST_DAY",
    "PROFILES",
    "Fact",
    "Profile",
    "WorldJob",
    "WorldSummary",
    "default_truth",
    "find_profile",
    "generate",
]
