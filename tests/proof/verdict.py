"""What is true at the end of every story, however often its bot was killed."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bot.domain.jobs import ENDS
from handlers.ids import NOTICE
from handlers.views.words import PHRASES
from sandbox.slack.workspace import Message
from storage.audit import verify_log
from tests.flows.lab import buttons_of, shown
from tests.proof.stage import Stage
from tests.proof.stories import People, Story

LINE = 200
"""Characters after its id in which the Home tab names a training and its state."""


@dataclass(slots=True)
class Verdict:
    """The findings, one sentence each; all lists are empty where the promises were kept."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    questions: int = 0

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.doubled or self.wrong or self.leaked)

    def __str__(self) -> str:
        named = {"lost": self.lost, "doubled": self.doubled, "wrong": self.wrong, "leaked": self.leaked}
        return "; ".join(f"{name}: {', '.join(found)}" for name, found in named.items() if found) or "good"


def judge(stage: Stage, story: Story, people: People) -> Verdict:
    """Compare the database, the conversation and the service."""
    verdict = Verdict()
    _judge_jobs(stage, story, people, verdict)
    _judge_effects(stage, story, verdict)
    _judge_messages(stage, verdict)
    _judge_views(stage, verdict)
    _judge_questions(stage, verdict)
    _judge_exports(stage, story, people, verdict)
    _judge_home(stage, story, verdict)
    _judge_schedule(stage, people, verdict)
    _judge_data(stage, story, people, verdict)
    _judge_news(stage, story, verdict)
    _judge_file(stage, verdict)
    _judge_log(stage, verdict)
    return verdict


def _judge_jobs(stage: Stage, story: Story, people: People, verdict: Verdict) -> None:
    jobs = stage.kept.jobs()
    if len(jobs) < people.acknowledged:
        verdict.lost.append(f"{people.acknowledged} commands were acknowledged, {len(jobs)} jobs are kept")
    if len(jobs) > 1:
        verdict.doubled.append(f"{len(jobs)} jobs of one command")
    if people.acknowledged and stage.kept.state() != story.end:
        verdict.lost.append(f"the story stopped in {stage.kept.state() or 'nothing'}, {stage.kept.waiting()} wait")


def _judge_effects(stage: Stage, story: Story, verdict: Verdict) -> None:
    service = next(one for one in stage.world.services.all if one.name == story.service)
    for what, happened, wanted in (
        ("training", len(service.starts), story.starts),
        ("switch", len(service.switches), story.switches),
    ):
        if happened > wanted:
            verdict.doubled.append(f"{what}: {happened} instead of {wanted}")
        if happened < wanted:
            verdict.lost.append(f"{what}: {happened} instead of {wanted}")


def _judge_messages(stage: Stage, verdict: Verdict) -> None:
    """Each id once in the conversation; a card a job, a line a move, a message a prompt."""
    posted = Counter(_notice_of(message) for message in stage.shown())
    verdict.doubled += [f"message {id_} ({count} times)" for id_, count in posted.items() if count > 1]
    kept = {row["key"]: row for row in stage.kept.rows("SELECT * FROM notices")}
    for key in _expected_keys(stage):
        if key not in kept or not posted[_file_of(kept[key]) or kept[key]["id"]]:
            verdict.lost.append(f"message {key}")
    known = {row["id"] for row in kept.values()} | {_file_of(row) for row in kept.values()}
    for row in kept.values():
        if _file_of(row) and not posted[_file_of(row)]:
            verdict.lost.append(f"the file of {row['key']}")
    verdict.wrong += [f"message {id_} is in no outbox" for id_ in posted if id_ not in known]
    for row in kept.values():
        if row["state"] != "sent":
            verdict.lost.append(f"{row['kind']} {row['key']} is {row['state']} ({row['error']})")


def _file_of(row: dict[str, Any]) -> str:
    """The file that a notice has put into the conversation; "" where it has none."""
    file_id = json.loads(row["body"]).get("file_id") if row["kind"] in ("file", "export") else None
    return f"file {file_id}" if file_id else ""


def _expected_keys(stage: Stage) -> list[str]:
    cards = [f"{job['id']}:card" for job in stage.kept.jobs()]
    # Tries to start that surely got nowhere are told once, however many they are.
    moves = stage.kept.rows(
        """SELECT job_id, seq FROM transitions AS t WHERE seq > 1 AND NOT (
             (old, new) IN (VALUES ('approved', 'starting'), ('starting', 'approved')) AND EXISTS (
               SELECT 1 FROM transitions AS o WHERE o.job_id = t.job_id AND o.seq < t.seq
               AND (o.old, o.new) = ('starting', 'approved')))"""
    )
    prompts = stage.kept.rows("SELECT id FROM prompts")
    results = stage.kept.rows("SELECT id FROM jobs WHERE look ->> '$.notes.result_bytes' IS NOT NULL")
    return [
        *cards,
        *(f"{job['id']}:result" for job in results),
        *(f"{move['job_id']}:move:{move['seq']}" for move in moves),
        *(f"prompt:{prompt['id']}" for prompt in prompts),
    ]


def _notice_of(message: Message) -> str:
    if message.files:
        # What is shared with a file carries no metadata.
        return f"file {message.files[0]['id']}"
    metadata: dict[str, Any] = message.metadata or {}
    is_ours = metadata.get("event_type") == NOTICE
    return str(metadata["event_payload"]["id"]) if is_ours else f"without metadata: {message.text[:60]}"


def _judge_views(stage: Stage, verdict: Verdict) -> None:
    """A card tells the state of its job; a prompt has buttons as long as it is open."""
    messages = {_notice_of(message): message for message in stage.shown()}
    for job in stage.kept.jobs():
        phrase = PHRASES[job["state"]]
        card = _message(stage, messages, f"{job['id']}:card")
        if card is not None and not (card.text.endswith(phrase) and f"*{phrase}*" in shown(card)):
            verdict.wrong.append(f"the card says {card.text!r} of a job that is {job['state']}")
    for prompt in stage.kept.rows("SELECT id, outcome FROM prompts"):
        message = _message(stage, messages, f"prompt:{prompt['id']}")
        if message is not None and bool(buttons_of(message)) is not (prompt["outcome"] == "open"):
            verdict.wrong.append(f"a prompt that is {prompt['outcome']} is shown otherwise")


def _message(stage: Stage, messages: dict[str, Message], key: str) -> Message | None:
    [row] = stage.kept.rows("SELECT id FROM notices WHERE key = ?", key) or [{"id": ""}]
    return messages.get(row["id"])


def _judge_questions(stage: Stage, verdict: Verdict) -> None:
    """One question for each doubt that a person had to end, and never more than one."""
    [counted] = stage.kept.rows(
        """SELECT (SELECT count(*) FROM prompts WHERE prompt ->> 'subject' IN ('did_start', 'did_switch')) AS asked,
           (SELECT count(*) FROM transitions WHERE new IN ('unsure', 'unsure_switch')) AS doubts,
           (SELECT count(*) FROM transitions WHERE old IN ('unsure', 'unsure_switch') AND user != '') AS answered"""
    ) or [{"asked": 0, "doubts": 0, "answered": 0}]
    verdict.questions = counted["asked"]
    if not counted["answered"] <= counted["asked"] <= counted["doubts"]:
        verdict.wrong.append(f"questions: {counted}")


def _judge_exports(stage: Stage, story: Story, people: People, verdict: Verdict) -> None:
    """Who asked has one file, which is on record, letter for letter; nothing of it is left here."""
    if not story.exports:
        return
    wishes = stage.exports()
    if people.exported and not wishes:
        verdict.lost.append("the export")
    if len(wishes) > 1:
        verdict.doubled.append(f"{len(wishes)} exports of one command")
    direct = stage.world.slack.person("ada").dm().id
    files = [file for message in stage.world.slack.messages(direct) for file in message.files or ()]
    if len(files) > len(wishes):
        verdict.doubled.append(f"{len(files)} files of {len(wishes)} exports")
    records = {row["sha256"] for row in stage.kept.rows(_SEALED)}
    for file in files:
        data = stage.world.slack.lab.files.get(file["id"]).data or b""
        if hashlib.sha256(data).hexdigest() not in records:
            verdict.wrong.append(f"the export {file['name']} is not on record")
    left = [path.name for path in (stage.folder / "exports").glob("*")]
    verdict.wrong += [f"the file of the export {name} is left" for name in left]


_SEALED = "SELECT facts ->> 'sha256' AS sha256 FROM audit WHERE kind = 'export'"


def _judge_home(stage: Stage, story: Story, verdict: Verdict) -> None:
    """The tab that stands open tells the state of every job."""
    if not story.looks_at_home:
        return
    home = stage.world.slack.views.homes.get(stage.world.slack.person("ada").id)
    said = json.dumps(home.view, ensure_ascii=False) if home else ""
    for job in stage.kept.jobs():
        line = said.partition(f"`{job['id']}`")[2][:LINE]
        if f"`{job['model']}`: {PHRASES[job['state']]}," not in line:
            verdict.wrong.append(f"the Home tab does not show that {job['id']} is {job['state']}")


def _judge_schedule(stage: Stage, people: People, verdict: Verdict) -> None:
    """One plan, of which one run came, and which goes on a day later."""
    if people.planned_for is None:
        return
    schedules, jobs = stage.schedules(), stage.kept.jobs()
    if len(schedules) != 1:
        verdict.doubled.append(f"{len(schedules)} plans of one command")
        return
    [plan] = schedules
    following = int((people.planned_for + timedelta(days=1)).timestamp() * 1000)
    found = (plan["state"], plan["runs"], plan["last"], plan["next_at"])
    if found != ("active", 1, jobs[-1]["id"] if jobs else "", following):
        verdict.wrong.append(f"the plan after its first run is {found}")


def _judge_data(stage: Stage, story: Story, people: People, verdict: Verdict) -> None:
    """The service has what was uploaded, byte for byte, and so has the bot."""
    if not story.uploads:
        return
    sent = [one.body for one in stage.world.services.sony.requests if one.method == "PUT"]
    if sent != [people.uploaded] * len(sent) or not sent:
        verdict.wrong.append(f"{len(sent)} uploads of {[len(body) for body in sent]} bytes")
    whole = hashlib.sha256(people.uploaded).hexdigest()
    plans = [json.loads(row["plan"] or "{}") for row in stage.kept.jobs()]
    verdict.wrong += [f"the plan has {plan}" for plan in plans if plan.get("payload", {}).get("sha256") != whole]
    if (stage.folder / "spool" / whole).read_bytes() != people.uploaded:
        verdict.wrong.append("the file that is kept is another one")


def _judge_news(stage: Stage, story: Story, verdict: Verdict) -> None:
    """Chie is told each end once; Bora, who has quiet hours, is told all of them in one message."""
    if not story.wishes:
        return
    moves = stage.kept.rows("SELECT job_id, seq, new FROM transitions")
    expected = [(str(move["job_id"]), int(move["seq"])) for move in moves if move["new"] in ENDS]
    kept = stage.kept.rows("SELECT id, kind, body, sent_ts FROM notices WHERE kind IN ('news', 'digest')")
    bodies = {row["id"]: json.loads(row["body"]) for row in kept}
    for who, told in (("chie", _told_each(stage, bodies)), ("bora", _told_at_once(stage, bodies, verdict))):
        verdict.lost += [f"news for {who} of move {move}" for move in expected if move not in told]
        verdict.doubled += [f"news for {who} of move {move}" for move, count in Counter(told).items() if count > 1]


def _told_each(stage: Stage, bodies: dict[str, Any]) -> list[tuple[str, int]]:
    shown = [bodies.get(_notice_of(message), {}) for message in stage.direct("chie")]
    return [(body["job"], body["seq"]) for body in shown if "seq" in body]


def _told_at_once(stage: Stage, bodies: dict[str, Any], verdict: Verdict) -> list[tuple[str, int]]:
    shown = stage.direct("bora")
    if len(shown) > 1:
        verdict.doubled.append(f"{len(shown)} messages after quiet hours")
    news = [one for message in shown for one in bodies.get(_notice_of(message), {}).get("news", ())]
    return [(one["job"], one["seq"]) for one in news if "seq" in one]


def _judge_file(stage: Stage, verdict: Verdict) -> None:
    for check in ("integrity_check", "foreign_key_check"):
        found = [tuple(row.values()) for row in stage.kept.rows(f"PRAGMA {check}")]
        if found not in ([("ok",)], []):
            verdict.wrong.append(f"{check}: {found}")


def _judge_log(stage: Stage, verdict: Verdict) -> None:
    """The audit log hangs together and tells every move; the rules of the one configuration stand in it once."""
    if not stage.kept.rows("SELECT 1 FROM audit LIMIT 1"):
        verdict.lost += ["the audit log"] if stage.kept.jobs() else []
        return
    verdict.wrong += [f"audit log: {one.says}" for one in verify_log(stage.kept.path).findings]
    [policies] = stage.kept.rows("SELECT count(*) AS number FROM audit WHERE kind = 'policy'")
    if policies["number"] > 1:
        verdict.doubled.append(f"{policies['number']} times the same rules in the audit log")
