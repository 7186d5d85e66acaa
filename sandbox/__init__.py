"""A local Slack and the five services on loopback, for trying and testing."""
