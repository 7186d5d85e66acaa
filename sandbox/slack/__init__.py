"""A local Slack: Web API, Socket Mode, signed HTTP, and a page for the people."""

from sandbox.slack.people import Outcome, Person
from sandbox.slack.server import Slack

__all__ = ["Outcome", "Person", "Slack"]
