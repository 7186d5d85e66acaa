"""The policy in the shell: what decides, and whether a file is right. Read only, also beside a running bot."""

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.app import open_store, utc_now
from bot.domain.approvals import Group
from bot.domain.explaining import explain, in_plain_text
from bot.domain.policy import Act, Policy
from bot.domain.requests import Actor
from bot.errors import UsageError
from bot.policy_file import load_policy, provider_names, read_policy, settings_rule
from bot.settings import Settings

_PERSON = re.compile(r"(?:<@)?@?([UW][A-Z0-9]{2,})(?:\|[^>]*)?>?")


async def explain_policy(
    settings: Settings, user: str, act: str, provider: str, model: str, *, requester: str | None
) -> list[str]:
    """What the policy on disk says of an act, with the members of groups as the database holds them."""
    policy = load_policy(settings)
    name = _provider(provider)
    sentences = explain(
        policy,
        Act(act),
        name,
        model,
        actor=Actor(user=_person(user)),
        requester=Actor(user=_person(requester)) if requester else None,
        groups=await _groups(settings, policy.rule_for(Act(act), name, model).groups),
        now=utc_now(),
    )
    return [in_plain_text(one) for one in sentences]


def check_policy(settings: Settings, file: Path | None) -> list[str]:
    """A line a rule of this file, else of the configured one. Raises ConfigurationError with every mistake."""
    if file is None and settings.policy_file is None:
        return ["No policy file is configured (SWITCHYARD_APPROVALS__POLICY): the settings decide."]
    if file is None:
        return _rules(load_policy(settings))
    return _rules(read_policy(file, settings_rule(settings), settings.approvals.start, provider_names()))


def _rules(policy: Policy) -> list[str]:
    names = {clause.line: clause.rule.name for clause in policy.clauses if clause.line}
    count = f"{len(names)} rule{'s' if len(names) != 1 else ''}"
    told = [f"  line {line}: {name}" for line, name in names.items()]
    return [f"{policy.source}: {count}, no mistake; checksum {policy.digest[:12]}.", *told]


async def _groups(settings: Settings, ids: Sequence[str]) -> Mapping[str, Group]:
    if not ids or not settings.database_path.exists():
        return {}
    async with open_store(settings, read_only=True) as store:
        return await store.groups(ids)


def _person(word: str) -> str:
    found = _PERSON.fullmatch(word.strip())
    if not found:
        raise UsageError(f"`{word}` is not the id of a person (U… or W…).", word=word)
    return found[1]


def _provider(word: str) -> str:
    name, known = word.strip().lower(), provider_names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        sentence = f"There is no provider `{word}`; there are {', '.join(known)}."
        raise UsageError(sentence, word=word, suggestion=near[0] if near else "")
    return name
