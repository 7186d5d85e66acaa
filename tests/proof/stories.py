"""The stories that are crashed, told as the people in them act: each presses what is shown to him, once, and again
only where Slack has said that it failed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sandbox.slack.people import Outcome
from sandbox.slack.workspace import Ephemeral, Message
from sandbox.world import DATA
from tests.flows.lab import CHANNEL
from tests.proof.stage import PATIENCE, SEEN_EVERY, Mode, Stage, labels

GENERAL = "C0GENERAL1"
MODAL_TAKES = 1.5
SONY_SHOWS_A_WORD = 1.0
AFTERWARDS = 0.1
SOON = timedelta(minutes=20)
"""Less than what passes at once, see `Stage.let_time_pass`."""
LOOKS_INTO_IT = 0.4
QUESTIONS = ("It runs", "Start again", "It was applied", "It was not")


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What Ada types and what people press when they see it; how it ends, with how many trainings and switches.

    `presses` is a button's words -> who presses it. `cancels_in` are the states in which Ada presses Cancel.
    `is_impatient`: where Slack says that the command failed she types it again at once; else she looks first whether
    a card has appeared. Whoever `looks_at_home` has the Home tab open all the while. `exports` is the command that she
    types at the end. What is `beyond` is all that is tried of it: its boundaries that the story of this name has not;
    or those `since` a move, or `until` one, where it is another story before or after that.

    `wishes` are typed before, by whom. `uploads` is a file that Bora shares first, FILE its id in the line. SOON is a
    time of day that comes with the half an hour that passes once `waits` finds a row and everything is told; QUIET are
    quiet hours that are over then.
    """

    name: str
    line: str
    service: str
    end: str
    starts: int = 1
    switches: int = 0
    channel: str = CHANNEL
    presses: Mapping[str, str] = field(default_factory=dict)
    cancels_in: tuple[str, ...] = ()
    is_impatient: bool = False
    training_seconds: float = 0.4
    mode: Mode = "socket"
    settings: Mapping[str, str] = field(default_factory=dict)
    looks_at_home: bool = False
    exports: str = ""
    beyond: str = ""
    since: str = ""
    until: str = ""
    wishes: tuple[tuple[str, str], ...] = ()
    uploads: str = ""
    waits: str = ""


DECTHINGS = "/train decthings mdl-sentiment st-new data=dataset:ds-reviews/train epochs=u32:2 launcher=ln-small"
BORA_APPROVES = {"Approve": "bora"}

STORIES = (
    Story(name="sestek", line="/train sestek my-model en-US", service="sestek", end="live", switches=1),
    Story(
        name="sestek over http",
        line="/train sestek my-model en-US",
        service="sestek",
        end="live",
        switches=1,
        mode="http",
        until="job becomes starting",  # after the command nothing comes in
    ),
    Story(
        name="deepopinion",
        line="/train deepopinion 1 reviews-2026 language=en sessions=1,2",
        service="deepopinion",
        end="done",
    ),
    Story(name="decthings", line=DECTHINGS, service="decthings", end="live", switches=1, presses=BORA_APPROVES),
    Story(
        name="aitems, two types",
        line='/train aitems svcmovies01 pop,relatedItem description="weekly run"',
        service="aitems",
        end="live",
    ),
    Story(
        name="sony, seen",
        line="/train sony churn data=churn.csv",
        service="sony",
        end="live",
        switches=1,
        presses=BORA_APPROVES,
    ),
    Story(
        name="sony, applied",
        line="/train sony demand data=demand.csv",
        service="sony",
        end="promoted",
        switches=1,
        presses=BORA_APPROVES,
        since="job becomes offered",
    ),
    Story(
        name="cancel",
        line=DECTHINGS,
        service="decthings",
        end="cancelled",
        cancels_in=("queued", "running"),
        is_impatient=True,
        training_seconds=2 * PATIENCE,  # it does not end by itself, however slow the machine is
    ),
    Story(
        name="reject",
        line="/train sony churn data=churn.csv",
        service="sony",
        end="rejected",
        presses={"Reject": "chie"},
        since="job becomes offered",
    ),
    Story(
        name="gate before the start",
        line="/train sestek my-model en-US",
        service="sestek",
        end="live",
        switches=1,
        presses=BORA_APPROVES,
        settings={"SWITCHYARD_APPROVALS__START": '["sestek"]'},
        until="job becomes starting",
    ),
    Story(
        name="moved to a direct message",
        line="/train sestek my-model en-US",
        service="sestek",
        end="live",
        switches=1,
        channel=GENERAL,
        presses={"Use my DM": "ada"},
    ),
)

AT_HOME = Story(
    name="Home tab and export",
    line="/train deepopinion 1 reviews-2026 language=en sessions=1,2",
    service="deepopinion",
    end="done",
    looks_at_home=True,
    exports="/jobs export=csv",
    beyond="deepopinion",
)
RECURRING = Story(
    name="recurring",
    line='/train sestek my-model en-US every="day SOON"',
    service="sestek",
    end="live",
    switches=1,
    waits="SELECT 1 FROM schedules WHERE next_at IS NOT NULL",
    until="job becomes starting",
)
FROM_SLACK = Story(
    name="data from Slack",
    line="/train sony churn data=FILE",
    service="sony",
    end="offered",
    uploads="churn.csv",
    until="job becomes approved",
)
FOLLOWED = Story(
    name="news and a digest",
    line="/train sestek my-model en-US",
    service="sestek",
    end="live",
    switches=1,
    wishes=(
        ("chie", "/jobs follow sestek ends"),
        ("bora", "/jobs quiet QUIET"),
        ("bora", "/jobs follow sestek ends"),
    ),
    waits="SELECT 1 FROM jobs WHERE state = 'live'",
    beyond="sestek",
)

BESIDE = (AT_HOME, RECURRING, FROM_SLACK, FOLLOWED)
"""What is read, planned, fetched and told beside a training: on bad wires it goes the ways of the other stories."""


@dataclass(slots=True)
class People:
    """Those who act in a story. `acknowledged` commands, and presses by what was pressed."""

    stage: Stage
    story: Story
    patience: float = PATIENCE
    acknowledged: int = 0
    exported: int = 0
    planned_for: datetime | None = None
    uploaded: bytes = b""
    answered: int = 0
    pressed: dict[tuple[str, str], float] = field(default_factory=dict)
    read: dict[tuple[str, str], float] = field(default_factory=dict)
    unsure_since: float = 0.0

    async def live(self) -> None:
        """From the command to the end of the story."""
        async with asyncio.timeout(self.patience):
            if self.story.looks_at_home:
                await self._look_at_home()
            for who, wish in self.story.wishes:
                await self._wish(who, wish)
            await self._type()
            while not await self._is_over():
                await self._act()
                await asyncio.sleep(SEEN_EVERY)
            self.stage.end()

    async def _is_over(self) -> bool:
        """Told, and so it stays for a moment: by now what is told twice is told twice, and what came late is told."""
        if not self.is_told():
            return False
        await asyncio.sleep(AFTERWARDS)
        return self.is_told()

    def is_told(self) -> bool:
        kept = self.stage.kept
        if kept.state() != self.story.end or kept.collects():
            return False
        is_asked = bool(self.stage.exports()) or not self.story.exports
        is_late = bool(self.stage.ahead) or not self.story.waits
        is_kept = bool(kept.rows("SELECT 1 FROM notices WHERE state = 'kept'"))
        return is_asked and is_late and not is_kept and kept.waiting() == 0

    async def _look_at_home(self) -> None:
        """Slack brings an event again that was not acknowledged; here she opens the tab again."""
        while not self.stage.kept.rows("SELECT 1 FROM homes"):
            await self.stage.connected()
            await self.stage.world.slack.person("ada").open_home()
            await asyncio.sleep(LOOKS_INTO_IT)

    async def _wish(self, who: str, wish: str) -> None:
        """Typed again where Slack says that it failed: to wish the same twice is to wish it once."""
        line = wish.replace("QUIET", self._quiet_until_soon(who))
        while True:
            await self.stage.connected()
            outcome = await self.stage.world.slack.person(who).command(line, self.story.channel)
            if outcome.ok:
                return

    def _quiet_until_soon(self, who: str) -> str:
        zone, now = ZoneInfo(self._zone(who)), self.stage.world.clock.now()
        return "-".join(f"{time.astimezone(zone):%H:%M}" for time in (now - timedelta(hours=1), now + SOON))

    def _zone(self, who: str) -> str:
        return self.stage.world.slack.workspace.users[self.stage.world.slack.person(who).id].zone

    async def _type(self) -> None:
        line = await self._line()
        while not self.acknowledged:
            await self.stage.connected()
            if not self.story.is_impatient and (self.stage.kept.jobs() or self.stage.schedules()):
                return
            outcome = await self.stage.world.slack.person("ada").command(line, self.story.channel)
            self.acknowledged += outcome.ok

    async def _line(self) -> str:
        line = self.story.line
        if "SOON" in line:
            self.planned_for = (self.stage.world.clock.now() + SOON).replace(second=0, microsecond=0)
            there = self.planned_for.astimezone(ZoneInfo(self._zone("ada")))
            line = line.replace("SOON", f"{there:%H:%M}")
        if self.story.uploads:
            self.uploaded = (DATA / self.story.uploads).read_bytes()
            message = await self.stage.world.slack.person("bora").upload(self.story.uploads, self.uploaded)
            line = line.replace("FILE", str(message.files[0]["id"]) if message.files else "")
        return line

    async def _act(self) -> None:
        state = self.stage.kept.state()
        wanted = {**self._answers(state), **self.story.presses}
        if state in self.story.cancels_in:
            wanted["Cancel"] = "ada"
        self._wait_for_sony(state)
        await self._wait_for_what_comes()
        if self.story.exports and state == self.story.end:
            await self._ask_for_the_export()
        seen: list[Message | Ephemeral] = [*self.stage.shown(), *self.stage.whispers()]
        for shown in seen:
            for label, action in labels(shown).items():
                if label in wanted:
                    await self._press(shown, label, action, wanted[label])

    async def _ask_for_the_export(self) -> None:
        """Where Slack says that it failed she looks first whether the file comes."""
        if self.exported or self.stage.exports():
            return
        await self.stage.connected()
        outcome = await self.stage.world.slack.person("ada").command(self.story.exports, self.story.channel)
        self.exported += outcome.ok

    def _answers(self, state: str) -> dict[str, str]:
        """What Ada answers where the bot has to ask: she looks at the service, and tells the truth."""
        service = next(one for one in self.stage.world.services.all if one.name == self.story.service)
        if state == "unsure":
            return {"It runs" if service.starts else "Start again": "ada"}
        if state == "unsure_switch":
            return {"It was applied" if service.switches else "It was not": "ada"}
        return {}

    async def _press(self, shown: Message | Ephemeral, label: str, action: str, who: str) -> None:
        place = (shown.ts if isinstance(shown, Message) else shown.id, label)
        if place in self.pressed and not self._form_is_missing(label, place):
            return
        if label in QUESTIONS and _now() - self.read.setdefault(place, _now()) < LOOKS_INTO_IT:
            return
        person = self.stage.world.slack.person(who)
        await self.stage.connected()
        outcome = await person.click(shown, action)
        if not outcome.ok:
            return
        self.pressed[place] = _now()
        if label == "Reject":
            await self._give_a_reason(who)

    def _form_is_missing(self, label: str, place: tuple[str, str]) -> bool:
        """A form that does not open is no promise of Slack's: the button is still there, and pressed again."""
        return label == "Reject" and not self.answered and _now() - self.pressed[place] > MODAL_TAKES

    async def _give_a_reason(self, who: str) -> None:
        person = self.stage.world.slack.person(who)
        try:
            await self.stage.world.slack.wait_for(lambda: person.view, MODAL_TAKES, "the form")
        except TimeoutError:
            return
        while person.view is not None:
            await self.stage.connected()
            outcome: Outcome = await person.submit(person.view, {"reason": {"reason": "Too few rows."}})
            if outcome.ok:
                self.answered += 1
                return

    def _wait_for_sony(self, state: str) -> None:
        """A retrain job without data shows one word for ever; nobody is asked before half an hour of it."""
        if state != "unsure" or self.story.service != "sony":
            self.unsure_since = _now()
        elif _now() - self.unsure_since > SONY_SHOWS_A_WORD and not self.stage.ahead:
            self.stage.let_time_pass()

    async def _wait_for_what_comes(self) -> None:
        """Half an hour, once there is nothing else to wait for."""
        if not self.story.waits or self.stage.ahead:
            return
        if self.stage.kept.rows(self.story.waits) and not self.stage.kept.waiting():
            await self.stage.connected()
            self.stage.let_time_pass()


def _now() -> float:
    return asyncio.get_running_loop().time()
