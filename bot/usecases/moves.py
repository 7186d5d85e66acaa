"""How a move of a job becomes one change: the transition, what is told of it, and the prompts it opens or closes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bot.domain.approvals import Outcome, Prompt, Subject
from bot.domain.changes import Amendment, Change, Notice, NoticeKind, Say
from bot.domain.jobs import AT_SERVICE, BEFORE_THE_START, ENDS, Event, Job, JobState, Look, Transition, advance
from bot.domain.requests import SWITCHYARD, Actor, Json
from bot.ports import DUE_IN, Deps
from bot.sentences import _, pack

_HAS_WORK = frozenset().union(*DUE_IN.values())
_ASKED_IN: Mapping[Subject, frozenset[JobState]] = {
    Subject.START: frozenset({JobState.PROPOSED}),
    Subject.PROMOTE: frozenset({JobState.OFFERED}),
    Subject.CANCEL: BEFORE_THE_START | AT_SERVICE | {JobState.STARTING, JobState.UNSURE},
    Subject.DID_START: frozenset({JobState.UNSURE}),
    Subject.DID_SWITCH: frozenset({JobState.UNSURE_SWITCH, JobState.PROMOTING}),
    Subject.GO_ON: AT_SERVICE,
}
"""The states of a job in which there is something to answer."""
MOOT = _("The training has moved on.")


def card_key(job_id: str) -> str:
    return f"{job_id}:card"


def prompt_key(prompt_id: str) -> str:
    return f"prompt:{prompt_id}"


def move(
    deps: Deps,
    job: Job,
    event: Event,
    *,
    actor: Actor = SWITCHYARD,
    reason: str = "",
    opens: Sequence[Prompt] = (),
    closes: Sequence[Prompt] = (),
    is_told: bool = True,
    **updates: Any,
) -> Change:
    """One step along the table of states, with everything that follows from it. `updates` are fields of the job.

    A move that is not told leaves no line in the thread; the card and the history have it all the same.
    """
    now = deps.now()
    moved, transition = advance(job, event, at=now, actor=actor, reason=reason)
    moved = replace(moved, **{"act_at": now if _is_due(deps, moved) else None, **updates})
    notices = [
        *([_tell_move(deps, moved, transition)] if is_told else []),
        redraw(deps, moved.id, card_key(moved.id)),
        *(_ask(deps, prompt) for prompt in opens),
        *(redraw(deps, moved.id, prompt_key(prompt.id)) for prompt in closes),
    ]
    return Change(
        job=moved,
        expected=job.version,
        transition=transition,
        opens=tuple(opens),
        closes=tuple(closes),
        notices=tuple(notices),
    )


def note(
    deps: Deps, job: Job, *, look: Look, opens: Sequence[Prompt] = (), notices: Sequence[Notice] = (), **updates: Any
) -> Change:
    """Bookkeeping: what a look saw and when the next is due. The version stays, so waiting clicks stay good."""
    return Change(
        job=replace(job, look=look, **updates),
        expected=job.version,
        opens=tuple(opens),
        notices=(*notices, *(_ask(deps, prompt) for prompt in opens)),
    )


def close(prompt: Prompt, outcome: Outcome, deps: Deps, **fields: Any) -> Prompt:
    return replace(prompt, outcome=outcome, closed_at=deps.now(), version=prompt.version + 1, **fields)


def withdraw_open(deps: Deps, prompts: Sequence[Prompt], reason: str) -> list[Prompt]:
    """The prompts of a job that are still open, closed because the matter was settled elsewhere."""
    still_open = [prompt for prompt in prompts if prompt.outcome is Outcome.OPEN]
    return [close(prompt, Outcome.WITHDRAWN, deps, reason=reason) for prompt in still_open]


def is_moot(prompt: Prompt, state: JobState) -> bool:
    """Does a job in this state leave nothing to decide of what the prompt asks?"""
    return state not in _ASKED_IN[prompt.subject]


def redraw(deps: Deps, job_id: str, target: str, *, key: str = "") -> Notice:
    """A message is to be drawn again; with a `key`, once for it."""
    return _notice(deps, NoticeKind.REDRAW, key=key, job_id=job_id, body={"target": target})


def tell_line(deps: Deps, job: Job, key: str, text: str) -> Notice:
    """A line in the card's thread that is no move; told once per `key`."""
    return _notice(deps, NoticeKind.LINE, key=f"{job.id}:{key}", job_id=job.id, body={"text": pack(text)})


def amend(deps: Deps, *writes: Prompt, opens: Sequence[Prompt] = (), notices: Sequence[Notice] = ()) -> Amendment:
    """What happens to prompts alone; each is drawn again, and the fresh ones are posted."""
    drawn = [redraw(deps, prompt.job_id, prompt_key(prompt.id)) for prompt in writes]
    posted = [_ask(deps, prompt) for prompt in opens]
    return Amendment(writes=writes, opens=tuple(opens), notices=(*drawn, *notices, *posted))


def remind(deps: Deps, prompt: Prompt, key: str, body: dict[str, Json]) -> Notice:
    """A line in the thread of an open prompt; told once per `key`."""
    key = f"{prompt_key(prompt.id)}:{key}"
    body = {"prompt": prompt.id, **body}
    return _notice(deps, NoticeKind.REMINDER, key=key, job_id=prompt.job_id, body=body)


def post_card(deps: Deps, job: Job) -> Notice:
    return _notice(deps, NoticeKind.CARD, key=card_key(job.id), job_id=job.id, body={})


def tell_channel(deps: Deps, channel: str, text: str, *, key: str, **about: Json) -> Notice:
    """A line in a channel that belongs to no job; told once per `key`. `about` tells when it is overtaken."""
    return _notice(deps, NoticeKind.HEALTH, key=key, channel=channel, lane=channel, body={"text": pack(text), **about})


def tell_person(deps: Deps, url: str, body: dict[str, Json], *, reader: Actor = SWITCHYARD, key: str = "") -> Notice:
    """An answer through a response_url; may be told twice after a crash, never lost while the url works.

    It is said in the language of its reader; without one it is said already.
    """
    return _notice(deps, NoticeKind.TOLD, key=key, lane="", body={"url": url, "reader": reader.user, **body})


def body_of(said: Say) -> dict[str, Json]:
    """An answer as a notice carries it."""
    buttons: list[Mapping[str, Json]] = [
        {"label": pack(one.label), "action": one.action, "value": one.value, "is_primary": one.is_primary}
        for one in said.buttons
    ]
    return {"text": pack(said.text), "buttons": buttons}


def first_change(deps: Deps, job: Job, *, actor: Actor, reason: str = "") -> Change:
    """The change that brings a job into the world."""
    transition = Transition(
        job_id=job.id, seq=1, at=job.created_at, old=None, new=job.state, event=None, actor=actor, reason=reason
    )
    return Change(job=job, expected=0, transition=transition, notices=(post_card(deps, job),))


def _is_due(deps: Deps, job: Job) -> bool:
    if job.state is JobState.DONE:
        return deps.providers.get(job.request.provider).powers.watches_live
    return job.state in _HAS_WORK


def _tell_move(deps: Deps, job: Job, transition: Transition) -> Notice:
    kind = NoticeKind.END if job.state in ENDS else NoticeKind.LINE
    return _notice(deps, kind, key=f"{job.id}:move:{transition.seq}", job_id=job.id, body={"seq": transition.seq})


def _ask(deps: Deps, prompt: Prompt) -> Notice:
    return _notice(deps, NoticeKind.PROMPT, key=prompt_key(prompt.id), job_id=prompt.job_id, body={"prompt": prompt.id})


def _notice(
    deps: Deps,
    kind: NoticeKind,
    *,
    key: str,
    body: dict[str, Json],
    job_id: str | None = None,
    channel: str = "",
    lane: str | None = None,
) -> Notice:
    id_ = deps.new_id()
    return Notice(
        id=id_,
        key=key or id_,
        kind=kind,
        lane=(job_id if lane is None else lane) or id_,
        job_id=job_id,
        channel=channel,
        body=body,
        try_at=deps.now(),
    )
