// Input blocks of views, and reading what was filled in as Slack sends it: view.state.values[block_id][action_id].
// https://docs.slack.dev/reference/block-kit/blocks/input-block

import { el } from './dom.js';
import { CHANGE_TYPES, optionsOf, renderChoices, renderSelect } from './elements.js';
import { withEmoji } from './emoji.js';
import { icon } from './icons.js';

const TEXT_TYPES = { plain_text_input: 'text', number_input: 'text', email_text_input: 'email', url_text_input: 'url' };

const CONTROLS = {
  ...Object.fromEntries(Object.keys(TEXT_TYPES).map((type) => [type, renderTextInput])),
  static_select: renderSelectInput,
  users_select: renderSelectInput,
  channels_select: renderSelectInput,
  conversations_select: renderSelectInput,
  multi_static_select: renderMultiInput,
  multi_users_select: renderMultiInput,
  checkboxes: renderChoiceInput,
  radio_buttons: renderChoiceInput,
  datepicker: (input, ids) => el('input', { ...ids, type: 'date', class: 'text-input', value: input.element.initial_date }),
  timepicker: (input, ids) => el('input', { ...ids, type: 'time', class: 'text-input', value: input.element.initial_time }),
  file_input: renderFileInput,
};

/** A labelled field with its hint and, from the scene, its error. */
export function renderInput(block, scene, index) {
  const element = withFilled(block.element ?? {}, scene.filled?.[block.block_id]);
  const id = `input-${index}-${block.block_id ?? ''}`;
  const error = scene.errors?.[block.block_id];
  const key = `${block.block_id}/${element.action_id}/${element.type}`;
  const isGroup = ['checkboxes', 'radio_buttons'].includes(element.type);
  return el(
    isGroup ? 'fieldset' : 'div',
    { class: error ? 'input has-error' : 'input', dataset: { key, blockId: block.block_id } },
    renderLabel(block, id, isGroup),
    renderControl({ block, element, index, scene }, controlProps({ id, block, error })),
    error ? el('div', { class: 'input-error', id: `${id}-error`, role: 'alert' }, icon('alert'), error) : null,
    block.hint ? el('div', { class: 'input-hint', id: `${id}-hint` }, withEmoji(block.hint.text)) : null,
  );
}

/** What was filled in before, from the view's state, stands for the initial value. */
function withFilled(element, filled) {
  const { type, value, ...selected } = filled?.[element.action_id] ?? {};
  if (type === undefined) return element;
  const initial = Object.entries(selected).map(([key, chosen]) => [key === 'files' ? 'initial_files' : key.replace('selected_', 'initial_'), chosen ?? undefined]);
  return { ...element, ...(value === undefined ? {} : { initial_value: value ?? undefined }), ...Object.fromEntries(initial) };
}

function renderLabel(block, id, isGroup) {
  const words = [withEmoji(block.label?.text ?? ''), block.optional ? el('span', { class: 'optional' }, ' (optional)') : null];
  return isGroup ? el('legend', {}, words) : el('label', { for: id }, words);
}

function controlProps({ id, block, error }) {
  const described = [error ? `${id}-error` : null, block.hint ? `${id}-hint` : null].filter(Boolean).join(' ');
  return { id, 'aria-invalid': error ? 'true' : null, 'aria-describedby': described || null, 'aria-required': block.optional ? null : 'true' };
}

function renderControl(input, props) {
  const type = input.element.type;
  if (!Object.hasOwn(CONTROLS, type)) return el('span', { class: 'unsupported' }, `unsupported element ${type}`);
  return CONTROLS[type](input, props);
}

function renderTextInput({ element }, ids) {
  const shared = { ...ids, class: 'text-input', placeholder: element.placeholder?.text, maxlength: element.max_length };
  if (element.multiline) return el('textarea', { ...shared, rows: '4' }, element.initial_value ?? '');
  const mode = element.type === 'number_input' ? 'decimal' : null;
  return el('input', { ...shared, type: TEXT_TYPES[element.type], value: element.initial_value, inputmode: mode, autocomplete: 'off' });
}

function renderSelectInput({ block, element, index, scene }, ids) {
  return renderSelect(element, scene, { block: index, element: 'input' }, { ...ids, 'aria-label': null, required: !block.optional });
}

function renderMultiInput({ element, scene }, ids) {
  const chosen = new Set((element.initial_options ?? []).map((option) => option.value).concat(element.initial_users ?? []));
  const options = optionsOf(element, scene.names);
  const nodes = options.map(({ text, value }) => el('option', { value, selected: chosen.has(value) }, text));
  return el('select', { ...ids, multiple: true, class: 'text-input', size: String(Math.min(6, Math.max(3, options.length))) }, nodes);
}

function renderChoiceInput({ block, element, index, scene }, ids) {
  const node = renderChoices(element, scene, { block: index, element: 'input' }, ids.id);
  node.id = ids.id;
  if (ids['aria-describedby']) node.setAttribute('aria-describedby', ids['aria-describedby']);
  node.setAttribute('aria-label', withEmoji(block.label?.text ?? ''));
  return node;
}

function renderFileInput({ element }, ids) {
  const accept = (element.filetypes ?? []).map((type) => `.${type}`).join(',');
  const limit = element.max_files ?? 10;
  const kept = (element.initial_files ?? []).map(({ id, name }) => ({ id, name }));
  return el(
    'div',
    { class: 'file-input' },
    el('input', { ...ids, type: 'file', accept: accept || null, multiple: limit > 1, dataset: { kept: JSON.stringify(kept) } }),
    kept.length > 0 ? el('small', {}, `Uploaded: ${kept.map(({ name }) => name).join(', ')}`) : null,
    el('small', {}, [accept ? accept.replaceAll(',', ', ') : 'Any file', limit > 1 ? `up to ${limit} files` : 'one file'].join(' · ')),
  );
}

/** The problems that Slack's own client finds before it sends: {block_id: text}. */
export function findMissing(form, blocks) {
  const values = readValues(form, blocks);
  const missing = {};
  for (const block of blocks.filter(({ type }) => type === 'input')) {
    const value = values[block.block_id]?.[block.element.action_id];
    if (!block.optional && isEmpty(value)) missing[block.block_id] = 'Please complete this required field.';
  }
  return missing;
}

function isEmpty(value) {
  return Object.entries(value ?? {}).every(([key, content]) => key === 'type' || content === null || content.length === 0);
}

/**
 * {block_id: {action_id: {type, value | selected_…}}} of everything that holds a value, outside input blocks too.
 * Files are File objects still.
 */
export function readValues(form, blocks) {
  const values = {};
  blocks.forEach((block, index) => {
    for (const [element, field] of fieldsOf(form, block, index)) {
      values[block.block_id] = { ...values[block.block_id], [element.action_id]: readValue(element, field) };
    }
  });
  return values;
}

function fieldsOf(form, block, index) {
  if (block.type === 'input') return withField(block.element, form.querySelector(`#${CSS.escape(`input-${index}-${block.block_id ?? ''}`)}`));
  const elements = [...(block.elements ?? []), block.accessory].filter((element) => CHANGE_TYPES.has(element?.type));
  return elements.flatMap((element) => withField(element, findField(form, element, index)));
}

function withField(element, field) {
  return field ? [[element, field]] : [];
}

function findField(form, element, index) {
  const control = form.querySelector(`[data-block="${index}"][data-action="${CSS.escape(element.action_id)}"]`);
  return control?.closest('.choices') ?? control;
}

function readValue(element, field) {
  const { type } = element;
  const read = READERS[type] ?? (() => ({ value: field.value || null }));
  return { type, ...read(element, field) };
}

const READERS = {
  static_select: (element, field) => ({ selected_option: findOption(element, field.value) }),
  radio_buttons: (element, field) => ({ selected_option: findOption(element, checkedIn(field)[0]) }),
  checkboxes: (element, field) => ({ selected_options: checkedIn(field).map((value) => findOption(element, value)) }),
  multi_static_select: (element, field) => ({ selected_options: chosenIn(field).map((value) => findOption(element, value)) }),
  users_select: (element, field) => ({ selected_user: field.value || null }),
  multi_users_select: (element, field) => ({ selected_users: chosenIn(field) }),
  channels_select: (element, field) => ({ selected_channel: field.value || null }),
  conversations_select: (element, field) => ({ selected_conversation: field.value || null }),
  datepicker: (element, field) => ({ selected_date: field.value || null }),
  timepicker: (element, field) => ({ selected_time: field.value || null }),
  file_input: (element, field) => ({ files: field.files.length > 0 ? [...field.files] : JSON.parse(field.dataset.kept) }),
};

function checkedIn(field) {
  return [...field.querySelectorAll('input:checked')].map((input) => input.value);
}

function chosenIn(field) {
  return [...field.selectedOptions].map((option) => option.value);
}

/** The option object as the app sent it. */
export function findOption(element, value) {
  const options = element.options ?? (element.option_groups ?? []).flatMap((group) => group.options);
  return options.find((option) => option.value === value) ?? null;
}

/** The values with each file as {name, content}, content in base64; what was uploaded before is named by its id. */
export async function withFiles(values) {
  for (const elements of Object.values(values)) {
    for (const value of Object.values(elements)) {
      if (value.files) value.files = await Promise.all(value.files.map(describeFile));
    }
  }
  return values;
}

export async function describeFile(file) {
  if (!(file instanceof File)) return { id: file.id };
  const bytes = new Uint8Array(await file.arrayBuffer());
  return { name: file.name, content: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')) };
}
