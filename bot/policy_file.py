"""The policy in force: the settings' rule, and the policy file over it."""

import hashlib
import json
from collections.abc import Iterable
from datetime import timedelta

from bot.domain.policy import Clause, Policy, Rule, settings_clauses
from bot.domain.requests import Json
from bot.settings import Settings


def load_policy(settings: Settings) -> Policy:
    """The policy of this configuration. ConfigurationError names every mistake of its file, each with the line."""
    clauses = settings_clauses(settings_rule(settings), settings.approvals.start)
    return Policy(clauses=clauses, digest=digest_of(clauses))


def settings_rule(settings: Settings) -> Rule:
    """What holds where no policy file says otherwise."""
    approvals = settings.approvals
    return Rule(
        approvers=approvals.approvers,
        needed=approvals.needed,
        may_approve_own=approvals.may_approve_own,
        expires_after=timedelta(hours=approvals.expire_hours),
        remind_after=timedelta(hours=approvals.remind_hours) or None,
    )


def digest_of(clauses: Iterable[Clause]) -> str:
    """A checksum over what the clauses say; where in a file they say it does not count."""
    said = json.dumps([_said(clause) for clause in clauses], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()


def _said(clause: Clause) -> dict[str, Json]:
    return {
        "acts": sorted(clause.acts),
        "providers": sorted(clause.providers),
        "models": sorted(clause.models),
        "rule": dict(clause.rule.as_json()),
    }
