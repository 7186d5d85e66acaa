// Interactive elements in messages and views. https://docs.slack.dev/reference/block-kit/block-elements

import { el } from './dom.js';
import { withEmoji } from './emoji.js';
import { icon } from './icons.js';
import { isAddress } from './mrkdwn.js';

const ELEMENTS = {
  button: renderButton,
  static_select: renderSelect,
  users_select: renderSelect,
  channels_select: renderSelect,
  conversations_select: renderSelect,
  overflow: renderOverflow,
  checkboxes: renderChoices,
  radio_buttons: renderChoices,
  datepicker: renderDate,
};

/** Where an element's value is chosen by a change of its control, and not by a press. */
export const CHANGE_TYPES = new Set(Object.keys(ELEMENTS).filter((type) => !['button', 'overflow'].includes(type)));

/** `place` is {block, element}: indexes in the message's blocks. */
export function renderElement(element, scene, place) {
  if (!Object.hasOwn(ELEMENTS, element.type)) return el('span', { class: 'unsupported' }, `unsupported element ${element.type}`);
  return ELEMENTS[element.type](element, scene, place);
}

function renderButton(element, scene, place) {
  const { isBusy } = scene.state(scene.blocks?.[place.block], element);
  const label = withEmoji(element.text?.text ?? '');
  const className = ['button', element.style ? `button-${element.style}` : '', isBusy ? 'is-busy' : ''].filter(Boolean).join(' ');
  const data = { ...place, action: element.action_id };
  const props = { class: className, dataset: data, 'aria-label': element.accessibility_label ?? null };
  if (element.url && isAddress(element.url)) {
    return el('a', { ...props, href: element.url, target: '_blank', rel: 'noopener noreferrer' }, label);
  }
  return el('button', { ...props, type: 'button', 'aria-busy': isBusy ? 'true' : null, 'aria-disabled': isBusy ? 'true' : null }, label);
}

/** The options of an element as {text, value, group?}; people and channels are options too. */
export function optionsOf(element, names) {
  if (element.type.includes('users')) return names.people().map(({ id, label }) => ({ text: label, value: id }));
  if (/channels|conversations/.test(element.type)) return names.channels().map(({ id, label }) => ({ text: `#${label}`, value: id }));
  const groups = element.option_groups ?? [{ options: element.options ?? [] }];
  return groups.flatMap((group) =>
    group.options.map((option) => ({ text: withEmoji(option.text?.text ?? ''), value: option.value, group: group.label?.text, option })),
  );
}

/** What is chosen at first: option, or id of a person or channel. */
function initialOf(element) {
  return element.initial_option?.value ?? element.initial_user ?? element.initial_channel ?? element.initial_conversation ?? null;
}

export function renderSelect(element, scene, place, props = {}) {
  const chosen = initialOf(element);
  const data = { ...place, action: element.action_id };
  const placeholder = element.placeholder?.text ?? 'Choose an option';
  return el(
    'span',
    { class: 'select' },
    el(
      'select',
      { 'aria-label': placeholder, ...props, dataset: data },
      el('option', { value: '', selected: chosen === null, hidden: props.required ? true : null }, withEmoji(placeholder)),
      renderOptions(optionsOf(element, scene.names), chosen),
    ),
    icon('chevron'),
  );
}

function renderOptions(options, chosen) {
  const groups = new Map();
  for (const option of options) groups.set(option.group, [...(groups.get(option.group) ?? []), option]);
  return [...groups].map(([label, members]) => {
    const nodes = members.map(({ text, value }) => el('option', { value, selected: value === chosen }, text));
    return label === undefined ? nodes : el('optgroup', { label }, nodes);
  });
}

function renderOverflow(element, scene, place) {
  const data = { ...place, action: element.action_id };
  const props = { class: 'button button-overflow', type: 'button', 'aria-label': 'More actions', 'aria-haspopup': 'menu', dataset: data };
  return el('button', props, icon('dots'));
}

export function renderChoices(element, scene, place, name = `${place.block}-${place.element}-${element.action_id}`) {
  const type = element.type === 'checkboxes' ? 'checkbox' : 'radio';
  const chosen = new Set([...(element.initial_options ?? []).map((option) => option.value), element.initial_option?.value]);
  const items = (element.options ?? []).map((option) => renderChoice(option, { type, name, place, action: element.action_id, chosen, scene }));
  return el('div', { class: 'choices', role: type === 'radio' ? 'radiogroup' : 'group' }, items);
}

function renderChoice(option, { type, name, place, action, chosen, scene }) {
  const input = el('input', { type, name, value: option.value, checked: chosen.has(option.value), dataset: { ...place, action } });
  const words = el('span', {}, scene.text(option.text), option.description ? el('small', {}, scene.text(option.description)) : null);
  return el('label', { class: 'choice' }, input, words);
}

function renderDate(element, scene, place) {
  const data = { ...place, action: element.action_id };
  return el('input', { type: 'date', class: 'text-input', value: element.initial_date, 'aria-label': 'Date', dataset: data });
}
