"""Serve supply-chain decisions over gRPC and HTTP."""
