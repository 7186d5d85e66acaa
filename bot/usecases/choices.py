"""What a form offers: what the service lists, what lies in the data folder, and the next free name."""

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.domain.arguments import Argument, Choice, Kind
from bot.domain.jobs import Job
from bot.domain.requests import TrainRequest
from bot.errors import DataError, ProviderError
from bot.ports import Deps, JobFilter, Provider

log = logging.getLogger(__name__)

_NUMBERED = re.compile(r"(.*[^0-9])([0-9]{1,3})", re.DOTALL)
_DATED = re.compile(r".*[0-9]{4}-[0-9]{2}-[0-9]{2}", re.DOTALL)
_MOST_JOBS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What can be chosen, by the name of the argument or family; `silent` are those that the service did not list."""

    found: Mapping[str, Sequence[Choice]] = field(default_factory=dict)
    silent: tuple[str, ...] = ()


async def read_offers(deps: Deps, provider: Provider, given: Mapping[str, str]) -> Offers:
    """Ask for everything at once; what does not come within `limits.offers` is typed instead."""
    asked = [_ask(deps, provider, name, given) for name in provider.listed]
    listed = dict(zip(provider.listed, await asyncio.gather(*asked), strict=True))
    files = await asyncio.to_thread(_files, deps, provider)
    found = {name: choices for name, choices in listed.items() if choices}
    silent = tuple(name for name, choices in listed.items() if choices is None)
    return Offers(found={**found, **{name: files for name in _sources(provider) if files}}, silent=silent)


async def _ask(deps: Deps, provider: Provider, name: str, given: Mapping[str, str]) -> Sequence[Choice] | None:
    try:
        async with asyncio.timeout(deps.limits.offers.total_seconds()):
            return await provider.choices(name, given)
    except (ProviderError, TimeoutError) as error:
        log.warning("%s did not list %s: %s", provider.title, name, error)
        return None


def _sources(provider: Provider) -> list[str]:
    return [option.name for option in provider.arguments.options if option.kind is Kind.SOURCE]


def _files(deps: Deps, provider: Provider) -> list[Choice]:
    if provider.data is None:
        return []
    try:
        return [Choice(value=name, label=name) for name in deps.files.names(provider.data.suffixes)]
    except DataError:
        return []


async def again(deps: Deps, provider: Provider, job: Job) -> TrainRequest:
    """The wish of a job once more; what has to be called anew gets the next name that was not used here."""
    params = dict(job.request.params)
    model = job.request.model
    for argument in (*provider.arguments.positionals, *provider.arguments.options):
        if argument.unique and argument.name in params:
            params[argument.name] = await _free_name(deps, provider, argument, str(params[argument.name]))
            model = params[argument.name] if provider.arguments.model == argument.name else model
    return replace(job.request, params=params, model=model)


async def _free_name(deps: Deps, provider: Provider, argument: Argument, name: str) -> str:
    jobs = await deps.store.jobs(JobFilter(provider=provider.name), limit=_MOST_JOBS)
    used = {job.request.params.get(argument.name) for job in jobs} | {name}
    while name in used:
        name = next_name(name)
    return name


def next_name(name: str) -> str:
    """`reviews-2` after `reviews`, `reviews-3` after that; a year or a date at the end is no count."""
    match = None if _DATED.fullmatch(name) else _NUMBERED.fullmatch(name)
    return f"{match.group(1)}{int(match.group(2)) + 1}" if match else f"{name}-2"
