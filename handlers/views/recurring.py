"""Lists of recurring trainings."""

from collections.abc import Iterator, Mapping, Sequence

from bot.domain.recurring import Schedule
from bot.domain.text import code, cut, when
from bot.sentences import _, ngettext, speak
from handlers.ids import Action, action_id
from handlers.marks import foreign
from handlers.views import blocks
from handlers.views.blocks import Block, Message
from handlers.views.words import person, verbatim

MOST = 20
"""In one message, so that each has a line and a button within Slack's limits."""
_NONE: Mapping[str, str] = {
    "here": _("Nothing recurs in this conversation."),
    "mine": _("You planned nothing that recurs."),
    "all": _("Nothing recurs in this workspace."),
}
_HOW = _('`/train … every="mon 09:00"` plans a recurring training, `/jobs every all` lists all of them.')


def listing(found: Sequence[Schedule], titles: Mapping[str, str], *, scope: str) -> Message:
    """The answer to `/jobs every`; of more than MOST those that come next."""
    if not found:
        return blocks.message(_NONE[scope], [blocks.section(_NONE[scope])], [blocks.context([_HOW])])
    count = _("more than {most}", most=MOST) if len(found) > MOST else str(len(found))
    shown = [blocks.section(_("*Recurring trainings: {count}*", count=count))]
    shown += [entry(one, titles[one.request.provider]) for one in found[:MOST]]
    more = [_("Those that come next are shown; `/jobs every here` and `/jobs every mine` list fewer.")]
    last = [blocks.context(more)] if len(found) > MOST else []
    return blocks.message(_("Recurring trainings: {count}", count=count), shown, last)


def entry(schedule: Schedule, title: str, *, may_stop: bool = True) -> Block:
    """One in a list, with the button that ends it."""
    line = blocks.section(_line(schedule, title))
    return {**line, "accessory": stop_button(_("Stop"), schedule.id, which=schedule.id)} if may_stop else line


def stop_button(label: str, schedule_id: str, *, which: str = "") -> Block:
    """Asked once more, because nothing brings it back."""
    risk = _("No further run starts. A run that lives goes on.")
    confirm = blocks.confirmation(_("Stop this?"), risk, _("Stop it"))
    return blocks.button(label, action_id(Action.STOP_RECURRING, which), schedule_id, confirm=confirm)


def _line(schedule: Schedule, title: str) -> str:
    stands = ", ".join(map(speak, _standing(schedule)))
    return f"{code(schedule.id)} {_what(schedule, title)} {foreign(schedule.rhythm(), 80)}: {stands}"


def _what(schedule: Schedule, title: str) -> str:
    model, name = schedule.request.model, schedule.name
    training = f"*{foreign(cut(title, 60))}* {verbatim(model)}"
    return training if name == model else _("{training} as {name}", training=training, name=verbatim(name))


def _standing(schedule: Schedule) -> Iterator[str]:
    """What comes, what came, and whose it is."""
    yield _("next {when}", when=when(schedule.next_at)) if schedule.next_at else schedule.outlook()
    yield ngettext("{count:,} run", "{count:,} runs", schedule.runs) if schedule.runs else _("no run yet")
    if schedule.last_job:
        yield _("last {id}", id=code(schedule.last_job))
    yield person(schedule.request.actor)
