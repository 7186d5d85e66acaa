// What the composer offers while somebody types: commands at the start of a line, people after "@", channels after "#".

import { authorOf, avatar } from './avatars.js';
import { el } from './dom.js';
import { icon, mark } from './icons.js';

const WORD_BEFORE = /(^|\s)([@#])([\p{L}\p{N}_.-]*)$/u;

/** What Slack itself understands, and the page carries out. */
export const OWN_COMMANDS = [
  { command: '/invite', usage: '@somebody', description: 'Add a person or the app to this channel' },
  { command: '/remove', usage: '@somebody', description: 'Remove a person or the app from this channel' },
  { command: '/archive', usage: '', description: 'Archive this channel' },
];

/** The command that a line begins with, where there is one. */
export function findCommand(commands, line) {
  const word = line.split(/\s/, 1)[0];
  return commands.find(({ command }) => command === word);
}

/**
 * What fits the text before the caret: {from, options: [{insert, build()}]} or null. `from` is where the word begins.
 * `allowsCommands` is false in threads.
 */
export function complete({ world, session, allowsCommands }, before) {
  if (allowsCommands && /^\/\S*$/.test(before)) return offer(0, commandOptions(world, before));
  const word = WORD_BEFORE.exec(before);
  if (!word) return null;
  const from = before.length - word[3].length - 1;
  return offer(from, (word[2] === '@' ? peopleOptions : channelOptions)({ world, session }, word[3].toLowerCase()));
}

function offer(from, options) {
  return options.length ? { from, options } : null;
}

function commandOptions(world, typed) {
  const all = [...world.state.commands.map((command) => ({ ...command, isApp: true })), ...OWN_COMMANDS];
  const fitting = all.filter(({ command }) => command.startsWith(typed.toLowerCase()));
  return fitting.map((command) => ({ insert: `${command.command} `, build: () => commandRow(command, world) }));
}

function commandRow(command, world) {
  return [
    el('span', { class: 'option-lead' }, command.isApp ? el('span', { class: 'avatar avatar-small avatar-app' }, mark()) : icon('slash')),
    el(
      'span',
      { class: 'option-words' },
      el('span', { class: 'option-name' }, command.command, ' ', el('span', { class: 'option-usage' }, command.usage ?? '')),
      el('span', { class: 'option-detail' }, command.description ?? ''),
      command.reserved ? el('span', { class: 'option-warning' }, 'Slack reserves this name; the sandbox delivers it') : null,
    ),
    el('span', { class: 'option-origin' }, command.isApp ? world.state.bot.name : 'Slack'),
  ];
}

function peopleOptions({ world, session }, typed) {
  const { bot, people, usergroups } = world.state;
  const groups = usergroups.map((group) => ({ name: group.handle, detail: 'User group', build: () => icon('people') }));
  const app = { name: bot.name, detail: 'App', build: () => avatar({ isApp: true }, 'avatar-small') };
  const persons = people.map((person) => ({
    name: person.name,
    detail: person.id === session.person ? `${person.real_name} (you)` : person.real_name,
    build: () => avatar(authorOf(world, { user: person.id }), 'avatar-small'),
  }));
  const fitting = [...persons, app, ...groups].filter(({ name, detail }) => fits(typed, name, detail));
  return fitting.map(({ name, detail, build }) => ({ insert: `@${name} `, build: () => row(build(), name, detail) }));
}

function channelOptions({ world, session }, typed) {
  const channels = world.placesOf(session.person).filter(({ kind, name }) => kind !== 'dm' && fits(typed, name));
  return channels.map(({ name, topic }) => ({ insert: `#${name} `, build: () => row(icon('hash'), name, topic ?? '') }));
}

function fits(typed, ...words) {
  return words.some((word) => word.toLowerCase().split(' ').some((part) => part.startsWith(typed)));
}

function row(lead, name, detail) {
  return [
    el('span', { class: 'option-lead' }, lead),
    el('span', { class: 'option-words' }, el('span', { class: 'option-name' }, name), el('span', { class: 'option-detail' }, detail)),
  ];
}
