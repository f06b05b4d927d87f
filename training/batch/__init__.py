"""Batch runs: every series of a folder from its tables to one parquet file.

They need no training library and no stored features, and give the numbers the doors give.
"""
