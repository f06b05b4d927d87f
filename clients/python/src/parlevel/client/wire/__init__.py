"""Value to bytes and bytes to value: pure functions, shared by both clients, one file per noun."""
