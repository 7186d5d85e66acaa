// The middle: head of the channel, its messages, the message box.

import { press, problemOf, sendPress } from './actions.js';
import { authorOf, avatar } from './avatars.js';
import { send } from './api.js';
import { Composer } from './composer.js';
import { closestWith, el, morph } from './dom.js';
import { closeDialog, openDialog } from './dialogs.js';
import { HOME, HomeTab } from './home.js';
import { icon } from './icons.js';
import { MessageList } from './list.js';
import { isMenuOpenAt, closeMenu, showMenu } from './menus.js';
import { channelItems, threadItems } from './messages.js';
import { Posting } from './posting.js';
import { iconOf, nameOf, partnerOf } from './sidebar.js';

const EXAMPLES = ['/train help', '/train sestek my-model en-US', '/train sony churn data=churn.csv', '/jobs'];

/** What both panes do with a click in their messages. */
class Pane {
  constructor({ world, session, router }) {
    Object.assign(this, { world, session, router });
  }

  listen(element) {
    element.addEventListener('click', (event) => this.#click(event));
    element.addEventListener('change', (event) => this.#press(event));
  }

  #click(event) {
    const thread = closestWith(event, 'thread');
    const link = closestWith(event, 'link');
    const dismissed = closestWith(event, 'dismiss');
    const menu = closestWith(event, 'menu');
    if (menu) this.#showShortcuts(menu);
    else if (thread) this.router.openThread(thread.dataset.thread);
    else if (link) this.#copy(link);
    else if (dismissed) this.#dismiss(dismissed.dataset.dismiss);
    else this.#press(event);
  }

  /** The app's entries in a message's menu. */
  #showShortcuts(button) {
    if (isMenuOpenAt(button)) return closeMenu();
    const message = this.#find(button.dataset.menu);
    const entries = this.world.state.shortcuts.filter(({ type }) => type === 'message');
    const { name: app } = this.world.state.bot;
    const items = entries.map(({ name, callback_id: id }) => ({ label: name, detail: app, choose: () => this.#shortcut(message, id) }));
    return showMenu(button, items, { label: 'Message menu' });
  }

  #shortcut(message, id) {
    return send('shortcut', { user: this.session.person, channel: message.channel, message_ts: message.ts, callback_id: id });
  }

  #dismiss(id) {
    if (!this.session.takeBack(id)) send('ephemeral/dismiss', { user: this.session.person, ephemeral_id: id });
  }

  async #copy(button) {
    try {
      await navigator.clipboard.writeText(new URL(button.dataset.link, location.href).href);
      button.title = 'Copied';
    } catch {
      button.title = 'The browser does not allow copying here';
    }
  }

  #press(event) {
    const row = closestWith(event, 'message');
    const message = row && this.#find(row.dataset.message);
    if (message) press(event, allBlocks(message), this.names, (pressed, value) => this.#send(message, pressed, value));
  }

  #find(key) {
    const { channel } = this.session;
    return this.world.message(channel, key) ?? this.world.state.ephemerals.find(({ id }) => id === key);
  }

  async #send(message, pressed, value) {
    const key = message.ts ?? message.id;
    const place = { block: pressed.block.block_id ?? null, action: pressed.element.action_id };
    const name = message.ts ? { message_ts: message.ts } : { ephemeral_id: message.id };
    const thread = message.thread_ts ? { thread_ts: message.thread_ts } : {};
    this.session.press(key, { ...place, isBusy: true, problem: null });
    const target = { user: this.session.person, channel: message.channel, ...name, ...thread };
    const reply = await sendPress('click', target, pressed, value);
    this.session.press(key, reply.ok ? null : { ...place, isBusy: false, problem: problemOf(reply, this.world.state.bot.name) });
  }
}

function allBlocks(message) {
  return message.blocks ?? message.attachments?.flatMap((attachment) => attachment.blocks ?? []) ?? [];
}

export class Conversation extends Pane {
  constructor(element, parts) {
    super(parts);
    this.head = element.querySelector('.channel-head');
    this.banner = element.querySelector('.banner');
    this.log = element.querySelector('.messages');
    this.home = new HomeTab(element.querySelector('.home'), parts);
    this.composer = new Composer({ ...parts, onSend: (text) => this.#send(text), onFile: (file) => this.posting.upload(file) });
    this.posting = new Posting(this.world, this.session, this.composer);
    this.welcome = el('div', { class: 'welcome' });
    this.list = new MessageList(this.log, { head: this.welcome, onNewest: () => this.read() });
    element.append(this.composer.element);
    this.listen(this.log);
    this.log.addEventListener('click', (event) => this.#tryExample(event));
    this.head.addEventListener('click', (event) => closestWith(event, 'members') && this.#showMembers());
    this.banner.addEventListener('click', (event) => closestWith(event, 'invite') && this.#inviteBot());
  }

  get channel() {
    return this.world.channel(this.session.channel);
  }

  get title() {
    return nameOf(this.channel, this.world, this.session.person);
  }

  draw(names) {
    this.names = names;
    if (!this.channel) return;
    this.#drawHead();
    this.#drawBanner();
    this.home.draw(names);
    this.log.hidden = this.composer.element.hidden = this.session.tab === HOME;
    this.#drawWelcome();
    this.log.setAttribute('aria-label', `Messages in ${this.title}`);
    const place = `${this.session.person}/${this.channel.id}`;
    this.list.show(place, channelItems({ ...this, channel: this.channel.id, names }));
    this.#drawComposer(place);
  }

  /** A message came in: out of sight it is counted, in sight it is read. */
  arrive() {
    this.list.count();
    this.read();
  }

  /** What is in sight counts as read. */
  read() {
    if (!this.list.isAtNewest || this.log.hidden || document.hidden || !this.channel) return;
    const newest = this.world.messages(this.channel.id).at(-1);
    if (newest) this.session.markRead(this.channel.id, newest.ts);
  }

  #send(text) {
    this.session.newSince = null;
    this.list.toNewest();
    return this.posting.send(text);
  }

  #drawHead() {
    const { channel } = this;
    const isDirect = channel.kind === 'dm';
    const title = el('h2', {}, isDirect ? avatar(this.#partner(), 'avatar-small') : icon(iconOf(channel)), this.title, this.#isWithBot() ? el('span', { class: 'badge' }, 'APP') : null);
    const topic = el('p', { class: 'topic', title: channel.topic ?? '' }, this.#isWithBot() ? this.#botWords() : channel.topic);
    morph(this.head, el('header', { class: 'channel-head' }, el('div', { class: 'channel-words' }, title, topic), isDirect ? this.#tabs() : this.#membersButton()));
  }

  /** The app's two tabs, as links: each has an address. */
  #tabs() {
    if (!this.#isWithBot()) return null;
    const { id } = this.channel;
    const isHome = this.session.tab === HOME;
    const tabs = [[HOME, 'Home', isHome], ['', 'Messages', !isHome]];
    return el('nav', { class: 'tabs', 'aria-label': 'Tabs of the app' }, tabs.map(([tab, label, isHere]) => tabLink(tab ? `#${id}/${tab}` : `#${id}`, label, isHere)));
  }

  #isWithBot() {
    return this.channel.kind === 'dm' && this.world.hasBot(this.channel);
  }

  #partner() {
    return this.#author(partnerOf(this.channel, this.session.person));
  }

  #botWords() {
    const { bot } = this.world.state;
    return bot.connected ? 'Your conversation with the app' : `${bot.name} is not connected`;
  }

  #membersButton() {
    const { members } = this.channel;
    const faces = members.slice(0, 3).map((id) => avatar(this.#author(id), 'avatar-small'));
    const label = `${members.length} members. Show them`;
    return el('button', { class: 'members', type: 'button', title: label, 'aria-label': label, dataset: { members: '' } }, el('span', { class: 'faces' }, faces), String(members.length));
  }

  #author(id) {
    return authorOf(this.world, { user: id });
  }

  #drawBanner() {
    const { channel } = this;
    const { bot } = this.world.state;
    const isMissing = channel.kind !== 'dm' && !channel.archived && bot.user_id && !this.world.hasBot(channel);
    const words = isMissing
      ? [el('span', {}, el('strong', {}, bot.name), ' is not in this channel. Commands reach it, but it cannot post here.'), el('button', { class: 'button button-small', type: 'button', dataset: { invite: '' } }, `Add ${bot.name}`)]
      : [];
    morph(this.banner, el('div', { class: 'banner', hidden: !isMissing }, words));
  }

  async #inviteBot() {
    const reply = await send('channel/invite', { channel: this.channel.id, user: this.world.state.bot.user_id });
    if (!reply.ok) this.session.note(`The app was not added: \`${reply.error}\``);
  }

  #drawWelcome() {
    const { channel } = this;
    const name = this.title;
    const words = channel.kind === 'dm'
      ? ['This is your conversation with ', el('strong', {}, name), '. Nobody else sees it.']
      : ['This is the beginning of ', el('strong', {}, `#${name}`), '. ', channel.topic ? `${channel.topic}.`.replace('..', '.') : ''];
    const canRun = !channel.archived && this.world.hasBot(channel);
    morph(
      this.welcome,
      el(
        'div',
        { class: 'welcome' },
        el('div', { class: 'welcome-sign' }, channel.kind === 'dm' ? avatar(this.#partner()) : icon(iconOf(channel))),
        el('h3', {}, channel.kind === 'dm' ? name : `#${name}`),
        el('p', {}, words),
        canRun ? el('div', { class: 'examples' }, el('span', {}, 'Try'), this.#examples().map(exampleButton)) : null,
      ),
    );
  }

  /** Only what the app registers is offered. */
  #examples() {
    const known = new Set(this.world.state.commands.map(({ command }) => command));
    return (this.world.state.examples ?? EXAMPLES).filter((line) => known.has(line.split(' ')[0]));
  }

  #tryExample(event) {
    const example = closestWith(event, 'example');
    if (example) this.composer.fill(example.dataset.example);
  }

  #drawComposer(place) {
    const { channel } = this;
    const person = this.world.person(this.session.person);
    const where = channel.kind === 'dm' ? this.title : `#${channel.name}`;
    this.composer.show(place, `Message ${where} as ${person?.real_name ?? 'somebody'}`);
    this.composer.element.classList.toggle('is-archived', channel.archived);
    this.composer.box.disabled = channel.archived;
    if (channel.archived) this.composer.say(`#${channel.name} is archived: it can be read, and nothing more.`);
  }

  #showMembers() {
    const { channel } = this;
    const everybody = [...this.world.state.people.map(({ id }) => id), this.world.state.bot.user_id];
    const close = () => closeDialog(dialog);
    const change = (path, user) => {
      close();
      send(path, { channel: channel.id, user });
    };
    const dialog = openDialog({
      title: `Members of #${channel.name}`,
      body: el('ul', { class: 'dialog-body member-list' }, everybody.map((id) => this.#memberRow(id, channel, change))),
      onClose: close,
    });
  }

  #memberRow(id, channel, change) {
    const isMember = channel.members.includes(id);
    const known = this.world.whoIs(id);
    const path = isMember ? 'channel/kick' : 'channel/invite';
    return el(
      'li',
      { class: isMember ? '' : 'is-absent' },
      avatar(this.#author(id)),
      el('span', {}, known.label, id === this.world.state.bot.user_id ? el('span', { class: 'badge' }, 'APP') : null),
      channel.archived ? null : el('button', { class: 'button button-small', type: 'button', on: { click: () => change(path, id) } }, isMember ? 'Remove' : 'Add'),
    );
  }
}

function tabLink(href, label, isHere) {
  return el('a', { class: isHere ? 'tab is-here' : 'tab', href, 'aria-current': isHere ? 'page' : null }, label);
}

function exampleButton(line) {
  return el('button', { class: 'example', type: 'button', dataset: { example: line } }, line);
}

export class ThreadPane extends Pane {
  constructor(element, parts) {
    super(parts);
    this.element = element;
    this.place = element.querySelector('.thread-place');
    this.log = element.querySelector('.messages');
    this.composer = new Composer({ ...parts, allowsCommands: false, onSend: (text) => this.#send(text) });
    this.posting = new Posting(this.world, this.session, this.composer);
    this.list = new MessageList(this.log);
    element.append(this.composer.element);
    this.listen(this.log);
    element.querySelector('.thread-close').addEventListener('click', () => this.router.closeThread());
  }

  draw(names) {
    this.names = names;
    const { channel, thread, person } = this.session;
    const root = thread && this.world.message(channel, thread);
    this.element.hidden = !root;
    if (!root) return;
    const known = this.world.channel(channel);
    this.place.textContent = known.kind === 'dm' ? nameOf(known, this.world, person) : `#${known.name}`;
    const place = `${person}/${channel}/${thread}`;
    this.list.show(place, threadItems({ ...this, channel, thread, names }));
    this.composer.show(place, `Reply as ${this.world.person(person)?.real_name ?? 'somebody'}`);
    this.composer.element.hidden = known.archived;
  }

  #send(text) {
    this.list.toNewest();
    return this.posting.send(text, this.session.thread);
  }
}
