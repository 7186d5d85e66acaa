// Slack's mrkdwn as DOM nodes. https://docs.slack.dev/messaging/formatting-message-text
// `names` knows who is who: person(id), channel(id), group(id) give {label, isMe?} or null.

import { el, fragment } from './dom.js';
import { emojiOf } from './emoji.js';
import { formatDate, fullTimeOf, momentOf } from './time.js';

const FENCE = /```([\s\S]+?)```/g;
const QUOTE = /^(?:&gt;|>) ?/;
const EMOJI = /:([a-z0-9_+-]+):(?::skin-tone-\d:)?/y;
const ADDRESS = /https?:\/\/[^\s<>|`"]+/y;
const WORD = /[\p{L}\p{N}]/u;
const STYLES = { '*': 'strong', _: 'em', '~': 's' };
const SAFE_SCHEMES = ['http:', 'https:', 'mailto:'];

/** The three characters that Slack escapes. */
function unescape(text) {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}

/** A whole text: fenced code, quotes, lines. */
export function renderMrkdwn(text, names) {
  const parts = text.split(FENCE);
  return fragment(parts.map((part, index) => (index % 2 ? renderFence(part) : renderLines(part, index, parts, names))));
}

function renderFence(code) {
  return el('pre', { tabindex: '0' }, plainOf(code.replace(/^\n/, '').replace(/\n$/, '')));
}

function renderLines(part, index, parts, names) {
  let text = part;
  if (index > 0) text = text.replace(/^\n/, '');
  if (index < parts.length - 1) text = text.replace(/\n$/, '');
  return text === '' ? null : groupQuotes(text.split('\n')).map((group, nth, all) => renderGroup(group, all[nth + 1], names));
}

function groupQuotes(lines) {
  const groups = [];
  for (const line of lines) {
    const isQuote = QUOTE.test(line);
    if (groups.at(-1)?.isQuote !== isQuote) groups.push({ isQuote, lines: [] });
    groups.at(-1).lines.push(isQuote ? line.replace(QUOTE, '') : line);
  }
  return groups;
}

function renderGroup(group, next, names) {
  const lines = group.lines.map((line, index) => [index ? el('br') : null, renderInline(line, names)]);
  return group.isQuote ? el('blockquote', {}, lines) : lines;
}

/** One line: styles, code, mentions, links, emoji. Returns an array of nodes and strings. */
function renderInline(line, names) {
  const out = [];
  const hopeless = new Set();
  let plain = '';
  let at = 0;
  while (at < line.length) {
    const found = readToken(line, at, names, hopeless);
    if (found === null) {
      plain += line[at];
      at += 1;
      continue;
    }
    if (plain) out.push(unescape(plain));
    plain = '';
    out.push(found.node);
    at = found.end;
  }
  if (plain) out.push(unescape(plain));
  return out;
}

function readToken(line, at, names, hopeless) {
  const character = line[at];
  if (character === '<') return readAngle(line, at, names);
  if (character === '`') return readCode(line, at);
  if (character === ':') return readEmoji(line, at);
  if (character === 'h') return readAddress(line, at);
  if (Object.hasOwn(STYLES, character)) return readStyle(line, at, names, hopeless);
  return null;
}

function readCode(line, at) {
  const end = line.indexOf('`', at + 1);
  if (end <= at + 1) return null;
  return { node: el('code', {}, plainOf(line.slice(at + 1, end))), end: end + 1 };
}

function readEmoji(line, at) {
  EMOJI.lastIndex = at;
  const match = EMOJI.exec(line);
  const character = match && emojiOf(match[1]);
  return character ? { node: emojiNode(match[1], character), end: EMOJI.lastIndex } : null;
}

export function emojiNode(name, character) {
  return el('span', { class: 'emoji', role: 'img', 'aria-label': name.replaceAll('_', ' '), title: `:${name}:` }, character);
}

function readAddress(line, at) {
  if (at > 0 && WORD.test(line[at - 1])) return null;
  ADDRESS.lastIndex = at;
  const match = ADDRESS.exec(line);
  if (!match) return null;
  const address = match[0].replace(/(?:[.,;:!?)*_~]|&gt;)+$/, '');
  return { node: linkNode(unescape(address), [unescape(address)]), end: at + address.length };
}

function readStyle(line, at, names, hopeless) {
  const marker = line[at];
  if (hopeless.has(marker) || !opensStyle(line, at)) return null;
  const end = findClosing(line, at, marker);
  if (end === -1) {
    hopeless.add(marker);
    return null;
  }
  return { node: el(STYLES[marker], {}, renderInline(line.slice(at + 1, end), names)), end: end + 1 };
}

function opensStyle(line, at) {
  const before = line[at - 1];
  const after = line[at + 1];
  return (before === undefined || !WORD.test(before)) && after !== undefined && !/\s/.test(after) && after !== line[at];
}

function findClosing(line, at, marker) {
  for (let index = at + 1; index < line.length; index += 1) {
    index = skipOver(line, index);
    if (line[index] === marker && closesStyle(line, at, index)) return index;
  }
  return -1;
}

/** Markers inside code and links are not markers. */
function skipOver(line, index) {
  const closing = { '`': '`', '<': '>' }[line[index]];
  const end = closing === undefined ? -1 : line.indexOf(closing, index + 1);
  return end === -1 ? index : end;
}

function closesStyle(line, at, index) {
  const after = line[index + 1];
  return index > at + 1 && !/\s/.test(line[index - 1]) && (after === undefined || !WORD.test(after));
}

function readAngle(line, at, names) {
  const end = line.indexOf('>', at);
  if (end === -1) return null;
  const node = renderAngle(line.slice(at + 1, end), names);
  return node === null ? null : { node, end: end + 1 };
}

function renderAngle(inner, names) {
  const [, target, label] = /^([^|]*)(?:\|([\s\S]*))?$/.exec(inner);
  switch (target[0]) {
    case '@':
      return mentionNode(names.person(target.slice(1)), `@${label ?? target.slice(1)}`);
    case '#':
      return channelNode(target.slice(1), names.channel(target.slice(1)), label);
    case '!':
      return renderSpecial(target.slice(1), label, names);
    default:
      return isAddress(target) ? linkNode(unescape(target), label ? renderInline(label, names) : [unescape(target)]) : null;
  }
}

function renderSpecial(target, label, names) {
  const [word, ...rest] = target.split('^');
  if (word === 'date') return dateNode(rest, label);
  if (word === 'subteam') return mentionNode(names.group(rest[0]), label ?? `@${rest[0]}`);
  if (['here', 'channel', 'everyone'].includes(word)) return mentionNode({ label: `@${word}`, isMe: true });
  return el('span', {}, `<${label ?? word}>`);
}

function dateNode([seconds, format = '{date}', address], fallback = '') {
  const moment = momentOf(seconds);
  if (Number.isNaN(moment.getTime())) return el('span', {}, unescape(fallback));
  const time = el('time', { datetime: moment.toISOString(), title: fullTimeOf(moment) }, formatDate(moment, unescape(format)));
  return address && isAddress(address) ? linkNode(unescape(address), [time]) : time;
}

/** "@Ada"; somebody unknown is shown by what the text says. */
export function mentionNode(known, fallback = '') {
  return el('span', { class: known?.isMe ? 'mention mention-me' : 'mention' }, known?.label ?? unescape(fallback));
}

export function channelNode(id, known, label) {
  const text = `#${known?.label ?? label ?? id}`;
  return known ? el('a', { class: 'mention', href: `#${id}` }, text) : el('span', { class: 'mention' }, text);
}

/** A link, or only its words where the address could run something. */
export function linkNode(address, children) {
  if (!isAddress(address)) return el('span', {}, children);
  const isHere = address.startsWith(`${location.origin}/#`);
  const props = isHere ? { href: new URL(address).hash } : { href: address, target: '_blank', rel: 'noopener noreferrer' };
  return el('a', props, children);
}

export function isAddress(text) {
  return URL.canParse(text) && SAFE_SCHEMES.includes(new URL(text).protocol);
}

/** Code is shown as it is: a link inside it by its words. */
function plainOf(text) {
  return unescape(text.replace(/<([^<>|]+)\|([^<>]*)>/g, '$2').replace(/<((?:https?|mailto):[^<>|]+)>/g, '$1'));
}

/** A text as one plain line, for previews and labels. */
export function plainText(text, names) {
  const holder = el('div', {}, renderMrkdwn(text, names));
  return holder.textContent.replace(/\s+/g, ' ').trim();
}
