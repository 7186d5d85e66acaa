"""The outbox goes out: each message once, rendered from the store at that moment.

A message whose fate is unclear is looked up by the id in its metadata before it is sent again.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from bot.domain.approvals import Outcome, Prompt
from bot.domain.changes import OVERTAKEN, Button, Notice, NoticeKind, Say
from bot.domain.contents import Content, Line, Note, Reminder
from bot.domain.jobs import BEFORE_THE_START, ENDS, Job
from bot.errors import AmbiguousSendError, MessengerBusyError, MessengerError
from bot.ports import Deps, Shared
from bot.sentences import _, joined, speaking, unpack
from bot.usecases.attention import Fate, digest, fate_of, names_at, news
from bot.usecases.cards import about, card
from bot.usecases.export import give_up_export, share_export
from bot.usecases.home import draw_home
from bot.usecases.languages import language_for
from bot.usecases.moves import body_of, card_key, prompt_key, tell_channel, tell_person
from bot.usecases.prompting import question
from bot.usecases.share import forget_upload, give_up, share_result

log = structlog.get_logger()
AT_ONCE = 50
HOLDING = frozenset(
    {
        "not_in_channel", "channel_not_found", "is_archived", "restricted_action", "messages_tab_disabled",
        "restricted_action_read_only_channel", "posting_to_channel_denied",
    }
)  # fmt: skip
"""Slack's words for a conversation in which the bot may not post."""

NO_THREAD = frozenset(
    {
        "cannot_reply_to_message", "restricted_action_non_threadable_channel", "restricted_action_thread_locked",
    }
)  # fmt: skip
"""Slack's words for a message that takes no reply, as where somebody has deleted the card: then it stands by itself."""
_LOOK_BACK = timedelta(seconds=60)
_IN_THREADS = frozenset({NoticeKind.LINE, NoticeKind.END, NoticeKind.REMINDER, NoticeKind.FILE})
_LONGEST_WAIT = timedelta(minutes=5)
_ALARM_AFTER = 3


async def deliver_due(deps: Deps) -> None:
    """Tick: send what is waiting, one message a job at a time."""
    taken = await deps.store.take_notices(deps.now(), AT_ONCE, deps.limits.edits)
    for notice in taken:
        deps.spawn(f"notice:{notice.id}", deliver(deps, notice))


async def deliver(deps: Deps, notice: Notice) -> None:
    """Send one notice and note what became of it."""
    try:
        with speaking(await language_for(deps, notice)):
            await _send(deps, notice)
    except AmbiguousSendError as error:
        await _leave_in_doubt(deps, notice, error)
    except MessengerBusyError as error:
        try_at = deps.now() + timedelta(seconds=error.retry_after)
        await deps.store.put_back(notice, try_at=try_at, in_doubt=notice.in_doubt, error=str(error))
    except MessengerError as error:
        await _refused(deps, notice, error)
    else:
        deps.nudge("deliver")


async def _leave_in_doubt(deps: Deps, notice: Notice, error: AmbiguousSendError) -> None:
    """Look again later. A conversation that the bot may not even read takes no message either: it waits for a place."""
    if error.code in HOLDING and notice.job_id:
        await _hold(deps, notice, error)
        return
    await deps.store.put_back(notice, try_at=_later(deps, notice), in_doubt=True, error=str(error))
    await _raise_alarm(deps, notice, error)


async def _raise_alarm(deps: Deps, notice: Notice, error: MessengerError) -> None:
    """A message that cannot even be looked up waits, and is never repeated blindly; its operator is told."""
    if notice.attempts + 1 != _ALARM_AFTER:
        return
    log.error("message in doubt", notice=notice.id, job=notice.job_id, error=str(error))
    if deps.alarm_channel and notice.kind is not NoticeKind.HEALTH:
        text = _say_doubt(notice, str(error))
        await deps.store.tell([tell_channel(deps, deps.alarm_channel, text, key=f"alarm:{notice.id}")])


def _say_doubt(notice: Notice, problem: str) -> str:
    if not notice.job_id:
        return _("A message waits: {problem} It is not repeated until that can be seen.", problem=problem)
    return _(
        "A message of training {id} waits: {problem} It is not repeated until that can be seen.",
        id=notice.job_id,
        problem=problem,
    )


async def _send(deps: Deps, notice: Notice) -> None:
    if notice.kind is NoticeKind.TOLD:
        await _answer(deps, notice)
    elif notice.kind is NoticeKind.REDRAW:
        await _redraw(deps, notice)
    elif notice.kind is NoticeKind.HOME:
        await draw_home(deps, notice)
    elif notice.kind is NoticeKind.FILE:
        await _share(deps, notice)
    elif notice.kind is NoticeKind.EXPORT:
        await _share_history(deps, notice)
    elif notice.kind is NoticeKind.NEWS:
        await _tell_news(deps, notice)
    else:
        await _post(deps, notice)


async def _tell_news(deps: Deps, notice: Notice) -> None:
    """News go to who follows, later to who has quiet hours; what may stand there already is looked up first."""
    if notice.in_doubt:
        channel = await _channel(deps, notice, None)
        ts = await _sent_before(deps, notice, channel, None)
        if ts is not None:
            await deps.store.sent(notice, ts=ts, channel=channel)
            return
    fate = await fate_of(deps, notice)
    if fate is Fate.TELL:
        await _post(deps, replace(notice, in_doubt=False))
    elif fate is Fate.KEEP:
        await deps.store.keep_news(notice)
    else:
        await deps.store.drop(notice, OVERTAKEN)


async def _share(deps: Deps, notice: Notice) -> None:
    """Put the file that a training left below its card, which comes first."""
    job = await deps.store.job(notice.job_id) if notice.job_id else None
    card = await deps.store.notice(card_key(notice.job_id)) if notice.job_id else None
    if card is not None and card.is_held:
        await deps.store.hold(notice, card.error, None)
        return
    if job is None or card is None or card.sent_ts is None:
        raise MessengerBusyError("The card is not there yet.", retry_after=1.0)
    channel = await _channel(deps, notice, job)
    shared = await _share_now(deps, notice, job, channel, await _thread(deps, notice, channel))
    await deps.store.sent(notice, ts=shared.ts, channel=channel)


async def _share_history(deps: Deps, notice: Notice) -> None:
    channel = await _channel(deps, notice, None)
    shared = await share_export(deps, notice, channel)
    await deps.store.sent(notice, ts=shared.ts, channel=channel)


async def _share_now(deps: Deps, notice: Notice, job: Job, channel: str, thread: str | None) -> Shared:
    try:
        return await share_result(deps, notice, job, channel, thread)
    except MessengerError as error:
        if error.code == "file_not_found" and notice.body.get("file_id"):
            await forget_upload(deps, notice)
            raise MessengerBusyError(str(error), retry_after=1.0) from None
        if thread is None or error.code not in NO_THREAD:
            raise
    return await share_result(deps, notice, job, channel, None)


async def _answer(deps: Deps, notice: Notice) -> None:
    buttons = tuple(Button(**{**one, "label": unpack(one["label"])}) for one in notice.body.get("buttons", ()))
    say = Say(text=unpack(notice.body["text"]), buttons=buttons)
    await deps.messenger.answer(notice.body["url"], say, notice.body.get("blocks", ()))
    await deps.store.sent(notice, ts="", channel="")


async def _post(deps: Deps, notice: Notice) -> None:
    job = await deps.store.job(notice.job_id) if notice.job_id else None
    channel = await _channel(deps, notice, job)
    thread = await _thread(deps, notice, channel)
    ts = await _sent_before(deps, notice, channel, thread)
    if ts is None and await _is_overtaken(deps, notice):
        log.info("message overtaken", notice=notice.id, kind=notice.kind.value, job=notice.job_id)
        await deps.store.drop(notice, OVERTAKEN)
        return
    if ts is None:
        content = await _content(deps, notice, job)
        if content is None:
            await deps.store.drop(notice, OVERTAKEN)
            return
        ts = await _post_now(deps, notice, channel, thread, content)
    await deps.store.sent(notice, ts=ts, channel=channel)
    if notice.kind is NoticeKind.CARD:
        deps.nudge("launch")


async def _post_now(deps: Deps, notice: Notice, channel: str, thread: str | None, content: Content) -> str:
    if thread is not None:
        broadcast = _is_for_the_channel(notice)
        try:
            return await deps.messenger.post(
                channel, content, notice_id=notice.id, thread_ts=thread, broadcast=broadcast
            )
        except MessengerError as error:
            if error.code not in NO_THREAD:
                raise
    return await deps.messenger.post(channel, content, notice_id=notice.id)


async def _is_overtaken(deps: Deps, notice: Notice) -> bool:
    """What waited until it was no longer so is not told.

    A reminder of what was decided, or that a later one follows; a service that is back already; and its return, where
    nobody had been told that it was away.
    """
    if notice.kind is NoticeKind.REMINDER:
        return await _is_late(deps, notice)
    if "away" in notice.body:
        known = (await deps.store.health()).get(notice.body["away"])
        return known is None or not known.is_away or str(known.since) != notice.body["since"]
    if "after" in notice.body:
        earlier = await deps.store.notice(notice.body["after"])
        return earlier is not None and not earlier.sent_ts
    return False


async def _is_late(deps: Deps, reminder: Notice) -> bool:
    prompt = await deps.store.prompt(reminder.body["prompt"])
    if prompt is None or prompt.outcome is not Outcome.OPEN:
        return True
    number: int = reminder.body.get("number", 0)
    return 0 < number < prompt.reminders


def _is_for_the_channel(notice: Notice) -> bool:
    """Is a line of a thread shown in the channel too?"""
    return notice.kind is NoticeKind.END or bool(notice.body.get("is_second"))


async def _channel(deps: Deps, notice: Notice, job: Job | None) -> str:
    place = job.place if job else notice.channel
    if not place.startswith(("U", "W")):
        return place
    opened = await deps.messenger.open_dm(place)
    if job is not None:
        await deps.store.move_to(job.id, opened)
    return opened


async def _thread(deps: Deps, notice: Notice, channel: str) -> str | None:
    """The thread of the card or the prompt, where that stands in this conversation: a training may have moved."""
    if notice.kind not in _IN_THREADS or notice.job_id is None:
        return None
    is_reminder = notice.kind is NoticeKind.REMINDER
    posted = await deps.store.notice(prompt_key(notice.body["prompt"]) if is_reminder else card_key(notice.job_id))
    return posted.sent_ts if posted and posted.sent_to == channel else None


async def _sent_before(deps: Deps, notice: Notice, channel: str, thread: str | None) -> str | None:
    """Has an earlier attempt, whose answer was lost, posted it after all?"""
    if not notice.in_doubt or notice.first_tried_at is None:
        return None
    since = notice.first_tried_at - _LOOK_BACK
    return await deps.messenger.find(channel, notice.id, since=since, thread_ts=thread)


async def _redraw(deps: Deps, notice: Notice) -> None:
    posted = await deps.store.notice(notice.body["target"])
    if posted is not None and posted.sent_ts:
        job = await deps.store.job(posted.job_id) if posted.job_id else None
        content = await _content(deps, posted, job)
        if content is not None:
            await deps.messenger.edit(posted.sent_to, posted.sent_ts, content)
    await deps.store.sent(notice, ts="", channel="")


async def _content(deps: Deps, notice: Notice, job: Job | None) -> Content | None:
    """What a notice shows, as of now; None where there is nothing to tell of any more."""
    if notice.kind is NoticeKind.NEWS:
        return await news(deps, notice)
    if notice.kind is NoticeKind.DIGEST:
        return await digest(deps, notice)
    if job is None or "text" in notice.body:
        return Note(text=unpack(notice.body["text"]))
    if notice.kind is NoticeKind.CARD:
        return await card(deps, job)
    if notice.kind is NoticeKind.PROMPT:
        prompt = await deps.store.prompt(notice.body["prompt"])
        return await question(deps, prompt, job) if prompt else Note(text="")
    if notice.kind is NoticeKind.REMINDER:
        return await _reminder(deps, notice, job)
    return await _line(deps, notice, job)


async def _reminder(deps: Deps, notice: Notice, job: Job) -> Content:
    prompt = await deps.store.prompt(notice.body["prompt"])
    if prompt is None:
        return Note(text="")
    rule, is_second = prompt.rule, bool(notice.body.get("is_second"))
    second = rule.second if is_second or prompt.escalated_at else ()
    calls = _not_yet_voted(prompt, (*second, *(() if is_second else rule.approvers)))
    return Reminder(
        prompt=prompt,
        job=job,
        title=about(deps, job.request.provider)[0],
        calls=calls,
        is_second=is_second,
        names=await names_at(deps, job, calls, deps.now(), passes=rule.pass_quiet),
    )


def _not_yet_voted(prompt: Prompt, ids: Iterable[str]) -> tuple[str, ...]:
    """Each once; who has approved has nothing left to do."""
    done = {vote.seat for vote in prompt.votes} | {vote.actor.user for vote in prompt.votes}
    return tuple(dict.fromkeys(id_ for id_ in ids if id_ not in done))


async def _line(deps: Deps, notice: Notice, job: Job) -> Line:
    transitions = await deps.store.transitions(job.id)
    [transition] = [one for one in transitions if one.seq == notice.body["seq"]]
    title, _powers = about(deps, job.request.provider)
    is_end = transition.new in ENDS
    names = await names_at(deps, job, [job.request.actor.user], transition.at) if is_end else {}
    return Line(job=job, title=title, transition=transition, is_end=is_end, names=names)


async def _refused(deps: Deps, notice: Notice, error: MessengerError) -> None:
    """Slack surely did not take it. Where the bot may not post, it waits for a place; anything else is dropped.

    A card waits whatever the reason is: without one, nobody would see the training that starts.
    """
    if notice.job_id and (error.code in HOLDING or notice.kind is NoticeKind.CARD):
        await _hold(deps, notice, error)
        return
    if notice.kind is NoticeKind.FILE:
        await give_up(deps, notice, error)
    if notice.kind is NoticeKind.EXPORT:
        await give_up_export(deps, notice, error)
    log.warning("message dropped", notice=notice.id, kind=notice.kind.value, job=notice.job_id, error=str(error))
    await deps.store.drop(notice, str(error))
    deps.nudge("deliver")


async def _hold(deps: Deps, notice: Notice, error: MessengerError) -> None:
    job = await deps.store.job(notice.job_id) if notice.job_id else None
    url = await deps.store.reply_url(job.id, deps.now()) if job else None
    told = None
    if job and url:
        key = f"{notice.id}:held:{notice.attempts}"
        told = tell_person(deps, url, body_of(_ways_on(job)), reader=job.request.actor, key=key)
    if job and job.request.run and notice.kind is NoticeKind.CARD:
        # Nobody typed it a moment ago, so the direct message is where it can be said.
        held = _held_text(job, _("in {channel}", channel=f"<#{job.place}>"))
        text = joined(" ", [held, _("Type `/invite @switchyard` there, and it goes on.")])
        told = tell_channel(deps, job.request.actor.user, text, key=f"{notice.id}:held")
    log.warning("message held", notice=notice.id, job=notice.job_id, code=error.code)
    await deps.store.hold(notice, error.code, told)
    deps.nudge("deliver")


def _ways_on(job: Job) -> Say:
    """The sentence and the buttons for somebody whose training is held because its card has no place."""
    dm = Button(label=_("Use my DM"), action="use_dm", value=job.id)
    if job.place.startswith("D"):
        return Say(text=_held_text(job, _("in this conversation")), buttons=(dm,))
    here = Button(label=_("Post here"), action="post_here", value=job.id)
    ways = _("Two ways on: type `/invite @switchyard` and press *Post here*, or press *Use my DM*.")
    return Say(text=joined(" ", [_held_text(job, _("here")), ways]), buttons=(here, dm))


def _held_text(job: Job, where: str) -> str:
    if job.state in BEFORE_THE_START:
        # NOTE: {where} is "here", "in this conversation" or "in #channel".
        return _(
            "Switchyard may not post {where}, so training `{id}` is held and nothing was started.",
            where=where,
            id=job.id,
        )
    # NOTE: {where} is "here", "in this conversation" or "in #channel".
    return _(
        "Switchyard may not post {where}, so what there is to say of training `{id}` waits.", where=where, id=job.id
    )


def _later(deps: Deps, notice: Notice) -> datetime:
    return deps.now() + min(timedelta(seconds=1) * (1 << min(notice.attempts, 9)), _LONGEST_WAIT)
