"""Which rule decides about a prompt, and what it says of the person who asks."""

from bot.domain.approvals import GATES, is_approver_or, may_decide
from bot.domain.changes import Say
from bot.domain.explaining import explain
from bot.domain.requests import Actor
from bot.ports import Deps
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
    judge = may_decide if prompt.subject in GATES else is_approver_or
    sentences = explain(policy, act, provider, model, actor=actor, requester=asker, groups=voters.groups, now=now)
    closed = await explain_closed(deps, prompt_id)
    ending = closed.text if closed else f"At this moment: {judge(actor, asker, voters, now).why}"
    return Say(text="\n".join([*sentences, ending]))
