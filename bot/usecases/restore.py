"""What a restored database must not believe: it does not know what happened after its backup was made.

A training that had not started then may run by now, and a switch that waited may be applied. So nothing that the backup
was about to send is sent by itself: what may have been sent is asked about, what waited for a yes is closed with a
sentence, and what runs is watched on.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.approvals import Prompt, Subject
from bot.domain.audit import AuditKind, Record
from bot.domain.changes import Change, Notice
from bot.domain.jobs import ENDS, Event, Job, JobState, Transition
from bot.ports import Deps
from bot.sentences import _, joined
from bot.usecases.cards import about
from bot.usecases.moves import card_key, move, note, prompt_key, redraw, tell_line, withdraw_open
from bot.usecases.prompting import ask
from bot.usecases.stop import end

_ALL = -1
"""No limit."""
_ALIVE = frozenset(JobState) - ENDS
_CLOSED = _("Switchyard was restored from a backup; it asks anew where this still matters.")


async def distrust(deps: Deps, made_at: datetime) -> list[Transition]:
    """Settle every living job of a backup made at `made_at`, before any bot sees it; the moves that this took.

    At most one training a request and one switch an approval hold whatever happened since: none is left to be sent
    without a person who asks for it anew.
    """
    await deps.store.record([Record(at=deps.now(), kind=AuditKind.RESTORED, facts={"made_at": made_at})])
    since = _("Restored from a backup of {time} UTC.", time=f"{made_at:%Y-%m-%d %H:%M}")
    changes: list[Change] = []
    for job in await deps.store.in_states(_ALIVE):
        closes = withdraw_open(deps, await deps.store.prompts(job.id), _CLOSED)
        changes += _settle(deps, job, closes, since)
    await deps.store.apply(changes)
    ran = _("It may have run since then: plan it again where it shall go on.")
    for schedule in await deps.store.schedules("", limit=_ALL):
        await end(deps, schedule, joined(" ", [since, ran]))
    return [change.transition for change in changes if change.transition is not None]


def _settle(deps: Deps, job: Job, closes: Sequence[Prompt], since: str) -> list[Change]:
    match job.state:
        case JobState.CHECKING | JobState.PROPOSED:
            return [_close_start(deps, job, closes, since)]
        case JobState.APPROVED:
            return _doubt_start(deps, job, since)
        case JobState.UNSURE if job.claim is None:
            return [_ask_about_start(deps, job, closes)]
        case JobState.OFFERED:
            return [_close_offer(deps, job, closes, since)]
        case JobState.PROMOTING if job.switch is None:
            return [_doubt_switch(deps, job, since)]
        case _:
            return [_look_again(deps, job, closes, since)]


def _close_start(deps: Deps, job: Job, closes: Sequence[Prompt], since: str) -> Change:
    """It may have been checked, approved and started. A yes of then is not known, and one of now would start it."""
    title, _powers = about(deps, job.request.provider)
    doubt = _(
        "It may have been started since: look at {service}, and type the command again if it was not.", service=title
    )
    return move(deps, job, Event.CANCEL, reason=joined(" ", [since, doubt]), closes=closes)


def _doubt_start(deps: Deps, job: Job, since: str) -> list[Change]:
    starting = move(deps, job, Event.START, is_told=False)
    reason = joined(" ", [since, _("It may have been started since.")])
    unsure = move(deps, starting.job, Event.DOUBT, reason=reason)
    return [starting, unsure, _ask_about_start(deps, unsure.job, ())]


def _ask_about_start(deps: Deps, job: Job, closes: Sequence[Prompt]) -> Change:
    """Without the claim, which is read right before a start, looking could take another training for this one."""
    asked = ask(deps, job, Subject.DID_START)
    change = note(deps, job, look=job.look, opens=[asked], notices=_redraws(deps, job, closes), act_at=None)
    return _closing(change, closes)


def _close_offer(deps: Deps, job: Job, closes: Sequence[Prompt], since: str) -> Change:
    title, _powers = about(deps, job.request.provider)
    doubt = _("The switch may have been applied since: look at {service} before it is offered again.", service=title)
    return move(deps, job, Event.EXPIRE, reason=joined(" ", [since, doubt]), closes=closes, act_at=None)


def _doubt_switch(deps: Deps, job: Job, since: str) -> Change:
    """What was live before was not read, so that it was applied cannot be seen: a person is asked at the next step."""
    unseen = {"before": {}, "sees": False}
    reason = joined(" ", [since, _("The switch may have been sent since.")])
    return move(deps, job, Event.DOUBT, reason=reason, switch=unseen)


def _look_again(deps: Deps, job: Job, closes: Sequence[Prompt], since: str) -> Change:
    """What has been sent is only looked at, and that is due now; a question that stays open is asked anew then."""
    title, _powers = about(deps, job.request.provider)
    doubt = _(
        "What came after it is not known here: some lines may be told again, and what is asked may have been answered, "
        "so look at {service} before you approve anything.",
        service=title,
    )
    told = tell_line(deps, job, f"restored:{deps.now():%Y%m%dT%H%M%S}", joined(" ", [since, doubt]))
    change = note(deps, job, look=job.look, act_at=deps.now(), notices=[told, *_redraws(deps, job, closes)])
    return _closing(change, closes)


def _redraws(deps: Deps, job: Job, closes: Sequence[Prompt]) -> list[Notice]:
    """The conversation shows what came later: the card and the closed questions are drawn as they are held here."""
    return [redraw(deps, job.id, card_key(job.id)), *(redraw(deps, job.id, prompt_key(one.id)) for one in closes)]


def _closing(change: Change, closes: Sequence[Prompt]) -> Change:
    return replace(change, closes=tuple(closes))
