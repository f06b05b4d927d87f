"""Load: a mixed crowd with service levels to hold, and benchmarks against measured floors."""
