"""What can go wrong with a service from outside, as switches that stay and as single accidents."""

from dataclasses import dataclass, field
from typing import Literal, get_args

Outage = Literal["refused", "reset", "500", "503", "html", "half", "cut", "empty", "redirect", "hang"]
Kind = Literal[Outage, "rate_limited", "unauthorized"]

OUTAGES: tuple[str, ...] = get_args(Outage)
"""`refused`: nobody listens. `reset`: the request is read, the connection cut without a reply. `500`, `503`: the
server's own error pages. `html`: 200 with a web page. `half`: 200 whose JSON ends in the middle, the connection closed
after it. `cut`: the same, but more bytes were announced than came. `empty`: 200 with no byte. `redirect`: 302 to
another origin. `hang`: no reply until the switch is taken back, then the connection is cut."""

KINDS: tuple[str, ...] = (*OUTAGES, "rate_limited", "unauthorized")


@dataclass(kw_only=True, slots=True)
class Accident:
    """One fault for the next matching requests. `after_work`: the request is carried out, only its reply is lost."""

    kind: str
    path_contains: str = ""
    method: str = ""
    after_work: bool = False
    times: int = 1

    def hits(self, method: str, path: str) -> bool:
        """Whether this request is meant."""
        return self.times > 0 and self.path_contains in path and self.method in {"", method}


@dataclass(kw_only=True, slots=True)
class Faults:
    """The switches of one service, and the accidents that wait for their request."""

    outage: str | None = None
    slow: float = 0.0
    rate_limited: bool = False
    unauthorized: bool = False
    accidents: list[Accident] = field(default_factory=list)

    def take(self, method: str, path: str) -> Accident | None:
        """The fault that this request meets, if any; an accident is used up by it."""
        for accident in self.accidents:
            if accident.hits(method, path):
                accident.times -= 1
                return accident
        kind = self._standing()
        return Accident(kind=kind) if kind else None

    def switches(self) -> dict[str, object]:
        """The switches as the page shows them."""
        return {
            "outage": self.outage,
            "slow": self.slow,
            "rate_limited": self.rate_limited,
            "unauthorized": self.unauthorized,
        }

    def _standing(self) -> str | None:
        if self.outage:
            return self.outage
        if self.rate_limited:
            return "rate_limited"
        return "unauthorized" if self.unauthorized else None
