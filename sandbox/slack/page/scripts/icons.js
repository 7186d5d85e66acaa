// Line icons on a grid of 20, drawn for this page.

import { svg } from './dom.js';

const PATHS = {
  alert: 'M10 3.2 17.6 16.4H2.4zM10 8v4M10 14.2v.1',
  archive: 'M3 4.5h14v3.5H3zM4.5 8v7.5h11V8M8 11h4',
  at: 'M13.2 10a3.2 3.2 0 1 1-6.4 0 3.2 3.2 0 0 1 6.4 0zm0-3v4.2c0 2.9 3.8 2.6 3.8-1.2a7 7 0 1 0-3 5.7',
  bold: 'M6.5 4h4.3a2.9 2.9 0 0 1 0 5.8H6.5zm0 5.8h5a3.1 3.1 0 0 1 0 6.2h-5z',
  chevron: 'm5.5 8 4.5 4.5L14.5 8',
  close: 'm5 5 10 10M15 5 5 15',
  code: 'M7 6 3 10l4 4m6-8 4 4-4 4',
  dots: 'M10 4.5v.010M10 10v.010M10 15.5v.010',
  down: 'M10 4v11.5M5 11l5 5 5-5',
  eye: 'M2.5 10c3.3-6 11.7-6 15 0-3.3 6-11.7 6-15 0zM12.3 10a2.3 2.3 0 1 1-4.6 0 2.3 2.3 0 0 1 4.6 0z',
  file: 'M5.5 2.8h6l3.5 3.5v10.9H5.5zM11.5 2.8v3.5H15',
  globe: 'M10 2.8a7.2 7.2 0 1 0 0 14.400a7.2 7.2 0 0 0 0-14.400zM2.8 10h14.400M10 2.8c4.200 4 4.200 10.400 0 14.400M10 2.8c-4.200 4-4.200 10.400 0 14.400',
  hash: 'M8.2 3.5 6.8 16.5M13.2 3.5l-1.4 13M3.8 7.5h13M3.2 12.5h13',
  italic: 'M8 4h6M6 16h6M11.5 4l-3 12',
  link: 'M8.5 11.5a3 3 0 0 0 4.3 0l3-3a3 3 0 1 0-4.3-4.3l-.8.8M11.5 8.5a3 3 0 0 0-4.3 0l-3 3a3 3 0 1 0 4.3 4.3l.8-.8',
  lock: 'M5 9h10v7.5H5zM7 9V6.5a3 3 0 0 1 6 0V9',
  menu: 'M3.5 5.5h13M3.5 10h13M3.5 14.5h13',
  people: 'M9.8 7a2.6 2.6 0 1 1-5.2 0 2.6 2.6 0 0 1 5.2 0zM2.5 16c0-6 9.4-6 9.4 0M13 4.6a2.6 2.6 0 0 1 0 4.8M14.5 11.8c2 .5 3 1.9 3 4.2',
  reply: 'M3.5 4.5h13v9H9l-3.5 3v-3h-2z',
  send: 'M3.5 4 17 10 3.5 16l1.8-6zM5.3 10H11',
  server: 'M3.5 4h13v5h-13zM3.5 11h13v5h-13zM6.5 6.5v.010M6.5 13.5v.010M10 6.5h4M10 13.5h4',
  slash: 'M12.5 3.5l-5 13',
  strike: 'M4 10h12M13.5 6.5C12.5 3 6.5 3.2 6.5 6.5c0 1 .6 1.7 1.5 2.2M6.3 13.2c.7 4.2 7.7 3.8 7.7.2 0-.5-.1-.9-.3-1.3',
  swap: 'm6.5 8 3.5-3.5L13.5 8M6.5 12l3.5 3.5 3.5-3.5',
};

/** The icon called `name`; it is decoration, the button around it carries the words. */
export function icon(name) {
  return svg(
    'svg',
    { class: `icon icon-${name}`, viewBox: '0 0 20 20', 'aria-hidden': 'true', focusable: 'false' },
    svg('path', { d: PATHS[name] }),
  );
}

/** The mark: a track that parts in two, and the lever's point. */
export function mark() {
  return svg(
    'svg',
    { class: 'mark', viewBox: '0 0 36 36', 'aria-hidden': 'true', focusable: 'false' },
    svg('rect', { class: 'mark-ground', width: 36, height: 36, rx: 9 }),
    svg('path', { class: 'mark-side', d: 'M13 30V24c0-5 10-6 10-12V6' }),
    svg('path', { class: 'mark-main', d: 'M13 30V6' }),
    svg('circle', { class: 'mark-point', cx: 13, cy: 24, r: 3.2 }),
  );
}
