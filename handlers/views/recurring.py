"""Lists of recurring trainings."""

from collections.abc import Mapping, Sequence

from bot.domain.recurring import Schedule
from bot.domain.text import code, cut, when
from handlers.ids import Action, action_id
from handlers.marks import foreign
from handlers.views import blocks
from handlers.views.blocks import Block, Message
from handlers.views.words import person, verbatim

MOST = 20
"""In one message, so that each has a line and a button within Slack's limits."""
_NONE: Mapping[str, str] = {
    "here": "Nothing recurs in this conversation.",
    "mine": "You planned nothing that recurs.",
    "all": "Nothing recurs in this workspace.",
}
_HOW = '`/train … every="mon 09:00"` plans a recurring training, `/jobs every all` lists all of them.'


def listing(found: Sequence[Schedule], titles: Mapping[str, str], *, scope: str) -> Message:
    """The answer to `/jobs every`; of more than MOST those that come next."""
    if not found:
        return blocks.message(_NONE[scope], [blocks.section(_NONE[scope])], [blocks.context([_HOW])])
    count = f"more than {MOST}" if len(found) > MOST else str(len(found))
    shown = [blocks.section(f"*Recurring trainings: {count}*")]
    shown += [entry(one, titles[one.request.provider]) for one in found[:MOST]]
    more = ["Those that come next are shown; `/jobs every here` and `/jobs every mine` list fewer."]
    last = [blocks.context(more)] if len(found) > MOST else []
    return blocks.message(f"Recurring trainings: {count}", shown, last)


def entry(schedule: Schedule, title: str, *, may_stop: bool = True) -> Block:
    """One in a list, with the button that ends it."""
    line = blocks.section(_line(schedule, title))
    return {**line, "accessory": stop_button("Stop", schedule.id, which=schedule.id)} if may_stop else line


def stop_button(label: str, schedule_id: str, *, which: str = "") -> Block:
    """Asked once more, because nothing brings it back."""
    confirm = blocks.confirmation("Stop this?", "No further run starts. A run that lives goes on.", "Stop it")
    return blocks.button(label, action_id(Action.STOP_RECURRING, which), schedule_id, confirm=confirm)


def _line(schedule: Schedule, title: str) -> str:
    following = f"next {when(schedule.next_at)}" if schedule.next_at else schedule.outlook()
    runs = "no run yet" if not schedule.runs else f"{schedule.runs:,} run{'s' if schedule.runs > 1 else ''}"
    last = f", last {code(schedule.last_job)}" if schedule.last_job else ""
    model = schedule.request.model
    called = f" as {verbatim(schedule.name)}" if schedule.name != model else ""
    return (
        f"{code(schedule.id)} *{foreign(cut(title, 60))}* {verbatim(model)}{called} {foreign(schedule.rhythm(), 80)}: "
        f"{following}, {runs}{last}, {person(schedule.request.actor)}"
    )
