"""The Slack edge: what people type and press, and what they see."""
