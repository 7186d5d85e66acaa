"""What is known of somebody in the workspace beyond the id."""

from dataclasses import dataclass
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

UTC_ZONE = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody as Slack tells of them. `zone` is a name of the time zone database, "" where Slack tells none that is
    known here; `locale` is as in BCP 47 (`tr-TR`); `has_left`: the account is deactivated; `is_guest`: it reads only
    the channels that it was let into."""

    id: str
    name: str = ""
    zone: str = ""
    locale: str = ""
    is_guest: bool = False
    has_left: bool = False
    read_at: datetime | None = None


def zone_called(name: str) -> tzinfo:
    """The time zone of that name; UTC where there is none."""
    return ZoneInfo(name if is_zone(name) else UTC_ZONE)


def is_zone(name: str) -> bool:
    """Is this a time zone that is known here?"""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
