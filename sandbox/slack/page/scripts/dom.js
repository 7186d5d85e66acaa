// Building and updating DOM nodes. Text always goes in as text nodes, never as markup.

const SVG = 'http://www.w3.org/2000/svg';

/**
 * An element. `props` sets attributes; `class`, `dataset`, `style` (custom properties too) and `on` are understood.
 * Children may be nodes, strings, arrays of these, or null and false for nothing.
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) setProperty(node, name, value);
  node.append(...flatten(children));
  return node;
}

function setProperty(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === 'on') Object.entries(value).forEach(([type, listener]) => node.addEventListener(type, listener));
  else if (name === 'dataset') setData(node, value);
  else if (name === 'style') Object.entries(value).forEach(([key, text]) => node.style.setProperty(key, text));
  else node.setAttribute(name, value === true ? '' : value);
}

function setData(node, values) {
  for (const [key, value] of Object.entries(values)) {
    if (value !== null && value !== undefined) node.dataset[key] = value;
  }
}

function flatten(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

export function fragment(...children) {
  const node = document.createDocumentFragment();
  node.append(...flatten(children));
  return node;
}

/** An element of SVG with plain attributes. */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/**
 * Make `old` look like `fresh` while keeping what can be kept, so that focus, selection, hover and what a person
 * typed survive an edit. Listeners are not carried over: whoever morphs listens further up. Returns the node in place.
 */
export function morph(old, fresh) {
  if (!isSameKind(old, fresh)) {
    old.replaceWith(fresh);
    return fresh;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return old;
  }
  morphAttributes(old, fresh);
  if (old.tagName !== 'TEXTAREA') morphChildren(old, fresh);
  if (old.dataset?.controlled !== undefined) followValue(old, fresh);
  return old;
}

function isSameKind(old, fresh) {
  return old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && keyOf(old) === keyOf(fresh);
}

function keyOf(node) {
  return node.dataset?.key;
}

function morphAttributes(old, fresh) {
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !isOwnedByPerson(old, name)) setAttribute(old, name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !isOwnedByPerson(old, name)) old.removeAttribute(name);
  }
}

/** The page's policy forbids style attributes as text; through the object model they are fine. */
function setAttribute(node, name, value) {
  if (name === 'style') node.style.cssText = value;
  else node.setAttribute(name, value);
}

/** What a person opened stays open. */
function isOwnedByPerson(node, attribute) {
  return attribute === 'open' && node.tagName === 'DETAILS';
}

function morphChildren(old, fresh) {
  const wanted = [...fresh.childNodes];
  wanted.forEach((child, index) => placeChild(old, child, index));
  while (old.childNodes.length > wanted.length) old.lastChild.remove();
}

function placeChild(parent, child, index) {
  const there = parent.childNodes[index];
  const known = keyOf(child) === undefined ? there : findKeyed(parent, keyOf(child), index) ?? there;
  if (known === undefined) parent.append(child);
  else if (known !== there && isSameKind(known, child)) parent.insertBefore(morph(known, child), there);
  else if (!isSameKind(there, child) && keyOf(child) !== undefined) parent.insertBefore(child, there);
  else morph(there, child);
}

function findKeyed(parent, key, from) {
  return [...parent.childNodes].slice(from).find((node) => keyOf(node) === key);
}

function followValue(old, fresh) {
  if (old === document.activeElement) return;
  if (old.type === 'checkbox') old.checked = fresh.checked;
  else old.value = fresh.value;
}

/**
 * Bring the children of `container` in line with `items` ({key, mark, build}): a child whose mark did not change is
 * not touched, a changed one is morphed in place, new ones come in where they belong.
 */
export function reconcile(container, items) {
  const known = new Map([...container.children].map((child) => [child.dataset.key, child]));
  let place = container.firstElementChild;
  for (const item of items) {
    const child = bringUpToDate(known.get(item.key), item);
    known.delete(item.key);
    if (child === place) place = place.nextElementSibling;
    else container.insertBefore(child, place);
  }
  for (const child of known.values()) child.remove();
}

const marks = new WeakMap();

function bringUpToDate(child, item) {
  if (child !== undefined && marks.get(child) === item.mark) return child;
  const fresh = item.build();
  fresh.dataset.key = item.key;
  const placed = child === undefined ? fresh : morph(child, fresh);
  marks.set(placed, item.mark);
  return placed;
}

/** The nearest ancestor with the attribute `data-NAME`, or null. */
export function closestWith(event, name) {
  return event.target instanceof Element ? event.target.closest(`[data-${name}]`) : null;
}
