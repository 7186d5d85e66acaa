"""What somebody follows, what is muted, and their quiet hours, as a list."""

from collections.abc import Iterator

from bot.domain.attention import Mute, Wishes
from bot.domain.text import when
from bot.sentences import _, speak
from bot.usecases.following import say_follow, say_muted, say_quiet
from handlers.ids import Action, action_id
from handlers.views import blocks
from handlers.views.blocks import Block, Message

MOST_SHOWN = 12

NOTHING = _("You are told nothing besides what stands in the conversations of trainings, where their ends mention you.")


def listed(wishes: Wishes) -> Message:
    """All of it, each with the button that takes it back."""
    shown = [
        *(_with_button(say_follow(one), _("Stop"), one.id) for one in wishes.follows),
        *(_with_button(_muted(one), _("Unmute"), one.id) for one in wishes.habits.mutes),
    ]
    quiet = [blocks.section(line) for line in _quiet(wishes)]
    head = blocks.section(_("*What you are told*"))
    return blocks.message(
        _("What you are told:\n{list}", list=lines(wishes)),
        [head, *(shown or [blocks.section(NOTHING)]), *quiet],
        [blocks.buttons([change_button()])],
    )


def lines(wishes: Wishes) -> str:
    """The same in few lines, for the Home tab."""
    found = [*map(say_follow, wishes.follows), *map(_muted, wishes.habits.mutes)]
    left = len(found) - MOST_SHOWN
    more = [_("and {more} more: `/jobs follow` lists them all", more=left)] if left > 0 else []
    texts = [*found[:MOST_SHOWN], *more, *_quiet(wishes)]
    return "\n".join(f"• {text}" for text in texts) or speak(NOTHING)


def change_button() -> Block:
    return blocks.button(_("Change what you are told"), action_id(Action.ATTENTION), "")


def _with_button(text: str, label: str, id_: str) -> Block:
    return {**blocks.section(text), "accessory": blocks.button(label, action_id(Action.STOP_TELLING, id_), id_)}


def _muted(mute: Mute) -> str:
    return _("Muted until {when}: {what}", when=when(mute.until), what=say_muted(mute))


def _quiet(wishes: Wishes) -> Iterator[str]:
    if wishes.habits.quiet is not None:
        yield _("Quiet hours: {hours}", hours=say_quiet(wishes.habits.quiet, wishes.zone))
