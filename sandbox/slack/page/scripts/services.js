// The panel beside the conversation: the five services as they are, and the switches for what may go wrong.

import { send } from './api.js';
import { closestWith, el, morph } from './dom.js';
import { icon } from './icons.js';

/** What an outage looks like from outside, by the names that the services take. */
const OUTAGES = {
  refused: 'Refuses connections', reset: 'Cuts connections', hang: 'Never answers', 500: 'Answers 500', 503: 'Answers 503',
  html: 'Answers HTML', half: 'Answers half a JSON', empty: 'Answers nothing', redirect: 'Redirects',
};
const ACTIONS = {
  finish: 'Finish now', fail: 'Fail', forget: 'Forget', stop: 'Stop', expire_tokens: 'Expire tokens', expire_keys: 'Expire keys',
  renew_keys: 'Renew keys', contract: 'Other contract', heed_cancel: 'Heed or ignore cancel', descriptions: 'Show or hide descriptions',
  integer_codes: 'Other kind of codes', error_shape: 'Other shape of errors',
};
const QUIET_ACTIONS = ['forget'];
const GOOD_END = /finish|complete|trained|success|^ready$|ready_for|done|created|active/i;
const BAD_END = /fail|error|abort|cancel|stopp/i;

/** Slack's own faults: [label, name, value]. */
const SLACK_FAULTS = [
  ['429 on the next post', 'rate_limited', { method: 'chat.postMessage', times: 1, retry_after: 2 }],
  ['Lose the next reply', 'drop_reply', { method: 'chat.postMessage', times: 1 }],
  ['Refuse the next post', 'fail', { method: 'chat.postMessage', error: 'restricted_action', times: 1 }],
  ['Send a disconnect', 'disconnect', { reason: 'refresh_requested' }],
];

export class Services {
  #unfolded = new Set(JSON.parse(sessionStorage.getItem('unfolded') ?? '[]'));
  #folded = new Set();
  #said = null;
  #isSilent = false;

  constructor(element, { world, session }) {
    Object.assign(this, { element, world, session });
    this.body = element.querySelector('.services-body');
    element.addEventListener('click', (event) => this.#click(event));
    element.addEventListener('change', (event) => this.#change(event));
  }

  draw() {
    const cards = this.world.state.services.map((service) => this.#card(service));
    morph(this.body, el('div', { class: 'services-body' }, this.#said ? said(this.#said) : null, cards, this.#slackCard()));
  }

  // One service

  #card(service) {
    const isFolded = this.#folded.has(service.name);
    return el(
      'section',
      { class: `service${isFaulty(service) ? ' is-faulty' : ''}`, 'aria-label': service.title, dataset: { service: service.name, key: service.name } },
      this.#head(service, isFolded),
      isFolded ? null : [this.#trainings(service), this.#live(service), this.#faults(service)],
    );
  }

  #head(service, isFolded) {
    const running = service.trainings.filter(isRunning).length;
    return el(
      'button',
      { class: 'service-head', type: 'button', 'aria-expanded': String(!isFolded), dataset: { fold: service.name } },
      el('span', { class: 'light', title: isFaulty(service) ? 'A fault is switched on' : 'Answers as documented' }),
      el('span', { class: 'service-title' }, service.title),
      el('span', { class: 'service-chips' }, faultsOf(service).map((fault) => el('span', { class: 'chip chip-bad' }, fault)), running ? el('span', { class: 'chip' }, `${running} running`) : null),
      icon('chevron'),
    );
  }

  #trainings(service) {
    if (service.trainings.length === 0) return el('p', { class: 'service-empty' }, 'No trainings yet');
    return el('ul', { class: 'trainings' }, service.trainings.map((training) => this.#training(training)));
  }

  #training(training) {
    return el(
      'li',
      { class: `training ${toneOf(training)}`, dataset: { training: training.id, key: training.id } },
      el('div', { class: 'training-head' }, el('span', { class: 'training-label', title: training.id }, training.label), el('span', { class: 'status' }, String(training.status))),
      isRunning(training) ? progressBar(training) : null,
      facts(training.facts),
      training.actions.length ? el('div', { class: 'training-actions' }, training.actions.map(actionButton)) : null,
    );
  }

  #live(service) {
    if (service.live.length === 0) return null;
    return el(
      'div',
      { class: 'live' },
      el('h4', {}, 'Live now'),
      el('ul', {}, service.live.map((one) => el('li', {}, el('strong', {}, one.label ?? one.id ?? String(one)), facts(one.facts)))),
    );
  }

  #faults(service) {
    const isOpen = this.#unfolded.has(service.name) || isFaulty(service);
    return el(
      'div',
      { class: 'faults' },
      el('button', { class: 'faults-head', type: 'button', 'aria-expanded': String(isOpen), dataset: { faults: service.name } }, icon('chevron'), 'Make it misbehave'),
      isOpen ? el('div', { class: 'faults-body' }, this.#switches(service), service.actions.length ? el('div', { class: 'training-actions' }, service.actions.map(actionButton)) : null, address(service)) : null,
    );
  }

  #switches({ name, switches }) {
    return [
      el('label', { class: 'setting' }, el('span', {}, 'Outage'), outageSelect(switches.outage)),
      el(
        'label',
        { class: 'setting' },
        el('span', {}, 'Slow, seconds'),
        el('input', { type: 'number', class: 'text-input', min: '0', max: '600', step: '0.5', value: String(switches.slow ?? 0), dataset: { act: 'slow', controlled: '' } }),
      ),
      toggle('Answers 429', switches.rate_limited, { act: 'rate_limited' }, `${name}-429`),
      toggle('Refuses credentials', switches.unauthorized, { act: 'unauthorized' }, `${name}-401`),
    ];
  }

  // Slack itself

  #slackCard() {
    const { bot } = this.world.state;
    const name = 'slack-itself';
    const isFolded = !this.#unfolded.has(name) && !this.#isSilent;
    return el(
      'section',
      { class: 'service service-slack', 'aria-label': 'Slack itself', dataset: { key: name } },
      el(
        'button',
        { class: 'service-head', type: 'button', 'aria-expanded': String(!isFolded), dataset: { faults: name } },
        el('span', { class: `light${bot.connected ? '' : ' is-off'}` }),
        el('span', { class: 'service-title' }, 'Slack itself'),
        icon('chevron'),
      ),
      isFolded ? null : this.#slackFaults(),
    );
  }

  #slackFaults() {
    const buttons = SLACK_FAULTS.map(([label], index) => el('button', { class: 'button button-small', type: 'button', dataset: { slack: index } }, label));
    return el('div', { class: 'faults-body' }, el('div', { class: 'training-actions' }, buttons), toggle('Sockets stay silent', this.#isSilent, { silent: '' }, 'slack-silent'));
  }

  // What people do

  #click(event) {
    const fold = closestWith(event, 'fold');
    const faults = closestWith(event, 'faults');
    const action = closestWith(event, 'do');
    const slack = closestWith(event, 'slack');
    if (fold) this.#toggle(this.#folded, fold.dataset.fold);
    else if (faults) this.#toggle(this.#unfolded, faults.dataset.faults);
    else if (action) this.#act(action, { action: action.dataset.do, ...trainingOf(action) });
    else if (slack) this.#disturb(...SLACK_FAULTS[Number(slack.dataset.slack)].slice(1));
  }

  #change(event) {
    const control = closestWith(event, 'act');
    if (closestWith(event, 'silent')) this.#silence(event.target.checked);
    if (control) this.#act(control, { action: control.dataset.act, ...settingOf(control) });
  }

  #toggle(names, name) {
    if (!names.delete(name)) names.add(name);
    sessionStorage.setItem('unfolded', JSON.stringify([...this.#unfolded]));
    this.draw();
  }

  async #act(control, body) {
    const { service } = control.closest('[data-service]').dataset;
    this.#tell(await send(`services/${service}/act`, body));
  }

  async #disturb(name, value) {
    this.#tell(await send('slack/switch', { name, value }));
  }

  async #silence(isSilent) {
    this.#isSilent = isSilent;
    await this.#disturb('silent', isSilent);
  }

  #tell(reply) {
    this.#said = reply.ok === false ? reply.message ?? reply.explanation ?? reply.error : null;
    this.draw();
  }
}

function isFaulty(service) {
  return faultsOf(service).length > 0;
}

/** The faults that are on, each as short as a chip. */
function faultsOf({ switches }) {
  return [
    switches.outage,
    switches.slow > 0 ? `${switches.slow} s slow` : null,
    switches.rate_limited ? '429' : null,
    switches.unauthorized ? '401' : null,
  ].filter(Boolean);
}

/** A training that can still be finished is running, whatever its service calls it. */
function isRunning(training) {
  return training.actions.includes('finish');
}

function toneOf(training) {
  if (isRunning(training)) return 'is-running';
  if (BAD_END.test(training.status)) return 'is-bad';
  return GOOD_END.test(training.status) ? 'is-good' : '';
}

function progressBar({ progress, label }) {
  if (progress === null || progress === undefined) return null;
  const percent = Math.round(progress * 100);
  return el(
    'div',
    { class: 'progress', role: 'progressbar', 'aria-label': `Progress of ${label}`, 'aria-valuenow': percent, 'aria-valuemin': '0', 'aria-valuemax': '100' },
    el('div', { class: 'progress-done', style: { width: `${percent}%` } }),
  );
}

function facts(values) {
  const known = Object.entries(values ?? {}).filter(([, value]) => value !== null && value !== undefined && value !== '');
  if (known.length === 0) return null;
  return el('dl', { class: 'facts' }, known.map(([name, value]) => el('div', {}, el('dt', {}, name.replaceAll('_', ' ')), el('dd', {}, wordsOf(value)))));
}

function wordsOf(value) {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function actionButton(action) {
  const label = ACTIONS[action] ?? action.replaceAll('_', ' ');
  const className = QUIET_ACTIONS.includes(action) ? 'link-button' : 'button button-small';
  return el('button', { class: className, type: 'button', dataset: { do: action } }, label);
}

function outageSelect(chosen) {
  const options = Object.entries(OUTAGES).map(([value, label]) => el('option', { value, selected: value === chosen }, label));
  return el('span', { class: 'select' }, el('select', { dataset: { act: 'outage', controlled: '' } }, el('option', { value: '', selected: !chosen }, 'None'), options), icon('chevron'));
}

function toggle(label, isOn, data, id) {
  const input = el('input', { type: 'checkbox', role: 'switch', id, checked: Boolean(isOn), dataset: { ...data, controlled: '' } });
  return el('label', { class: 'setting', for: id }, el('span', {}, label), input);
}

function address({ base_url }) {
  return el('p', { class: 'address' }, el('span', {}, 'Listens at '), el('code', {}, base_url));
}

function said(text) {
  return el('div', { class: 'problem', role: 'alert' }, icon('alert'), text);
}

function trainingOf(control) {
  const training = control.closest('[data-training]')?.dataset.training;
  return training === undefined ? {} : { training };
}

function settingOf(control) {
  switch (control.dataset.act) {
    case 'outage':
      return { kind: control.value || null };
    case 'slow':
      return { seconds: Number(control.value) || 0 };
    default:
      return { on: control.checked };
  }
}
