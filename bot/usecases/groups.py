"""Who is in the groups and channels that decide, and the clicks that wait for that."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from bot.domain.approvals import GATES, Group, is_given_up
from bot.errors import MessengerError
from bot.ports import Click, Deps
from bot.usecases.decide import Waits, decide
from bot.usecases.home import answer_at_home
from bot.usecases.moves import body_of, prompt_key, redraw, tell_person
from bot.usecases.prompting import rule_of

READ_EVERY = timedelta(seconds=60)


async def read_groups(deps: Deps) -> None:
    """Tick: keep the copies fresh that open prompts and kept clicks need; then decide the clicks that waited."""
    clicks = await deps.store.kept_clicks()
    known = await deps.store.groups(deps.policy.groups)
    for id_ in await _wanted(deps, known):
        await _read(deps, known.get(id_, Group(id=id_)))
    for click in clicks:
        await _decide_waiting(deps, click)


async def read_now(deps: Deps, ids: Sequence[str]) -> None:
    """Read these groups where their copies are not fresh."""
    known = await deps.store.groups(ids)
    for id_ in ids:
        await _read(deps, known.get(id_, Group(id=id_)))


async def _wanted(deps: Deps, known: Mapping[str, Group]) -> list[str]:
    """The groups of all open gates, and those that somebody asked to be read."""
    wanted = [id_ for id_, group in known.items() if group.read_at is None]
    for prompt in await deps.store.open_prompts():
        job = await deps.store.job(prompt.job_id)
        if job is not None:
            wanted += rule_of(deps, job, prompt.subject).groups
    return list(dict.fromkeys(wanted))


async def forget_members(deps: Deps, group_id: str) -> None:
    """A group has changed: the copy is no longer good.

    Also that of one which no rule names at this moment: it may be read just now for a rule of a moment ago.
    """
    await deps.store.forget_group(group_id)
    deps.nudge("groups")


async def _read(deps: Deps, group: Group) -> None:
    if group.is_fresh(deps.now(), READ_EVERY):
        return
    try:
        members = await deps.messenger.members(group.id)
    except MessengerError:
        read = replace(group, failing_since=min(group.failing_since or deps.now(), deps.now()))
    else:
        read = replace(group, members=members, read_at=deps.now(), failing_since=None)
    if not await deps.store.save_group(read):
        # It changed while it was read: what was read may be older than that.
        deps.nudge("groups")
        return
    if is_given_up(group, deps.now()):
        await _draw_prompts(deps, f"{'unreadable' if read.failing_since else 'readable'}:{group.failing_since}")


async def _draw_prompts(deps: Deps, since: str) -> None:
    """Prompts say so when a group that decides them cannot be read; each is drawn once for the beginning of that and
    once for its end."""
    prompts = [prompt for prompt in await deps.store.open_prompts() if prompt.subject in GATES]
    drawn = [redraw(deps, one.job_id, prompt_key(one.id), key=f"{prompt_key(one.id)}:{since}") for one in prompts]
    await deps.store.tell(drawn)
    deps.nudge("deliver")


async def _decide_waiting(deps: Deps, click: Click) -> None:
    """The click counts as pressed now: the policy of this moment decides. It is kept until it can be decided."""
    said = await decide(deps, click)
    if isinstance(said, Waits):
        return
    if click.url:
        # Told before it is dropped: a process that dies in between tells the same once, under the same key.
        told = tell_person(deps, click.url, body_of(said), reader=click.actor, key=f"click:{click.id}")
        await deps.store.tell([told])
    else:
        await answer_at_home(deps, click.actor, said)
    await deps.store.drop_click(click.id)
    deps.nudge("deliver")
