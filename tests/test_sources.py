"""Secrets that stand in files, in a folder of files, or in a keyring."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.backends.null import Keyring as EmptyKeyring

from bot.errors import ConfigurationError
from bot.settings import Settings, load, secrets

CANARY = "canary-7c41e0"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def told(settings: Settings) -> str:
    assert settings.slack.bot_token is not None
    return settings.slack.bot_token.get_secret_value()


def refused(environ: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as raised:
        load(environ)
    assert CANARY not in str(raised.value)
    assert raised.value.__cause__ is None
    return str(raised.value)


# -- files ------------------------------------------------------------------------------------------------------------


def test_every_secret_may_stand_in_a_file(folder: Path) -> None:
    """Slack's tokens and the services' keys, at any depth; the line end of the file is no part of it."""
    written(folder / "bot", f"xoxb-{CANARY}\n")
    written(folder / "sub" / "churn", f"\ufeffkey-{CANARY}\r\n")
    settings = load(
        {
            "SLACK_BOT_TOKEN_FILE": str(folder / "bot"),
            "slack_signing_secret_file": "bot",
            "SWITCHYARD_SONY__MODELS__CHURN__API_KEY_FILE": "sub/churn",
            "SWITCHYARD_SESTEK__CLIENT_SECRET_FILE": "bot",
            "SWITCHYARD_SLACK__APP_TOKEN_FILE": "bot",
        }
    )
    assert told(settings) == f"xoxb-{CANARY}"
    assert settings.slack.app_token is not None
    assert settings.slack.signing_secret is not None
    assert settings.providers["sony"] == {"models": {"churn": {"api_key": f"key-{CANARY}"}}}
    assert settings.providers["sestek"] == {"client_secret": f"xoxb-{CANARY}"}
    assert set(secrets(settings)) == {f"xoxb-{CANARY}", f"key-{CANARY}"}
    assert CANARY not in repr(settings)


def test_the_configuration_file_names_files_beside_it(folder: Path) -> None:
    """Relative paths count from its folder; hyphens and underscores are the same."""
    written(folder / "etc" / "secrets" / "bot", f"xoxb-{CANARY}")
    written(
        folder / "etc" / "switchyard.toml",
        '[slack]\nbot_token_file = "secrets/bot"\n[aitems]\naccess-key-file = "secrets/bot"\n',
    )
    settings = load({"SWITCHYARD_CONFIG": str(folder / "etc" / "switchyard.toml")})
    assert told(settings) == f"xoxb-{CANARY}"
    assert settings.providers["aitems"] == {"access_key": f"xoxb-{CANARY}"}


def test_what_is_no_secret_is_not_read_from_files(folder: Path) -> None:
    """A provider's setting that is called …_file stays what it is, unless it would hold a secret."""
    written(folder / "switchyard.toml", '[sixth]\nlog_file = "trace.log"\n[sixth.key_file]\nx = 1\n')
    assert load({}).providers["sixth"] == {"log_file": "trace.log", "key_file": {"x": 1}}


def test_the_environment_wins_whichever_way_it_says_it(folder: Path) -> None:
    """Over the file's value, its file, and its name in the keyring, which then need not be there."""
    written(folder / "bot", f"xoxb-{CANARY}")
    for line in ('bot_token = "xoxb-old"', 'bot_token_file = "gone"', 'bot_token_keyring = "gone"'):
        written(folder / "switchyard.toml", f"[slack]\n{line}\n")
        assert told(load({"SLACK_BOT_TOKEN": "xoxb-new"})) == "xoxb-new"
        assert told(load({"SLACK_BOT_TOKEN_FILE": "bot"})) == f"xoxb-{CANARY}"
    written(folder / "switchyard.toml", '[sony.models.key-model]\napi_key = "one"\ndeploy_key = "two"\n')
    merged = load({"SWITCHYARD_SONY__MODELS__KEY_MODEL__API_KEY_FILE": "bot"}).providers["sony"]["models"]
    assert merged == {"key-model": {"api_key": f"xoxb-{CANARY}", "deploy_key": "two"}}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (CANARY.encode() + b"\xff", "is not text in UTF-8"),
        (CANARY.encode() * 10_000, "holds more than 64 KB"),
    ],
)
def test_a_file_that_holds_no_secret_is_named_by_its_setting(folder: Path, content: bytes, sentence: str) -> None:
    """Neither the content nor the path is quoted: somebody may have put the secret where its path belongs."""
    written(folder / CANARY, content)
    said = refused({"SLACK_BOT_TOKEN_FILE": CANARY})
    assert said.startswith("The configuration cannot be used. SLACK_BOT_TOKEN_FILE: ")
    assert sentence in said


@pytest.mark.parametrize(
    ("path", "sentence"),
    [(f"{CANARY}/gone", "No such file"), (".", "Is a directory"), (f"{CANARY}\0x", "has to be the path of a file")],
)
def test_a_path_that_leads_nowhere_is_not_quoted(folder: Path, path: str, sentence: str) -> None:
    """The kind of the trouble is told, and the setting."""
    said = refused({"SWITCHYARD_DECTHINGS__API_KEY_FILE": path})
    assert "SWITCHYARD_DECTHINGS__API_KEY_FILE: " in said
    assert sentence in said


def test_a_secret_that_is_given_twice_is_refused(folder: Path) -> None:
    """Nobody has to guess which one holds."""
    written(folder / "bot", f"xoxb-{CANARY}")
    said = refused({"SLACK_BOT_TOKEN": f"xoxb-{CANARY}", "SLACK_BOT_TOKEN_FILE": "bot"})
    assert "SLACK_BOT_TOKEN_FILE: is given besides SLACK_BOT_TOKEN or twice" in said
    twice = {"SLACK_BOT_TOKEN_KEYRING": CANARY, "SWITCHYARD_SLACK__BOT_TOKEN_FILE": "bot"}
    assert "only one can hold" in refused(twice)


# -- a folder of files ------------------------------------------------------------------------------------------------


def test_a_folder_of_secrets_stands_for_variables(folder: Path) -> None:
    """As containers mount it: a file per variable, behind links, beside hidden files and files of others."""
    mounted = folder / "run" / "secrets"
    written(mounted / "..2026_11_20" / "SLACK_BOT_TOKEN", f"xoxb-{CANARY}\n")
    (mounted / "SLACK_BOT_TOKEN").symlink_to(mounted / "..2026_11_20" / "SLACK_BOT_TOKEN")
    written(mounted / "switchyard_sony__models__churn__api_key", "from-the-folder")
    written(mounted / "switchyard_poll__min_seconds", "20\n")
    written(mounted / "postgres_password", CANARY)
    (mounted / "SLACK_APP_TOKEN").mkdir()
    settings = load({"SWITCHYARD_SECRETS_FOLDER": str(mounted)})
    assert told(settings) == f"xoxb-{CANARY}"
    assert settings.slack.app_token is None
    assert settings.poll.min_seconds == 20
    assert settings.providers == {"sony": {"models": {"churn": {"api_key": "from-the-folder"}}}}


def test_the_environment_wins_over_the_folder_and_that_over_the_configuration(folder: Path) -> None:
    """Also under the other name of a variable, and where the environment only says where the secret stands."""
    written(folder / "secrets" / "SLACK_BOT_TOKEN", "xoxb-folder")
    written(folder / "switchyard.toml", '[slack]\nbot_token = "xoxb-toml"\n')
    written(folder / "bot", "xoxb-file")
    named = {"SWITCHYARD_SECRETS_FOLDER": "secrets"}
    assert told(load(named)) == "xoxb-folder"
    assert told(load({**named, "SLACK_BOT_TOKEN": "xoxb-env"})) == "xoxb-env"
    assert told(load({**named, "SWITCHYARD_SLACK__BOT_TOKEN": "xoxb-env"})) == "xoxb-env"
    assert told(load({**named, "SLACK_BOT_TOKEN_FILE": "bot"})) == "xoxb-file"


def test_a_folder_that_cannot_be_read_is_told(folder: Path) -> None:
    """So is one of its files, by the name of its variable."""
    assert "SWITCHYARD_SECRETS_FOLDER: the folder cannot be read" in refused({"SWITCHYARD_SECRETS_FOLDER": CANARY})
    written(folder / "secrets" / "SLACK_BOT_TOKEN", b"\xff" + CANARY.encode())
    said = refused({"SWITCHYARD_SECRETS_FOLDER": "secrets"})
    assert "SLACK_BOT_TOKEN in SWITCHYARD_SECRETS_FOLDER: the file is not text in UTF-8" in said


# -- a keyring --------------------------------------------------------------------------------------------------------


class Held(KeyringBackend):
    """A keyring of this process."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring leaves it untyped
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.held[service, username]


@pytest.fixture
def ring() -> Iterator[Held]:
    before, held = keyring.get_keyring(), Held()
    keyring.set_keyring(held)
    yield held
    keyring.set_keyring(before)


def test_secrets_are_read_from_the_keyring(folder: Path, ring: Held) -> None:
    """Under the service `switchyard`; as `keyring set switchyard bot` keeps them."""
    keyring.set_password("switchyard", "bot", f"xoxb-{CANARY}\n")
    keyring.set_password("switchyard", "churn", f"key-{CANARY}")
    written(folder / "switchyard.toml", '[sony.models.churn]\napi_key_keyring = "churn"\n')
    settings = load({"SLACK_BOT_TOKEN_KEYRING": "bot"})
    assert told(settings) == f"xoxb-{CANARY}"
    assert settings.providers["sony"] == {"models": {"churn": {"api_key": f"key-{CANARY}"}}}
    assert set(secrets(settings)) == {f"xoxb-{CANARY}", f"key-{CANARY}"}


def test_what_the_keyring_does_not_hold_is_named_by_its_setting(folder: Path, ring: Held) -> None:
    """Another service's entry is none of ours, and an empty one is none."""
    keyring.set_password("other", CANARY, "xoxb-1")
    said = refused({"SLACK_BOT_TOKEN_KEYRING": CANARY})
    assert "SLACK_BOT_TOKEN_KEYRING: the keyring holds nothing under this name" in said
    keyring.set_password("switchyard", CANARY, " ")
    assert "holds nothing" in refused({"SLACK_BOT_TOKEN_KEYRING": CANARY})
    keyring.set_keyring(EmptyKeyring())  # type: ignore[no-untyped-call]  # the same
    assert "holds nothing" in refused({"SLACK_BOT_TOKEN_KEYRING": CANARY})


def test_a_machine_without_a_keyring_says_so(folder: Path, ring: Held) -> None:
    """A server without a desktop usually has none (https://github.com/jaraco/keyring/issues/569)."""
    keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]  # the same
    said = refused({"SLACK_BOT_TOKEN_KEYRING": CANARY})
    assert "SLACK_BOT_TOKEN_KEYRING: the keyring cannot be read (NoKeyringError)." in said


def test_the_library_is_only_wanted_where_a_keyring_is(folder: Path) -> None:
    """It is an extra: whoever names no keyring starts without it."""
    code = "import sys; from bot.settings import load; load(); sys.exit('keyring' in sys.modules)"
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("SLACK_", "SWITCHYARD_"))}

    assert subprocess.run([sys.executable, "-c", code], env=environ, check=False, cwd=folder).returncode == 0
