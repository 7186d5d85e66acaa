// Who is who, as one person reads it. Blocks and texts ask here.

/** The names as `person` sees them, who is reached by a mention of himself, his groups, or everybody. */
export function namesFor(world, person) {
  return {
    person: (id) => mention(world.whoIs(withoutLabel(id)), withoutLabel(id) === person),
    channel: (id) => labelled(world.channel(withoutLabel(id))),
    group: (id) => groupMention(world, id, person),
    people: () => world.state.people.map(({ id, real_name }) => ({ id, label: real_name })),
    channels: () => world.placesOf(person).filter(({ kind }) => kind !== 'dm').map(({ id, name }) => ({ id, label: name })),
  };
}

function withoutLabel(id) {
  return id.split('|')[0];
}

function mention(known, isMe) {
  return known && { label: `@${known.label}`, isMe };
}

function labelled(channel) {
  return channel ? { label: channel.name } : null;
}

function groupMention(world, id, person) {
  const group = world.state.usergroups.find((candidate) => candidate.id === withoutLabel(id));
  return group ? { label: `@${group.handle}`, isMe: group.members.includes(person) } : null;
}

/** Whether a text calls this person: by name, through a group, or with everybody. */
export function callsPerson(world, text, person) {
  const calls = text.matchAll(/<(?:@([A-Z0-9]+)|!subteam\^([A-Z0-9]+)|!(here|channel|everyone))[|>]/g);
  return [...calls].some(([, user, group, all]) => user === person || all || groupMention(world, group ?? '', person)?.isMe);
}
