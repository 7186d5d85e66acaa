"""Somebody's Home tab, within what Slack takes of a view: 100 blocks and 250 KB.

Source: https://docs.slack.dev/reference/views and https://docs.slack.dev/reference/methods/views.publish.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from bot.domain.approvals import Answer, named_group
from bot.domain.contents import Entry, HomePage, Waiting
from bot.domain.jobs import Job
from bot.domain.text import when
from bot.sentences import _
from handlers.ids import Action, action_id
from handlers.views import blocks, wishes
from handlers.views.blocks import Block
from handlers.views.cards import card_button
from handlers.views.history import job_line
from handlers.views.prompts import question
from handlers.views.recurring import entry
from handlers.views.words import numeral

MOST_VIEW_BLOCKS = 100
MOST_BYTES = 200_000
"""Of 250 KB, so that escaping on the way has room."""

_OFFLINE = _("Nothing is shown here.")
_ELSEWHERE = _(
    "Slack did not take the lists that belong here. `/jobs all alive` shows the trainings, and each question stands in "
    "the conversation of its training."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A list with its heading: of its groups of blocks those that fit, and `more` about the rest of `count`."""

    heading: str
    groups: Sequence[Sequence[Block]]
    count: int
    nothing: str
    more: Callable[[int], str]
    most_blocks: int
    most_bytes: int


def home(page: HomePage) -> Block:
    """The whole view."""
    start = [] if page.is_shut else [_start()]
    shown = [*_said(page), *start, *(block for part in _parts(page) for block in _blocks(part)), *_wishes(page)]
    return {"type": "home", "blocks": shown or [blocks.section(_OFFLINE)]}


def plain_home(page: HomePage) -> Block:
    """The last resort where Slack does not take the view: the answer to the last press, and where else to look."""
    said = [blocks.section(page.said.text)] if page.said and page.said.text else []
    return {"type": "home", "blocks": [*said, blocks.section(_ELSEWHERE)]}


def _start() -> Block:
    label = _("Start a training")
    return blocks.buttons([blocks.button(label, action_id(Action.FORM, "home"), "", style="primary")])


def mark_of(view: Block) -> str:
    """What stands for a view: equal only where everything in it is."""
    return hashlib.sha256(_written(view)).hexdigest()


def _written(part: object) -> bytes:
    return json.dumps(part, sort_keys=True).encode()


def _said(page: HomePage) -> list[Block]:
    """The answer to what was pressed here last: on the tab there is nowhere else to say it."""
    if page.said is None:
        return []
    head = _("*To what you pressed here last*")
    return [
        blocks.context([f"{head}, {when(page.said_at)}" if page.said_at else head]),
        *blocks.say(page.said).blocks,
        {"type": "divider"},
    ]


def _parts(page: HomePage) -> list[_Part]:
    if page.is_shut:
        return []
    return [
        _Part(
            heading=_counted(_("Waiting for you"), page.waiting_count),
            groups=[_waiting(one, is_first=place == 0) for place, one in enumerate(page.waiting)],
            count=page.waiting_count,
            nothing=_("Nothing waits for your decision."),
            more=_waiting_besides,
            most_blocks=33,
            most_bytes=100_000,
        ),
        _Part(
            heading=_counted(_("Your trainings"), page.mine_count),
            groups=[_entry(one) for one in page.mine],
            count=page.mine_count,
            nothing=_("None of yours is alive. `/train help` shows how to start one."),
            more=lambda more: _("and {more:,} more: `/jobs mine alive` lists them all.", more=more),
            most_blocks=16,
            most_bytes=30_000,
        ),
        _Part(
            heading=_counted(_("Everything else alive"), page.others_count),
            groups=[_entry(one) for one in page.others],
            count=page.others_count,
            nothing=_("No training of anybody else is alive."),
            more=lambda more: _("and {more:,} more: `/jobs all alive` lists them all.", more=more),
            most_blocks=16,
            most_bytes=25_000,
        ),
        *_recurring(page),
        _Part(
            heading=_("Recent ends"),
            groups=[_entry(one) for one in page.ended],
            count=len(page.ended),
            nothing=_("No training has ended yet."),
            more=lambda more: _("{more:,} more did not fit. `/jobs all ended` lists them all.", more=more),
            most_blocks=8,
            most_bytes=20_000,
        ),
    ]


def _wishes(page: HomePage) -> list[Block]:
    if page.wishes is None:
        return []
    head = {"type": "header", "text": blocks.plain_text(_("What you are told"), 150)}
    return [head, {**blocks.section(wishes.lines(page.wishes)), "accessory": wishes.change_button()}]


def _recurring(page: HomePage) -> list[_Part]:
    """What runs again by itself; nothing is said where nothing does."""
    if not page.recurring_count:
        return []
    return [
        _Part(
            heading=_counted(_("Recurring trainings"), page.recurring_count),
            groups=[[entry(one.schedule, one.title, may_stop=one.may_stop)] for one in page.recurring],
            count=page.recurring_count,
            nothing="",
            more=lambda more: _("and {more:,} more: `/jobs every all` lists them.", more=more),
            most_blocks=8,
            most_bytes=15_000,
        )
    ]


def _blocks(part: _Part) -> list[Block]:
    """The heading, the groups that fit, and a line that says how many there are besides."""
    kept = _fitting(part)
    shown = [block for group in kept for block in group] or [blocks.section(part.nothing if not part.count else "…")]
    head = {"type": "header", "text": blocks.plain_text(part.heading, 150)}
    more = part.count - len(kept)
    return [head, *shown, *([blocks.context([part.more(more)])] if more > 0 else [])]


def _counted(heading: str, count: int) -> str:
    return f"{heading} ({numeral(count, ',')})" if count else heading


def _waiting_besides(more: int) -> str:
    return _("{more:,} more wait for you. Each stands as a question in the conversation of its training.", more=more)


def _fitting(part: _Part) -> list[Sequence[Block]]:
    left_blocks, left_bytes = part.most_blocks, part.most_bytes

    def fits(group: Sequence[Block]) -> bool:
        nonlocal left_blocks, left_bytes
        left_blocks, left_bytes = left_blocks - len(group), left_bytes - len(_written(group))
        return left_blocks >= 0 and left_bytes >= 0

    return list(takewhile(fits, part.groups))


def _waiting(one: Waiting, *, is_first: bool) -> list[Block]:
    """The question as it stands in its conversation, with the same buttons."""
    line: list[Block] = [] if is_first else [{"type": "divider"}]
    without: frozenset[Answer] = frozenset() if one.may_withdraw else frozenset({Answer.WITHDRAW})
    return [*line, *question(one.question, without).blocks, *_checking(one.checking)]


def _checking(groups: Iterable[str]) -> list[Block]:
    names = ", ".join(named_group(id_) for id_ in groups)
    if not names:
        return []
    checking = _("Checking who is in {groups}: a press is kept until it is known whether you may decide.", groups=names)
    return [blocks.context([checking])]


def _entry(one: Entry) -> list[Block]:
    """A line, with one button beside it, or several below."""
    line, pressable = blocks.section(_line(one.job)), [card_button(button) for button in one.buttons]
    if len(pressable) == 1:
        return [{**line, "accessory": pressable[0]}]
    return [line, *([blocks.buttons(pressable)] if pressable else [])]


def _line(job: Job) -> str:
    """As in every list; of an end, when it was."""
    line = job_line(job)
    return _("{training}, ended {when}", training=line, when=when(job.state_at)) if job.has_ended else line
