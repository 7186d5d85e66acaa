"""Modals, a stack of at most three a person, and the Home tabs.

Source: https://docs.slack.dev/surfaces/modals (stack, updating, hash).
"""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import dataclass, field, replace

from sandbox.slack.feed import Feed
from sandbox.slack.wire import JSON, SlackError, without_nothing
from sandbox.slack.workspace import Workspace

DEEPEST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenView:
    """One view on somebody's screen."""

    id: str
    user: str
    view: JSON
    hash: str
    root_id: str
    previous_id: str | None = None
    state: dict[str, dict[str, JSON]] = field(default_factory=dict)
    errors: dict[str, str] | None = None
    trouble: str | None = None

    def page(self) -> JSON:
        return without_nothing(
            {
                "view_id": self.id,
                "user": self.user,
                "view": self.view,
                "errors": self.errors,
                "trouble": self.trouble,
                "state": self.state or None,
            }
        )


class Views:
    def __init__(self, workspace: Workspace, feed: Feed) -> None:
        self._workspace, self._feed = workspace, feed
        self._ids = itertools.count(1)
        self._edits = itertools.count(1)
        self.stacks: dict[str, list[OpenView]] = {}
        self.homes: dict[str, OpenView] = {}

    def top(self, user: str) -> OpenView | None:
        stack = self.stacks.get(user)
        return stack[-1] if stack else None

    def all_open(self) -> list[OpenView]:
        return [view for stack in self.stacks.values() for view in stack]

    def by_id(self, view_id: str) -> OpenView:
        found = next((view for view in (*self.all_open(), *self.homes.values()) if view.id == view_id), None)
        if found is None:
            raise SlackError("not_found")
        return found

    def by_external_id(self, external_id: str) -> OpenView:
        found = next((view for view in self.all_open() if view.view.get("external_id") == external_id), None)
        if found is None:
            raise SlackError("not_found")
        return found

    def open(self, user: str, view: JSON) -> OpenView:
        """A new modal. That one which is open already gives way is a guess."""
        self.clear(user)
        self._refuse_twin(view, None)
        return self._put_on_top(user, view, previous=None)

    def push(self, user: str, view: JSON) -> OpenView:
        stack = self.stacks.get(user) or []
        if len(stack) >= DEEPEST:
            raise SlackError("push_limit_reached")
        self._refuse_twin(view, None)
        return self._put_on_top(user, view, previous=stack[-1] if stack else None)

    def update(self, old: OpenView, view: JSON, *, guard: str | None = None) -> OpenView:
        """Replaces a view in its place; `guard` is the hash that the caller saw."""
        if guard is not None and guard != old.hash:
            raise SlackError("hash_conflict")
        self._refuse_twin(view, old)
        return self.put(replace(old, view=view, hash=self._hash(view), errors=None, trouble=None))

    def put(self, changed: OpenView) -> OpenView:
        """Shows a changed view where the old one of this id stood; one that was closed meanwhile stays closed."""
        if changed.id in {home.id for home in self.homes.values()}:
            self.homes[changed.user] = changed
            self._feed.publish("home", changed.page())
            return changed
        stack = self.stacks.get(changed.user, [])
        if any(view.id == changed.id for view in stack):
            stack[:] = [changed if view.id == changed.id else view for view in stack]
            self._feed.publish("view", changed.page())
        return changed

    def publish(self, user: str, view: JSON, *, guard: str | None = None) -> OpenView:
        old = self.homes.get(user)
        if guard is not None and (old is None or old.hash != guard):
            raise SlackError("hash_conflict")
        name = old.id if old else self._next_id()
        self.homes[user] = OpenView(id=name, user=user, view=view, hash=self._hash(view), root_id=name)
        self._feed.publish("home", self.homes[user].page())
        return self.homes[user]

    def pop(self, view: OpenView) -> None:
        """Closes one view; what lies under it shows again."""
        stack = self.stacks.get(view.user, [])
        stack[:] = [other for other in stack if other.id != view.id]
        self._feed.publish("view_closed", {"view_id": view.id, "user": view.user})

    def clear(self, user: str) -> None:
        for view in reversed(self.stacks.pop(user, [])):
            self._feed.publish("view_closed", {"view_id": view.id, "user": user})

    def _put_on_top(self, user: str, view: JSON, previous: OpenView | None) -> OpenView:
        name = self._next_id()
        opened = OpenView(
            id=name,
            user=user,
            view=view,
            hash=self._hash(view),
            root_id=previous.root_id if previous else name,
            previous_id=previous.id if previous else None,
        )
        self.stacks.setdefault(user, []).append(opened)
        self._feed.publish("view", opened.page())
        return opened

    def _refuse_twin(self, view: JSON, old: OpenView | None) -> None:
        wanted = view.get("external_id")
        if wanted and any(other.view.get("external_id") == wanted and other != old for other in self.all_open()):
            raise SlackError("duplicate_external_id")

    def _next_id(self) -> str:
        return f"V0VIEW{next(self._ids):05d}"

    def _hash(self, view: JSON) -> str:
        digest = hashlib.sha256(json.dumps(view, sort_keys=True).encode()).hexdigest()[:8]
        return f"{int(self._workspace.clock.time())}.{next(self._edits)}{digest}"
