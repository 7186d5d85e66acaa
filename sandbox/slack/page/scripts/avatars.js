// Avatars made of initials and colour; the app's is the mark.

import { el } from './dom.js';
import { mark } from './icons.js';

const SLACKBOT = { real_name: 'Slackbot', color: '#5b6472' };

/** Who stands at the head of a message: {name, person?, isApp, isSlackbot}. */
export function authorOf(world, message) {
  if (message.author === 'slackbot') return { name: 'Slackbot', isSlackbot: true };
  const person = world.person(message.user);
  const isApp = Boolean(message.bot_id) || message.author === 'app' || message.user === world.state.bot.user_id;
  if (person && !isApp) return { name: person.real_name, person };
  return { name: message.username || world.state.bot.name, isApp: true };
}

export function avatar(author, size = '') {
  const className = `avatar ${size}`.trim();
  if (author.isApp) return el('span', { class: `${className} avatar-app`, 'aria-hidden': 'true' }, mark());
  const person = author.isSlackbot ? SLACKBOT : author.person;
  return el('span', { class: className, 'aria-hidden': 'true', style: colors(person.color) }, initials(person.real_name));
}

function initials(name) {
  const words = name.split(/\s+/).filter(Boolean);
  return [words[0], words.length > 1 ? words.at(-1) : ''].map((word) => [...word][0] ?? '').join('').toUpperCase();
}

function colors(color) {
  const hex = `#${String(color ?? '5b6472').replace('#', '')}`;
  return { '--avatar': hex, '--avatar-ink': luminance(hex) > 0.18 ? '#10181f' : '#ffffff' };
}

/** Relative luminance, 0..1. https://www.w3.org/TR/WCAG21/#dfn-relative-luminance */
function luminance(hex) {
  const [red, green, blue] = [1, 3, 5].map((at) => linear(Number.parseInt(hex.slice(at, at + 2), 16) / 255));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function linear(channel) {
  return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
}
