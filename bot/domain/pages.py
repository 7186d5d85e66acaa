"""Where a training is shown on its service's own pages. No vendor documents such addresses: the operator names them."""

import re
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from bot.domain.jobs import Job

MODEL, ID = "{model}", "{id}"
_MARK = re.compile(r"\{[^{}]*\}")


def refuse_page(pattern: str) -> str | None:
    """What is wrong with an address, in words for the operator; None for one that can be used."""
    unknown = [mark for mark in _MARK.findall(pattern) if mark not in (MODEL, ID)]
    if unknown:
        return f"{unknown[0]} is not filled in; {MODEL} and {ID} are."
    try:
        url = urlsplit(pattern)
    except ValueError:
        url = urlsplit("")
    if url.scheme != "https" or not url.hostname or "@" in url.netloc or "{" in url.netloc:
        return "needs an address that begins with https:// and a host."
    return None


def page_of(pages: Mapping[str, str], job: Job) -> str:
    """The address for this training; "" where its service has none, or where it needs an id that is not known yet."""
    pattern = pages.get(job.request.provider, "")
    if ID in pattern and not job.remote_id:
        return ""
    values = {MODEL: job.request.model, ID: job.remote_id or ""}
    return _MARK.sub(lambda mark: quote(values[mark.group()], safe=""), pattern)
