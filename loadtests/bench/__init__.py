"""Benchmarks: our doors beside measured floors, in interleaved rounds, on fresh series."""
