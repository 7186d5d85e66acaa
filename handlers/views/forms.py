"""Forms, as Slack shows them in a modal."""

from bot.sentences import _
from handlers.ids import Callback
from handlers.views.blocks import Block, plain_text, section

REASON = "reason"
MOST_REASON = 500


# NOTE: At most 24 characters, also as the title of a form.
def reason_form(carried: str, verb: str = _("Reject"), *, is_optional: bool = False) -> Block:
    """Why is it approved or rejected? `carried` comes back with what is typed; it takes 3,000 characters."""
    return {
        "type": "modal",
        "callback_id": Callback.REASON.value,
        "private_metadata": carried,
        "title": plain_text(verb, 24),
        "submit": plain_text(verb, 24),
        # NOTE: At most 24 characters, on a button.
        "close": plain_text(_("Back"), 24),
        "blocks": [
            {
                "type": "input",
                "block_id": REASON,
                "optional": is_optional,
                "label": plain_text(_("Why?"), 2000),
                "hint": plain_text(_("Everybody who sees the card can read it."), 2000),
                "element": {
                    "type": "plain_text_input",
                    "action_id": REASON,
                    "multiline": True,
                    "max_length": MOST_REASON,
                },
            }
        ],
    }


def field(block: str, label: str, element: Block, hint: str = "", *, is_optional: bool = False) -> Block:
    """An input with its label."""
    made: Block = {
        "type": "input",
        "block_id": block,
        "label": plain_text(label, 2000),
        "element": element,
        "optional": is_optional,
    }
    return {**made, **({"hint": plain_text(hint, 2000)} if hint else {})}


def told(text: str) -> Block:
    """A form turned into an answer."""
    return {
        "type": "modal",
        "title": plain_text("Switchyard", 24),
        # NOTE: At most 24 characters, on a button.
        "close": plain_text(_("Close"), 24),
        "blocks": [section(text)],
    }
