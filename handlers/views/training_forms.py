"""The form of a training: a service, then its fields, as its arguments are declared.

Limits: https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element,
…/block-elements/plain-text-input-element and …/blocks/input-block.
"""

from collections.abc import Iterator, Mapping, Sequence

from bot.domain.arguments import Argument, Choice, Family, Kind
from bot.domain.text import code, readable
from bot.ports import Provider
from bot.sentences import _, by_name, ngettext, speak
from bot.usecases.choices import Offers
from handlers.ids import Action, Callback, action_id
from handlers.lines import Draft
from handlers.marks import foreign
from handlers.views.blocks import Block, button, buttons, context, plain_text, section
from handlers.views.forms import field
from handlers.views.words import capital, ended

PROVIDER = "provider"
TYPED = "typed"
FILE = "file"
MOST_OPTIONS = 100
MOST_OPTION = 75
MOST_OPTION_VALUE = 150
MOST_TYPED = 3000
MOST_METADATA = 3000
MOST_LINES_OFFERED = 10
_LISTS = frozenset({Kind.WORDS, Kind.INTEGERS})


def block_of(provider: str, name: str) -> str:
    """The block of a field: what was typed for one service stands in no field of another."""
    return f"{provider}.{name}"


def typed_block(block: str) -> str:
    """The field beside a choice, for what is not among it."""
    return f"{block}.{TYPED}"


def file_block(block: str) -> str:
    """The field beside a choice that a file is put into."""
    return f"{block}.{FILE}"


def besides(block: str) -> tuple[str, str]:
    """What counts instead of a choice, the strongest first."""
    return file_block(block), typed_block(block)


def skeleton(carried: str, providers: Mapping[str, Provider], chosen: str) -> Block:
    """The form before it is known what there is to choose."""
    asking = _("Asking the services what there is to choose …")
    if chosen in providers:
        asking = _("Asking {service} what there is to choose …", service=foreign(providers[chosen].title))
    return _view(carried, providers, chosen, [section(asking)])


def training_form(
    carried: str, providers: Mapping[str, Provider], draft: Draft, offers: Offers, *, says: str = ""
) -> Block:
    """The whole form, filled with the draft. `says` is a sentence about it, in Slack's marks."""
    provider = providers.get(draft.provider)
    said = [section(_(":warning: Please note: {problem}", problem=says))] if says else []
    fields = list(_fields(provider, draft, offers)) if provider else [section(_("Pick a service; its fields follow."))]
    return _view(carried, providers, draft.provider, [*said, *fields])


def _view(carried: str, providers: Mapping[str, Provider], chosen: str, shown: Sequence[Block]) -> Block:
    return {
        "type": "modal",
        "callback_id": Callback.TRAIN.value,
        "private_metadata": carried,
        # NOTE: At most 24 characters, the title of a form.
        "title": plain_text(_("Start a training"), 24),
        # NOTE: At most 24 characters, on a button.
        "submit": plain_text(_("Start"), 24),
        "close": plain_text(_("Close"), 24),
        "blocks": [_provider(providers, chosen), *shown],
    }


def _provider(providers: Mapping[str, Provider], chosen: str) -> Block:
    choices = [Choice(value=name, label=provider.title) for name, provider in providers.items()]
    element = _select(choices, [chosen], action_id(Action.FILL, PROVIDER))
    return {**field(PROVIDER, _("Service"), element), "dispatch_action": True}


def _fields(provider: Provider, draft: Draft, offers: Offers) -> Iterator[Block]:
    arguments = provider.arguments
    yield from _silence(provider, offers)
    for argument in (*arguments.positionals, *arguments.options):
        first, *others = _argument(provider.name, argument, draft.texts.get(argument.name, ""), offers)
        is_file = argument.kind is Kind.SOURCE and provider.data is not None
        yield from [first, *([_upload(provider, argument)] if is_file else []), *others]
    for family in arguments.families:
        yield from _family(provider.name, family, draft.texts.get(family.name, ""), offers)
    if provider.data is None:
        service = foreign(provider.title)
        yield context([_("{service} takes no file: it trains on what it holds.", service=service)])


def _silence(provider: Provider, offers: Offers) -> Iterator[Block]:
    if offers.silent:
        who, names = foreign(provider.title), ", ".join(code(name) for name in offers.silent)
        told = _("{service} did not say in time what there is for {fields}: please type it.", service=who, fields=names)
        yield context([told])


def _argument(provider: str, argument: Argument, text: str, offers: Offers) -> Iterator[Block]:
    block = block_of(provider, argument.name)
    label, hint = _label(argument.name), _sentence(argument.what)
    if argument.choices:
        element = _choice(argument, [Choice(value=one, label=one) for one in argument.choices], text)
        yield field(block, label, element, hint, is_optional=not argument.required)
        return
    choices = [one for one in offers.found.get(argument.name, ()) if 0 < len(one.value) <= MOST_OPTION_VALUE]
    if not choices:
        yield field(block, label, _text(text), hint, is_optional=not argument.required)
    else:
        yield from _offered(argument, block, choices, text)
    if argument.steers:
        yield buttons([button(_("Show what it has"), action_id(Action.FILL, argument.name), provider)])


def _upload(provider: Provider, argument: Argument) -> Block:
    """A file from whoever fills in the form. What it is called is looked at again when it is read.

    That any suffix may stand in `filetypes` is a guess: Slack's page speaks of valid extensions and lists none.
    https://docs.slack.dev/reference/block-kit/block-elements/file-input-element
    """
    kinds = [suffix.removeprefix(".") for suffix in (provider.data.suffixes if provider.data else ())]
    element = {"type": "file_input", "action_id": "file", "filetypes": kinds, "max_files": 1}
    hint = _("Up to 10 MB. A larger one is shared in the conversation and named by its link. It counts first.")
    block = file_block(block_of(provider.name, argument.name))
    return field(block, _("{field}, a file", field=_label(argument.name)), element, hint, is_optional=True)


def _offered(argument: Argument, block: str, choices: Sequence[Choice], text: str) -> Iterator[Block]:
    """A choice; where it may not be the whole, a field beside it, without which nothing could be typed."""
    label, hint = _label(argument.name), _sentence(argument.what)
    is_file = argument.kind is Kind.SOURCE
    known = {one.value for one in choices[:MOST_OPTIONS]}
    strange = [one for one in _several(argument, text) if one not in known]
    has_field = is_file or len(choices) > MOST_OPTIONS or bool(strange)
    is_optional = has_field or not argument.required
    yield field(block, label, _choice(argument, choices, "" if strange else text), hint, is_optional=is_optional)
    if has_field:
        element = _text(text if strange else "")
        yield field(typed_block(block), _("{field}, typed", field=label), element, _BESIDE[is_file], is_optional=True)


_BESIDE = {
    False: _("It counts instead of the choice."),
    True: _("A name, or the link of a file in Slack. It counts instead of the choice."),
}
"""What is said of a field beside a choice; of one for a file."""


def _choice(argument: Argument, choices: Sequence[Choice], text: str) -> Block:
    values = _several(argument, text)
    if argument.kind in _LISTS:
        return _select(choices, values, "many", is_multi=True)
    return _select(choices, values, "one")


def _several(argument: Argument, text: str) -> list[str]:
    words = text.split(",") if argument.kind in _LISTS else [text]
    return [word.strip() for word in words if word.strip()]


def _select(choices: Sequence[Choice], chosen: Sequence[str], action: str, *, is_multi: bool = False) -> Block:
    options = {one.value: _option(one) for one in choices[:MOST_OPTIONS]}
    folded = {_folded(value): option for value, option in options.items()}
    initial = [folded[_folded(value)] for value in dict.fromkeys(chosen) if _folded(value) in folded]
    element: Block = {
        "type": "multi_static_select" if is_multi else "static_select",
        "action_id": action,
        "placeholder": plain_text(_("Choose"), 150),
        "options": list(options.values()),
    }
    if not initial:
        return element
    return {**element, **({"initial_options": initial} if is_multi else {"initial_option": initial[0]})}


def _folded(text: str) -> str:
    return text.casefold().replace("_", "-")


def _option(choice: Choice) -> Block:
    return {"text": plain_text(speak(choice.label).strip() or choice.value, MOST_OPTION), "value": choice.value}


def _text(text: str, *, is_multiline: bool = False) -> Block:
    element: Block = {"type": "plain_text_input", "action_id": "text", "max_length": MOST_TYPED}
    element |= {"multiline": True} if is_multiline else {}
    shown = readable(text)[:MOST_TYPED]
    return {**element, **({"initial_value": shown} if shown else {})}


def _family(provider: str, family: Family, text: str, offers: Offers) -> Iterator[Block]:
    pairs = _("NAME=VALUE, one a line.")
    hint = f"{_sentence(family.what)} {pairs}"
    element = _text(text, is_multiline=True)
    yield field(block_of(provider, family.name), _label(family.name), element, hint, is_optional=True)
    lines = [one for one in offers.found.get(family.name, ()) if len(one.value) <= MOST_OPTION_VALUE]
    if lines:
        shown = [f"{code(one.value)}  {foreign(one.label, 80)}" for one in lines[:MOST_LINES_OFFERED]]
        left = len(lines) - MOST_LINES_OFFERED
        more = [ngettext("… and {count} more", "… and {count} more", left)] if left > 0 else []
        yield context(["\n".join(map(speak, [_("There are, to be copied:"), *shown, *more]))])


def _label(name: str) -> str:
    return capital(by_name(name))


def _sentence(text: str) -> str:
    """A hint is plain text, in which the marks of code would be shown as they are."""
    return ended(capital(text).replace("`", ""))
