// The modal that an app opened for the person at the keyboard: one dialog, brought up to date as the view changes.

import { press, problemOf, sendPress } from './actions.js';
import { send } from './api.js';
import { renderBlocks, renderProblem, renderText } from './blocks.js';
import { closeDialog, openDialog } from './dialogs.js';
import { el, morph } from './dom.js';
import { withEmoji } from './emoji.js';
import { findMissing, readValues, withFiles } from './inputs.js';

export class Modal {
  #shown = null;
  #dialog = null;
  #missing = {};
  #trouble = null;
  #isBusy = false;

  constructor(world, session) {
    this.world = world;
    this.session = session;
  }

  /** Show the person's topmost view, or none. */
  draw(names) {
    this.names = names;
    const wanted = this.world.topView(this.session.person);
    if (wanted === this.#shown) return;
    if (wanted?.view_id !== this.#shown?.view_id) this.#leave();
    if (!wanted) return;
    if (this.#dialog) this.#update(wanted);
    else this.#open(wanted);
  }

  get #form() {
    return this.#dialog.querySelector('form');
  }

  get #blocks() {
    return this.#shown.view.blocks ?? [];
  }

  #open(wanted) {
    this.#shown = wanted;
    const form = this.#renderForm();
    form.addEventListener('submit', (event) => this.#submit(event));
    form.addEventListener('click', (event) => this.#press(event));
    form.addEventListener('change', (event) => this.#press(event));
    form.addEventListener('input', (event) => this.#forgetError(event));
    this.#dialog = openDialog({ title: '', body: form, foot: [''], className: 'dialog-view', onClose: () => this.#close() });
    this.#redraw();
    this.#focusFirst('input, textarea, select, button');
  }

  #update(wanted) {
    const hasErrors = Object.keys(wanted.errors ?? {}).length > 0 && wanted.errors !== this.#shown.errors;
    this.#shown = wanted;
    this.#redraw();
    if (hasErrors) this.#focusFirst('.has-error :is(input, textarea, select)');
  }

  #leave() {
    if (this.#dialog) closeDialog(this.#dialog);
    this.#shown = null;
    this.#dialog = null;
    this.#missing = {};
    this.#trouble = null;
    this.#isBusy = false;
  }

  #redraw() {
    this.#dialog.querySelector('h2').textContent = withEmoji(this.#shown.view.title?.text ?? '');
    morph(this.#form, this.#renderForm());
    const foot = this.#dialog.querySelector('.dialog-foot');
    morph(foot, el('footer', { class: 'dialog-foot' }, this.#renderButtons()));
    foot.onclick = (event) => event.target.closest('[data-close]') && this.#close();
  }

  #renderForm() {
    const problem = this.#trouble ?? this.#shown.trouble;
    const scene = {
      names: this.names,
      blocks: this.#blocks,
      errors: { ...this.#shown.errors, ...this.#missing },
      filled: this.#shown.state,
      text: (text) => renderText(text, this.names),
      state: () => ({ isBusy: false }),
    };
    const props = { class: 'dialog-body', novalidate: true, id: 'view-form' };
    return el('form', props, problem ? renderProblem(problem) : null, renderBlocks(this.#blocks, scene));
  }

  #renderButtons() {
    const { view } = this.#shown;
    const words = withEmoji(view.close?.text ?? (view.submit ? 'Cancel' : 'Close'));
    const close = el('button', { class: 'button', type: 'button', dataset: { close: '' } }, words);
    return view.submit ? [close, this.#renderSubmit(view.submit)] : [close];
  }

  #renderSubmit(submit) {
    const className = `button button-primary${this.#isBusy ? ' is-busy' : ''}`;
    const busy = this.#isBusy ? 'true' : null;
    return el('button', { class: className, type: 'submit', form: 'view-form', 'aria-busy': busy, 'aria-disabled': busy }, withEmoji(submit.text));
  }

  #focusFirst(selector) {
    this.#dialog.querySelector(`form :is(${selector})`)?.focus();
  }

  #target() {
    return { user: this.session.person, view_id: this.#shown.view_id };
  }

  async #submit(event) {
    event.preventDefault();
    if (this.#isBusy) return;
    this.#missing = findMissing(this.#form, this.#blocks);
    if (Object.keys(this.#missing).length > 0) {
      this.#redraw();
      this.#focusFirst('.has-error :is(input, textarea, select)');
      return;
    }
    this.#setBusy(true);
    const target = this.#target();
    const values = await withFiles(readValues(this.#form, this.#blocks));
    this.#settle(target, await send('view/submit', { ...target, values }));
  }

  /** What the app answered comes as an event of the world; here only that there was an answer. */
  #settle(target, reply) {
    if (this.#shown?.view_id !== target.view_id) return;
    this.#trouble = reply.ok || reply.errors ? null : problemOf(reply, this.world.state.bot.name);
    this.#setBusy(false);
  }

  #setBusy(isBusy) {
    this.#isBusy = isBusy;
    this.#redraw();
  }

  #close() {
    const target = this.#target();
    this.#leave();
    this.#shown = this.world.topView(this.session.person) ?? null;
    send('view/close', target);
  }

  #press(event) {
    press(event, this.#blocks, this.names, (pressed, value) => this.#send(pressed, value));
  }

  async #send(pressed, value) {
    if (pressed.block.type === 'input' && !pressed.block.dispatch_action) return;
    const target = this.#target();
    const values = await withFiles(readValues(this.#form, this.#blocks));
    const reply = await sendPress('view/click', { ...target, values }, pressed, value);
    this.#settle(target, reply);
  }

  #forgetError(event) {
    const block = event.target.closest('[data-block-id]')?.dataset.blockId;
    if (!(block in this.#missing)) return;
    delete this.#missing[block];
    this.#redraw();
  }
}
