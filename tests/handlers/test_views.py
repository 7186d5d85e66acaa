"""What people see: within Slack's limits, without foreign words that mean something, each word with one meaning."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from bot.domain.approvals import ANSWERS, GATES, Answer, Outcome, Subject
from bot.domain.changes import Button, Say
from bot.domain.contents import Card, Note
from bot.domain.history import Story
from bot.domain.jobs import ENDS, JobState, Look
from bot.domain.policy import Rule
from bot.domain.recurring import ScheduleState
from bot.domain.requests import Payload
from handlers.ids import Action, action_of
from handlers.marks import clipped, foreign, tamed
from handlers.views import blocks, history, recurring
from handlers.views import help as help_views
from handlers.views.blocks import Block, Message
from handlers.views.cards import progress_bar, render
from handlers.views.words import PHRASES, SIGNS
from sandbox.slack import blockkit
from tests.handlers import samples
from tests.handlers.chart_schema import CHART, disagreements
from tests.handlers.registered import NAMES, provider, providers


def marked_texts(part: Any) -> Iterator[str]:
    """Every text in which Slack reads marks."""
    if isinstance(part, dict):
        if part.get("type") == "mrkdwn":
            yield part["text"]
        for value in part.values():
            yield from marked_texts(value)
    elif isinstance(part, list | tuple):
        for each in part:
            yield from marked_texts(each)


def pressed(shown: Iterable[Block]) -> list[Block]:
    return [element for block in shown if block["type"] == "actions" for element in block["elements"]]


def read(message: Message) -> str:
    """All that can be read of a message, without the signs beside the words."""
    texts = [message.text, *marked_texts(message.blocks), *(one["text"]["text"] for one in pressed(message.blocks))]
    return re.sub(r":[a-z_]+:", "", "\n".join(texts))


def faults(message: Message) -> list[str]:
    """What Slack would refuse or cut, by rules that are written by hand."""
    found = blockkit.message_findings(list(message.blocks))
    total = blockkit.total_text(list(message.blocks))
    if total > 12_000:
        found.append(f"{total} characters")
    if not message.text.strip() or len(message.text) > 4000 or len(message.plain()) > 4000:
        found.append("no text beside the blocks, or one that cannot be edited in")
    return found


def dangers(texts: Iterable[str], allowed: str = samples.OURS) -> list[str]:
    """Texts with a mark that is not one of ours, or with a code mark that is left open in its line."""
    texts = list(texts)
    strange = [text for text in texts if re.search("[<>]", re.sub(allowed, "", text))]
    return strange + [line for text in texts for line in text.split("\n") if line.count("`") % 2]


def every_message(word: str) -> Iterator[Message]:
    yield from (render(content) for content in samples.contents(word))
    yield from samples.histories(word)


# -- Slack's rules ----------------------------------------------------------------------------------------------------

LONG = "모델 <!channel> & `x` " * 200


@pytest.mark.parametrize("word", ["my-model", "", "&" * 5000, LONG], ids=["ordinary", "empty", "escapes", "long"])
def test_every_message_is_within_slacks_limits(word: str) -> None:
    """Cards of every state, lines, questions of every subject and outcome, histories: Slack takes them all."""
    for message in every_message(word):
        assert faults(message) == []
        assert message.blocks


def test_help_is_whole_and_within_slacks_limits() -> None:
    """Nothing of the help is cut off: it is what people paste from."""
    known = providers()
    pages = [help_views.overview(known.configured(), {"sixth": "The sixth is not configured here."})]
    pages += [help_views.about(one) for one in known.configured().values()]
    for page in pages:
        assert faults(page) == []
        assert "did not fit" not in read(page)
    for name in NAMES:
        arguments = provider(name).arguments
        about = read(help_views.about(provider(name)))
        wanted = [one.label for one in (*arguments.positionals, *arguments.options)]
        wanted += [family.label for family in arguments.families]
        wanted += [choice for one in arguments.positionals for choice in one.choices]
        assert [one for one in (*wanted, *arguments.examples, arguments.reference_example) if one not in about] == []
    assert "The sixth is not configured here." in read(pages[0])


@pytest.mark.parametrize("word", ["my-model", LONG], ids=["ordinary", "long"])
def test_every_form_is_within_slacks_limits(word: str) -> None:
    """Modals have rules of their own."""
    for view in samples.views(word):
        assert blockkit.view_findings(view) == []


@cache
def published() -> Mapping[str, Any]:
    """Slack's own types of blocks as a JSON schema."""
    source = Path(os.environ["SLACK_CONTRACTS"], "blockkit.from-slack-types-3.2.0.schema.json")
    read_schema: Mapping[str, Any] = json.loads(source.read_text("utf-8"))
    return read_schema


def unlike_published(value: Any, definition: str) -> list[str]:
    rules = {"$ref": f"#/definitions/{definition}", "definitions": published()["definitions"]}
    return [f"{error.json_path}: {error.message}" for error in Draft7Validator(rules).iter_errors(value)]


@pytest.mark.contracts
@pytest.mark.skipif("SLACK_CONTRACTS" not in os.environ, reason="needs SLACK_CONTRACTS, the folder of Slack's schemas")
@pytest.mark.parametrize("word", ["my-model", pytest.param(LONG, marks=pytest.mark.proof)], ids=["ordinary", "long"])
def test_every_block_is_as_slacks_published_types_say(word: str) -> None:
    """The second opinion: npm's @slack/types 3.2.0, turned into a JSON schema."""
    kinds = published()["x-type-to-definition"]
    messages = [*every_message(word), *(help_views.about(one) for one in providers().configured().values())]
    for block in {json.dumps(block): block for message in messages for block in message.blocks}.values():
        if block["type"] != "data_visualization":  # not among the published types, see below
            assert unlike_published(block, kinds[block["type"]]) == []
    for view in samples.views(word):
        assert unlike_published(view, "Roots/properties/modal") == []


@pytest.mark.parametrize("word", ["my-model", "", LONG], ids=["ordinary", "empty", "long"])
def test_every_chart_is_as_its_page_says(word: str) -> None:
    """Checked against a definition of the block that is written by hand."""
    messages = list(samples.pictures(word, counts=(0, 1, 200)))
    assert [faults(message) for message in messages if faults(message)] == []
    drawn = [one for message in messages for one in message.blocks if one["type"] == "data_visualization"]
    assert drawn
    for block in drawn:
        assert [error.message for error in Draft7Validator(CHART).iter_errors(block)] == []
        assert list(disagreements(block)) == []


# -- nothing foreign means anything -----------------------------------------------------------------------------------

NASTY = st.sampled_from(
    [
        *("<!channel>", "<!here>", "<!everyone>", "<@U0CHIE0001>", "<!subteam^S0OTHER001>", "<#C0GENERAL1>"),
        *(
            "<http://evil.example|your bank>",
            "https://evil.example",
            "<!date^1^{date}^https://evil.example|x>",
            "@here",
        ),
        *(
            "`",
            "``",
            "```",
            "*",
            "_",
            "~",
            "\n",
            "\r\n",
            "\n> ",
            "\u2028",
            "&",
            "&lt;",
            "&amp;lt;!channel&amp;gt;",
            "<",
        ),
        *(">", "|", "모델 학습", "👩‍🔬", "\u202e", "\x00", "\ud800", "x" * 400, "<" * 90),
    ]
)
FOREIGN = st.lists(st.one_of(NASTY, st.text(max_size=6)), max_size=12).map("".join)


@given(FOREIGN)
@settings(max_examples=15, deadline=None)
def test_nothing_foreign_mentions_links_or_breaks_out(word: str) -> None:
    """Names, files, services' words and people's reasons are shown, and nobody is pinged or led away by them."""
    for message in every_message(word):
        assert dangers([message.text, message.plain(), *marked_texts(message.blocks)]) == []
        assert faults(message) == []
    for view in samples.views(word):
        assert dangers(marked_texts(view)) == []


@given(FOREIGN)
@settings(max_examples=60, deadline=None)
def test_sentences_of_the_engine_keep_only_our_own_marks(word: str) -> None:
    """Notes and answers come as finished sentences: what is not a person, a group or a time is escaped in them."""
    ours = r"<@[UW][A-Z0-9]+>|<#[CG][A-Z0-9]+>|<!subteam\^S[A-Z0-9]+>"
    for message in (render(Note(text=word)), blocks.say(Say(text=word))):
        for text in (message.text, *marked_texts(message.blocks)):
            assert re.search("[<>]", re.sub(ours, "", text)) is None


@given(FOREIGN)
@settings(max_examples=60, deadline=None)
def test_taming_twice_is_taming_once(word: str) -> None:
    """A sentence that was made safe where it was written is not escaped once more where it goes out."""
    assert tamed(tamed(word)) == tamed(word)
    assert tamed(foreign(word)) == foreign(word)
    assert foreign("a & b <c>") == foreign(foreign("a & b <c>")) == "a &amp; b &lt;c&gt;"


def test_our_marks_survive() -> None:
    """People, groups and times are meant, and Slack shows them by name and in the reader's own zone."""
    line = "<@U0ADA00001> <@W0GRID0001> <!subteam^S0MLOPS001> <!date^1763726400^{time}|12:00 UTC>"
    assert tamed(line) == line
    assert tamed("<!channel> <#C1|x> <https://a.example|b> <@U1|<!here>>") == (
        "&lt;!channel&gt; &lt;#C1|x&gt; &lt;https://a.example|b&gt; &lt;@U1|&lt;!here&gt;&gt;"
    )


def test_marks_are_read_and_nothing_else() -> None:
    """Without `verbatim` Slack makes links of addresses and names that stand in a text."""
    for message in every_message("https://evil.example #general @here"):
        texts = [part for block in message.blocks for part in (block.get("text"), *block.get("fields", ())) if part]
        assert all(part["verbatim"] for part in texts if part["type"] == "mrkdwn")


@given(
    text=st.lists(st.sampled_from(["`code`", "<@U0ADA00001>", "&amp;", "word ", "\n"]), max_size=30),
    most=st.integers(5, 60),
)
@settings(max_examples=60, deadline=None)
def test_a_cut_leaves_no_half_a_mark(text: list[str], most: int) -> None:
    """A text that is too long loses its end, and what is left reads as before."""
    whole = "".join(text)
    kept = clipped(whole, most)
    assert len(kept) <= most
    assert dangers([kept]) == []
    assert re.search("&(?!amp;)", kept) is None
    assert kept == whole or "…" in kept


# -- one meaning a word -----------------------------------------------------------------------------------------------


def test_each_state_has_words_of_its_own() -> None:
    """Accepted, trained, approved, applied and live are different things; no two states read alike."""
    assert set(PHRASES) == set(JobState)
    assert len(set(PHRASES.values())) == len(JobState)
    said = {state: PHRASES[state].split(",")[0] for state in JobState}
    assert said[JobState.QUEUED] == "accepted"
    assert said[JobState.DONE] == said[JobState.OFFERED] == "trained"
    assert said[JobState.PROMOTING] == "approved"
    assert said[JobState.PROMOTED] == "applied"
    assert said[JobState.LIVE] == "live"
    assert [state for state in JobState if "live" in PHRASES[state].split()] == [JobState.LIVE]


def test_no_meaning_is_carried_by_a_sign_alone() -> None:
    """A screen reader reads words: without the signs, cards and lines still say the state."""
    for make in (samples.cards, lines_of_all_states):
        shown = {content.job.state: read(render(content)) for content in make()}
        assert all(PHRASES[state] in text for state, text in shown.items())
        assert all(shown[one] != shown[other] for one, other in combinations(JobState, 2))
    assert set(SIGNS) <= set(JobState)


def lines_of_all_states() -> Iterator[Any]:
    return (content for content in samples.contents() if type(content).__name__ == "Line")


def test_live_is_only_said_when_it_was_seen() -> None:
    """No card but that of LIVE calls the model live."""
    for card in samples.cards("m"):
        assert ("*live*" in read(render(card))) is (card.job.state is JobState.LIVE)


# -- cards ------------------------------------------------------------------------------------------------------------


def a_card(**fields: Any) -> Card:
    buttons = (Button(label="Cancel", action="cancel", value="j2345ab"),)
    return Card(job=samples.job(**fields), title="Sony", last=samples.move(), buttons=buttons)


def test_a_card_says_who_what_and_how_far() -> None:
    """Provider, model, who, data, the service's own word, progress and parts stand on the card."""
    text = read(render(a_card()))
    for part in (
        "Sony `my-model`", "<@U0ADA00001>", "56,789 rows, SHA-256 3f3f3f3f3f3f", "The service says `my-model`",
        "42 %", "pop: `learning`", "loss: 0.5", "Warning: my-model", "Training `j2345ab`",
    ):  # fmt: skip
        assert part in text


def test_a_card_leads_to_the_training_at_its_service() -> None:
    """Behind words that name the service; where no address is known there is no link."""
    page = "https://knovvu.example.com/models/my-model"
    links = [block for block in render(replace(a_card(), page=page)).blocks if block["type"] == "rich_text"]
    assert links == [blocks.link(page, "Open at Sony")]
    assert [block for block in render(a_card()).blocks if block["type"] == "rich_text"] == []


def test_a_move_says_who_and_why_in_sentences() -> None:
    """A reason becomes a sentence of its own, whatever it came as."""
    made = samples.job(JobState.REJECTED)
    last = samples.move(JobState.REJECTED, "wrong file")
    assert "*rejected* by <@U0BORA0001>. Wrong file." in read(render(Card(job=made, title="Sony", last=last)))
    first = samples.move(JobState.CHECKING, old=None, actor=samples.ADA)
    assert " by " not in read(render(Card(job=made, title="Sony", last=first)))


def test_buttons_and_small_print_are_never_crowded_out() -> None:
    """However much a training carries, what can be pressed stays, and what is missing is said to be missing."""
    many = samples.plan("value " * 40, lines=120)
    warnings = Payload(name="x", sha256="3f" * 32, size=1, rows=1, warnings=("w" * 400,) * 60)
    message = render(a_card(plan=replace(many, payload=warnings)))
    assert faults(message) == []
    assert "Something more did not fit into this message." in read(message)
    assert [one["value"] for one in pressed(message.blocks)] == ["j2345ab"]
    assert "Training `j2345ab`" in read(message)


def test_every_line_of_a_plan_is_shown() -> None:
    """A section takes ten fields; an eleventh line is not dropped."""
    text = read(render(a_card(plan=samples.plan("x", lines=25))))
    assert all(f"*x {number}*" in text for number in range(25))


@pytest.mark.parametrize(("percent", "cells"), [(0.0, 0), (42.4, 8), (100.0, 20), (130.0, 20), (-3.0, 0)])
def test_a_progress_bar_says_the_number_too(percent: float, cells: int) -> None:
    """Twenty cells, and the service's own number beside them."""
    bar = progress_bar(percent)
    assert (bar.count("█"), bar.count("░")) == (cells, 20 - cells)
    assert bar.endswith(f" {percent:.0f} %")


def test_a_service_that_was_not_heard_yet_is_not_quoted() -> None:
    """Before the first look, and after the end, the card quotes no word."""
    assert "The service" not in read(render(a_card(look=Look())))
    assert "The service says" not in read(render(a_card(state=JobState.FAILED)))
    silent = samples.job(look=Look(status=samples.status("", detail="waiting")))
    assert "The service has not said anything yet. waiting" in read(render(replace(a_card(), job=silent)))


def test_a_card_says_since_when_and_by_what_it_expects_an_end() -> None:
    """The times are the reader's own, and what they are taken from stands beside them."""
    shown = [read(render(card)) for card in samples.aged()]
    accepted, found, watched, *foretold, trained = shown
    assert "*Accepted*\n<!date^1795262400^" in accepted
    assert "*Found there*\n<!date^" in found
    assert "*Watched since*\n<!date^" in watched
    assert not any("Expected end" in text for text in (accepted, found, watched, trained))
    said = [re.sub("<!date[^>]+>", "T", line) for text in foretold for line in re.findall(r"\*Expected.*", text)]
    told = [
        "T to T. The 5 earlier trainings {} {}.",
        "T to T. Of 5 earlier trainings {}, 3 had ended by now; the other 2 {}.",
        "T to T. The middle half of 12 earlier trainings {} {}.",
        "T to T. Of 12 earlier trainings {}, 3 had ended by now; the middle half of the other 9 {}.",
        "not known: this takes longer than all 12 earlier trainings {}, which took up to 35 min.",
    ]
    alike = ("of this model with about as much data", "at Sestek Knovvu ML with about as much data")
    assert said == [f"*Expected end* {one.format(of, 'took 20 min to 35 min in all')}" for of in alike for one in told]
    assert "*Training took*\n23 min 5 s" in trained


def test_an_end_within_a_minute_is_one_time() -> None:
    """A range whose ends read alike is said once; without data nothing is said of data."""
    exact = replace(next(samples.forecasts()), shortest=timedelta(minutes=20), longest=timedelta(minutes=20))
    bare = replace(samples.plan(), payload=None)
    text = read(render(replace(next(samples.aged()), job=samples.job(plan=bare), forecast=exact)))
    assert re.search(
        r"\*Expected end\* about <!date[^>]+>\. The 5 earlier trainings of this model took about 20 min in", text
    )


# -- questions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subject", Subject)
def test_an_open_question_has_its_answers_and_a_closed_one_none(subject: Subject) -> None:
    """Each subject has exactly its own answers, bound to what was shown; a closed prompt says how it ended instead."""
    asked = render(samples.question(samples.prompt(subject)))
    answers = [one for one in pressed(asked.blocks) if one["action_id"] != Action.WHY.value]
    actions = [action_of(one["action_id"]) for one in answers]
    said = [Answer(which or action.value) for action, which in filter(None, actions)]
    assert tuple(said) == ANSWERS[subject]
    assert {one["value"] for one in answers} == {f"p1|{'d' * 64}"}
    assert (len(answers) < len(pressed(asked.blocks))) is (subject in GATES), "only a gate has a rule to explain"
    for prompt in samples.prompts():
        if prompt.subject is subject and prompt.outcome is not Outcome.OPEN:
            closed = render(samples.question(prompt))
            assert pressed(closed.blocks) == []
            assert re.search("Approved|Rejected|Withdrawn|Answered|Given up|Expired|Closed", read(closed))


def test_every_outcome_reads_differently() -> None:
    """Who looks at an old prompt sees what was answered, and by whom."""
    prompts = [one for one in samples.prompts() if one.subject is Subject.DID_START and one.outcome is Outcome.ANSWERED]
    texts = [read(render(samples.question(one))) for one in prompts]
    assert len(set(texts)) == len(ANSWERS[Subject.DID_START])
    assert all("by <@U0BORA0001>" in text for text in texts)


def test_all_facts_of_a_question_are_shown() -> None:
    """An approver sees everything that is sent; the approval covers what was shown."""
    text = read(render(samples.question(samples.prompt(), facts=40)))
    assert all(f"*my-model {number}*" in text for number in range(40))


def test_a_crowded_question_can_still_be_answered() -> None:
    """Whatever does not fit, the consequence and the buttons stay."""
    crowded = replace(samples.question(samples.prompt(), "fact " * 50, facts=200), consequence="It goes live.")
    message = render(crowded)
    assert faults(message) == []
    assert len(pressed(message.blocks)) == 4
    assert "It goes live." in read(message)
    assert "did not fit" in read(message)


@pytest.mark.parametrize(("subject", "answer"), [(Subject.PROMOTE, Answer.APPROVE), (Subject.DID_START, Answer.AGAIN)])
def test_what_cannot_be_taken_back_asks_once_more(subject: Subject, answer: Answer) -> None:
    """A switch and a second start are confirmed; nothing else is."""
    buttons = pressed(render(samples.question(samples.prompt(subject))).blocks)
    assert [answer.value in one["action_id"] for one in buttons] == ["confirm" in one for one in buttons]


def test_a_question_says_who_may_answer() -> None:
    """The rule is shown: people, groups, whether the asker may, until when; or the setting that nobody filled."""
    text = read(render(samples.question(samples.prompt())))
    assert (
        "May decide: <@U0BORA0001>, <!subteam^S0MLOPS001>. <@U0ADA00001> asked for it and may not. Until <!date^"
        in text
    )
    own = samples.prompt(rule=Rule(approvers=("U0BORA0001",), may_approve_own=True))
    assert "may not" not in read(render(samples.question(own)))
    assert "SWITCHYARD_APPROVALS__APPROVERS" in read(render(samples.question(samples.prompt(rule=Rule()))))
    unsure = samples.prompt(Subject.DID_START)
    assert "<@U0ADA00001> or an approver can answer." in read(render(samples.question(unsure)))


# -- histories --------------------------------------------------------------------------------------------------------


def test_pages_are_turned_with_what_was_typed() -> None:
    """The button of a page carries the query as it was typed, so that the next page asks the same."""
    jobs = [samples.job(id=f"j2345a{number}") for number in range(history.PAGE)]
    message = history.page(jobs, query="all sony <x>", number=1, has_more=True)
    buttons = {one["text"]["text"]: (one["action_id"], one["value"]) for one in pressed(message.blocks)}
    assert buttons == {
        **{f"Story {job.id}": (f"story:{job.id}", job.id) for job in jobs},
        "Durations": ("durations", "all sony <x>"),
        "Newer": ("jobs_page:0", "0|all sony <x>"),
        "Older": ("jobs_page:2", "2|all sony <x>"),
        "Export CSV": ("export:csv", "all sony <x>"),
        "Export JSON lines": ("export:jsonl", "all sony <x>"),
        "Here": ("jobs_page:here", "0|all sony <x> here"),
        "Mine": ("jobs_page:mine", "0|all sony <x> mine"),
        "Everybody's": ("jobs_page:all", "0|all sony <x> all"),
    }
    labels = [one["text"]["text"] for one in pressed(history.page(jobs, query="", number=0, has_more=False).blocks)]
    assert "Newer" not in labels
    assert "Older" not in labels


def test_another_scope_takes_the_place_of_the_last_one() -> None:
    """However often it is pressed, the query does not grow; a word of a longer text is none."""
    for query, asked in (("sony mine", "0|sony all"), ("ALL", "0|all"), ("", "0|all"), ("hall", "0|hall all")):
        shown = pressed(history.page([samples.job()], query=query, number=0, has_more=False).blocks)
        assert [one["value"] for one in shown if one["action_id"] == "jobs_page:all"] == [asked]


def test_a_page_beyond_the_end_has_a_way_back() -> None:
    """Somebody turns a page of an old message: the answer is not that nothing fits."""
    message = history.page([], query="all", number=4, has_more=False)
    assert "There are no more." in read(message)
    assert [one["value"] for one in pressed(message.blocks) if one["action_id"] == "jobs_page:3"] == ["3|all"]
    assert "No training fits." in read(history.page([], query="", number=0, has_more=False))


def test_a_list_that_was_cut_says_so() -> None:
    """Forty trainings fit into a message; where more are alive the number is not made up."""
    few = [samples.job() for _ in range(3)]
    assert "Alive in this channel: 3" in read(history.alive(few))
    many = [samples.job() for _ in range(history.MOST_ALIVE + 1)]
    text = read(history.alive(many))
    assert "Alive in this channel: more than 40" in text
    [table] = [block for block in history.alive(many).blocks if block["type"] == "table"]
    assert len(table["rows"]) == 1 + 40
    assert "`/jobs alive`" in text


def test_a_story_tells_data_decisions_and_moves() -> None:
    """Months later it can be read what was sent, who decided, and how it went."""
    decided = samples.prompt(outcome=Outcome.ANSWERED, answer=Answer.APPROVE, actor=samples.BORA, reason="checked")
    moves = [samples.move(state, "because", seq=seq) for seq, state in enumerate((JobState.QUEUED, JobState.LIVE), 1)]
    told = Story(job=samples.job(JobState.LIVE), moves=tuple(moves), prompts=(decided, samples.prompt()))
    text = read(history.story(told, "Sony", samples.AT))
    assert f"SHA-256 `{'3f' * 32}`" in text
    assert "*May the trained model go live?* Approved by <@U0BORA0001>. Reason: checked" in text
    assert "*May the trained model go live?* Not answered yet." in text
    assert f"digest `{decided.digest[:12]}`" in text
    assert "*accepted* by <@U0BORA0001>. Because." in text
    assert text.index("*accepted*") < text.rindex("*live*")


def test_a_long_story_is_told_on_pages() -> None:
    """Of hundreds of moves the latest come first; how many are left is said, and every one is a press away."""
    moves = [samples.move(seq=seq, reason=f"reason {seq} {'r' * 100}") for seq in range(1, 200)]
    told = Story(job=samples.job(JobState.LIVE), moves=(*moves, samples.move(JobState.LIVE, seq=200)))
    pages = [history.story(told, "Sony", samples.AT)]
    while forward := [one for one in pressed(pages[-1].blocks) if one["text"]["text"].endswith(" more")]:
        [button] = forward
        count, number = int(button["text"]["text"].split()[0]), int(button["value"].partition("|")[2])
        assert f"{count} more lines of this story" in read(pages[-1])
        pages.append(history.story(told, "Sony", samples.AT, number=number))
    assert "*live*" in read(pages[0])
    assert all(faults(page) == [] and "did not fit" not in read(page) for page in pages)
    found = [int(number) for page in reversed(pages) for number in re.findall(r"eason (\d+) r", read(page))]
    assert found == list(range(1, 200))
    assert [one["text"]["text"] for one in pressed(pages[-1].blocks)] == ["Back", "Label balance"]
    beyond = history.story(told, "Sony", samples.AT, number=999_999)
    assert read(beyond) == read(pages[-1])


# -- answers ----------------------------------------------------------------------------------------------------------


def test_an_answer_has_buttons_with_ids_of_their_own() -> None:
    """Two buttons of one action would be one to Slack."""
    buttons = tuple(Button(label=f"B{n}", action="watch", value=str(n), is_primary=n == 0) for n in range(3))
    shown = pressed(blocks.say(Say(text="Choose.", buttons=buttons)).blocks)
    assert len({one["action_id"] for one in shown}) == 3
    assert {(action_of(one["action_id"]) or (None,))[0] for one in shown} == {Action.WATCH}
    assert [one.get("style") for one in shown] == ["primary", None, None]


def test_a_button_that_carries_too_much_is_left_out() -> None:
    """A value that was cut would name something else: another model, another training."""
    kept, dropped = (
        Button(label="A", action="watch", value="v" * 2000),
        Button(label="B", action="look", value="v" * 2001),
    )
    message = blocks.say(Say(text="x", buttons=(kept, dropped)))
    assert [one["value"] for one in pressed(message.blocks)] == [kept.value]
    assert faults(message) == []


def test_plain_text_holds_what_can_be_read() -> None:
    """Where Slack refuses the blocks, the reader still gets everything that fits, each sentence once."""
    message = render(samples.question(samples.prompt()))
    plain = message.plain()
    assert "May the trained model go live?" in plain
    assert all(f"*my-model {number}*" in plain for number in range(4))
    assert "Approve the switch" not in plain
    said = blocks.say(Say(text="Nothing was done."))
    assert said.plain() == "Nothing was done."


def test_plain_text_says_the_headline_once() -> None:
    """A text that a block says again, with its sign and its marks, is no line of its own; one that none says is."""
    shown = [blocks.section("✅ *Sestek `my-model`*: trained"), blocks.section("Asked by Ada")]
    assert (
        blocks.message("Sestek `my-model`: trained", shown).plain() == "✅ *Sestek `my-model`*: trained\nAsked by Ada"
    )
    assert blocks.message("Sestek `other`: trained", shown).plain().startswith("Sestek `other`: trained\n✅ ")


def test_ends_are_told_to_who_asked() -> None:
    """An end mentions the requester; a move in between does not."""
    for content in lines_of_all_states():
        assert ("<@U0ADA00001>" in read(render(content))) is (content.job.state in ENDS)


# -- what recurs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["my-model", "", "&" * 5000, LONG], ids=["ordinary", "empty", "escapes", "long"])
@pytest.mark.parametrize("count", [0, 1, recurring.MOST + 1])
def test_a_list_of_what_recurs_is_within_slacks_limits(word: str, count: int) -> None:
    """Each has its line, its next time and the button that ends it; what is left out is said."""
    found = [replace(samples.schedule(word), id=f"r{number:06}") for number in range(count)]
    message = recurring.listing(found, {one.request.provider: word for one in found}, scope="mine")
    assert faults(message) == []
    assert dangers(marked_texts(message.blocks)) == []
    shown = [block for block in message.blocks if "accessory" in block]
    assert len(shown) == min(count, recurring.MOST) or "did not fit" in read(message)
    assert all("confirm" in block["accessory"] for block in shown)
    assert ("fewer" in read(message)) is (count > recurring.MOST)


def test_a_line_of_what_recurs_says_when_what_and_who() -> None:
    """And how often it ran; before its time zone is read, that."""
    [_, block] = recurring.listing([samples.schedule()], {"sestek": "Sestek"}, scope="all").blocks
    for part in ("`r234560`", "*Sestek*", "`my-model`", "every mon,thu 09:00 (Europe/Istanbul)", "next <!date^",
                 "2 runs", "last `j2345ab`", "<@"):  # fmt: skip
        assert part in block["text"]["text"]
    new = replace(samples.schedule(), state=ScheduleState.NEW, next_at=None, runs=0, last_job="")
    [_, block] = recurring.listing([new], {"sestek": "Sestek"}, scope="all").blocks
    assert "its time zone is being read, no run yet" in block["text"]["text"]
