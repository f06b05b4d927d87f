"""One request path per question."""
