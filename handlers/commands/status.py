"""`/train-status …`, `/status …` and `/train status …`: what is alive, one story, or the service itself."""

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.changes import Say
from bot.domain.charts import TRAINED, scoreboard
from bot.domain.history import Story
from bot.domain.jobs import ENDS, Job, JobState
from bot.errors import UsageError
from bot.ports import Deps, JobFilter, Powers
from bot.sentences import _, by_name
from bot.usecases.cards import about
from bot.usecases.former import kept_data
from bot.usecases.inquire import Asking, inquire
from handlers.grammar import Word, is_job_id, one_too_many, parse_reference, shown, split
from handlers.payloads import CommandPayload
from handlers.views import charts, history
from handlers.views.blocks import Message


async def answer(deps: Deps, payload: CommandPayload) -> Say | Message:
    return await answer_status(deps, payload, split(payload.typed))


async def answer_status(deps: Deps, payload: CommandPayload, words: Sequence[Word]) -> Say | Message:
    """What stands behind the word `status`."""
    if not words:
        alive = JobFilter(place=payload.channel_id, states=frozenset(JobState) - ENDS)
        return history.alive(await deps.store.jobs(alive, limit=history.MOST_ALIVE + 1))
    first = words[0].whole().casefold()
    if is_job_id(first):
        return await _answer_job(deps, first, words[1:], payload.actor.team)
    provider = deps.providers.get(shown(first))
    asking = Asking(
        key=payload.trigger_id,
        provider=provider.name,
        words=parse_reference(provider, words[1:]),
        actor=payload.actor,
        channel=payload.channel_id,
        url=payload.response_url,
    )
    return await inquire(deps, asking)


async def _answer_job(deps: Deps, job_id: str, more: Sequence[Word], team: str) -> Message:
    if more:
        raise one_too_many(more[0].whole(), f"`/status {job_id}`")
    return await tell_story(deps, job_id, team)


async def tell_story(deps: Deps, job_id: str, team: str, number: int = 0) -> Message:
    """A page of one job's story. Raises UsageError for a job that is not kept here."""
    job = await deps.store.job(job_id)
    if job is None or job.request.actor.team != team:
        raise UsageError(_("Switchyard keeps no training `{job}`. `/jobs` lists them.", job=job_id), word=job_id)
    title, _powers = about(deps, job.request.provider)
    moves, prompts = await deps.store.transitions(job_id), await deps.store.prompts(job_id)
    told, is_kept = Story(job=job, moves=tuple(moves), prompts=tuple(prompts)), await kept_data(deps, job) is not None
    return history.story(told, title, deps.now(), number=number, is_kept=is_kept)


async def show_scores(deps: Deps, job: Job) -> Message:
    """A picture of the scores of the trainings of this workspace that a training can be compared with."""
    asked = job.request
    title, powers = about(deps, asked.provider)
    wanted = JobFilter(team=asked.actor.team, provider=asked.provider, states=TRAINED)
    if not powers.compared_by:
        wanted = replace(wanted, model=asked.model)
    found = await deps.store.jobs(wanted, limit=charts.MOST_READ)
    common = _common(job, powers)
    board = scoreboard([one for one in found if _common(one, powers) == common], charts.MOST)
    return charts.scores(board, f"{title} {by_name(powers.compared_by)}".strip(), common)


def _common(job: Job, powers: Powers) -> str:
    """What the trainings that are compared have in common."""
    return str(job.request.params.get(powers.compared_by, "")) if powers.compared_by else job.request.model
