// data_visualization blocks as SVG. https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block
// Series differ by colour and by dash; a picture is named with all its numbers, for those who do not see it.

import { el, svg } from './dom.js';

const WIDTH = 560;
const HEIGHT = 240;
const BOX = { left: 52, right: 12, top: 12, bottom: 58 };
const INNER = { width: WIDTH - BOX.left - BOX.right, height: HEIGHT - BOX.top - BOX.bottom };
const DASHES = ['', '7 4', '2 4', '10 3 2 3', '4 2', '1 3'];
const MOST_MARKS = 10;

export function renderChart(block) {
  const { chart, title } = block;
  const isPie = chart.type === 'pie';
  return el(
    'figure',
    { class: 'block-chart' },
    el('figcaption', {}, title),
    isPie ? drawPie(chart, title) : drawPlot(chart, title),
    isPie ? pieLegend(chart) : chart.series.length > 1 ? plotLegend(chart) : null,
  );
}

function picture(title, said, width, height, ...parts) {
  const name = `${title}. ${said}`;
  return svg('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': name }, svg('title', {}, name), ...parts);
}

const number = (value) => value.toLocaleString('en-US', { maximumFractionDigits: 4 });

// Along an axis

function drawPlot(chart, title) {
  const { categories, x_label: across, y_label: up } = chart.axis_config;
  const scale = scaleOf(chart.series.flatMap((one) => one.data.map((point) => point.value)));
  const shape = { bar: drawBars, line: drawLine, area: drawArea }[chart.type];
  const said = chart.series.map((one) => `${one.name}: ${one.data.map((point) => `${point.label} ${number(point.value)}`).join(', ')}`).join('; ');
  return picture(
    title,
    `${chart.type} chart. ${said}`,
    WIDTH,
    HEIGHT,
    ...scale.marks.flatMap((mark) => drawMark(mark, scale)),
    ...categories.flatMap((name, index) => drawCategory(name, index, categories.length)),
    ...chart.series.flatMap((one, nth) => shape(valuesOf(one, categories), nth, chart.series.length, scale)),
    drawText(across ?? '', BOX.left + INNER.width / 2, HEIGHT - 6, 'middle'),
    svg('text', { class: 'chart-text', 'text-anchor': 'middle', transform: `translate(11 ${BOX.top + INNER.height / 2}) rotate(-90)` }, up ?? ''),
  );
}

function valuesOf(series, categories) {
  const byLabel = new Map(series.data.map((point) => [point.label, point.value]));
  return categories.map((name) => byLabel.get(name) ?? 0);
}

/** A scale that holds zero and ends at round numbers. */
function scaleOf(values) {
  const least = Math.min(0, ...values);
  const most = Math.max(0, ...values);
  const step = roundStep((most - least || 1) / 4);
  const [from, to] = [Math.floor(least / step), Math.ceil(most / step) || 1];
  const marks = Array.from({ length: to - from + 1 }, (_, nth) => Number(((from + nth) * step).toPrecision(10)));
  const place = (value) => BOX.top + INNER.height * (1 - (value - from * step) / ((to - from) * step));
  return { marks, place };
}

function roundStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
}

function drawMark(mark, scale) {
  const y = scale.place(mark);
  const line = svg('line', { class: mark === 0 ? 'chart-axis' : 'chart-grid', x1: BOX.left, x2: WIDTH - BOX.right, y1: y, y2: y });
  return [line, drawText(number(mark), BOX.left - 6, y + 4, 'end')];
}

const middleOf = (index, count) => BOX.left + (INNER.width * (index + 0.5)) / count;

function drawCategory(name, index, count) {
  if (index % Math.ceil(count / MOST_MARKS)) return [];
  const most = Math.max(4, Math.floor((INNER.width / Math.min(count, MOST_MARKS)) / 7));
  const shown = name.length > most ? `${name.slice(0, most - 1)}…` : name;
  return [drawText(shown, middleOf(index, count), HEIGHT - BOX.bottom + 18, 'middle')];
}

function drawText(text, x, y, anchor) {
  return svg('text', { class: 'chart-text', x, y, 'text-anchor': anchor }, text);
}

function drawLine(values, nth, _count, scale) {
  const points = values.map((value, index) => [middleOf(index, values.length), scale.place(value)]);
  const line = svg('polyline', { class: `chart-line chart-${nth}`, points: points.map((point) => point.join(',')).join(' '), 'stroke-dasharray': DASHES[nth] });
  return [line, ...points.map(([cx, cy]) => svg('circle', { class: `chart-dot chart-${nth}`, cx, cy, r: 3 }))];
}

function drawArea(values, nth, count, scale) {
  const base = scale.place(0);
  const points = values.map((value, index) => `${middleOf(index, values.length)},${scale.place(value)}`);
  const edges = [`${middleOf(0, values.length)},${base}`, ...points, `${middleOf(values.length - 1, values.length)},${base}`];
  return [svg('polygon', { class: `chart-area chart-${nth}`, points: edges.join(' ') }), ...drawLine(values, nth, count, scale)];
}

function drawBars(values, nth, count, scale) {
  const room = (INNER.width / values.length) * 0.72;
  const width = room / count;
  return values.map((value, index) => {
    const x = middleOf(index, values.length) - room / 2 + nth * width;
    const [top, bottom] = [scale.place(value), scale.place(0)].sort((one, other) => one - other);
    return svg('rect', { class: `chart-bar chart-${nth}`, x, y: top, width, height: Math.max(bottom - top, 1), 'stroke-dasharray': DASHES[nth] });
  });
}

function plotLegend(chart) {
  return legend(chart.series.map((one) => one.name));
}

// A pie

function drawPie(chart, title) {
  const total = totalOf(chart);
  const said = chart.segments.map((one) => `${one.label} ${number(one.value)} (${shareOf(one, total)})`).join(', ');
  let end = 0;
  const slices = chart.segments.map((one, nth) => drawSlice(nth, end, (end += one.value / total)));
  return picture(title, `pie chart. ${said}`, 200, 200, ...slices);
}

const totalOf = (chart) => chart.segments.reduce((sum, one) => sum + one.value, 0);
const shareOf = (segment, total) => `${number(Math.round((segment.value / total) * 1000) / 10)} %`;
const onCircle = (turn) => `${100 + 92 * Math.sin(turn * 2 * Math.PI)} ${100 - 92 * Math.cos(turn * 2 * Math.PI)}`;

function drawSlice(nth, from, to) {
  const looks = { class: `chart-slice chart-${nth}` };
  if (to - from > 0.9999) return svg('circle', { ...looks, cx: 100, cy: 100, r: 92 });
  return svg('path', { ...looks, d: `M100 100 L${onCircle(from)} A92 92 0 ${to - from > 0.5 ? 1 : 0} 1 ${onCircle(to)} Z` });
}

function pieLegend(chart) {
  const total = totalOf(chart);
  return legend(chart.segments.map((one) => `${one.label} ${shareOf(one, total)}`));
}

function legend(names) {
  const sample = (nth) =>
    svg('svg', { viewBox: '0 0 24 10', class: 'chart-sample', 'aria-hidden': 'true' }, svg('line', { class: `chart-line chart-${nth}`, x1: 1, x2: 23, y1: 5, y2: 5, 'stroke-dasharray': DASHES[nth] }));
  return el('ul', { class: 'chart-legend' }, names.map((name, nth) => el('li', {}, sample(nth), name)));
}
