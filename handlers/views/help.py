"""`/train help`: what can be trained here, with examples that work when pasted."""

from collections.abc import Mapping

from bot.domain.arguments import Argument, usage
from bot.domain.text import escape
from bot.ports import Gate, Provider
from bot.sentences import _, speak
from handlers.marks import clipped
from handlers.views import blocks
from handlers.views.blocks import Message
from handlers.views.words import ended

_GATES: Mapping[Gate, str] = {
    Gate.BEFORE: _("What is trained goes live by itself; the last question is before the start."),
    Gate.AFTER: _("The trained model goes live only after an approval."),
    Gate.NONE: _("The service offers no switch to a trained model."),
}


_TOLD = _(
    "`/jobs follow` lists what you are told, `/jobs follow PROVIDER [MODEL] [all|ends|failures|approvals] [here|me]` "
    "adds to it, `/jobs unfollow …` takes back. `/jobs mute JOB|PROVIDER [MODEL] [for=8h]` and "
    "`/jobs quiet 22:00-07:00` keep you from being called. The Home tab has a form for all of it."
)


def overview(providers: Mapping[str, Provider], missing: Mapping[str, str]) -> Message:
    """All services, configured or not."""
    shown = [blocks.section(_("*What can be trained here*"))]
    for name, provider in providers.items():
        line, example = usage(name, provider.arguments), provider.arguments.examples[0]
        shown.append(blocks.section(f"*{provider.title}*: `{line}`\n{_example(example)}"))
    shown += [blocks.context([f"{name}: {sentence}"]) for name, sentence in missing.items()]
    shown.append(blocks.section(" ".join(map(speak, _COMMANDS))))
    head = _("*Who is told what*")
    shown.append(blocks.section(f"{head}\n{_TOLD}"))
    return blocks.message(_("What can be trained here"), shown)


def _example(command: str) -> str:
    return _("For example `{command}`", command=command)


_COMMANDS = (
    _("`/train help PROVIDER` explains one service."),
    _(
        "`/train-status` lists what is alive in this channel, `/train-status JOB` tells a training's story, "
        "`/train-status PROVIDER REF…` asks the service itself (where Slack delivers `/status`, that works too)."
    ),
    _(
        "`/jobs` is the history: `/jobs [here|mine|all] [PROVIDER] [STATE] [since=7d] [TEXT]` filters it, and with "
        "`export=csv` or `export=jsonl` all that fits comes as a file into your direct message."
    ),
    _('`every="mon 09:00"` plans a training again and again, `/jobs every` lists those.'),
)


def command(line: str) -> Message:
    """A command to be pasted, letter for letter."""
    text = _("This command asks for the same:")
    line_block = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": line}]}
    shown = [blocks.section(text), {"type": "rich_text", "elements": [line_block]}]
    return Message(text=clipped(f"{text} {escape(line)}", blocks.MOST_PLAIN), blocks=tuple(shown))


def about(provider: Provider) -> Message:
    """One service: its arguments, its examples, its gate."""
    arguments = provider.arguments
    words = [_line(argument) for argument in (*arguments.positionals, *arguments.options)]
    words += [f"• `{family.label}`: {family.what}" for family in arguments.families]
    examples = "\n".join(f"`{example}`" for example in (*arguments.examples, arguments.reference_example))
    shown = [
        blocks.section(f"*{provider.title}*\n`{usage(provider.name, arguments)}`"),
        *blocks.lines(words),
        blocks.section(_("*Examples*\n{commands}", commands=examples)),
        blocks.context([_GATES[provider.powers.gate]]),
    ]
    return blocks.message(_("How to train with {service}", service=provider.title), shown)


def _line(argument: Argument) -> str:
    line = f"• `{argument.label}`: {ended(argument.what)}"
    choices = _("One of {choices}.", choices=", ".join(argument.choices))
    return f"{line} {choices}" if argument.choices else line
