"""Which rule decides about a prompt, and what it says of the person who asks."""

from dataclasses import replace
from datetime import datetime

from bot.domain.approvals import GATES, Electorate, Prompt, Standing, is_approver_or, may_decide
from bot.domain.changes import Say
from bot.domain.explaining import say_rule, say_vote
from bot.domain.requests import Actor
from bot.ports import Deps
from bot.sentences import _, joined
from bot.usecases.decide import UNKNOWN_PROMPT, explain_closed
from bot.usecases.prompting import act_of, electorate


async def explain_prompt(deps: Deps, prompt_id: str, actor: Actor) -> Say:
    """The rule that decides now, by its name and place, what it wants, and whether this person may answer."""
    prompt = await deps.store.prompt(prompt_id)
    job = await deps.store.job(prompt.job_id) if prompt else None
    if prompt is None or job is None or job.request.actor.team != actor.team:
        return Say(text=UNKNOWN_PROMPT)
    asker, policy, now = prompt.asker or job.request.actor, deps.policy, deps.now()
    act, provider, model = act_of(deps, job, prompt.subject), job.request.provider, job.request.model
    voters = await electorate(deps, policy.rule_for(act, provider, model), prompt.asked_at)
    sentences = say_rule(policy, act, provider, model, groups=voters.groups, now=now)
    closed = await explain_closed(deps, prompt_id)
    ending = [closed.text] if closed else _say_right(prompt, actor, asker, voters, now)
    return Say(text=joined("\n", [*sentences, *ending]))


def _say_right(prompt: Prompt, actor: Actor, asker: Actor, voters: Electorate, now: datetime) -> list[str]:
    """What this person may at this moment; who may not yet, is told whether that changes with the second group."""
    judge = may_decide if prompt.subject in GATES else is_approver_or
    verdict = judge(actor, asker, voters, now)
    if verdict.standing is Standing.ALLOWED:
        return [_("*You may decide this now:* {why}", why=verdict.why)]
    later = [say_vote(voters.rule, actor, asker, voters.groups, now)] if _may_later(actor, asker, voters, now) else []
    return [*later, _("*At this moment:* {why}", why=verdict.why)]


def _may_later(actor: Actor, asker: Actor, voters: Electorate, now: datetime) -> bool:
    if voters.rule.second_after is None:
        return False
    late = replace(voters, asked_at=now - voters.rule.second_after)
    return may_decide(actor, asker, late, now).standing is not Standing.DENIED
