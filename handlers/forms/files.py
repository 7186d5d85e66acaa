"""Files in Slack as a form offers them: those that a service takes, beside what lies in the data folder. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from bot.domain.arguments import Choice, Kind
from bot.domain.jobs import Job
from bot.domain.shared_files import id_in
from bot.domain.text import cut, in_one_line
from bot.ports import Provider
from bot.sentences import _
from bot.usecases.choices import Offers

MOST = 10
_MOST_NAME = 60


def remembered(files: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """The files that a form carries along, the last ones of many; names short enough for its metadata."""
    named = {**files, **{id_: _short(name) for id_, name in more.items()}}
    return dict(list(named.items())[-MOST:])


def file_of(job: Job) -> dict[str, str]:
    """The name of the one file in Slack that a training was asked for with; of several, none is known."""
    payload, sources = job.plan.payload if job.plan else None, list(job.request.data.values())
    id_ = id_in(sources[0]) if len(sources) == 1 else None
    return remembered({}, {id_: payload.name}) if id_ and payload else {}


def _short(name: str) -> str:
    """The end tells what kind of file it is."""
    line = in_one_line(name)
    return line if len(line) <= _MOST_NAME else f"{cut(line, _MOST_NAME - 12)}{line[-12:]}"


def fitting(provider: Provider, files: Mapping[str, str]) -> dict[str, str]:
    """Those of a kind that the service takes."""
    suffixes = provider.data.suffixes if provider.data else ()
    return {id_: name for id_, name in files.items() if suffixes and name.casefold().endswith(suffixes)}


def offered(offers: Offers, provider: Provider, files: Mapping[str, str]) -> Offers:
    """The offers with these files before what lies in the data folder."""
    mine = [
        Choice(value=id_, label=_("{file} (in Slack)", file=name)) for id_, name in fitting(provider, files).items()
    ]
    roles = [option.name for option in provider.arguments.options if option.kind is Kind.SOURCE] if mine else []
    return replace(offers, found={**offers.found, **{role: [*mine, *offers.found.get(role, ())] for role in roles}})


def with_only_file(provider: Provider, texts: Mapping[str, str], files: Mapping[str, str]) -> dict[str, str]:
    """The texts, with the one file that fits as the data, where nothing was said of that yet."""
    found = list(fitting(provider, files))
    role = provider.data.roles[0] if provider.data else ""
    return {role: found[0], **texts} if len(found) == 1 else dict(texts)
