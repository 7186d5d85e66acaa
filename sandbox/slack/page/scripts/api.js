// The sandbox's page API: JSON in and out. A refusal is {ok: false, error, message?}; `message` is what Slack itself says,
// `explanation` what this page has to say where nobody else could.

const UNREACHABLE = { ok: false, error: 'unreachable', explanation: 'The sandbox does not answer. Is it still running?' };

export async function getState() {
  const reply = await fetch('/page/state', { cache: 'no-store' });
  if (!reply.ok) throw new Error(`state: ${reply.status}`);
  return reply.json();
}

export function send(path, body) {
  return call(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
}

async function call(path, request) {
  try {
    const reply = await fetch(`/page/${path}`, request);
    return await readReply(reply);
  } catch {
    return UNREACHABLE;
  }
}

async function readReply(reply) {
  const text = await reply.text();
  try {
    return JSON.parse(text);
  } catch {
    return { ok: reply.ok, error: `status_${reply.status}`, explanation: text.slice(0, 200) };
  }
}
