"""The HTTP door: wire to value and back."""
