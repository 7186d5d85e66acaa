// What happens to words that were sent: a message, an app's command, or one of Slack's own.

import { send } from './api.js';
import { OWN_COMMANDS } from './completion.js';
import { describeFile } from './inputs.js';

/** Sends what a person typed, in a channel or a thread, and says in Slackbot's voice what went wrong. */
export class Posting {
  constructor(world, session, composer) {
    Object.assign(this, { world, session, composer });
  }

  /** Send `text` from where the person is now. */
  async send(text, thread = null) {
    const place = { user: this.session.person, channel: this.session.channel };
    if (!text.startsWith('/') || text.startsWith('//')) return this.#message(place, text, thread);
    if (thread) return this.session.note(`\`${wordOf(text)}\` is not supported in threads. Sorry!`, { thread });
    const isOwn = OWN_COMMANDS.some(({ command }) => command === wordOf(text));
    return isOwn ? this.#ownCommand(place, text) : this.#command(place, text);
  }

  async #message(place, text, thread) {
    const reply = await send('message', { ...place, text, ...(thread ? { thread_ts: thread } : {}) });
    if (!reply.ok) this.#fail(place, reply, 'Your message was not sent', thread);
  }

  /** Put a file into the conversation where the person is now. */
  async upload(file) {
    const place = { user: this.session.person, channel: this.session.channel };
    const reply = await send('file', { ...place, ...(await describeFile(file)) });
    if (!reply.ok) this.#fail(place, reply, `${file.name} was not uploaded`);
  }

  async #command(place, text) {
    this.composer.say(`Waiting for ${this.world.state.bot.name} to answer ${wordOf(text)} …`, true);
    const reply = await send('command', { ...place, text });
    this.composer.say(reply.ok && reply.ack_ms !== undefined ? `${wordOf(text)} was acknowledged in ${formatMilliseconds(reply.ack_ms)}` : '');
    if (!reply.ok) this.#fail(place, reply, `${wordOf(text)} failed`);
  }

  async #ownCommand(place, text) {
    const word = wordOf(text);
    if (word === '/archive') return this.#ask('channel/archive', { channel: place.channel }, place, word);
    const named = text.slice(word.length).trim().replace(/^@/, '');
    const user = this.#findMember(named);
    if (!user) return this.session.note(`There is nobody called \`${named || '?'}\` here. Try \`${word} @${this.world.state.bot.name}\`.`);
    return this.#ask(word === '/invite' ? 'channel/invite' : 'channel/kick', { channel: place.channel, user }, place, word);
  }

  #findMember(name) {
    const { bot, people } = this.world.state;
    return name === bot.name ? bot.user_id : people.find((person) => person.name === name)?.id;
  }

  async #ask(path, body, place, word) {
    const reply = await send(path, body);
    if (!reply.ok) this.#fail(place, reply, `${word} failed`);
  }

  /** Where Slack has words for a failure, they came as an ephemeral of Slackbot's already. */
  #fail(place, reply, what, thread = null) {
    if (reply.message) return;
    this.session.note(reply.explanation ?? `${what}: \`${reply.error ?? 'no reason given'}\``, { channel: place.channel, thread });
  }
}

function wordOf(text) {
  return text.split(/\s/, 1)[0];
}

function formatMilliseconds(milliseconds) {
  return milliseconds < 10 ? `${milliseconds.toFixed(1)} ms` : `${Math.round(milliseconds)} ms`;
}
