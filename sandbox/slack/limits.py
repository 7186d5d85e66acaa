"""How often an app may call: tiers a method and minute, and one message a second and channel.

Source: https://docs.slack.dev/apis/web-api/rate-limits. Slack publishes the tiers as "at least"; here they are exact.
How long a burst of posts Slack tolerates is not published: five is a guess on the strict side.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Literal

Tier = Literal["tier 2", "tier 3", "tier 4", "special", "posting"]

PER_MINUTE: dict[Tier, int] = {"tier 2": 20, "tier 3": 50, "tier 4": 100, "special": 600, "posting": 600}
BURST = 5
POSTS_PER_SECOND = 1.0


class Limits:
    """Answers with the seconds to wait; 0 means go on. Time is real time: a sped-up clock changes no limit."""

    def __init__(self, now: Callable[[], float], *, on: bool = True) -> None:
        self._now, self._on = now, on
        self._minutes: dict[str, deque[float]] = defaultdict(deque)
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_for(self, method: str, tier: Tier, channel: str | None) -> int:
        if not self._on:
            return 0
        if tier == "posting" and (seconds := self._post(channel or "")):
            return seconds
        return self._call(method, PER_MINUTE[tier])

    def _call(self, method: str, most: int) -> int:
        now, calls = self._now(), self._minutes[method]
        while calls and calls[0] <= now - 60:
            calls.popleft()
        if len(calls) >= most:
            return max(1, math.ceil(calls[0] + 60 - now))
        calls.append(now)
        return 0

    def _post(self, channel: str) -> int:
        now = self._now()
        left, at = self._buckets.get(channel, (float(BURST), now))
        left = min(BURST, left + (now - at) * POSTS_PER_SECOND)
        if left < 1:
            self._buckets[channel] = (left, now)
            return max(1, math.ceil((1 - left) / POSTS_PER_SECOND))
        self._buckets[channel] = (left - 1, now)
        return 0
