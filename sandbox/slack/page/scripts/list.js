// A list of messages that stays at its newest row, unless the person scrolled up to read.

import { el, reconcile } from './dom.js';
import { icon } from './icons.js';

const NEAR_PIXELS = 48;

export class MessageList {
  #isFollowing = true;
  #missed = 0;
  #place = null;
  #jump = el('button', { class: 'jump', type: 'button', hidden: true, on: { click: () => this.toNewest() } });

  /** `scroller` is the element that scrolls; its rows live in an element of their own. `onNewest` is called when the end comes into sight. */
  constructor(scroller, { head = null, onNewest = () => {} } = {}) {
    this.scroller = scroller;
    this.rows = el('div', { class: 'rows' });
    this.onNewest = onNewest;
    scroller.append(...(head ? [head] : []), this.rows);
    scroller.after(el('div', { class: 'jump-place' }, this.#jump));
    scroller.addEventListener('scroll', () => this.#noticeScroll(), { passive: true });
    const observer = new ResizeObserver(() => this.#keepPlace());
    observer.observe(this.rows);
    observer.observe(scroller);
  }

  get isAtNewest() {
    return this.#isFollowing;
  }

  /** Show the rows of `place` (any name); another place starts at its newest row. */
  show(place, items) {
    if (place !== this.#place) {
      this.#place = place;
      this.#isFollowing = true;
      this.#missed = 0;
    }
    reconcile(this.rows, items);
    this.#keepPlace();
    this.#showJump();
  }

  /** One more message, which may be out of sight. */
  count() {
    if (!this.#isFollowing) this.#missed += 1;
    this.#showJump();
  }

  toNewest() {
    this.#isFollowing = true;
    this.#missed = 0;
    this.#keepPlace();
    this.#showJump();
    this.onNewest();
  }

  #noticeScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    const isNear = scrollHeight - scrollTop - clientHeight < NEAR_PIXELS;
    if (isNear === this.#isFollowing) return;
    this.#isFollowing = isNear;
    if (isNear) this.toNewest();
    this.#showJump();
  }

  #keepPlace() {
    if (this.#isFollowing) this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  #showJump() {
    this.#jump.hidden = this.#isFollowing;
    const label = this.#missed ? `${this.#missed} new ${this.#missed === 1 ? 'message' : 'messages'}` : 'Newest';
    if (!this.#jump.hidden) this.#jump.replaceChildren(icon('down'), label);
  }
}
