"""The bot is killed with signal 9 at one boundary of each kind, and started again: nothing is lost, nothing doubled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.proof.conductor import Moment, Point
from tests.proof.runs import run, run_again
from tests.proof.stage import Launcher, PlainStarter
from tests.proof.stories import BESIDE, STORIES

BEFORE, AFTER, SENT, DONE, READ = (
    Moment.BEFORE_COMMIT,
    Moment.AFTER_COMMIT,
    Moment.SENT,
    Moment.DONE,
    Moment.READ,
)
STORY = {story.name: story for story in (*STORIES, *BESIDE)}
TRAIN = "sestek POST /sestekai-api/api/external/trainings/train"
SWITCH = "sony PUT /v1/external/retrain_jobs/*/update_model"
UPLOAD = "sony's other host PUT /uploads/*/demand.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """Where a story is cut. `questions`: how many must be asked where the service's state leaves no other way.

    What is not short is tried where the whole proof is asked for.
    """

    story: str
    label: str
    moment: Moment
    nth: int = 1
    questions: int | None = None
    is_short: bool = True

    @property
    def point(self) -> Point:
        return Point(moment=self.moment, label=self.label, nth=self.nth)

    def __str__(self) -> str:
        return f"{self.story}: {self.point}"


MIGRATION = (
    Crash(story="deepopinion", label="prompts: create", moment=BEFORE, is_short=False),
    Crash(story="deepopinion", label="prompts: create", moment=AFTER),
)
COMMAND = (
    Crash(story="deepopinion", label="job becomes checking", moment=BEFORE),
    Crash(story="cancel", label="job becomes checking", moment=AFTER, is_short=False),
    Crash(story="deepopinion", label="bot acknowledges", moment=READ),
)
START = (
    Crash(story="deepopinion", label="job becomes starting", moment=BEFORE, questions=0, is_short=False),
    Crash(story="sestek", label="job becomes starting", moment=AFTER, questions=1, is_short=False),
    Crash(story="sestek", label=TRAIN, moment=SENT, questions=1),
    Crash(story="decthings", label="decthings POST /v0/Model/train", moment=DONE, questions=0),
    Crash(story="aitems, two types", label="aitems POST /api/v1/services/*", moment=DONE, questions=0, is_short=False),
    Crash(story="sony, applied", label=UPLOAD, moment=SENT, questions=1, is_short=False),
    Crash(story="sestek", label=TRAIN, moment=READ, is_short=False),
    Crash(story="decthings", label="job becomes queued", moment=BEFORE, questions=0, is_short=False),
    Crash(story="deepopinion", label="job becomes queued", moment=AFTER, questions=0, is_short=False),
)
SWITCHES = (
    Crash(story="sony, applied", label="job becomes promoting", moment=BEFORE, questions=0, is_short=False),
    Crash(story="sony, applied", label="job becomes promoting", moment=AFTER, questions=0, is_short=False),
    Crash(story="sony, applied", label=SWITCH, moment=SENT, questions=1, is_short=False),
    Crash(story="sony, applied", label=SWITCH, moment=DONE, questions=1),
    Crash(story="sony, seen", label=SWITCH, moment=DONE, questions=0, is_short=False),
    Crash(story="sony, applied", label="job becomes promoted", moment=BEFORE, questions=1),
)
POSTS = (
    Crash(story="deepopinion", label="card: taken_at", moment=BEFORE, is_short=False),
    Crash(story="deepopinion", label="card: taken_at", moment=AFTER),
    Crash(story="deepopinion", label="slack chat.postMessage card", moment=SENT),
    Crash(story="deepopinion", label="slack chat.postMessage card", moment=DONE),
    Crash(story="deepopinion", label="card sent", moment=BEFORE, is_short=False),
    Crash(story="deepopinion", label="slack chat.postMessage line", moment=DONE, nth=2, is_short=False),
    Crash(story="reject", label="slack chat.postMessage prompt", moment=DONE, is_short=False),
    Crash(story="deepopinion", label="slack chat.postMessage end", moment=DONE, is_short=False),
    Crash(story="moved to a direct message", label="card held", moment=BEFORE),
    Crash(story="moved to a direct message", label="slack chat.postMessage card", moment=DONE, nth=2, is_short=False),
)
BESIDE_A_TRAINING = (
    Crash(story="recurring", label="job becomes checking with the next time", moment=BEFORE, is_short=False),
    Crash(story="data from Slack", label="slack download", moment=DONE, is_short=False),
    Crash(story="news and a digest", label="to tell: digest", moment=BEFORE, is_short=False),
)


CRASHES = [
    pytest.param(crash, id=str(crash), marks=() if crash.is_short else pytest.mark.proof)
    for crash in (*MIGRATION, *COMMAND, *START, *SWITCHES, *POSTS, *BESIDE_A_TRAINING)
]


@pytest.mark.parametrize("crash", CRASHES)
async def test_a_story_ends_well_whatever_cuts_it(crash: Crash, launcher: Launcher, tmp_path: Path) -> None:
    """At most one training a request and one switch an approval; each message once; one question where it is needed."""
    made = await run_again(launcher, tmp_path, STORY[crash.story], crash.point)
    assert made.verdict.is_good, f"{made.verdict}\n{made.log}"
    assert made.is_met, f"the bot never came to this point; it crossed {sorted(map(str, made.lives[0]))}"
    assert crash.questions in (None, made.verdict.questions)


@pytest.mark.proof
async def test_a_bot_that_nobody_watches_is_the_same(tmp_path: Path) -> None:
    """Nothing hangs on the launcher of these tests: `python -m bot run`, cut by its wires alone, keeps its promises."""
    made = await run(PlainStarter(), tmp_path, STORY["sony, applied"], Point(moment=DONE, label=SWITCH))
    assert made.verdict.is_good, f"{made.verdict}\n{made.log}"
    assert made.is_met
    assert made.verdict.questions == 1
