"""Where a delivery comes from, and whether that is the workspace or the organisation that installed the app.

A signature proves that Slack sent something to this app, not that this installation was meant: an app can be installed
in many workspaces, and a conversation can be shared with another organisation. Shapes:
https://docs.slack.dev/reference/interaction-payloads, https://docs.slack.dev/enterprise/organization-ready-apps and
https://docs.slack.dev/apis/slack-connect.
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field

from bot.errors import RefusedError
from bot.sentences import _

log = logging.getLogger(__name__)

WAIT_FOR_SLACK = 1.5
"""Seconds that a delivery waits until Slack has told who we are; half of what Slack gives for the acknowledgement."""

NOT_KNOWN_YET = _(
    "Switchyard has just started and Slack has not told it yet which workspace it belongs to, so nothing was done. "
    "Please try again in a minute."
)
NOT_INSTALLED = _("Switchyard does not belong to this workspace, so nothing was done.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where Slack says that something comes from.

    `team` and `enterprise` are those in which the app was used, `home` is the workspace (or organisation) of the person
    who did. A slash command carries no home (`has_home` False); from a shared conversation Slack delivers it only for
    people of workspaces where the app is installed.
    """

    team: str = ""
    enterprise: str = ""
    home: str = ""
    has_home: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Where the app is installed, as auth.test tells; `bot` is its user id, `kin` whatever else counts as our own.

    Installed by an organisation (`is_org_wide`), the app serves every workspace of it; else one workspace alone.
    """

    team: str
    bot: str
    enterprise: str = ""
    is_org_wide: bool = False
    kin: frozenset[str] = frozenset()

    def serves(self, origin: Origin) -> bool:
        """Is the delivery for this installation?"""
        if self.is_org_wide:
            return bool(self.enterprise) and origin.enterprise == self.enterprise
        return origin.team == self.team and self.enterprise in ("", origin.enterprise or self.enterprise)

    def is_home_of(self, origin: Origin) -> bool:
        """Is the person one of ours? A person of a Grid may be at home in another workspace of it: see `kin`."""
        own = {self.team, self.enterprise, *self.kin}
        if self.is_org_wide:
            own.add(origin.team)
        return origin.home in own - {""}


@dataclass(slots=True)
class Doorkeeper:
    """Lets in what is for this installation. Until it `learns` who we are, deliveries wait a moment and are refused."""

    patience: float = WAIT_FOR_SLACK
    installation: Installation | None = None
    _known: asyncio.Event = field(default_factory=asyncio.Event)

    def learn(self, installation: Installation) -> None:
        self.installation = installation
        self._known.set()

    def forget(self) -> None:
        """Slack has taken back what it told: nothing is let in until it tells anew."""
        self.installation = None
        self._known.clear()

    async def check(self, origin: Origin) -> None:
        """Raise RefusedError for a command, click or form of another workspace, or of a person from elsewhere."""
        own = await self.require()
        if not own.serves(origin):
            log.warning("refused a delivery of workspace %r, organisation %r", origin.team, origin.enterprise)
            raise RefusedError(NOT_INSTALLED)
        if origin.has_home and not own.is_home_of(origin):
            log.warning("refused a person of %r in workspace %r", origin.home, origin.team)
            raise RefusedError(_outsider(origin.home))

    async def require(self) -> Installation:
        """Who we are. Raises RefusedError where Slack does not tell in time."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._known.wait(), self.patience)
        if self.installation is None:
            log.warning("refused a delivery that came before Slack told who the bot is")
            raise RefusedError(NOT_KNOWN_YET)
        return self.installation


def _outsider(home: str) -> str:
    """Names the person's workspace by its id in Slack; nothing of what came instead of one."""
    if home.isascii() and home.isalnum() and len(home) <= 20:
        return _(
            "Nothing was done: only people of the organisation that installed Switchyard may press its buttons, and "
            "Slack says that you are at home in `{home}`. If that is one of its own workspaces, the operator of "
            "Switchyard adds it to SWITCHYARD_SLACK__TEAMS.",
            home=home,
        )
    return _(
        "Nothing was done: only people of the organisation that installed Switchyard may press its buttons, and Slack "
        "says that you are at home in another one. If that is one of its own workspaces, the operator of Switchyard "
        "adds it to SWITCHYARD_SLACK__TEAMS."
    )
