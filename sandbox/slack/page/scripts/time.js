// Moments as people read them. Slack's `ts` is seconds since 1970 with six decimals, as text.

const TIME = { hour: 'numeric', minute: '2-digit' };
const DAY = { weekday: 'long', month: 'long', day: 'numeric' };

export function momentOf(ts) {
  return new Date(Number(ts) * 1000);
}

export function timeOf(moment) {
  return moment.toLocaleTimeString([], TIME);
}

export function fullTimeOf(moment) {
  return moment.toLocaleString([], { ...DAY, ...TIME, second: '2-digit' });
}

/** "Today", "Yesterday", or the day with its weekday. */
export function dayOf(moment) {
  const near = nearDay(moment);
  if (near !== null) return near;
  const isThisYear = moment.getFullYear() === new Date().getFullYear();
  return moment.toLocaleDateString([], isThisYear ? DAY : { ...DAY, year: 'numeric' });
}

export function dayKeyOf(moment) {
  return `${moment.getFullYear()}-${moment.getMonth() + 1}-${moment.getDate()}`;
}

/** "today at 10:42", as under a message with replies. */
export function whenOf(moment) {
  const day = dayOf(moment);
  return `${nearDay(moment) === null ? day : day.toLowerCase()} at ${timeOf(moment)}`;
}

function nearDay(moment) {
  const key = dayKeyOf(moment);
  const now = new Date();
  if (key === dayKeyOf(now)) return 'Today';
  now.setDate(now.getDate() - 1);
  return key === dayKeyOf(now) ? 'Yesterday' : null;
}

const DATE_WORDS = {
  date_num: (moment) => dayKeyOf(moment).replace(/-(\d)(?!\d)/g, '-0$1'),
  date_slash: (moment) => moment.toLocaleDateString([], { month: '2-digit', day: '2-digit', year: 'numeric' }),
  date_short: (moment) => moment.toLocaleDateString([], { month: 'short', day: 'numeric', year: 'numeric' }),
  date_long: (moment) => moment.toLocaleDateString([], { ...DAY, year: 'numeric' }),
  date: (moment) => moment.toLocaleDateString([], { month: 'long', day: 'numeric', year: 'numeric' }),
  time: timeOf,
  time_secs: (moment) => moment.toLocaleTimeString([], { ...TIME, second: '2-digit' }),
  ago: agoOf,
};

/**
 * Slack's date format: "Due {date_short_pretty} at {time}"; the `_pretty` forms say today and yesterday.
 * https://docs.slack.dev/messaging/formatting-message-text#date-formatting
 */
export function formatDate(moment, format) {
  return format.replace(/\{([a-z_]+)\}/g, (typed, word) => {
    const plain = word.replace(/_pretty$/, '');
    if (!Object.hasOwn(DATE_WORDS, plain)) return typed;
    return (plain === word ? null : nearDay(moment)?.toLowerCase()) ?? DATE_WORDS[plain](moment);
  });
}

const SPANS = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];

function agoOf(moment) {
  const seconds = Math.round((moment - Date.now()) / 1000);
  const [unit, size] = SPANS.find(([, span]) => Math.abs(seconds) >= span) ?? SPANS.at(-1);
  return new Intl.RelativeTimeFormat([], { numeric: 'auto' }).format(Math.trunc(seconds / size), unit);
}
