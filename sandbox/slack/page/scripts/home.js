// The app's Home tab: the view that the app published for the person at the keyboard.

import { press, problemOf, sendPress } from './actions.js';
import { renderBlocks, renderProblem, renderText } from './blocks.js';
import { el, morph } from './dom.js';

/** The name of the tab in the address bar, as in #CHANNEL/home. */
export const HOME = 'home';

export class HomeTab {
  constructor(element, { world, session }) {
    Object.assign(this, { element, world, session });
    element.addEventListener('click', (event) => this.#press(event));
    element.addEventListener('change', (event) => this.#press(event));
  }

  get #home() {
    return this.world.homeOf(this.session.person);
  }

  draw(names) {
    this.names = names;
    this.element.hidden = this.session.tab !== HOME;
    if (this.element.hidden) return;
    const fresh = this.element.cloneNode(false);
    fresh.append(this.#home ? this.#view(this.#home) : this.#nothing());
    morph(this.element, fresh);
  }

  #nothing() {
    return el('p', { class: 'home-nothing' }, `${this.world.state.bot.name} has not drawn this page yet.`);
  }

  #view({ view_id: id, view }) {
    const pressed = this.session.pressed(id);
    const scene = {
      names: this.names,
      blocks: view.blocks,
      text: (text) => renderText(text, this.names),
      state: (block, element) => (isPressed(pressed, block, element) ? pressed : {}),
    };
    return el('div', { class: 'home-view', dataset: { key: id } }, pressed.problem ? renderProblem(pressed.problem) : null, renderBlocks(view.blocks, scene));
  }

  #press(event) {
    const home = this.#home;
    if (home) press(event, home.view.blocks, this.names, (pressed, value) => this.#send(home.view_id, pressed, value));
  }

  async #send(id, pressed, value) {
    const place = { block: pressed.block.block_id ?? null, action: pressed.element.action_id };
    this.session.press(id, { ...place, isBusy: true, problem: null });
    const reply = await sendPress('view/click', { user: this.session.person, view_id: id }, pressed, value);
    this.session.press(id, reply.ok ? null : { ...place, isBusy: false, problem: problemOf(reply, this.world.state.bot.name) });
  }
}

function isPressed(pressed, block, element) {
  return pressed.action !== undefined && pressed.action === element.action_id && pressed.block === (block?.block_id ?? null);
}
