"""What came of trainings, for who follows them."""

from dataclasses import replace

from bot.domain.contents import Digest, Told
from bot.domain.requests import SWITCHYARD
from bot.domain.text import code, cut
from handlers.views import blocks
from handlers.views.blocks import Block, Message
from handlers.views.prompts import HEADINGS
from handlers.views.words import PHRASES, moved, named, sign


def render(content: Told | Digest) -> Message:
    return news(content) if isinstance(content, Told) else digest(content)


def news(content: Told) -> Message:
    """One thing that came of a training. It calls nobody: who did it stands with the training."""
    text = _line(content)
    return blocks.message(text, [blocks.section(text)], _links(content))


def _line(content: Told) -> str:
    job = content.job
    name = f"{named(content.title, job)}, training {code(job.id)}"
    place = f" In <#{job.place}>." if job.place.startswith(("C", "G")) else ""
    if content.prompt is not None:
        return f":raised_hand: {name}: *{HEADINGS[content.prompt.subject]}* It waits for an answer.{place}"
    if content.move is None:
        return f"{sign(job.state)} {name}: *{PHRASES[job.state]}*.{place}"
    move = replace(content.move, actor=SWITCHYARD)
    said = moved(move)
    return f"{sign(move.new)} {name}: {said}{'' if said.endswith('.') else '.'}{place}"


def _links(content: Told) -> list[Block]:
    return [_link(content.url, "Open the question" if content.prompt else "Open the training")] if content.url else []


def _link(url: str, label: str) -> Block:
    """In rich text, where nothing else is a mark."""
    link = {"type": "link", "url": url[: blocks.MOST_URL], "text": cut(label, 200)}
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [link]}]}


def digest(content: Digest) -> Message:
    """What came in somebody's quiet hours: the last of each training."""
    count = len(content.told) + content.more
    head = f"*In your quiet hours: {count} {'training' if count == 1 else 'trainings'}*"
    shown = [blocks.section(head)]
    for one in content.told:
        shown += [blocks.section(_line(one)), *_links(one)]
    more = f"and {content.more:,} more: `/jobs all` lists every training, newest first."
    last = [blocks.context([more])] if content.more else []
    return blocks.message(f"In your quiet hours: {'; '.join(_line(one) for one in content.told[:3])}", shown, last)
