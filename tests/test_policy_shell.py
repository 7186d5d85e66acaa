"""The policy in the shell: what decides, what one person may, and whether a file is right."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.app import open_store
from bot.domain.approvals import Group
from bot.errors import UsageError
from bot.policy_shell import check_policy, explain_policy
from bot.settings import Settings, load
from tests.test_cli import switchyard

POLICY = """
[[rule]]
name = "production"
providers = ["sony"]
models = ["prod-*"]
acts = ["switch"]
approve = ["U0BORA0001", "S0MLOPS001"]
"""


@pytest.fixture
def configured(tmp_path: Path) -> Settings:
    """A configuration with a policy file and a database."""
    (tmp_path / "policy.toml").write_text(POLICY, "utf-8")
    config = tmp_path / "switchyard.toml"
    config.write_text('[approvals]\npolicy = "policy.toml"\n[database]\nurl = "sqlite:///jobs.db"\n', "utf-8")
    return load({}, config)


async def explained(settings: Settings, user: str, **more: str | None) -> list[str]:
    return await explain_policy(settings, user, "switch", "Sony", "prod-churn", requester=more.get("requester"))


async def test_members_come_from_the_database_with_their_time(configured: Settings) -> None:
    """The copy that the bot read is used and dated; before there is one, nothing is made up, nor a database made."""
    assert "Who is in S0MLOPS001 was not read yet." in await explained(configured, "U0CHIE0001")
    assert not configured.database_path.exists()
    read_at = datetime(2026, 7, 1, 12, tzinfo=UTC)
    async with open_store(configured) as store:
        await store.save_group(Group(id="S0MLOPS001", members=frozenset({"U0CHIE0001"}), read_at=read_at))
        beside_the_bot = await explained(configured, "<@U0CHIE0001|chie>")
    assert "S0MLOPS001 has 1 member, read 2026-07-01 12:00:00 UTC." in beside_the_bot
    assert beside_the_bot[-1] == "U0CHIE0001 may approve it: U0CHIE0001 is in S0MLOPS001."


async def test_who_asked_is_told_that_their_yes_does_not_count(configured: Settings) -> None:
    """`--requester` is who asked for the training."""
    said = await explained(configured, "U0BORA0001", requester="U0BORA0001")
    assert said[-1] == "U0BORA0001 may not approve it: who asked does not count."


async def test_a_wrong_word_is_named(configured: Settings) -> None:
    """A name instead of an id, a service that there is not."""
    with pytest.raises(UsageError, match="`bora` is not the id of a person"):
        await explained(configured, "bora")
    with pytest.raises(UsageError, match=r"There is no provider `sny`; .* Did you mean `sony`\?"):
        await explain_policy(configured, "U0BORA0001", "switch", "sny", "m", requester=None)


def test_a_file_is_checked_before_it_is_used(configured: Settings, tmp_path: Path) -> None:
    """The configured one, or another that is still to come."""
    [head, rule] = check_policy(configured, None)
    assert head.startswith("policy.toml: 1 rule, no mistake; checksum ")
    assert rule == "  line 2: production"
    (tmp_path / "next.toml").write_text('[[rule]]\nname = "to come"\napprove = ["U0BORA0001"]\n', "utf-8")
    assert check_policy(configured, tmp_path / "next.toml")[0].startswith("next.toml: 1 rule, no mistake; ")
    assert check_policy(load({}, Path("/dev/null")), None)[0].startswith("No policy file is configured")


def test_the_commands_tell_and_end_as_scripts_expect(tmp_path: Path) -> None:
    """A mistake ends with 2 and its line, also for the command that only explains."""
    (tmp_path / "policy.toml").write_text(POLICY + "aprovals = 2\n", "utf-8")
    environ = {"SWITCHYARD_APPROVALS__POLICY": "policy.toml"}
    sentence = "policy.toml line 8: there is no key “aprovals” in rule. Did you mean approvals?\n"
    words = ("policy", "explain", "U0BORA0001", "switch", "sony", "prod-a")
    for ran in (switchyard(tmp_path, "policy", "check", "policy.toml"), switchyard(tmp_path, *words, **environ)):
        assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", sentence)
    (tmp_path / "policy.toml").write_text(POLICY, "utf-8")
    right = switchyard(tmp_path, *words, **environ)
    assert right.returncode == 0, right.stderr
    assert right.stdout.startswith("The rule “production” decides (policy.toml line 2).")
    assert "U0BORA0001 may approve it: U0BORA0001 is named." in right.stdout
