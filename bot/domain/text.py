"""Words from outside, made safe to stand in a message: nobody is mentioned and no link is made by a model's name."""


def escape(text: str) -> str:
    """Slack's three control characters, escaped (https://docs.slack.dev/messaging/formatting-message-text)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: str) -> str:
    """A word as code, whatever it holds."""
    return f"`{escape(text.replace('`', chr(39))) or ' '}`"


def cut(text: str, most: int) -> str:
    """At most so many characters, with a sign where something is missing."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
