// What the sandbox holds: the state as loaded, kept up to date by its events. Objects are replaced, never changed, so
// that an unchanged object means an unchanged picture.

import { getState } from './api.js';

const RETRY_MILLISECONDS = [250, 500, 1000, 2000, 4000];
const EMPTY = {
  seq: 0, team: { name: '' }, people: [], usergroups: [], commands: [], channels: [], messages: {}, ephemerals: [], views: [],
  services: [], bot: { name: 'switchyard', connected: false },
};

/** Tells "change" after every change, "online" and "offline" as the connection comes and goes, "arrival" with a new message. */
export class World extends EventTarget {
  state = EMPTY;
  isOnline = false;
  #source = null;
  #failures = 0;

  /** Load everything, then follow; comes back by itself for as long as the page is open. */
  async follow() {
    try {
      this.#take(await getState());
    } catch {
      this.#comeBackLater();
      return;
    }
    this.#failures = 0;
    this.#listen();
  }

  #take(state) {
    this.state = { ...EMPTY, ...state };
    this.#setOnline(true);
    this.#tell('change');
  }

  #listen() {
    this.#source?.close();
    this.#source = new EventSource(`/page/events?after=${this.state.seq}`);
    this.#source.onmessage = (message) => this.#receive(JSON.parse(message.data));
    this.#source.onerror = () => this.#lose();
  }

  #lose() {
    this.#source?.close();
    this.#setOnline(false);
    this.#comeBackLater();
  }

  #comeBackLater() {
    const pause = RETRY_MILLISECONDS[Math.min(this.#failures, RETRY_MILLISECONDS.length - 1)];
    this.#failures += 1;
    setTimeout(() => this.follow(), pause);
  }

  #setOnline(isOnline) {
    if (this.isOnline === isOnline) return;
    this.isOnline = isOnline;
    this.#tell(isOnline ? 'online' : 'offline');
  }

  /** An event out of turn means that something was missed: then everything is loaded again. */
  #receive(event) {
    if (event.seq <= this.state.seq && event.type !== 'reload') return;
    if (event.seq !== this.state.seq + 1 || !Object.hasOwn(CHANGES, event.type)) {
      this.#source.close();
      this.follow();
      return;
    }
    this.#apply(event);
  }

  #apply(event) {
    const changed = event[event.type];
    const isNew = event.type === 'message' && this.message(changed.channel, changed.ts) === undefined;
    this.state = { ...this.state, ...CHANGES[event.type](this.state, changed), seq: event.seq };
    if (isNew) this.#tell('arrival', changed);
    this.#tell('change');
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  // Looking things up

  person(id) {
    return this.state.people.find((person) => person.id === id);
  }

  channel(id) {
    return this.state.channels.find((channel) => channel.id === id);
  }

  messages(channel) {
    return this.state.messages[channel] ?? [];
  }

  message(channel, ts) {
    return this.messages(channel).find((message) => message.ts === ts);
  }

  replies(channel, thread) {
    return this.messages(channel).filter((message) => isReply(message) && message.thread_ts === thread);
  }

  /** The modal that this person sees. */
  topView(person) {
    return this.state.views.filter((view) => view.user === person).at(-1);
  }

  /** What the app published on this person's Home tab. */
  homeOf(person) {
    return this.state.homes.find(({ user }) => user === person);
  }

  /** Where a person may look: the channels and conversations that he is a member of. */
  placesOf(person) {
    return this.state.channels.filter((channel) => channel.members.includes(person));
  }

  hasBot(channel) {
    return channel.members.includes(this.state.bot.user_id);
  }

  /** {id, label} of whoever it is: a person, the bot, or null. */
  whoIs(id) {
    if (id === this.state.bot.user_id || id === this.state.bot.bot_id) return { id, label: this.state.bot.name };
    const person = this.person(id);
    return person ? { id, label: person.real_name } : null;
  }
}

export function isReply(message) {
  return Boolean(message.thread_ts) && message.thread_ts !== message.ts;
}

export function isInChannel(message) {
  return !isReply(message) || Boolean(message.broadcast) || message.subtype === 'thread_broadcast';
}

const CHANGES = {
  message: (state, message) => ({
    messages: { ...state.messages, [message.channel]: put(state.messages[message.channel] ?? [], message, 'ts') },
  }),
  message_deleted: (state, { channel, ts }) => ({
    messages: { ...state.messages, [channel]: (state.messages[channel] ?? []).filter((message) => message.ts !== ts) },
  }),
  ephemeral: (state, ephemeral) => ({ ephemerals: put(state.ephemerals, ephemeral, 'id') }),
  ephemeral_deleted: (state, { id }) => ({ ephemerals: state.ephemerals.filter((ephemeral) => ephemeral.id !== id) }),
  view: (state, view) => ({ views: put(state.views, view, 'view_id') }),
  view_closed: (state, closed) => ({ views: state.views.filter((view) => view.view_id !== closed.view_id) }),
  channel: (state, channel) => ({ channels: put(state.channels, channel, 'id') }),
  service: (state, service) => ({ services: put(state.services, service, 'name') }),
  bot: (state, bot) => ({ bot: { ...state.bot, ...bot } }),
  person: (state, person) => ({ people: put(state.people, person, 'id') }),
  notice: () => ({}),
  home: (state, home) => ({ homes: put(state.homes, home, 'view_id') }),
  usergroup: (state, group) => ({ usergroups: put(state.usergroups, group, 'id') }),
};

/** `items` with `item` in the place of its namesake, or at the end; messages keep the order of their time. */
function put(items, item, key) {
  const at = items.findIndex((other) => other[key] === item[key]);
  if (at !== -1) return items.with(at, item);
  const added = [...items, item];
  return key === 'ts' ? added.sort((one, other) => Number(one.ts) - Number(other.ts)) : added;
}
