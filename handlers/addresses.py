"""Which addresses are Slack's: the host that the API itself is on, else slack.com and what is below it, encrypted."""

from urllib.parse import SplitResult, urlsplit

_PORTS = {"http": 80, "https": 443}


def is_slacks(address: str, api: str) -> bool:
    """May something of ours be sent to this address, where the API is at `api`?"""
    try:
        found, own = urlsplit(address), urlsplit(api)
        if _is_at_slack(own):
            return found.scheme == "https" and _is_at_slack(found) and _place(found)[2] == _PORTS["https"]
        return "@" not in found.netloc and _place(found) == _place(own)
    except ValueError:
        return False


def _is_at_slack(url: SplitResult) -> bool:
    host = url.hostname or ""
    return "@" not in url.netloc and (host == "slack.com" or host.endswith(".slack.com"))


def _place(url: SplitResult) -> tuple[str, str, int | None]:
    return url.scheme, url.hostname or "", url.port or _PORTS.get(url.scheme)
