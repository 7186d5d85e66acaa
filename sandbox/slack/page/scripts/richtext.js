// rich_text blocks. https://docs.slack.dev/reference/block-kit/blocks/rich-text-block

import { el } from './dom.js';
import { emojiOf } from './emoji.js';
import { channelNode, emojiNode, linkNode, mentionNode } from './mrkdwn.js';
import { formatDate, momentOf } from './time.js';

const PARTS = {
  rich_text_section: (part, names) => el('div', { class: 'rich-section' }, renderRuns(part.elements, names)),
  rich_text_quote: (part, names) => el('blockquote', {}, renderRuns(part.elements, names)),
  rich_text_preformatted: (part, names) => el('pre', { tabindex: '0' }, renderRuns(part.elements, names)),
  rich_text_list: renderList,
};

const RUNS = {
  text: (run) => run.text.split('\n').flatMap((line, index) => (index ? [el('br'), line] : [line])),
  link: (run) => linkNode(run.url, [run.text ?? run.url]),
  user: (run, names) => mentionNode(names.person(run.user_id), `@${run.user_id}`),
  usergroup: (run, names) => mentionNode(names.group(run.usergroup_id), `@${run.usergroup_id}`),
  channel: (run, names) => channelNode(run.channel_id, names.channel(run.channel_id)),
  broadcast: (run) => mentionNode({ label: `@${run.range}`, isMe: true }),
  emoji: renderEmoji,
  date: (run) => el('time', {}, formatDate(momentOf(run.timestamp), run.format ?? '{date}')),
};

const STYLES = { code: 'code', strike: 's', italic: 'em', bold: 'strong' };

export function renderRichText(block, names) {
  return (block.elements ?? []).map((part) => PARTS[part.type]?.(part, names) ?? unsupported(part.type));
}

function renderRuns(runs, names) {
  return (runs ?? []).map((run) => withStyle(RUNS[run.type]?.(run, names) ?? unsupported(run.type), run.style ?? {}));
}

function withStyle(content, style) {
  return Object.entries(STYLES).reduce((inner, [name, tag]) => (style[name] ? el(tag, {}, inner) : inner), content);
}

function renderEmoji(run) {
  const character = emojiOf(run.name);
  return character ? emojiNode(run.name, character) : `:${run.name}:`;
}

function renderList(part, names) {
  const tag = part.style === 'ordered' ? 'ol' : 'ul';
  const items = (part.elements ?? []).map((item) => el('li', {}, renderRuns(item.elements, names)));
  const start = part.offset ? part.offset + 1 : null;
  return el(tag, { class: `rich-list indent-${Math.min(part.indent ?? 0, 4)}`, start }, items);
}

function unsupported(type) {
  return el('span', { class: 'unsupported' }, `unsupported rich text ${type}`);
}
