"""The form of what somebody is told: follow, stop, mute, quiet hours. Every field may stay as it is."""

from collections.abc import Mapping, Sequence
from datetime import time

from bot.domain.attention import Follow, Mute, Topic, Wishes, is_person
from bot.domain.explaining import DAYS as NAMES
from bot.domain.policy import Quiet
from bot.sentences import _, ngettext
from handlers.ids import Callback
from handlers.views.blocks import Block, plain_text, section
from handlers.views.forms import field

FOLLOW, MODEL, TOPIC, PLACE = "follow", "model", "topic", "place"
STOP, MUTE, LASTS = "stop", "mute", "lasts"
BEGINS, ENDS, DAYS = "begins", "ends", "days"
EACH, NO_HOURS = "all", "off"
MOST_LABEL = 75
MOST_TYPED = 200

TOPICS: Mapping[Topic, str] = {
    # NOTE: What somebody wants to be told of: the ends of trainings.
    Topic.ENDS: _("Ends"),
    Topic.FAILURES: _("Failures only"),
    Topic.APPROVALS: _("Approvals that are asked for"),
    Topic.ALL: _("Everything"),
}
_LASTS: Mapping[str, str] = {
    "1h": ngettext("{count} hour", "{count} hours", 1),
    "8h": ngettext("{count} hour", "{count} hours", 8),
    "1d": ngettext("{count} day", "{count} days", 1),
    "7d": ngettext("{count} day", "{count} days", 7),
    "4w": ngettext("{count} week", "{count} weeks", 4),
}
_BY_WHICH_CLOCK = _("In the time zone of your Slack profile. What comes then is told afterwards, in one message.")

Options = Sequence[tuple[str, str]]


def wishes_form(carried: str, wishes: Wishes, providers: Mapping[str, str], *, has_channel: bool) -> Block:
    """The form with what holds now; `providers` are the services with their titles."""
    topics = [(one.value, label) for one, label in TOPICS.items()]
    services = [(EACH, _("Every service")), *providers.items()]
    shown = [
        section(_("*Be told of trainings in public channels*")),
        _field(FOLLOW, _("Service"), _choice(_("Choose a service"), services)),
        _field(MODEL, _("Model"), _text(), _("Empty for each; * stands for any letters.")),
        _field(TOPIC, _("What of them"), _choice(TOPICS[Topic.ENDS], topics, [Topic.ENDS.value])),
        *([_place()] if has_channel else []),
        *_stop(wishes),
        section(_("*Mute*")),
        _field(MUTE, _("What not to call you about"), _text(), _("A training's id, a service and a model, or all.")),
        _field(LASTS, _("For how long"), _choice(_LASTS["1d"], list(_LASTS.items()), ["1d"])),
        section(_("*Quiet hours*")),
        *_quiet(wishes.habits.quiet),
    ]
    return {
        "type": "modal",
        "callback_id": Callback.ATTENTION.value,
        "private_metadata": carried,
        # NOTE: At most 24 characters, also as the title of a form.
        "title": plain_text(_("What you are told"), 24),
        # NOTE: At most 24 characters, on a button.
        "submit": plain_text(_("Save"), 24),
        "close": plain_text(_("Close"), 24),
        "blocks": shown,
    }


def _place() -> Block:
    options = [("me", _("In my direct message")), ("here", _("In this channel"))]
    return _field(PLACE, _("Where"), _choice(options[0][1], options, ["me"]))


def _stop(wishes: Wishes) -> list[Block]:
    options = [
        *((one.id, _followed(one)) for one in wishes.follows),
        *((one.id, _muted(one)) for one in wishes.habits.mutes),
    ]
    return [_field(STOP, _("Take back"), _choice(_("Nothing"), options, is_multi=True))] if options else []


def _followed(wish: Follow) -> str:
    about = f"{wish.about.provider or _EACH} {wish.about.model}".strip()
    told = f"{TOPICS[wish.topic]}: {about}"
    return told if is_person(wish.target) else _("{wish}, in a channel", wish=told)


_EACH, _ANYTHING = _("every service"), _("everything")


def _muted(mute: Mute) -> str:
    about = f"{mute.about.provider or _ANYTHING} {mute.about.model}".strip()
    return _("Mute: {what}", what=mute.job_id or about)


def _quiet(quiet: Quiet | None) -> list[Block]:
    has_hours = quiet is not None and quiet.begins != quiet.ends
    begins, ends = (quiet.begins, quiet.ends) if quiet is not None and has_hours else (None, None)
    days = [str(day) for day in quiet.days] if quiet is not None else []
    names = [(str(day), name) for day, name in enumerate(NAMES)]
    return [
        _field(BEGINS, _("From"), _choice(_NO_HOURS, _clocks(begins), [_clock(begins)]), _BY_WHICH_CLOCK),
        _field(ENDS, _("Until"), _choice(_NO_HOURS, _clocks(ends), [_clock(ends)])),
        _field(DAYS, _("Quiet all day on"), _choice(_("No day"), names, days, is_multi=True)),
    ]


_NO_HOURS = _("No quiet hours")


def _clock(at: time | None) -> str:
    return f"{at:%H:%M}" if at else NO_HOURS


def _clocks(now: time | None) -> Options:
    halves = {f"{hour:02}:{minute:02}" for hour in range(24) for minute in (0, 30)} | ({_clock(now)} if now else set())
    return [(NO_HOURS, _NO_HOURS), *((clock, clock) for clock in sorted(halves))]


def _choice(hint: str, options: Options, chosen: Sequence[str] = (), *, is_multi: bool = False) -> Block:
    offered = {value: {"text": plain_text(label, MOST_LABEL), "value": value} for value, label in options}
    initial = [offered[value] for value in chosen if value in offered]
    many = {"initial_options": initial} if is_multi and initial else {}
    one = {"initial_option": initial[0]} if initial and not is_multi else {}
    return {
        "type": "multi_static_select" if is_multi else "static_select",
        "action_id": "value",
        "placeholder": plain_text(hint, 150),
        "options": list(offered.values()),
        **many,
        **one,
    }


def _text() -> Block:
    return {"type": "plain_text_input", "action_id": "value", "max_length": MOST_TYPED}


def _field(block: str, label: str, element: Block, hint: str = "") -> Block:
    return field(block, label, element, hint, is_optional=True)
