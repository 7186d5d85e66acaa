"""The card of a training that runs: when it may end, and how often it is edited."""

from __future__ import annotations

import re
from pathlib import Path

from bot.domain.jobs import AT_SERVICE, Event, JobState
from bot.domain.requests import Actor, Payload, Plan
from sandbox.slack.workspace import Message
from sandbox.world import DATA
from tests.contract.samples import a_job, a_wish, at, birth, step
from tests.flows.lab import ADA, Lab, lab, shown

TEAM = "T0SWITCHYD"
SIZE = (DATA / "churn.csv").stat().st_size


async def remember(here: Lab, id_: str, minutes: float) -> None:
    """A training of the past that took so long, and whose switch was rejected."""
    wish = a_wish(id_, provider="sony", model="churn", actor=Actor(team=TEAM, user=ADA))
    payload = Payload(name="churn.csv", sha256="ab" * 32, size=SIZE, rows=100)
    plan = Plan(provider="sony", model="churn", body={}, summary=(), payload=payload)
    job = a_job(id_, JobState.STARTING, request=wish, plan=plan, act_at=None)
    await here.bot.deps.store.request(birth(job), same_since=at(), is_exclusive=False, is_again=True)
    changes = []
    for event, passed in ((Event.ACCEPT, 0), (Event.OFFER, minutes), (Event.REJECT, minutes)):
        changes.append(step(job, event, when=at(minutes=passed), act_at=None))
        job = changes[-1].job
    assert await here.bot.deps.store.apply(changes) == [True] * 3


async def says(here: Lab, card: Message, part: str) -> str:
    """The card once it shows this; the line about its end, with T for each time."""
    text = re.sub("<!date[^>]+>", "T", shown(await here.changed(card, part)))
    return next((line for line in text.splitlines() if "Expected end" in line), "")


async def test_a_card_foretells_its_end_and_is_edited_no_more_often_than_slack_takes_it(tmp_path: Path) -> None:
    """By what earlier trainings took, as time goes on; a question waits for no edit, a restart brings no burst."""
    async with lab(tmp_path, training_seconds=36_000) as here:
        for number, minutes in enumerate((20, 24, 28, 32, 36)):
            await remember(here, f"j{number}", minutes)
        await here.type("/train sony churn")
        job = await here.job(lambda one: one.state in AT_SERVICE)
        [card] = [one for one in here.cards() if f"Training `{job.id}`" in shown(one)]
        took = "of this model with about as much data"
        first = await says(here, card, "The 5 earlier trainings")
        assert first == f"*Expected end* T to T. The 5 earlier trainings {took} took 20 min to 36 min in all."
        here.time.advance(minutes=29)
        later = await says(here, card, "3 had ended")
        assert later == (
            f"*Expected end* T to T. Of 5 earlier trainings {took}, 3 had ended by now; "
            "the other 2 took 32 min to 36 min in all."
        )
        here.time.advance(minutes=60)
        last = await says(here, card, "longer than all")
        assert last == (
            f"*Expected end* not known: this takes longer than all 5 earlier trainings {took}, which took up to 36 min."
        )
        await here.quiet()
        await here.restart(SWITCHYARD_SLACK__EDITS_PER_MINUTE="2")
        before = len(here.world.slack.calls_of("chat.update"))
        here.world.clock.advance(40_000)
        asked = "May the trained model go live?"
        await here.world.slack.wait_for_message(card.channel, lambda one: asked in shown(one), timeout=30)
        assert len(here.world.slack.calls_of("chat.update")) - before <= 1
        here.time.advance(minutes=2)
        await here.restart(SWITCHYARD_SLACK__EDITS_PER_MINUTE="60000")
        await here.quiet()
        assert "Expected end" not in await says(here, card, "*Training took*\n")
