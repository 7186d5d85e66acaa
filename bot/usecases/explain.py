"""Which rule decides about a prompt, and what it says of the person who asks."""

from bot.domain.approvals import GATES, Standing, is_approver_or, may_decide
from bot.domain.changes import Say
from bot.domain.policy import Clause
from bot.domain.requests import Actor
from bot.ports import Deps
from bot.usecases.decide import UNKNOWN_PROMPT
from bot.usecases.prompting import act_of, electorate


async def explain_prompt(deps: Deps, prompt_id: str, actor: Actor) -> Say:
    """The rule that decides now, by its name and place, and whether this person may answer."""
    prompt = await deps.store.prompt(prompt_id)
    job = await deps.store.job(prompt.job_id) if prompt else None
    if prompt is None or job is None or job.request.actor.team != actor.team:
        return Say(text=UNKNOWN_PROMPT)
    clause = deps.policy.clause_for(act_of(deps, job, prompt.subject), job.request.provider, job.request.model)
    voters = await electorate(deps, clause.rule, prompt.asked_at)
    judge = may_decide if prompt.subject in GATES else is_approver_or
    verdict = judge(actor, prompt.asker or job.request.actor, voters, deps.now())
    may = {Standing.ALLOWED: "You may decide.", Standing.DENIED: "You may not decide.", Standing.UNKNOWN: ""}
    return Say(text=" ".join([say_which(clause), may[verdict.standing], verdict.why]).replace("  ", " "))


def say_which(clause: Clause) -> str:
    """Where the rule stands."""
    if not clause.line:
        return "The rule of the settings decides this (`SWITCHYARD_APPROVALS__…`)."
    return f"The rule “{clause.rule.name}” decides this (line {clause.line} of the policy file)."
