"""What is in a data file, before anything is sent: told on the card, and the same file twice is noticed."""

import json
from pathlib import Path

from bot.domain.jobs import JobState
from sandbox.slack.workspace import Message
from tests.flows.lab import data_folder, lab, shown

LABELS = [f"{'환불 요청과 배송 지연 문의 ' * 8}"[:76] + f" {number:03}" for number in range(45)]


def line(label: str, text: str) -> str:
    return json.dumps({"Label": label, "Text": text}, ensure_ascii=False) + "\n"


def links(card: Message) -> list[tuple[str, str]]:
    """The words and addresses that a card links."""
    runs = [
        one for block in card.blocks or () if block["type"] == "rich_text" for one in block["elements"][0]["elements"]
    ]
    return [(one["text"], one["url"]) for one in runs if one["type"] == "link"]


async def test_a_file_is_looked_through_and_recognised(tmp_path: Path) -> None:
    """Every kind of fault at once and nothing sent; then a good file of long Korean labels, and the same file again."""
    good = "".join(line(label, f"{label} {number}") for label in LABELS for number in range(6))
    odd = good + line(LABELS[0], f"{LABELS[0]} 0") + line(LABELS[1], f"{LABELS[0]} 1") + line("드문 <@U0ADA00001>", "?")
    bad = good + line(LABELS[0], " ") * 4 + "[]\n"
    data = data_folder(tmp_path, odd__jsonl=odd, bad__jsonl=bad)
    pages = '{"sestek": "https://knovvu.example.com/models/{model}"}'
    async with lab(tmp_path, data=data, SWITCHYARD_SERVICES__PAGES=pages) as here:
        await here.type("/train sestek m en-US data=bad.jsonl")
        failed = await here.reaches(JobState.FAILED)
        assert here.starts() == 0
        [move] = [move for move in await here.bot.deps.store.transitions(failed.id) if move.new is JobState.FAILED]
        assert "`Text` on line 271 is empty. The same on lines 272, 273 and 274." in move.reason
        assert "Line 275 is a list" in move.reason
        assert "Nothing was sent." in move.reason
        assert links(here.cards()[-1]) == []

        await here.type("/train sestek m en-US data=odd.jsonl")
        first = await here.reaches(JobState.LIVE)
        await here.quiet()
        text = shown(here.cards()[-1])
        assert "46, from `드문 &lt;@U0ADA00001&gt;` 1 to " in text
        assert "Rows that repeat an earlier one: 1, on line 271 (as on 1)." in text
        assert "under another label too: 1, on line 272 (as on 2)." in text
        assert "The same file" not in text
        assert links(here.cards()[-1]) == [("Open at Sestek Knovvu ML", "https://knovvu.example.com/models/m")]

        await here.type("/train sestek m en-US data=odd.jsonl", "bora")
        await here.all_reach(JobState.FAILED, JobState.LIVE, JobState.LIVE)
        await here.quiet()
        card = here.cards()[-1]
        assert f"The same file as in training `{first.id}`" in shown(card)
        story = await here.press(card, f"Story {first.id}", "bora")
        assert LABELS[0][:20] in shown(story)
