// Puts the page together and draws it again whenever something changed.

import { send } from './api.js';
import { Conversation, ThreadPane } from './conversation.js';
import { closestWith, el, morph } from './dom.js';
import { HOME } from './home.js';
import { icon } from './icons.js';
import { Modal } from './modal.js';
import { namesFor } from './names.js';
import { Services } from './services.js';
import { Session } from './session.js';
import { nameOf, Sidebar } from './sidebar.js';
import { World } from './world.js';

const NARROW = matchMedia('(max-width: 720px)');
/** Too narrow for a thread and the services at once: there the thread comes first. */
const CRAMPED = matchMedia('(max-width: 1279px)');
const MODES = { socket: 'Socket Mode', http: 'HTTP' };

/** Where the person is, as the address bar has it: #CHANNEL, #CHANNEL/THREAD, or #CHANNEL/home beside the app. */
class Router {
  #awaited = null;

  constructor(world, session) {
    Object.assign(this, { world, session });
    addEventListener('hashchange', () => this.follow());
  }

  /** Go where the address says; what cannot be seen gives way to the first channel. */
  follow() {
    const [channel, thread] = decodeURIComponent(location.hash.slice(1)).split('/');
    const places = this.world.placesOf(this.session.person);
    const place = places.find(({ id }) => id === channel) ?? places.find(({ archived }) => !archived) ?? places[0];
    this.#awaited = place?.id === channel ? null : channel;
    const isThere = place?.id === channel;
    this.#arrive(place?.id ?? null, isThere ? this.#threadOf(place, thread) : null, isThere && this.#hasTabs(place) && thread === HOME ? HOME : null);
  }

  /** A conversation that was just opened may be told of after its opener has gone there. */
  catchUp() {
    if (this.#awaited && this.world.placesOf(this.session.person).some(({ id }) => id === this.#awaited)) this.follow();
  }

  /** The conversation with the app has its Home beside it. */
  #hasTabs(place) {
    return place.kind === 'dm' && this.world.hasBot(place);
  }

  #threadOf(place, ts) {
    const message = ts && this.world.message(place.id, ts);
    return message ? message.thread_ts ?? message.ts : null;
  }

  #arrive(channel, thread, tab) {
    const { session, world } = this;
    if (tab && (tab !== session.tab || channel !== session.channel)) send('home', { user: session.person, tab });
    if (channel !== session.channel) session.newSince = this.#unreadSince(channel);
    Object.assign(session, { channel, thread, tab, drawer: null });
    const newest = world.messages(channel).at(-1);
    if (newest && !document.hidden) session.markRead(channel, newest.ts);
    session.tell();
  }

  #unreadSince(channel) {
    const since = this.session.readUpTo(channel);
    const news = this.world.messages(channel).some(({ ts, user }) => Number(ts) > Number(since) && user !== this.session.person);
    return news ? since : null;
  }

  go(channel, thread = null) {
    const hash = thread ? `#${channel}/${thread}` : `#${channel}`;
    if (location.hash !== hash) history.pushState(null, '', hash);
    this.follow();
  }

  openThread(ts) {
    this.go(this.session.channel, ts);
    this.onThread?.();
  }

  closeThread() {
    this.go(this.session.channel);
    this.onThreadLeft?.();
  }
}

class App {
  #isDue = false;
  #names = null;
  #namedBy = [];

  constructor(root) {
    this.root = root;
    this.world = new World();
    this.session = new Session();
    this.router = new Router(this.world, this.session);
    const parts = { world: this.world, session: this.session, router: this.router };
    this.sidebar = new Sidebar(root.querySelector('.sidebar'), { ...parts, onGo: (channel) => this.router.go(channel), onSwitch: (person) => this.#switchTo(person) });
    this.conversation = new Conversation(root.querySelector('.channel'), parts);
    this.thread = new ThreadPane(root.querySelector('.thread'), parts);
    this.services = new Services(root.querySelector('.services'), parts);
    this.modal = new Modal(this.world, this.session);
    this.router.onThread = () => this.#focusSoon(this.thread.composer);
    this.router.onThreadLeft = () => this.#focusSoon(this.conversation.composer);
    this.#listen();
  }

  start() {
    this.world.follow();
  }

  #listen() {
    this.session.addEventListener('change', () => this.#drawSoon());
    this.world.addEventListener('change', () => this.#settle());
    this.world.addEventListener('arrival', ({ detail }) => this.#arrive(detail));
    this.world.addEventListener('offline', () => this.#drawSoon());
    this.root.addEventListener('click', (event) => this.#click(event));
    addEventListener('keydown', (event) => event.key === 'Escape' && this.#escape());
    document.addEventListener('visibilitychange', () => this.conversation.read());
    for (const size of [NARROW, CRAMPED]) size.addEventListener('change', () => this.#drawSoon());
  }

  /** Once the first state is here there is a person and a place. */
  #settle() {
    if (this.session.person === null) return this.#begin();
    this.router.catchUp();
    return this.#drawSoon();
  }

  #begin() {
    const { people, messages } = this.world.state;
    const wanted = new URLSearchParams(location.search).get('as') ?? this.session.remembered();
    const person = people.find(({ id, name }) => wanted === id || wanted === name) ?? people[0];
    this.session.begin(Object.fromEntries(Object.entries(messages).map(([channel, list]) => [channel, list.at(-1)?.ts ?? '0'])));
    this.session.switchTo(person.id);
    this.router.follow();
    this.root.classList.remove('is-loading');
  }

  #switchTo(person) {
    this.session.channel = null;
    this.session.switchTo(person);
    this.router.follow();
    this.conversation.composer.focus();
  }

  #arrive(message) {
    if (message.channel === this.session.channel) this.conversation.arrive(message);
  }

  /** On a narrow screen focus would bring up the keyboard over what is to be read. */
  #focusSoon(composer) {
    if (!NARROW.matches) queueMicrotask(() => composer.focus());
  }

  #click(event) {
    const panel = closestWith(event, 'panel')?.dataset.panel;
    if (panel) this.#toggle(panel);
    else if (closestWith(event, 'backdrop')) this.session.openDrawer(null);
  }

  #toggle(panel) {
    if (NARROW.matches) return this.session.openDrawer(this.session.drawer === panel ? null : panel);
    const isShown = !this.#seesServices();
    if (isShown && CRAMPED.matches) this.router.closeThread();
    return this.session.showServices(isShown);
  }

  #seesServices() {
    const { drawer, showsServices, thread } = this.session;
    if (NARROW.matches) return drawer === 'services';
    return showsServices && !(thread && CRAMPED.matches);
  }

  #escape() {
    if (this.session.drawer) this.session.openDrawer(null);
    else if (this.session.thread && !document.querySelector('dialog')) this.router.closeThread();
  }

  #drawSoon() {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => this.#draw());
  }

  #draw() {
    this.#isDue = false;
    if (this.session.person === null) return this.#drawTop();
    const names = this.#currentNames();
    this.#drawTop();
    this.#drawPanels();
    this.sidebar.draw();
    this.conversation.draw(names);
    this.thread.draw(names);
    this.services.draw();
    this.modal.draw(names);
    return null;
  }

  /** The same object for as long as nobody's name changed, so that rows need no new picture. */
  #currentNames() {
    const { people, usergroups, channels, bot } = this.world.state;
    const by = [this.session.person, people, usergroups, channels, bot.name];
    if (by.some((one, index) => one !== this.#namedBy[index])) this.#names = namesFor(this.world, this.session.person);
    this.#namedBy = by;
    return this.#names;
  }

  #drawTop() {
    const channel = this.world.channel(this.session.channel);
    const title = channel ? nameOf(channel, this.world, this.session.person) : 'Switchyard';
    document.title = channel ? `${channel.kind === 'dm' ? '' : '#'}${title} · ${this.world.state.team.name}` : title;
    this.root.querySelector('.top-title').textContent = this.world.state.team.name;
    const state = this.root.querySelector('.connection');
    morph(state, el('div', { class: `connection ${this.#isReady() ? 'is-on' : ''}`, role: 'status' }, el('span', { class: 'presence' }), el('span', { class: 'connection-words' }, this.#connection())));
  }

  #isReady() {
    return this.world.isOnline && this.world.state.bot.connected;
  }

  #connection() {
    const { bot } = this.world.state;
    if (!this.world.isOnline) return 'The sandbox is gone, trying again …';
    if (!bot.connected) return `${bot.name} is not connected`;
    return [`${bot.name} connected`, MODES[bot.mode] ?? bot.mode].filter(Boolean).join(' · ');
  }

  #drawPanels() {
    const { drawer, thread } = this.session;
    const isNarrow = NARROW.matches;
    const seesServices = this.#seesServices();
    this.root.classList.toggle('has-thread', Boolean(thread));
    this.root.classList.toggle('has-services', seesServices);
    this.root.classList.toggle('has-sidebar', drawer === 'sidebar');
    this.root.querySelector('.services').inert = !seesServices;
    this.root.querySelector('.sidebar').inert = isNarrow && drawer !== 'sidebar';
    this.root.querySelector('.middle').inert = isNarrow && drawer !== null;
    this.root.querySelector('.backdrop').hidden = !(isNarrow && drawer);
    for (const button of this.root.querySelectorAll('.top [data-panel]')) {
      button.setAttribute('aria-expanded', String(button.dataset.panel === 'services' ? seesServices : drawer === 'sidebar'));
    }
  }
}

function fillIcons(root) {
  for (const holder of root.querySelectorAll('[data-icon]')) holder.prepend(icon(holder.dataset.icon));
}

const root = document.querySelector('.app');
fillIcons(root);
new App(root).start();
