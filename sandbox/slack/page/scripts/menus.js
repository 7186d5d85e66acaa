// Small menus that open at a button: arrow keys, Enter, Escape.

import { el } from './dom.js';

let openMenu = null;

/**
 * Open a menu at `anchor`. `items` are {label, detail?, lead?, isChosen?, choose()}; with `isChoice` they exclude
 * one another, as the people of the switcher do.
 */
export function showMenu(anchor, items, { label, isChoice = false } = {}) {
  closeMenu();
  const role = isChoice ? 'menuitemradio' : 'menuitem';
  const buttons = items.map((item) => renderItem(item, role));
  const menu = el('div', { class: 'menu', role: 'menu', 'aria-label': label }, buttons);
  menu.addEventListener('keydown', (event) => steer(event, buttons));
  openMenu = { menu, anchor };
  (anchor.closest('dialog') ?? document.body).append(menu);
  anchor.setAttribute('aria-expanded', 'true');
  placeAt(menu, anchor);
  (buttons[items.findIndex((item) => item.isChosen)] ?? buttons[0])?.focus();
  document.addEventListener('pointerdown', closeOutside, true);
}

export function closeMenu() {
  if (!openMenu) return;
  const { menu, anchor } = openMenu;
  const hadFocus = menu.contains(document.activeElement);
  openMenu = null;
  menu.remove();
  anchor.setAttribute('aria-expanded', 'false');
  document.removeEventListener('pointerdown', closeOutside, true);
  if (hadFocus) anchor.focus();
}

export function isMenuOpenAt(anchor) {
  return openMenu?.anchor === anchor;
}

function renderItem(item, role) {
  return el(
    'button',
    {
      class: 'menu-item',
      type: 'button',
      role,
      tabindex: '-1',
      'aria-checked': role === 'menuitemradio' ? String(Boolean(item.isChosen)) : null,
      on: { click: () => choose(item) },
    },
    item.lead ?? null,
    el('span', { class: 'menu-words' }, item.label, item.detail ? el('small', {}, item.detail) : null),
  );
}

function choose(item) {
  closeMenu();
  item.choose();
}

function steer(event, buttons) {
  const at = buttons.indexOf(document.activeElement);
  const target = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
  if (target !== undefined) buttons.at(target % buttons.length).focus();
  if (event.key === 'Escape' || event.key === 'Tab') closeMenu();
  if (target !== undefined || event.key === 'Escape') {
    event.preventDefault();
    event.stopPropagation();
  }
}

function closeOutside(event) {
  if (!openMenu.menu.contains(event.target) && !openMenu.anchor.contains(event.target)) closeMenu();
}

/** Below the anchor where there is room, else above it. */
function placeAt(menu, anchor) {
  const at = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const left = Math.max(8, Math.min(at.left, innerWidth - width - 8));
  const below = at.bottom + 6;
  const top = below + height > innerHeight - 8 ? Math.max(8, at.top - height - 6) : below;
  menu.style.left = `${left}px`;
  menu.style.top = `${top}px`;
}
