"""What came of trainings, for who follows them."""

from dataclasses import replace

from bot.domain.contents import Digest, Told
from bot.domain.requests import SWITCHYARD
from bot.domain.text import code
from bot.sentences import _, ngettext, speak
from handlers.views import blocks
from handlers.views.blocks import Block, Message
from handlers.views.prompts import HEADINGS
from handlers.views.words import PHRASES, ended, moved, named, sign


def render(content: Told | Digest) -> Message:
    return news(content) if isinstance(content, Told) else digest(content)


def news(content: Told) -> Message:
    """One thing that came of a training. It calls nobody: who did it stands with the training."""
    text = _line(content)
    return blocks.message(text, [blocks.section(text)], _links(content))


def _line(content: Told) -> str:
    place = content.job.place
    said, where = _said(content), _("In <#{channel}>.", channel=place)
    return f"{said} {where}" if place.startswith(("C", "G")) else said


def _said(content: Told) -> str:
    job = content.job
    name = _("{training}, training {id}", training=named(content.title, job), id=code(job.id))
    if content.prompt is not None:
        asked = HEADINGS[content.prompt.subject]
        return speak(_(":raised_hand: {training}: *{question}* It waits for an answer.", training=name, question=asked))
    if content.move is None:
        return ended(f"{sign(job.state)} {name}: *{PHRASES[job.state]}*")
    said = moved(replace(content.move, actor=SWITCHYARD))
    return ended(f"{sign(content.move.new)} {name}: {said}")


def _links(content: Told) -> list[Block]:
    label = _("Open the question") if content.prompt else _("Open the training")
    return [blocks.link(content.url, label)] if content.url else []


def digest(content: Digest) -> Message:
    """What came in somebody's quiet hours: the last of each training."""
    count = len(content.told) + content.more
    head = ngettext("*In your quiet hours: {count} training*", "*In your quiet hours: {count} trainings*", count)
    shown = [blocks.section(head)]
    for one in content.told:
        shown += [blocks.section(_line(one)), *_links(one)]
    more = _("and {more:,} more: `/jobs all` lists every training, newest first.", more=content.more)
    last = [blocks.context([more])] if content.more else []
    first = "; ".join(_line(one) for one in content.told[:3])
    return blocks.message(_("In your quiet hours: {trainings}", trainings=first), shown, last)
