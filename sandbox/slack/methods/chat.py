"""chat.*: posting, editing, deleting. Source: https://docs.slack.dev/reference/methods?family=chat."""

from __future__ import annotations

from dataclasses import replace

from sandbox.slack import content, shapes
from sandbox.slack.arguments import Arguments
from sandbox.slack.content import Content
from sandbox.slack.lab import Lab
from sandbox.slack.wire import JSON, SlackError
from sandbox.slack.workspace import Channel, Ephemeral, Message


def post_message(lab: Lab, args: Arguments) -> JSON:
    channel = lab.writable(_address(lab, args.required("channel")))
    said = content.read(dict(args.values), most_text=content.MOST_POSTED, truncate=True)
    if said.is_empty:
        raise SlackError("no_text")
    message = post(lab, channel, said, thread_ts=args.text("thread_ts"), broadcast=args.flag("reply_broadcast"))
    reply = {"channel": channel.id, "ts": message.ts, "message": shapes.message(lab.workspace, message)}
    if said.truncated:
        reply |= {"warning": "message_truncated", "response_metadata": {"warnings": ["message_truncated"]}}
    return reply


def post(lab: Lab, channel: Channel, said: Content, *, thread_ts: str | None, broadcast: bool) -> Message:
    """Puts the app's message into a conversation, for chat.postMessage and for response_urls."""
    if thread_ts is not None:
        thread_ts = root_of(lab, channel.id, thread_ts)
    is_broadcast = broadcast and thread_ts is not None
    return lab.workspace.put(
        Message(
            ts=lab.workspace.next_ts(),
            channel=channel.id,
            user=lab.bot,
            bot_id=lab.workspace.app.bot_id,
            text=_fallback(said),
            blocks=said.blocks or None,
            attachments=said.attachments or None,
            metadata=said.metadata or None,
            thread_ts=thread_ts,
            broadcast=is_broadcast,
            subtype="thread_broadcast" if is_broadcast else None,
        )
    )


def update(lab: Lab, args: Arguments) -> JSON:
    channel = lab.visible(args.required("channel"))
    message = _own(lab, channel, args.required("ts"), "cant_update_message")
    if channel.archived:
        raise SlackError("is_archived")
    said = content.read(dict(args.values), most_text=content.MOST_UPDATED, truncate=False)
    if said.text is None and said.blocks is None and said.attachments is None:
        raise SlackError("no_text")
    changed = edit(lab, message, said)
    shown = shapes.message(lab.workspace, changed)
    for absent in ("ts", "subtype", "thread_ts", "parent_user_id"):
        shown.pop(absent, None)
    return {"channel": channel.id, "ts": changed.ts, "text": changed.text, "message": shown}


def edit(lab: Lab, message: Message, said: Content) -> Message:
    """Blocks and attachments stay only where nothing is said; metadata stays unless new one is given.

    Text without blocks takes the blocks away, and only then Slack marks the message as edited.
    """
    keeps = said.text is None
    changed = replace(
        message,
        text=said.text if said.text is not None else message.text,
        blocks=_kept(said.blocks, message.blocks, keeps=keeps),
        attachments=_kept(said.attachments, message.attachments, keeps=keeps),
        metadata=message.metadata if said.metadata is None else said.metadata or None,
        edited_ts=message.edited_ts if said.blocks else lab.workspace.next_ts(),
    )
    if not (changed.text or changed.blocks or changed.attachments):
        raise SlackError("no_text")
    return lab.workspace.put(changed)


def delete(lab: Lab, args: Arguments) -> JSON:
    channel = lab.visible(args.required("channel"))
    message = _own(lab, channel, args.required("ts"), "cant_delete_message")
    lab.workspace.delete(message)
    return {"channel": channel.id, "ts": message.ts}


def post_ephemeral(lab: Lab, args: Arguments) -> JSON:
    channel = lab.writable(args.required("channel"))
    person = args.required("user")
    if person not in channel.members:
        raise SlackError("user_not_in_channel")
    said = content.read(dict(args.values), most_text=content.MOST_POSTED, truncate=False)
    if said.is_empty:
        raise SlackError("no_text")
    shown = whisper(lab, channel.id, person, said, thread_ts=args.text("thread_ts"))
    return {"message_ts": shown.id}


def whisper(lab: Lab, channel_id: str, person: str, said: Content, *, thread_ts: str | None) -> Ephemeral:
    """Shows the app's words to one person, for chat.postEphemeral, acknowledgements and response_urls."""
    stamp = lab.workspace.next_ts()
    return lab.workspace.show(
        Ephemeral(
            id=stamp,
            channel=channel_id,
            user=person,
            text=_fallback(said),
            blocks=said.blocks or None,
            attachments=said.attachments or None,
            thread_ts=thread_ts,
            created=float(stamp),
        )
    )


def same_whisper(ephemeral: Ephemeral, said: Content) -> Ephemeral:
    """The ephemeral message with new words."""
    return replace(ephemeral, text=_fallback(said), blocks=said.blocks or None, attachments=said.attachments or None)


def get_permalink(lab: Lab, args: Arguments) -> JSON:
    channel = lab.visible(args.required("channel"))
    message = lab.workspace.message(channel.id, args.required("message_ts"))
    link = f"{lab.base_url}/archives/{channel.id}/p{message.ts.replace('.', '')}"
    if message.is_reply:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


def _address(lab: Lab, channel: str) -> str:
    """A user's id means the direct conversation with that user, which is opened where it is not yet."""
    if channel in lab.workspace.users:
        return lab.workspace.open_dm(channel, lab.bot).id
    return channel


def root_of(lab: Lab, channel_id: str, thread_ts: str) -> str:
    """The ts under which a reply hangs. What Slack does with the ts of no message is not published: a guess."""
    root = lab.workspace.in_channel(channel_id).get(thread_ts)
    if root is None:
        raise SlackError("cannot_reply_to_message")
    return root.thread_ts or root.ts


def _own(lab: Lab, channel: Channel, ts: str, refusal: str) -> Message:
    message = lab.workspace.message(channel.id, ts)
    if message.bot_id != lab.workspace.app.bot_id:
        raise SlackError(refusal)
    return message


def _fallback(said: Content) -> str:
    return said.text or (content.NO_FALLBACK if said.blocks else "")


def _kept(new: tuple[JSON, ...] | None, old: tuple[JSON, ...] | None, *, keeps: bool) -> tuple[JSON, ...] | None:
    if new is None:
        return old if keeps else None
    return new or None
