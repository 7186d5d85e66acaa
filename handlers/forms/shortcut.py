"""“Train with this file”, in the menu of a message: the form, with the file chosen."""

from collections.abc import Mapping, Sequence

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.changes import NOTHING, Say
from bot.domain.text import code, cut, either
from bot.ports import Deps, Provider
from bot.sentences import _, joined
from handlers.forms.files import fitting, remembered, with_only_file
from handlers.forms.train import Opening, form_press, start_opening
from handlers.lines import Draft
from handlers.payloads import FormState, MessagePayload

NO_FILE = _(
    "This message has no file to train with. Choose a message that shows one, or open the form with `/train` and put "
    "the file into it."
)


async def open_with_files(deps: Deps, client: AsyncWebClient, payload: MessagePayload) -> Say:
    """Open the form with the files of a message: one is chosen, several are choices."""
    files = remembered({}, payload.files)
    if not files:
        return Say(text=NO_FILE)
    providers = deps.providers.configured().values()
    takers = [one for one in providers if fitting(one, files)]
    if not takers:
        return Say(text=_none_takes(list(providers), files))
    provider = takers[0] if len(takers) == 1 else None
    draft = Draft(provider=provider.name, texts=with_only_file(provider, {}, files)) if provider else Draft()
    channel = payload.channel.id if payload.channel else payload.actor.user
    state = FormState(channel=channel, url=payload.response_url, files=files)
    opening = Opening(
        trigger_id=payload.trigger_id, actor=payload.actor, state=state, draft=draft, button=form_press(_typed(draft))
    )
    start_opening(deps, client, opening)
    return NOTHING


def _typed(draft: Draft) -> str:
    """What opens the form as nearly the same, where it did not open in time."""
    return " ".join([draft.provider, *(f"{name}={text}" for name, text in draft.texts.items())]).strip()


def _none_takes(providers: Sequence[Provider], files: Mapping[str, str]) -> str:
    names = ", ".join(code(cut(name, 60)) for name in list(files.values())[:3])
    kinds = joined("; ", [joined(" ", [one.title, _kinds(one)]) for one in providers if one.data])
    takes = _("There are: {kinds}.", kinds=kinds) if kinds else _("None of them takes files.")
    return joined(" ", [_("No service here trains with {files}.", files=names), takes])


def _kinds(provider: Provider) -> str:
    return either(code(f"*{suffix}") for suffix in (provider.data.suffixes if provider.data else ()))
