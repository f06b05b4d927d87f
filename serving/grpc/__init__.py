"""The typed gRPC door: wire to value and back."""
