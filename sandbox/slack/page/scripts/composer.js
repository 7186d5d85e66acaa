// The message box: Enter sends, Shift+Enter breaks the line, arrow up brings back what was sent, "/", "@" and "#" complete.

import { complete, findCommand, OWN_COMMANDS } from './completion.js';
import { el } from './dom.js';
import { icon } from './icons.js';

const STYLES = [
  { name: 'bold', label: 'Bold', sign: '*', key: 'b' },
  { name: 'italic', label: 'Italic', sign: '_', key: 'i' },
  { name: 'strike', label: 'Strikethrough', sign: '~', key: null },
  { name: 'code', label: 'Code', sign: '`', key: null },
];
const OPENERS = [
  { name: 'slash', label: 'Run a command', sign: '/' },
  { name: 'at', label: 'Mention somebody', sign: '@' },
];

let composers = 0;

export class Composer {
  #place = null;
  #offer = null;
  #chosen = 0;
  #recalled = null;

  /** `onSend(text)` is called with what was typed. Commands exist outside threads only, as in Slack. */
  constructor({ world, session, onSend, onFile = null, allowsCommands = true }) {
    Object.assign(this, { world, session, onSend, onFile, allowsCommands });
    this.id = `composer-${(composers += 1)}`;
    this.#build();
  }

  #build() {
    this.options = el('div', { class: 'options', role: 'listbox', id: `${this.id}-options`, 'aria-label': 'Suggestions', hidden: true });
    this.box = el('textarea', {
      id: this.id, class: 'composer-box', rows: '1', 'aria-autocomplete': 'list', 'aria-controls': this.options.id, 'aria-haspopup': 'listbox',
      spellcheck: 'false', autocomplete: 'off', enterkeyhint: 'send',
    });
    this.sendButton = el('button', { class: 'send', type: 'button', 'aria-label': 'Send now', title: 'Send now' }, icon('send'));
    this.hint = el('div', { class: 'composer-hint' });
    const frame = el('div', { class: 'composer-frame' }, this.#styleBar(), this.box, el('div', { class: 'composer-foot' }, this.#openers(), this.sendButton));
    this.element = el('div', { class: 'composer' }, this.options, frame, this.hint);
    this.#listen();
  }

  #styleBar() {
    const tools = STYLES.map((style) => tool(style, () => this.#wrap(style.sign)));
    return el('div', { class: 'composer-styles', role: 'toolbar', 'aria-label': 'Formatting' }, tools);
  }

  #openers() {
    const openers = OPENERS.filter(({ sign }) => this.allowsCommands || sign !== '/');
    const picker = this.onFile ? this.#filePicker() : null;
    return el('div', { class: 'composer-openers' }, picker, openers.map((opener) => tool(opener, () => this.#start(opener.sign))));
  }

  #filePicker() {
    const input = el('input', { type: 'file', hidden: true, 'aria-label': 'A file for this conversation' });
    input.addEventListener('change', () => {
      for (const file of input.files) this.onFile(file);
      input.value = '';
    });
    return [input, tool({ name: 'file', label: 'Upload a file' }, () => input.click())];
  }

  #listen() {
    this.box.addEventListener('input', () => this.#changed());
    this.box.addEventListener('keydown', (event) => this.#key(event));
    this.box.addEventListener('blur', () => this.#withdraw());
    this.sendButton.addEventListener('click', () => this.#send());
    this.options.addEventListener('pointerdown', (event) => this.#pick(event));
  }

  /** Show the draft of `place`; `label` says where the words go and whose they are. */
  show(place, label) {
    this.box.placeholder = label;
    this.box.setAttribute('aria-label', label);
    if (place === this.#place) return;
    this.#place = place;
    this.#recalled = null;
    this.#put(this.session.draft(place));
    this.#withdraw();
  }

  focus() {
    this.box.focus();
  }

  /** Put words in, as if they were typed. */
  fill(text) {
    this.#put(text);
    this.box.focus();
    this.#changed();
  }

  /** What stands below the box: waiting for an answer, or how to send. */
  say(text, isWaiting = false) {
    this.hint.classList.toggle('is-waiting', isWaiting);
    this.hint.textContent = text;
  }

  #put(text) {
    this.box.value = text;
    this.box.setSelectionRange(text.length, text.length);
    this.#fit();
  }

  #fit() {
    this.box.style.height = 'auto';
    this.box.style.height = `${this.box.scrollHeight}px`;
    const isEmpty = this.box.value.trim() === '';
    this.sendButton.classList.toggle('is-ready', !isEmpty);
    this.sendButton.setAttribute('aria-disabled', String(isEmpty));
  }

  #changed() {
    this.session.keepDraft(this.#place, this.box.value);
    this.#recalled = null;
    this.#fit();
    this.#suggest();
    this.#showUsage();
  }

  #showUsage() {
    const command = this.allowsCommands && findCommand([...this.world.state.commands, ...OWN_COMMANDS], this.box.value);
    this.say(command && / /.test(this.box.value) ? `${command.command} ${command.usage ?? ''}` : '');
  }

  // Completion

  #suggest() {
    const before = this.box.value.slice(0, this.box.selectionStart);
    this.#offer = complete(this, before);
    this.#chosen = 0;
    this.#drawOptions();
  }

  #withdraw() {
    this.#offer = null;
    this.#drawOptions();
  }

  #drawOptions() {
    const options = this.#offer?.options ?? [];
    this.options.hidden = options.length === 0;
    this.options.replaceChildren(...options.map((option, index) => this.#drawOption(option, index)));
    this.#markChosen();
  }

  #drawOption(option, index) {
    return el('div', { class: 'option', role: 'option', id: `${this.id}-option-${index}`, dataset: { option: index } }, option.build());
  }

  #markChosen() {
    [...this.options.children].forEach((child, index) => child.setAttribute('aria-selected', String(index === this.#chosen)));
    const chosen = this.options.children[this.#chosen];
    chosen?.scrollIntoView({ block: 'nearest' });
    if (chosen) this.box.setAttribute('aria-activedescendant', chosen.id);
    else this.box.removeAttribute('aria-activedescendant');
  }

  #step(by) {
    const { length } = this.#offer.options;
    this.#chosen = (this.#chosen + by + length) % length;
    this.#markChosen();
  }

  #pick(event) {
    const option = event.target.closest('[data-option]');
    if (!option) return;
    event.preventDefault();
    this.#chosen = Number(option.dataset.option);
    this.#accept();
  }

  #accept() {
    const { from, options } = this.#offer;
    const after = this.box.value.slice(this.box.selectionStart).replace(/^\S* ?/, '');
    const { insert } = options[this.#chosen];
    this.box.value = this.box.value.slice(0, from) + insert + after;
    this.box.setSelectionRange(from + insert.length, from + insert.length);
    this.#withdraw();
    this.#changed();
  }

  /** Enter sends where the word stands there whole already, and completes it elsewhere. */
  #isWhole() {
    const word = this.box.value.slice(this.#offer.from, this.box.selectionStart);
    return this.#offer.options.some(({ insert }) => insert.trim() === word);
  }

  // Keys

  #key(event) {
    if (event.isComposing) return;
    if (this.#offer && this.#keyInOffer(event)) event.preventDefault();
    else if (this.#keyInBox(event)) event.preventDefault();
  }

  #keyInOffer(event) {
    switch (event.key) {
      case 'ArrowDown':
        return this.#do(() => this.#step(1));
      case 'ArrowUp':
        return this.#do(() => this.#step(-1));
      case 'Tab':
        return this.#do(() => this.#accept());
      case 'Enter':
        return !event.shiftKey && !this.#isWhole() && this.#do(() => this.#accept());
      case 'Escape':
        event.stopPropagation();
        return this.#do(() => this.#withdraw());
      default:
        return false;
    }
  }

  #keyInBox(event) {
    const style = (event.ctrlKey || event.metaKey) && STYLES.find(({ key }) => key === event.key);
    if (style) return this.#do(() => this.#wrap(style.sign));
    if (event.key === 'Enter' && !event.shiftKey) return this.#do(() => this.#send());
    if (event.key === 'ArrowUp' && this.#mayRecall()) return this.#do(() => this.#recall(-1));
    if (event.key === 'ArrowDown' && this.#recalled !== null) return this.#do(() => this.#recall(1));
    return false;
  }

  #do(work) {
    work();
    return true;
  }

  // History

  #mayRecall() {
    return (this.box.value === '' || this.#recalled !== null) && this.session.history().length > 0;
  }

  #recall(by) {
    const lines = this.session.history();
    const at = (this.#recalled ?? lines.length) + by;
    if (at < 0) return;
    this.#put(lines[at] ?? '');
    this.#showUsage();
    this.#recalled = at < lines.length ? at : null;
  }

  // Writing

  #wrap(sign) {
    const { selectionStart: from, selectionEnd: to, value } = this.box;
    this.box.value = `${value.slice(0, from)}${sign}${value.slice(from, to)}${sign}${value.slice(to)}`;
    this.box.focus();
    this.box.setSelectionRange(from + 1, to + 1);
    this.#changed();
  }

  #start(sign) {
    const isCommand = sign === '/';
    const glue = isCommand || this.box.value === '' || this.box.value.endsWith(' ') ? '' : ' ';
    this.fill(isCommand ? sign : `${this.box.value}${glue}${sign}`);
  }

  #send() {
    const text = this.box.value.trim();
    if (text === '') return;
    this.session.remember(text);
    this.session.keepDraft(this.#place, '');
    this.#put('');
    this.#withdraw();
    this.#recalled = null;
    this.say('');
    this.onSend(text);
  }
}

function tool({ name, label, sign, key }, work) {
  const title = key ? `${label} (Ctrl+${key.toUpperCase()})` : label;
  return el(
    'button',
    { class: 'tool', type: 'button', title, 'aria-label': label, dataset: { sign }, on: { click: work, pointerdown: (event) => event.preventDefault() } },
    icon(name),
  );
}
