// The rows of a channel or thread: messages, what only this person sees, dividers.

import { authorOf, avatar } from './avatars.js';
import { renderBlocks, renderProblem, renderText } from './blocks.js';
import { el } from './dom.js';
import { icon } from './icons.js';
import { plainText, renderMrkdwn } from './mrkdwn.js';
import { dayKeyOf, dayOf, fullTimeOf, momentOf, timeOf, whenOf } from './time.js';
import { isInChannel, isReply } from './world.js';

const GROUPED_SECONDS = 300;
const MOST_FACES = 5;

/** {key, mark, build} of each row of a channel, oldest first. */
export function channelItems({ world, session, names, channel }) {
  const messages = world.messages(channel).filter(isInChannel);
  return items([...messages, ...ephemeralsIn(world, session, channel, null)], { world, session, names, isThread: false });
}

/** The rows of a thread, its first message included. */
export function threadItems({ world, session, names, channel, thread }) {
  const root = world.message(channel, thread);
  const replies = world.replies(channel, thread);
  const rest = [...replies, ...ephemeralsIn(world, session, channel, thread)];
  const context = { world, session, names, isThread: true };
  return [
    ...(root ? [messageItem(root, { ...context, isCompact: false })] : []),
    repliesDivider(replies.length),
    ...items(rest, context),
  ];
}

/** What only this person sees, in the channel (thread null) or in a thread. */
function ephemeralsIn(world, session, channel, thread) {
  return [...world.state.ephemerals, ...session.notes].filter(
    (one) =>
      one.user === session.person && one.channel === channel && (one.thread_ts ?? null) === thread,
  );
}

function items(messages, context) {
  const sorted = messages.toSorted((one, other) => secondsOf(one) - secondsOf(other));
  const rows = [];
  sorted.forEach((message, index) => {
    const before = sorted[index - 1];
    const startsDay = !before || dayKey(before) !== dayKey(message);
    if (startsDay && !context.isThread) rows.push(dayItem(message));
    const startsNew = !context.isThread && isFirstNew(message, before, context.session);
    if (startsNew) rows.push(newItem());
    const isCompact = !startsDay && !startsNew && continues(before, message, context);
    rows.push(messageItem(message, { ...context, isCompact }));
  });
  return rows;
}

/** Seconds since 1970; what only one person sees has no ts of its own. */
function secondsOf(message) {
  return message.ts ? Number(message.ts) : Number(message.created) || Date.parse(message.created) / 1000;
}

function momentOfMessage(message) {
  return momentOf(secondsOf(message));
}

function dayKey(message) {
  return dayKeyOf(momentOfMessage(message));
}

function isFirstNew(message, before, session) {
  const { newSince } = session;
  if (newSince === null || !message.ts || Number(message.ts) <= Number(newSince)) return false;
  return !before || secondsOf(before) <= Number(newSince);
}

function continues(before, message, { world }) {
  if (message.subtype?.startsWith('channel_') || before.subtype?.startsWith('channel_')) return false;
  if (isBroadcast(message) || isBroadcast(before) || isPrivate(message) || isPrivate(before)) return false;
  const isSame = authorOf(world, before).name === authorOf(world, message).name;
  return isSame && secondsOf(message) - secondsOf(before) < GROUPED_SECONDS;
}

function isBroadcast(message) {
  return isReply(message) && isInChannel(message);
}

/** A reply that is shown in the channel too, seen there. */
function isShared(message, { isThread }) {
  return !isThread && isBroadcast(message);
}

// Dividers

function dayItem(message) {
  const key = dayKey(message);
  const label = dayOf(momentOfMessage(message));
  return { key: `day-${key}`, mark: label, build: () => divider('day', label) };
}

function newItem() {
  return { key: 'new', mark: 'new', build: () => divider('new', 'New') };
}

function repliesDivider(count) {
  const label = count === 0 ? 'No replies yet' : countReplies(count);
  return { key: 'replies', mark: label, build: () => divider('replies', label) };
}

function divider(kind, label) {
  return el('div', { class: `line line-${kind}`, role: 'separator', 'aria-label': label }, el('span', {}, label));
}

function countReplies(count) {
  return `${count} ${count === 1 ? 'reply' : 'replies'}`;
}

// Rows

const identities = new WeakMap();
let identified = 0;

/** A number for an object, the same for as long as it is the same object. */
function identityOf(object) {
  if (!identities.has(object)) identities.set(object, (identified += 1));
  return identities.get(object);
}

function messageItem(message, context) {
  const key = message.ts ?? message.id;
  const thread = context.isThread || !message.ts ? [] : threadOf(message, context.world);
  const pressed = context.session.pressed(key);
  const root = isShared(message, context) ? context.world.message(message.channel, message.thread_ts) : undefined;
  const facts = [message, context.names, pressed, root, ...thread].map((one) => (one ? identityOf(one) : 0));
  const mark = [...facts, context.isCompact].join(' ');
  return { key, mark, build: () => renderRow(message, key, { ...context, pressed, thread, root }) };
}

function threadOf(message, world) {
  return isReply(message) ? [] : world.replies(message.channel, message.ts);
}

function renderRow(message, key, context) {
  const author = authorOf(context.world, message);
  const classes = ['row', context.isCompact ? 'is-compact' : '', isPrivate(message) ? 'is-private' : ''].filter(Boolean).join(' ');
  return el(
    'div',
    { class: classes, role: 'article', 'aria-label': labelOf(author, message), dataset: { message: key } },
    isPrivate(message) ? privacyNotice() : null,
    isShared(message, context) ? broadcastNotice(message, context) : null,
    el('div', { class: 'gutter' }, context.isCompact ? timeLink(message) : avatar(author)),
    el('div', { class: 'content' }, context.isCompact ? null : byline(author, message), renderBody(message, key, context), renderThreadRow(message, context)),
    renderToolbar(message, context),
  );
}

function labelOf(author, message) {
  return `${author.name}${author.isApp ? ', app' : ''}, ${timeOf(momentOfMessage(message))}`;
}

function privacyNotice() {
  return el('div', { class: 'notice-line' }, el('span', { class: 'notice-icon' }, icon('eye')), 'Only visible to you');
}

function broadcastNotice(message, { root, names }) {
  const words = root ? plainText(root.text || 'a message', names).slice(0, 80) : 'a thread';
  const address = `#${message.channel}/${message.thread_ts}`;
  return el('div', { class: 'notice-line' }, el('span', { class: 'notice-icon' }, icon('reply')), 'replied to a thread: ', el('a', { href: address }, words));
}

function byline(author, message) {
  return el(
    'div',
    { class: 'byline' },
    el('span', { class: 'author' }, author.name),
    author.isApp ? el('span', { class: 'badge' }, 'APP') : null,
    timeLink(message),
  );
}

function timeLink(message) {
  const moment = momentOfMessage(message);
  const time = el('time', { datetime: moment.toISOString(), title: fullTimeOf(moment) }, timeOf(moment));
  return message.ts ? el('a', { class: 'time', href: `#${message.channel}/${message.thread_ts ?? message.ts}` }, time) : el('span', { class: 'time' }, time);
}

function renderBody(message, key, context) {
  const hasBlocks = message.blocks?.length > 0;
  return el(
    'div',
    { class: bodyClass(message) },
    hasBlocks ? renderBlocks(message.blocks, sceneOf(message.blocks, context)) : renderPlain(message, context.names),
    message.attachments?.map((attachment) => renderAttachment(attachment, context)),
    message.files?.map((file) => renderFile(file, context)),
    message.edited && hasBlocks ? el('div', { class: 'edited' }, '(edited)') : null,
    context.pressed.problem ? renderProblem(context.pressed.problem) : null,
    isPrivate(message) ? dismissal(key) : null,
  );
}

/** What only one person sees has no ts. */
function isPrivate(message) {
  return !message.ts;
}

function bodyClass(message) {
  const isSystem = message.subtype?.startsWith('channel_');
  return isSystem ? 'body is-system' : 'body';
}

function renderPlain(message, names) {
  const edited = message.edited ? el('span', { class: 'edited' }, ' (edited)') : null;
  return el('div', { class: 'text' }, renderMrkdwn(message.text ?? '', names), edited);
}

/** What blocks need to know around them. `pressed` is {block, action, isBusy, problem} of the element pressed last. */
function sceneOf(blocks, { names, pressed }) {
  return {
    names,
    blocks,
    text: (text) => renderText(text, names),
    state: (block, element) => (isPressed(pressed, block, element) ? pressed : {}),
  };
}

function isPressed(pressed, block, element) {
  return pressed.action !== undefined && pressed.action === element.action_id && pressed.block === (block?.block_id ?? null);
}

/** https://docs.slack.dev/messaging/formatting-message-text#attachments (the old secondary attachments) */
function renderAttachment(attachment, context) {
  const { names } = context;
  const title = attachment.title ? el('div', { class: 'attachment-title' }, attachment.title) : null;
  const text = attachment.text ? el('div', { class: 'text' }, renderMrkdwn(attachment.text, names)) : null;
  const blocks = attachment.blocks ? renderBlocks(attachment.blocks, sceneOf(attachment.blocks, context)) : null;
  const color = /^#?[0-9a-f]{6}$/i.test(attachment.color ?? '') ? `#${attachment.color.replace('#', '')}` : null;
  const fallback = title || text || blocks ? null : attachment.fallback;
  return el('div', { class: 'attachment', style: color ? { '--bar': color } : {} }, title, text, blocks, fallback);
}

/** A file of the conversation, opened as the person whose screen this is. */
function renderFile(file, { session }) {
  const address = `${new URL(file.permalink).pathname}?as=${encodeURIComponent(session.person)}`;
  const size = el('span', { class: 'file-size' }, `${file.size.toLocaleString('en')} bytes`);
  return el('a', { class: 'file', href: address, download: file.name }, el('span', { class: 'file-name' }, file.title), size);
}

function dismissal(key) {
  return el('button', { class: 'link-button', type: 'button', dataset: { dismiss: key } }, 'Dismiss message');
}

// Threads

function renderThreadRow(message, { thread, world }) {
  if (thread.length === 0) return null;
  const last = momentOfMessage(thread.at(-1));
  const label = countReplies(thread.length);
  return el(
    'button',
    { class: 'thread-row', type: 'button', 'aria-label': `${label}, open the thread`, dataset: { thread: message.ts } },
    facesOf(thread, world),
    el('span', { class: 'thread-count' }, label),
    el('span', { class: 'thread-last' }, `Last reply ${whenOf(last)}`),
    el('span', { class: 'thread-view' }, 'View thread'),
    icon('chevron'),
  );
}

function facesOf(thread, world) {
  const authors = new Map(thread.map((reply) => authorOf(world, reply)).map((author) => [author.name, author]));
  return [...authors.values()].slice(0, MOST_FACES).map((author) => avatar(author, 'avatar-small'));
}

function renderToolbar(message, { isThread, world }) {
  if (isPrivate(message)) return null;
  const hasMenu = world.state.shortcuts.some(({ type }) => type === 'message');
  return el(
    'div',
    { class: 'toolbar' },
    isThread ? null : tool('reply', 'Reply in thread', { thread: message.thread_ts ?? message.ts }),
    tool('link', 'Copy link', { link: `#${message.channel}/${message.thread_ts ?? message.ts}` }),
    hasMenu ? tool('dots', 'Message menu', { menu: message.ts }) : null,
  );
}

function tool(name, label, data) {
  return el('button', { class: 'tool', type: 'button', title: label, 'aria-label': label, dataset: data }, icon(name));
}
