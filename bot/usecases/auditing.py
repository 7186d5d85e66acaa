"""What the audit log holds besides the changes that tell of themselves: refusals, the policy in force, anchors."""

from datetime import datetime

from bot.domain.audit import Anchor, AuditKind, Entry, Record, plain
from bot.domain.requests import Actor, Json, digest
from bot.domain.text import escape
from bot.errors import RefusedError
from bot.ports import Deps
from bot.usecases.moves import tell_channel

ANCHOR = "Audit anchor"


async def keep_log(deps: Deps) -> None:
    """Tick: take in what other processes left, note a policy that changed, and post an anchor when it is time."""
    await deps.store.take_in()
    await note_policy(deps)
    await _post_anchor(deps)


async def note_denial(
    deps: Deps, actor: Actor, why: str, *, job_id: str = "", prompt_id: str = "", **facts: Json
) -> None:
    """Somebody pressed or typed what the rules refuse. `why` is the sentence that was said."""
    record = Record(
        at=deps.now(),
        kind=AuditKind.DENIED,
        actor=actor,
        job_id=job_id,
        prompt_id=prompt_id,
        facts={"why": why, **facts},
    )
    await deps.store.record([record])


async def denied(deps: Deps, actor: Actor, why: str, *, job_id: str = "", **facts: Json) -> RefusedError:
    """The error that refuses somebody, once it is on record."""
    await note_denial(deps, actor, why, job_id=job_id, **facts)
    return RefusedError(why)


async def note_policy(deps: Deps) -> None:
    """Put the rules in force on record, with all that they say, if they are not those of the last such row."""
    rules = plain(deps.policy)
    # The policy's own digest knows nothing of lines: a comment more is no other policy.
    seen, last = deps.policy.digest or digest(rules), await deps.store.latest(AuditKind.POLICY)
    if last is None or last.told().get("rules_digest") != seen:
        facts = {"rules_digest": seen, "rules": rules}
        await deps.store.record([Record(at=deps.now(), kind=AuditKind.POLICY, facts=facts)])


async def tell_policy(deps: Deps, news: str) -> None:
    """The policy file was taken over, or cannot be used: on record, and told in the alarm channel."""
    await note_policy(deps)
    if deps.alarm_channel:
        told = tell_channel(deps, deps.alarm_channel, escape(news), key=f"policy:{deps.new_id()}")
        await deps.store.tell([told])
        deps.nudge("deliver")


async def _post_anchor(deps: Deps) -> None:
    """The last row's number and hash, where nobody who can write the database can change them."""
    head, last = await deps.store.latest(), await deps.store.last_anchor()
    if not deps.anchoring.channel or head is None or not _is_due(deps, head, last):
        return
    anchor = Anchor(seq=head.seq, hash=head.hash, is_outside=False)
    notice = tell_channel(deps, deps.anchoring.channel, say_anchor(anchor, last), key=f"anchor:{anchor.seq}")
    await deps.store.anchor(anchor, deps.now(), notice)
    deps.nudge("deliver")


def _is_due(deps: Deps, head: Entry, last: Anchor | None) -> bool:
    if last is None:
        return True
    further = head.seq - last.seq
    return further >= deps.anchoring.rows or (further > 0 and deps.now() >= _kept_at(last) + deps.anchoring.every)


def _kept_at(anchor: Anchor) -> datetime:
    """Every anchor that the store keeps has a time."""
    if anchor.at is None:
        raise ValueError("an anchor without a time")
    return anchor.at


def say_anchor(anchor: Anchor, last: Anchor | None) -> str:
    """The line that is posted; `switchyard audit verify --slack` reads it."""
    former = f"the last one was row {last.seq}, {last.hash}" if last else "it is the first one"
    return f"{ANCHOR}: row {anchor.seq}, {anchor.hash}; {former}."
