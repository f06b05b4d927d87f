"""Parlevel as a client sees it: ``parlevel.v1`` holds the messages and stubs of the contract."""
