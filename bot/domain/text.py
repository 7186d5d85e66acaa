"""Words from outside, made safe to stand in a message: nobody is mentioned and no link is made by a model's name."""


def escape(text: str) -> str:
    """Slack's three control characters, escaped (https://docs.slack.dev/messaging/formatting-message-text)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: str) -> str:
    """A word as code, whatever it holds: on one line, because a line break would end the code."""
    line = " ".join(text.splitlines()).replace("`", "'")
    return f"`{escape(line) or ' '}`"


def cut(text: str, most: int) -> str:
    """At most so many characters, with a sign where something is missing."""
    if len(text) <= most:
        return text
    return f"{text[: most - 1]}…" if most > 0 else ""
