// Block Kit as DOM nodes. https://docs.slack.dev/reference/block-kit/blocks
// A scene is {names, blocks, text(object), state(block, element) -> {isBusy}, errors?}; elements carry their place (data-block, data-element), so
// that one listener further up finds what was pressed in the message as it is then.

import { renderChart } from './charts.js';
import { el } from './dom.js';
import { renderElement } from './elements.js';
import { withEmoji } from './emoji.js';
import { icon } from './icons.js';
import { renderInput } from './inputs.js';
import { renderMrkdwn } from './mrkdwn.js';
import { renderRichText } from './richtext.js';

const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];

const BLOCKS = {
  actions: renderActions,
  context: renderContext,
  divider: () => el('hr', {}),
  header: (block) => el('h3', { class: 'block-header' }, withEmoji(block.text?.text ?? '')),
  image: renderImageBlock,
  input: renderInput,
  rich_text: (block, scene) => el('div', { class: 'block-rich' }, renderRichText(block, scene.names)),
  section: renderSection,
  table: renderTable,
  data_table: renderTable,
  data_visualization: renderChart,
};

export function renderBlocks(blocks, scene) {
  return el('div', { class: 'blocks' }, blocks.map((block, index) => renderBlock(block, index, scene)));
}

function renderBlock(block, index, scene) {
  const node = Object.hasOwn(BLOCKS, block.type) ? BLOCKS[block.type](block, scene, index) : renderUnsupported(block);
  node.classList.add('block');
  return node;
}

function renderUnsupported(block) {
  return el('div', { class: 'unsupported' }, `unsupported block ${block.type}`);
}

/** A text object: mrkdwn, or plain text with emoji. */
export function renderText(text, names) {
  if (!text) return null;
  return text.type === 'mrkdwn' ? renderMrkdwn(text.text, names) : withEmoji(text.text ?? '');
}

function renderSection(block, scene, index) {
  const words = el(
    'div',
    { class: 'section-words' },
    block.text ? el('div', { class: 'section-text' }, renderText(block.text, scene.names)) : null,
    block.fields ? renderFields(block.fields, scene.names) : null,
  );
  const accessory = block.accessory ? renderAccessory(block, scene, index) : null;
  return el('div', { class: 'block-section' }, words, accessory);
}

function renderFields(fields, names) {
  return el('div', { class: 'fields' }, fields.map((field) => el('div', { class: 'field' }, renderText(field, names))));
}

function renderAccessory(block, scene, index) {
  const isImage = block.accessory.type === 'image';
  const node = isImage ? renderImage(block.accessory) : renderElement(block.accessory, scene, { block: index, element: 'accessory' });
  return el('div', { class: 'accessory' }, node);
}

function renderActions(block, scene, index) {
  const elements = (block.elements ?? []).map((element, nth) => renderElement(element, scene, { block: index, element: nth }));
  return el('div', { class: 'block-actions' }, elements);
}

export function renderProblem(text) {
  return el('div', { class: 'problem', role: 'alert' }, icon('alert'), text);
}

function renderContext(block, scene) {
  const elements = (block.elements ?? []).map((element) =>
    element.type === 'image' ? renderImage(element) : el('span', { class: 'context-text' }, renderText(element, scene.names)),
  );
  return el('div', { class: 'block-context' }, elements);
}

function renderImageBlock(block) {
  const caption = block.title ? el('figcaption', {}, withEmoji(block.title.text ?? '')) : null;
  return el('figure', { class: 'block-image' }, caption, renderImage(block));
}

/** Pictures come from this machine only: one from elsewhere is named, not fetched. */
function renderImage(image) {
  const address = image.image_url ?? image.slack_file?.url;
  if (address && isLocal(address)) return el('img', { src: address, alt: image.alt_text ?? '', loading: 'lazy' });
  return el('span', { class: 'picture-elsewhere', title: address ?? '' }, icon('file'), image.alt_text || 'picture');
}

function isLocal(address) {
  return URL.canParse(address, location.href) && LOOPBACK.includes(new URL(address, location.href).hostname);
}

/** Slack takes a table's first row as its head. */
function renderTable(block, scene) {
  const [head, ...rows] = block.rows ?? [];
  const columns = block.column_settings ?? [];
  const caption = block.caption ? el('caption', {}, withEmoji(block.caption.text ?? String(block.caption))) : null;
  const table = el(
    'table',
    {},
    caption,
    head ? el('thead', {}, renderTableRow(head, 'th', columns, scene)) : null,
    el('tbody', {}, rows.map((row) => renderTableRow(row, 'td', columns, scene))),
  );
  return el('div', { class: 'block-table', tabindex: '0', role: 'region', 'aria-label': 'Table' }, table);
}

function renderTableRow(cells, tag, columns, scene) {
  return el('tr', {}, cells.map((cell, index) => el(tag, cellProps(tag, columns[index]), renderCell(cell, scene))));
}

function cellProps(tag, column) {
  return { class: `align-${column?.align ?? 'left'}${column?.is_wrapped ? ' is-wrapped' : ''}`, scope: tag === 'th' ? 'col' : null };
}

function renderCell(cell, scene) {
  if (cell.type === 'rich_text') return renderRichText(cell, scene.names);
  return withEmoji(String(cell.text ?? cell.value ?? ''));
}
