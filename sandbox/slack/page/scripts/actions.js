// What happens when somebody presses an element of a message or a view: find it, ask where Slack asks, send it.

import { send } from './api.js';
import { askConfirm } from './dialogs.js';
import { closestWith } from './dom.js';
import { CHANGE_TYPES } from './elements.js';
import { withEmoji } from './emoji.js';
import { findOption } from './inputs.js';
import { showMenu } from './menus.js';
import { isAddress } from './mrkdwn.js';

/** Handle a click or change: open what the element opens, ask what it asks, then call `go(pressed, value)`. */
export async function press(event, blocks, names, go) {
  const pressed = findPressed(event, blocks);
  if (!pressed || !isChosenBy(event, pressed.element) || pressed.control.ariaBusy === 'true') return;
  if (pressed.element.type === 'overflow') showOptions(pressed, names, go);
  else await confirmPress(pressed, chosenValue(pressed.element, pressed.control), names, go);
}

function showOptions(pressed, names, go) {
  const items = (pressed.element.options ?? []).map((option) => ({
    label: withEmoji(option.text?.text ?? ''),
    choose: () => chooseOption(option, pressed, names, go),
  }));
  showMenu(pressed.control, items, { label: 'More actions' });
}

function chooseOption(option, pressed, names, go) {
  if (option.url && isAddress(option.url)) open(option.url, '_blank', 'noopener');
  return confirmPress(pressed, { selected_option: option }, names, go);
}

async function confirmPress(pressed, value, names, go) {
  if (await askConfirm(pressed.element.confirm, names)) go(pressed, value);
  else if (pressed.control.tagName === 'SELECT') pressed.control.value = '';
}

/** The element that an event fell on, as {block, element, control}, or null. */
function findPressed(event, blocks) {
  const control = closestWith(event, 'action');
  if (!control) return null;
  const block = blocks[Number(control.dataset.block)];
  const name = control.dataset.element;
  const element = { accessory: block?.accessory, input: block?.element }[name] ?? block?.elements?.[Number(name)];
  return element?.action_id === control.dataset.action ? { block, element, control } : null;
}

/** Whether this kind of event chooses this kind of element: selects by change, the rest by click. */
function isChosenBy(event, element) {
  return CHANGE_TYPES.has(element.type) === (event.type === 'change');
}

/** What Slack calls the chosen thing, for the kinds that carry one. */
function chosenValue(element, control) {
  switch (element.type) {
    case 'button':
      return element.value === undefined ? {} : { value: element.value };
    case 'users_select':
      return { selected_user: control.value };
    case 'channels_select':
      return { selected_channel: control.value };
    case 'conversations_select':
      return { selected_conversation: control.value };
    case 'datepicker':
      return { selected_date: control.value || null };
    case 'checkboxes':
      return { selected_options: checkedOptions(element, control) };
    default:
      return { selected_option: findOption(element, control.value) };
  }
}

function checkedOptions(element, control) {
  const group = control.closest('.choices');
  return [...group.querySelectorAll('input:checked')].map((input) => findOption(element, input.value));
}

/** Send a press; resolves to the reply. `target` names the message or the view. */
export function sendPress(path, target, { block, element }, value) {
  return send(path, { ...target, action_id: element.action_id, block_id: block.block_id, ...value });
}

/** What to say where a press had no answer. */
export function problemOf(reply, app) {
  if (reply.message ?? reply.explanation) return reply.message ?? reply.explanation;
  if (reply.error === 'operation_timeout') return `${app} did not answer in time. Try again.`;
  return `This did not work (${reply.error ?? 'no reason given'}).`;
}
