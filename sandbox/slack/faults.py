"""Switches that make this Slack fail as a real one does. Each is a name and a value, as the page sends them.

    rate_limited  {"method": M, "times": n, "retry_after": seconds}     429 before any work
    fail          {"method": M, "times": n, "error": code}              refused before any work
    delay         {"method": M, "times": n, "seconds": s, "after": b}   late: before the work, or with `after` behind it
    drop_request  {"method": M, "times": n}                             the connection is cut before the work
    drop_reply    {"method": M, "times": n}                             the work is done, then the connection is cut
    refuse        {"times": n, "error": code}                           apps.connections.open fails
    silent        true | false                                         sockets stay open, nothing comes, no pong either
    disconnect    {"reason": R} | {"abort": true}                       a disconnect frame, or cut wires

`method` is a Web API method, `response_url`, or `*` for all; `times` is 1 where it is not given; the value null takes
back every switch of that name.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.slack.wire import JSON, SlackError

TIMED = ("rate_limited", "fail", "delay", "drop_request", "drop_reply")
SWITCHES = (*TIMED, "refuse", "silent", "disconnect")


@dataclass(slots=True, kw_only=True)
class Fault:
    kind: str
    method: str
    times: int
    value: JSON

    def fits(self, kind: str, method: str) -> bool:
        return self.kind == kind and self.method in {"*", method} and self.times > 0


@dataclass(slots=True)
class Faults:
    """The switches that are set now."""

    silent: bool = False
    _set: list[Fault] = field(default_factory=list)

    def switch(self, name: str, value: JSON | None) -> None:
        """Sets a timed switch, or takes all of that name back."""
        if value is None:
            self._set = [fault for fault in self._set if fault.kind != name]
            return
        times = value.get("times", 1)
        if not isinstance(times, int) or times < 1:
            raise SlackError("invalid_arguments")
        self._set.append(Fault(kind=name, method=str(value.get("method", "*")), times=times, value=value))

    def refuse(self, value: JSON | None) -> None:
        error = {"error": (value or {}).get("error", "internal_error"), "method": "apps.connections.open"}
        self.switch("fail", {**value, **error} if value is not None else None)

    def take(self, kind: str, method: str, *, after: bool = False) -> JSON | None:
        """The value of a switch that applies to this call; each call wears it off by one."""
        fits = (fault for fault in self._set if fault.fits(kind, method))
        fault = next((fault for fault in fits if bool(fault.value.get("after", False)) == after), None)
        if fault is None:
            return None
        fault.times -= 1
        return fault.value

    def page(self) -> list[JSON]:
        left = [fault for fault in self._set if fault.times > 0]
        return [{"name": fault.kind, "method": fault.method, "times": fault.times} for fault in left]
