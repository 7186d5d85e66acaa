// Dialogs of the page itself: a native modal dialog with a head, and the question that Slack asks before a press.

import { el } from './dom.js';
import { withEmoji } from './emoji.js';
import { icon } from './icons.js';
import { renderText } from './blocks.js';

/**
 * A modal dialog on the page. Escape and the cross call `onClose`; the dialog leaves with `close()`. What is behind it
 * is inert, and Tab goes round inside.
 */
export function openDialog({ title, body, foot = [], className = '', onClose }) {
  const dialog = el(
    'dialog',
    { class: `dialog ${className}`.trim(), 'aria-labelledby': 'dialog-title' },
    el('header', { class: 'dialog-head' }, el('h2', { id: 'dialog-title' }, title), closeButton(onClose)),
    body,
    foot.length ? el('footer', { class: 'dialog-foot' }, foot) : null,
  );
  dialog.addEventListener('cancel', (event) => refuseSilentClose(event, onClose));
  dialog.addEventListener('keydown', (event) => keepTabInside(event, dialog));
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Chromium closes a dialog that is cancelled twice; here whoever owns it decides. */
function refuseSilentClose(event, onClose) {
  event.preventDefault();
  onClose();
}

function closeButton(onClose) {
  return el('button', { class: 'tool', type: 'button', 'aria-label': 'Close', on: { click: onClose } }, icon('close'));
}

function keepTabInside(event, dialog) {
  if (event.key !== 'Tab') return;
  const stops = [...dialog.querySelectorAll('a[href], button, input, select, textarea, [tabindex="0"]')].filter(isStop);
  const edge = event.shiftKey ? stops[0] : stops.at(-1);
  if (stops.length === 0 || document.activeElement !== edge) return;
  event.preventDefault();
  (event.shiftKey ? stops.at(-1) : stops[0]).focus();
}

function isStop(element) {
  return !element.disabled && element.offsetParent !== null && element.tabIndex >= 0;
}

export function closeDialog(dialog) {
  dialog.close();
  dialog.remove();
}

/** Ask as a `confirm` object says; resolves to whether it was confirmed. No object: no question. */
export function askConfirm(confirm, names) {
  if (!confirm) return Promise.resolve(true);
  return new Promise((resolve) => {
    const answer = (isYes) => {
      closeDialog(dialog);
      resolve(isYes);
    };
    const dialog = openDialog({
      title: withEmoji(confirm.title?.text ?? ''),
      body: el('div', { class: 'dialog-body' }, renderText(confirm.text, names)),
      foot: confirmButtons(confirm, answer),
      className: 'dialog-confirm',
      onClose: () => answer(false),
    });
    dialog.querySelector('.dialog-foot .button:last-child').focus();
  });
}

function confirmButtons(confirm, answer) {
  const style = confirm.style === 'danger' ? 'button-danger' : 'button-primary';
  return [
    el('button', { class: 'button', type: 'button', on: { click: () => answer(false) } }, withEmoji(confirm.deny?.text ?? 'Cancel')),
    el('button', { class: `button ${style}`, type: 'button', on: { click: () => answer(true) } }, withEmoji(confirm.confirm?.text ?? 'Yes')),
  ];
}
