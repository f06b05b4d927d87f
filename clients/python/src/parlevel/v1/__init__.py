"""Messages and service stubs generated from ``protos/parlevel/v1``; `make proto` writes them."""
