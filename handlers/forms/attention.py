"""The form of what somebody is told: opened from the Home tab and from `/jobs follow`, and saved as the commands do."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.attention import About, Topic
from bot.domain.changes import NOTHING, Say
from bot.domain.policy import Quiet
from bot.domain.requests import Actor
from bot.errors import RefusedError, UsageError
from bot.ports import Deps
from bot.sentences import _, joined
from bot.usecases import following
from handlers.commands.attention import MUTE as MUTE_USAGE
from handlers.commands.attention import as_quiet, is_channel, read_muted, read_pattern, read_quiet
from handlers.forms.opening import answer_where_opened, or_else
from handlers.grammar import duration, split
from handlers.payloads import ActionPayload, FormState, SubmissionPayload
from handlers.views import wishes_form as form

T = TypeVar("T")

_LATE = _("Slack did not open the form in time. Please press once more.")


async def open_wishes(deps: Deps, client: AsyncWebClient, payload: ActionPayload) -> Say:
    """Open it, with what holds now."""
    channel = payload.channel.id if payload.channel and is_channel(payload.channel.id) else ""
    state = FormState(channel=channel, url=payload.response_url)
    wishes = await following.wishes_of(deps, payload.actor, channel)
    titles = {name: one.title for name, one in deps.providers.configured().items()}
    view = form.wishes_form(state.model_dump_json(), wishes, titles, has_channel=bool(channel))
    deps.spawn(f"form:{deps.new_id()}", _open(deps, client, payload, view))
    return NOTHING


async def _open(deps: Deps, client: AsyncWebClient, payload: ActionPayload, view: Mapping[str, object]) -> None:
    late = partial(answer_where_opened, deps, payload.actor, payload.response_url, Say(text=_LATE))
    async with or_else(late):
        await client.views_open(trigger_id=payload.trigger_id, view=dict(view))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Typed:
    """What the fields hold, as it is understood."""

    stop: tuple[str, ...]
    follow: About | None
    topic: Topic
    is_here: bool
    mute: tuple[str, About] | None
    lasts: timedelta
    quiet: Quiet | None


async def submit_wishes(deps: Deps, payload: SubmissionPayload) -> Mapping[str, str]:
    """Keep what changed. What stands against it, by the block that shows it; else nothing."""
    state = FormState.model_validate_json(payload.view.private_metadata)
    faults: dict[str, str] = {}
    typed = _read(deps, payload.view.texts, faults)
    said = [] if faults else [one.text async for one in _keep(deps, payload.actor, typed, state.channel, faults)]
    if not faults:
        text = joined("\n", said) or _("Nothing was changed.")
        await answer_where_opened(deps, payload.actor, state.url, Say(text=text))
    return faults


def _read(deps: Deps, texts: Mapping[str, str], faults: dict[str, str]) -> _Typed:
    def fitting(block: str, read: Callable[[], T], otherwise: T) -> T:
        try:
            return read()
        except UsageError as error:
            faults[block] = str(error)
            return otherwise

    return _Typed(
        stop=tuple(id_ for id_ in texts.get(form.STOP, "").split(",") if id_),
        follow=fitting(form.MODEL, lambda: _read_follow(texts), None),
        topic=Topic(texts.get(form.TOPIC) or Topic.ENDS),
        is_here=texts.get(form.PLACE) == "here",
        mute=fitting(form.MUTE, lambda: _read_mute(deps, texts), None),
        lasts=duration(texts.get(form.LASTS) or "1d", "for"),
        quiet=fitting(form.BEGINS, lambda: _read_quiet(texts), None),
    )


def _read_follow(texts: Mapping[str, str]) -> About | None:
    provider, model = texts.get(form.FOLLOW, ""), texts.get(form.MODEL, "").strip()
    if model and not provider:
        raise UsageError(_("Choose the service of this model, or every service."))
    if not provider:
        return None
    return About(provider="" if provider == form.EACH else provider, model=read_pattern(model) if model else "")


def _read_mute(deps: Deps, texts: Mapping[str, str]) -> tuple[str, About] | None:
    words = split(texts.get(form.MUTE, ""))
    return read_muted(words, deps.providers.names, MUTE_USAGE) if words else None


def _read_quiet(texts: Mapping[str, str]) -> Quiet | None:
    clocks = [texts.get(block) or form.NO_HOURS for block in (form.BEGINS, form.ENDS)]
    days = {int(day) for day in texts.get(form.DAYS, "").split(",") if day}
    if clocks.count(form.NO_HOURS) == 1:
        raise UsageError(_("Quiet hours need both: from when and until when."))
    hours = read_quiet(split("-".join(clocks))) if form.NO_HOURS not in clocks else None
    return as_quiet(hours, days) if hours or days else None


async def _keep(deps: Deps, actor: Actor, typed: _Typed, channel: str, faults: dict[str, str]) -> AsyncIterator[Say]:
    """One after the other; what is refused stands at its field, and what was kept before it stays."""
    wishes = await following.wishes_of(deps, actor, channel)
    there = {*(one.id for one in wishes.follows), *(one.id for one in wishes.habits.mutes)}
    for id_ in typed.stop:
        if id_ in there:
            yield await following.stop(deps, id_, actor, channel)
    try:
        if typed.follow is not None:
            target = channel if channel and typed.is_here else actor.user
            yield await following.follow(deps, actor, target, typed.follow, typed.topic)
    except RefusedError as error:
        faults[form.FOLLOW] = str(error)
    try:
        if typed.mute is not None:
            job_id, about = typed.mute
            yield await following.mute(deps, actor, job_id=job_id, about=about, lasts=typed.lasts)
    except RefusedError as error:
        faults[form.MUTE] = str(error)
    if typed.quiet != wishes.habits.quiet:
        yield await following.keep_quiet(deps, actor, typed.quiet)
