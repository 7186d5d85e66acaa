// The left side: workspace, channels, direct messages, and who is at the keyboard.

import { authorOf, avatar } from './avatars.js';
import { send } from './api.js';
import { closestWith, el, morph } from './dom.js';
import { icon, mark } from './icons.js';
import { isMenuOpenAt, closeMenu, showMenu } from './menus.js';
import { callsPerson } from './names.js';
import { isInChannel } from './world.js';

const LOCALES = { 'en-US': 'English', 'de-DE': 'Deutsch', 'fr-FR': 'Français', 'ja-JP': '日本語', 'ko-KR': '한국어', 'tr-TR': 'Türkçe' };

export class Sidebar {
  /** `onGo(channel)` opens a place, `onSwitch(person)` changes who is at the keyboard. */
  constructor(element, { world, session, onGo, onSwitch }) {
    Object.assign(this, { element, world, session, onGo, onSwitch });
    element.addEventListener('click', (event) => this.#click(event));
  }

  draw() {
    const fresh = this.element.cloneNode(false);
    fresh.append(this.#head(), el('div', { class: 'sidebar-places' }, this.#channels(), this.#direct()), this.#foot());
    morph(this.element, fresh);
  }

  #head() {
    const { team } = this.world.state;
    return el(
      'header',
      { class: 'sidebar-head' },
      mark(),
      el('div', { class: 'workspace' }, el('h1', {}, team.name || 'Workspace'), el('span', {}, 'Sandbox on this machine')),
    );
  }

  #channels() {
    const channels = this.world.placesOf(this.session.person).filter(({ kind }) => kind !== 'dm');
    return this.#section('Channels', channels.toSorted((one, other) => Number(one.archived) - Number(other.archived)).map((channel) => this.#place(channel)));
  }

  #direct() {
    const channels = this.world.placesOf(this.session.person).filter(({ kind }) => kind === 'dm');
    const hasBot = channels.some((channel) => this.world.hasBot(channel));
    return this.#section('Direct messages', [hasBot ? [] : [this.#unopened()], channels.map((channel) => this.#place(channel))].flat());
  }

  #section(title, items) {
    return el('section', {}, el('h2', {}, title), el('ul', {}, items.map((item) => el('li', {}, item))));
  }

  #place(channel) {
    const { unread, calls } = this.#unreadIn(channel);
    const isHere = channel.id === this.session.channel;
    const classes = ['place', isHere ? 'is-here' : '', unread ? 'is-unread' : '', channel.archived ? 'is-archived' : ''];
    return el(
      'a',
      { class: classes.filter(Boolean).join(' '), href: `#${channel.id}`, 'aria-current': isHere ? 'page' : null, dataset: { go: channel.id, key: channel.id } },
      channel.kind === 'dm' ? this.#face(partnerOf(channel, this.session.person)) : icon(iconOf(channel)),
      el('span', { class: 'place-name' }, nameOf(channel, this.world, this.session.person)),
      channel.archived ? el('span', { class: 'place-tag' }, 'archived') : null,
      unread ? unreadSign(calls) : null,
    );
  }

  #unopened() {
    return el(
      'button',
      { class: 'place', type: 'button', dataset: { dm: '' } },
      this.#face(this.world.state.bot.user_id),
      el('span', { class: 'place-name' }, this.world.state.bot.name),
    );
  }

  /** People are always there; the app only while it is connected. */
  #face(id) {
    const author = authorOf(this.world, { user: id });
    const isOn = !author.isApp || this.world.state.bot.connected;
    return el('span', { class: 'face' }, avatar(author, 'avatar-small'), el('span', { class: isOn ? 'presence is-on' : 'presence' }));
  }

  /** What others said here since this person last looked, and how often it calls him. */
  #unreadIn(channel) {
    const { person } = this.session;
    const since = Number(this.session.readUpTo(channel.id));
    const news = this.world.messages(channel.id).filter((message) => isInChannel(message) && Number(message.ts) > since && message.user !== person);
    const calls = news.filter((message) => channel.kind === 'dm' || callsPerson(this.world, message.text ?? '', person));
    return { unread: news.length, calls: calls.length };
  }

  #foot() {
    const person = this.world.person(this.session.person);
    if (!person) return el('footer', { class: 'sidebar-foot' });
    return el(
      'footer',
      { class: 'sidebar-foot' },
      el(
        'button',
        { class: 'switcher', type: 'button', 'aria-haspopup': 'menu', 'aria-label': `You are ${person.real_name}. Switch person`, dataset: { switcher: '' } },
        el('span', { class: 'face' }, avatar(authorOf(this.world, { user: person.id })), el('span', { class: 'presence is-on' })),
        el('span', { class: 'switcher-words' }, el('strong', {}, person.real_name), el('span', {}, person.title ?? '')),
        icon('swap'),
      ),
      this.#tongue(person),
    );
  }

  /** The language of this person's Slack, which apps are told when they ask. */
  #tongue(person) {
    const label = `Slack speaks ${LOCALES[person.locale] ?? person.locale}. Change the language`;
    return el(
      'button',
      { class: 'tongue', type: 'button', 'aria-haspopup': 'menu', 'aria-label': label, title: label, dataset: { tongue: '' } },
      icon('globe'),
      el('span', { 'aria-hidden': 'true' }, person.locale.slice(0, 2).toUpperCase()),
    );
  }

  async #click(event) {
    const switcher = closestWith(event, 'switcher');
    if (switcher) return isMenuOpenAt(switcher) ? closeMenu() : this.#offerPeople(switcher);
    const tongue = closestWith(event, 'tongue');
    if (tongue) return isMenuOpenAt(tongue) ? closeMenu() : this.#offerTongues(tongue);
    const place = closestWith(event, 'go');
    if (place) event.preventDefault();
    if (place) return this.onGo(place.dataset.go);
    if (closestWith(event, 'dm')) return this.#openDirect();
    return null;
  }

  async #openDirect() {
    const reply = await send('dm', { user: this.session.person });
    if (reply.channel) this.onGo(reply.channel.id ?? reply.channel);
  }

  #offerTongues(anchor) {
    const { locale, id } = this.world.person(this.session.person);
    const items = Object.entries(LOCALES).map(([code, label]) => ({
      label,
      detail: code,
      isChosen: code === locale,
      choose: () => send('locale', { user: id, locale: code }),
    }));
    showMenu(anchor, items, { label: 'Language of your Slack', isChoice: true });
  }

  #offerPeople(anchor) {
    const items = this.world.state.people.map((person) => ({
      label: person.real_name,
      detail: person.title,
      lead: avatar(authorOf(this.world, { user: person.id })),
      isChosen: person.id === this.session.person,
      choose: () => this.onSwitch(person.id),
    }));
    showMenu(anchor, items, { label: 'Switch person', isChoice: true });
  }
}

export function iconOf(channel) {
  if (channel.archived) return 'archive';
  return channel.kind === 'private' ? 'lock' : 'hash';
}

/** Who is at the other end of a direct conversation. */
export function partnerOf(channel, person) {
  return channel.members.find((id) => id !== person) ?? person;
}

/** A channel's name; a direct conversation is called after the other end. */
export function nameOf(channel, world, person) {
  return channel.kind === 'dm' ? world.whoIs(partnerOf(channel, person))?.label ?? 'somebody' : channel.name;
}

function unreadSign(calls) {
  return calls > 0
    ? el('span', { class: 'unread-count', 'aria-label': `${calls} unread for you` }, String(calls))
    : el('span', { class: 'unread-dot', role: 'img', 'aria-label': 'unread' });
}
