// This tab: who is at the keyboard, where he is, what he has read, typed and dismissed.

const MOST_HISTORY = 100;

/** Tells "change" after every change. Kept for the tab's life, the side panel's state for longer. */
export class Session extends EventTarget {
  person = null;
  channel = null;
  thread = null;
  tab = null;
  drawer = null;
  showsServices = localStorage.getItem('services') !== 'closed';
  newSince = null;
  notes = [];
  #before = {};
  #read = restore('read', {});
  #history = restore('history', {});
  #busy = new Map();
  #drafts = new Map();

  tell() {
    this.dispatchEvent(new Event('change'));
  }

  switchTo(person) {
    this.person = person;
    sessionStorage.setItem('person', person);
    this.newSince = null;
    this.tell();
  }

  remembered() {
    return sessionStorage.getItem('person');
  }

  openDrawer(name) {
    this.drawer = name;
    this.tell();
  }

  showServices(isShown) {
    this.showsServices = isShown;
    localStorage.setItem('services', isShown ? 'open' : 'closed');
    this.tell();
  }

  // What was read

  /** What is there when the tab opens ({channel: newest ts}) counts as read by everybody. */
  begin(newest) {
    this.#before = newest;
  }

  /** The ts up to which this person has read the channel. */
  readUpTo(channel, person = this.person) {
    return this.#read[`${person}/${channel}`] ?? this.#before[channel] ?? '0';
  }

  markRead(channel, ts, person = this.person) {
    this.#read[`${person}/${channel}`] = ts;
    keep('read', this.#read);
  }

  // What the page itself says

  /** Words for this person alone, in Slackbot's voice. */
  note(text, { channel = this.channel, thread = null } = {}) {
    const created = Date.now() / 1000;
    const id = `note-${created}-${this.notes.length}`;
    this.notes.push({ id, channel, user: this.person, text, created, thread_ts: thread ?? undefined, author: 'slackbot' });
    this.tell();
  }

  /** Take such words away; false where they are not the page's own. */
  takeBack(id) {
    const at = this.notes.findIndex((note) => note.id === id);
    if (at === -1) return false;
    this.notes.splice(at, 1);
    this.tell();
    return true;
  }

  // What was typed

  draft(place) {
    return this.#drafts.get(place) ?? '';
  }

  keepDraft(place, text) {
    this.#drafts.set(place, text);
  }

  history() {
    return this.#history[this.person] ?? [];
  }

  remember(text) {
    const others = this.history().filter((line) => line !== text);
    this.#history[this.person] = [...others, text].slice(-MOST_HISTORY);
    keep('history', this.#history);
  }

  // What was pressed: key -> {isBusy, problem}

  pressed(key) {
    return this.#busy.get(key) ?? NOTHING;
  }

  press(key, state) {
    if (state === null) this.#busy.delete(key);
    else this.#busy.set(key, state);
    this.tell();
  }
}

const NOTHING = Object.freeze({ isBusy: false, problem: null });

function restore(key, otherwise) {
  try {
    return JSON.parse(sessionStorage.getItem(key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function keep(key, value) {
  sessionStorage.setItem(key, JSON.stringify(value));
}
