"""The engine: domain, providers and use cases; it knows no Slack and no SQL."""
