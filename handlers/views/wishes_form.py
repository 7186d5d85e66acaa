"""The form of what somebody is told: follow, stop, mute, quiet hours. Every field may stay as it is."""

from collections.abc import Mapping, Sequence
from datetime import time

from bot.domain.attention import Follow, Mute, Topic, Wishes, is_person
from bot.domain.explaining import DAYS as NAMES
from bot.domain.policy import Quiet
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
    Topic.ENDS: "Ends",
    Topic.FAILURES: "Failures only",
    Topic.APPROVALS: "Approvals that are asked for",
    Topic.ALL: "Everything",
}
_LASTS = {"1h": "1 hour", "8h": "8 hours", "1d": "1 day", "7d": "7 days", "4w": "4 weeks"}
_BY_WHICH_CLOCK = "In the time zone of your Slack profile. What comes then is told afterwards, in one message."

Options = Sequence[tuple[str, str]]


def wishes_form(carried: str, wishes: Wishes, providers: Mapping[str, str], *, has_channel: bool) -> Block:
    """The form with what holds now; `providers` are the services with their titles."""
    services = [(EACH, "Every service"), *providers.items()]
    shown = [
        section("*Be told of trainings in public channels*"),
        _field(FOLLOW, "Service", _choice("Choose a service", services)),
        _field(MODEL, "Model", _text(), "Empty for each; * stands for any letters."),
        _field(TOPIC, "What of them", _choice("Ends", [(one.value, label) for one, label in TOPICS.items()], ["ends"])),
        *([_place()] if has_channel else []),
        *_stop(wishes),
        section("*Mute*"),
        _field(MUTE, "What not to call you about", _text(), "A training's id, a service and a model, or all."),
        _field(LASTS, "For how long", _choice("1 day", list(_LASTS.items()), ["1d"])),
        section("*Quiet hours*"),
        *_quiet(wishes.habits.quiet),
    ]
    return {
        "type": "modal",
        "callback_id": Callback.ATTENTION.value,
        "private_metadata": carried,
        "title": plain_text("What you are told", 24),
        "submit": plain_text("Save", 24),
        "close": plain_text("Close", 24),
        "blocks": shown,
    }


def _place() -> Block:
    options = [("me", "In my direct message"), ("here", "In this channel")]
    return _field(PLACE, "Where", _choice("In my direct message", options, ["me"]))


def _stop(wishes: Wishes) -> list[Block]:
    options = [
        *((one.id, _followed(one)) for one in wishes.follows),
        *((one.id, _muted(one)) for one in wishes.habits.mutes),
    ]
    return [_field(STOP, "Take back", _choice("Nothing", options, is_multi=True))] if options else []


def _followed(wish: Follow) -> str:
    about = f"{wish.about.provider or 'every service'} {wish.about.model}".strip()
    return f"{TOPICS[wish.topic]}: {about}{'' if is_person(wish.target) else ', in a channel'}"


def _muted(mute: Mute) -> str:
    about = f"{mute.about.provider or 'everything'} {mute.about.model}".strip()
    return f"Mute: {mute.job_id or about}"


def _quiet(quiet: Quiet | None) -> list[Block]:
    has_hours = quiet is not None and quiet.begins != quiet.ends
    begins, ends = (quiet.begins, quiet.ends) if quiet is not None and has_hours else (None, None)
    days = [str(day) for day in quiet.days] if quiet is not None else []
    names = [(str(day), name) for day, name in enumerate(NAMES)]
    return [
        _field(BEGINS, "From", _choice("No quiet hours", _clocks(begins), [_clock(begins)]), _BY_WHICH_CLOCK),
        _field(ENDS, "Until", _choice("No quiet hours", _clocks(ends), [_clock(ends)])),
        _field(DAYS, "Quiet all day on", _choice("No day", names, days, is_multi=True)),
    ]


def _clock(at: time | None) -> str:
    return f"{at:%H:%M}" if at else NO_HOURS


def _clocks(now: time | None) -> Options:
    halves = {f"{hour:02}:{minute:02}" for hour in range(24) for minute in (0, 30)} | ({_clock(now)} if now else set())
    return [(NO_HOURS, "No quiet hours"), *((clock, clock) for clock in sorted(halves))]


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
