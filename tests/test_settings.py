"""The configuration: a file, the environment over it, and every problem in one message without a secret."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.errors import ConfigurationError
from bot.settings import Settings, load, secrets, variable

ROOT = Path(__file__).parents[1]
SECRET = "hunter2-Correct-Horse"


def refused(environ: Mapping[str, str], config: Path | None = None) -> str:
    with pytest.raises(ConfigurationError) as raised:
        load(environ, config)
    return str(raised.value)


def written(folder: Path, text: str, name: str = "switchyard.toml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test starts in a folder of its own, without a configuration file."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_nothing_configured_is_a_usable_configuration(empty_folder: Path) -> None:
    """Commands that only read need no tokens: every setting has its default."""
    settings = load({})
    assert (settings.http.host, settings.http.port) == ("127.0.0.1", 3000)
    assert (settings.health.host, settings.health.port) == ("127.0.0.1", None)
    assert (settings.slack.sockets, settings.slack.silence_seconds) == (2, 30)
    assert settings.slack.api_url == "https://slack.com/api/"
    assert settings.database_path == empty_folder / "switchyard.db"
    assert settings.data_folder == empty_folder / "data"
    assert settings.spool_folder == empty_folder / "spool"
    assert settings.data.max_bytes == 200 * 1024 * 1024
    assert (settings.approvals.approvers, settings.approvals.start, settings.approvals.may_approve_own) == (
        (),
        (),
        False,
    )
    assert (settings.approvals.expire_hours, settings.approvals.remind_hours, settings.approvals.needed) == (168, 4, 1)
    assert settings.policy_file is None
    poll = settings.poll
    assert (poll.min_seconds, poll.max_seconds, poll.tick_seconds, poll.limit_hours) == (15, 300, 1, 72)
    assert (poll.settle_seconds, poll.live_minutes, poll.lost_minutes, poll.hold_hours) == (120, 60, 10, 24)
    assert poll.step_timeout_seconds == 60
    assert settings.providers == {}


def test_the_environment_wins_over_the_file(empty_folder: Path) -> None:
    """Every key is also a variable, and the variable counts; what only the file says stays."""
    written(empty_folder, "[poll]\nmin_seconds = 20\nmax_seconds = 400\n[http]\nport = 4000\n")
    settings = load({"SWITCHYARD_POLL__MIN_SECONDS": "0.5"})
    assert (settings.poll.min_seconds, settings.poll.max_seconds, settings.http.port) == (0.5, 400, 4000)


def test_names_do_not_depend_on_case(empty_folder: Path) -> None:
    """`switchyard_poll__min_seconds` and `[POLL] Min_Seconds` mean the same."""
    written(empty_folder, "[POLL]\nMax_Seconds = 99\n")
    settings = load({"switchyard_poll__min_seconds": "2"})
    assert settings.poll.pace.shortest == timedelta(seconds=2)
    assert settings.poll.pace.longest == timedelta(seconds=99)


def test_the_short_names_win_over_the_long_ones() -> None:
    """SLACK_BOT_TOKEN is the name that everybody knows."""
    settings = load({"SLACK_BOT_TOKEN": "xoxb-short", "SWITCHYARD_SLACK__BOT_TOKEN": "xoxb-long"})
    assert settings.slack.bot_token is not None
    assert settings.slack.bot_token.get_secret_value() == "xoxb-short"


def test_a_variable_set_to_nothing_is_not_set() -> None:
    """`SLACK_APP_TOKEN=` in a shell file does not mean Socket Mode with an empty token."""
    settings = load({"SLACK_APP_TOKEN": "", "SWITCHYARD_HTTP__PORT": "  ", "SWITCHYARD_SESTEK__CLIENT_ID": ""})
    assert settings.mode == "http"
    assert settings.http.port == 3000
    assert settings.providers == {}


def test_tokens_lose_the_line_end_of_the_file_they_came_from(empty_folder: Path) -> None:
    """A token read with `$(cat token)` or written with a blank works."""
    written(empty_folder, '[slack]\nbot_token = " xoxb-1-file "\nsigning_secret = ""\n')
    settings = load({"SLACK_APP_TOKEN": "xapp-1-env\n"})
    assert secrets(settings) == ("xoxb-1-file", "xapp-1-env")
    assert settings.slack.signing_secret is None


def test_relative_paths_count_from_the_configuration_file(empty_folder: Path) -> None:
    """The bot may be started from any folder."""
    place = empty_folder / "etc"
    place.mkdir()
    config = written(place, '[data]\nfolder = "files"\n[database]\nurl = "sqlite:///state/jobs.db"\n')
    settings = load({"SWITCHYARD_CONFIG": "etc/switchyard.toml"})
    assert settings.database_path == place / "state/jobs.db"
    assert settings.data_folder == place / "files"
    assert settings.spool_folder == place / "state/spool"
    assert load({}, config) == settings


def test_absolute_paths_stay() -> None:
    """Four slashes name an absolute path."""
    settings = load(
        {
            "SWITCHYARD_DATABASE_URL": "sqlite:////var/lib/jobs.db",
            "SWITCHYARD_DATA__FOLDER": "/srv/data",
            "SWITCHYARD_DATA__SPOOL": "/srv/spool",
        }
    )
    assert settings.database_path == Path("/var/lib/jobs.db")
    assert (settings.data_folder, settings.spool_folder) == (Path("/srv/data"), Path("/srv/spool"))


def test_other_sections_reach_the_providers_unchecked(empty_folder: Path) -> None:
    """A sixth provider has its settings without anybody editing this module."""
    written(empty_folder, '[sixth]\nBase_URL = "https://six"\n[sixth.Models.a]\nspeed = 3\n')
    settings = load({"SWITCHYARD_SIXTH__MODELS__B__API_KEY": "k-123", "SWITCHYARD_SONY__MODELS__CHURN__API_KEY": "s-1"})
    assert settings.providers == {
        "sixth": {"base_url": "https://six", "models": {"a": {"speed": 3}, "b": {"api_key": "k-123"}}},
        "sony": {"models": {"churn": {"api_key": "s-1"}}},
    }


def test_a_hyphen_in_the_file_is_an_underscore_in_the_environment(empty_folder: Path) -> None:
    """No variable can have a hyphen in its name, so a model called `my-model` is reached as MY_MODEL."""
    written(empty_folder, '[sony.models.my-model]\napi_key = "old"\nclassifier_id = "c"\n')
    settings = load({"SWITCHYARD_SONY__MODELS__MY_MODEL__API_KEY": "new"})
    assert settings.providers["sony"] == {"models": {"my-model": {"api_key": "new", "classifier_id": "c"}}}


def test_approvers_are_read_from_json_and_from_the_file(empty_folder: Path) -> None:
    """People (U, W) and groups (S), once each."""
    config = written(empty_folder, '[approvals]\napprovers = ["U0BORA0001", "S0MLOPS001"]\nself = true\n')
    settings = load({}, config)
    assert settings.approvals.approvers == ("U0BORA0001", "S0MLOPS001")
    assert settings.approvals.may_approve_own
    environ = {"SWITCHYARD_APPROVALS__APPROVERS": '["W012", "W012"]', "SWITCHYARD_APPROVALS__START": '["Sestek"]'}
    assert load(environ).approvals.approvers == ("W012",)
    assert load(environ).approvals.start == ("sestek",)


def test_more_approvals_than_approvers_are_refused() -> None:
    """With people alone it is plain that they can never be enough; a group may grow."""
    people = {"SWITCHYARD_APPROVALS__APPROVERS": '["U012345", "W012345"]', "SWITCHYARD_APPROVALS__NEEDED": "3"}
    message = refused(people)
    assert "SWITCHYARD_APPROVALS__NEEDED is 3, and SWITCHYARD_APPROVALS__APPROVERS names 2 only." in message
    load({**people, "SWITCHYARD_APPROVALS__NEEDED": "2"})
    load({**people, "SWITCHYARD_APPROVALS__APPROVERS": '["U012345", "S012345"]'})


def test_the_policy_file_lies_beside_the_configuration(empty_folder: Path) -> None:
    """Its path counts from the configuration's folder, like every other."""
    place = empty_folder / "etc"
    place.mkdir()
    config = written(place, '[approvals]\npolicy = "policy.toml"\n')
    assert load({}, config).policy_file == place / "policy.toml"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SWITCHYARD_APPROVALS__APPROVERS", '["@bora", "C012345", "{x}"]', "entries 1, 2, 3: not the id"),
        ("SWITCHYARD_APPROVALS__APPROVERS", "U012345", "has to be a JSON list"),
        ("SWITCHYARD_APPROVALS__APPROVERS", '{"U012345": true}', "has to be a JSON list"),
        ("SWITCHYARD_APPROVALS__APPROVERS", "[12]", "has to be a text"),
        ("SWITCHYARD_APPROVALS__SELF", "perhaps", "has to be true or false"),
        ("SWITCHYARD_APPROVALS__NEEDED", "0", "has to be 1 or more"),
        ("SWITCHYARD_APPROVALS__REMIND_HOURS", "-1", "has to be 0 or more"),
        ("SWITCHYARD_APPROVALS__EXPIRE_HOURS", "1e9", "has to be 87840 or less"),
        ("SWITCHYARD_POLL__MIN_SECONDS", "often", "has to be a number"),
        ("SWITCHYARD_POLL__MIN_SECONDS", "0", "has to be more than 0"),
        ("SWITCHYARD_POLL__LIMIT_HOURS", "inf", "has to be a number that ends"),
        ("SWITCHYARD_HTTP__PORT", "70000", "has to be 65535 or less"),
        ("SWITCHYARD_HTTP__PORT", "web", "has to be a whole number"),
        ("SWITCHYARD_HEALTH__PORT", "-1", "has to be 0 or more"),
        ("SWITCHYARD_SLACK__SOCKETS", "0", "has to be 1 or more"),
        ("SWITCHYARD_SLACK__SOCKETS", "11", "has to be 10 or less"),
        ("SWITCHYARD_SLACK__SILENCE_SECONDS", "0", "has to be more than 0"),
        ("SWITCHYARD_SLACK__TEAMS", '["T0SWITCHYD", "U0ADA00001"]', "entry 2: not the id of a workspace"),
        ("SWITCHYARD_LIMITS__LIVING_PER_PERSON", "0", "has to be 1 or more"),
        ("SWITCHYARD_LIMITS__COMMANDS_PER_MINUTE", "many", "has to be a whole number"),
        ("SWITCHYARD_DATABASE_URL", "postgresql://bot@db/jobs", "PostgreSQL is not built yet; use SQLite"),
        ("SWITCHYARD_DATABASE_URL", "postgres://bot@db/jobs", "PostgreSQL is not built yet; use SQLite"),
        ("SWITCHYARD_DATABASE_URL", "switchyard.db", "has to name a file: sqlite:///switchyard.db"),
        ("SWITCHYARD_DATABASE_URL", "sqlite:///:memory:", "has to name a file"),
        ("SLACK_API_URL", "slack.com/api", "has to be an address like https://slack.com/api/"),
        ("SLACK_API_URL", "https://u:p@slack.com/api/", "has to be an address like"),
        ("SLACK_API_URL", "https://[/api/", "has to be an address like"),
        ("SWITCHYARD_SLACK__ALARM_CHANNEL", "#alarms", "has to be the id of a channel"),
        ("SWITCHYARD_LOG__LEVEL", "loud", "has to be 'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_a_wrong_value_is_named_with_its_way_out(name: str, value: str, sentence: str) -> None:
    """The operator reads which key is wrong and what it takes."""
    message = refused({name: value})
    assert message.startswith(f"The configuration cannot be used. {name}: ")
    assert sentence in message


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("SWITCHYARD_POLL__MIN_SECOND", "there is no such setting. Did you mean SWITCHYARD_POLL__MIN_SECONDS?"),
        ("SWITCHYARD_SLACK__BOT_TOKENS", "there is no such setting. Did you mean SLACK_BOT_TOKEN?"),
        ("SWITCHYARD_HTTP__ZZZ", "there is no such setting."),
        ("SWITCHYARD_APPROVALS_APPROVERS", "is not read; the setting is called SWITCHYARD_APPROVALS__APPROVERS."),
        ("SWITCHYARD_SLACK_BOT_TOKEN", "is not read; the setting is called SLACK_BOT_TOKEN."),
        ("SWITCHYARD____", "is not the name of a setting."),
        ("SWITCHYARD_POLL__MIN_SECONDS__X", "has to be a number"),
    ],
)
def test_a_misspelt_name_is_not_passed_over(name: str, sentence: str) -> None:
    """A setting that nobody reads would be looked for in vain: an approver who may not approve, a pace that stays."""
    assert sentence in refused({name: '["U012345"]'})


def test_other_variables_are_nobody_s_business() -> None:
    """Containers and shells bring variables with our prefix; without two underscores they are not ours."""
    assert load({"SWITCHYARD_SERVICE_HOST": "10.0.0.1", "SWITCHYARD": "x", "PATH": "/bin"}) == load({})


def test_a_value_and_a_section_under_one_name_are_refused(empty_folder: Path) -> None:
    """Neither is dropped silently."""
    both = {"SWITCHYARD_SONY__MODELS": "x", "SWITCHYARD_SONY__MODELS__A__API_KEY": "y"}
    assert "is set besides settings below it or above it" in refused(both)
    written(empty_folder, "[sony]\nmodels = 1\n")
    assert "is one value here and a section of values there" in refused({"SWITCHYARD_SONY__MODELS__A__API_KEY": "y"})


def test_two_spellings_of_one_name_are_refused(empty_folder: Path) -> None:
    """TOML tells `[Poll]` and `[poll]` apart, Switchyard does not: neither is dropped silently."""
    written(empty_folder, "[poll]\nmin_seconds = 3\n[Poll]\nmax_seconds = 9\n")
    assert refused({}) == "The configuration file says `poll` twice, in two spellings."


def test_all_problems_are_reported_in_one_message(empty_folder: Path) -> None:
    """Nobody has to start the bot five times to find five mistakes."""
    written(
        empty_folder, 'colour = "red"\nslack = 5\n[poll]\nmin_seconds = 30\nmax_seconds = 20\n[data]\nmax_mb = -1\n'
    )
    message = refused({"SWITCHYARD_HTTP__PORT": "web", "SWITCHYARD_POLL_MAX_SECONDS": "3"})
    assert message.splitlines()[0] == "The configuration cannot be used:"
    for sentence in (
        "  * SWITCHYARD_COLOUR: stands outside of every section.",
        "  * SWITCHYARD_SLACK: has to be a section of values.",
        "  * SWITCHYARD_POLL__MAX_SECONDS is less than SWITCHYARD_POLL__MIN_SECONDS; it has to be as much or more.",
        "  * SWITCHYARD_DATA__MAX_MB: has to be more than 0.",
        "  * SWITCHYARD_HTTP__PORT: has to be a whole number.",
        "  * SWITCHYARD_POLL_MAX_SECONDS: is not read; the setting is called SWITCHYARD_POLL__MAX_SECONDS.",
    ):
        assert sentence in message.splitlines()
    assert len(message.splitlines()) == 7


@pytest.mark.parametrize(
    "text",
    [
        f'slack = "{SECRET}"\n',
        f'[slack]\nbot_token = ["{SECRET}"]\napp_token = {{ a = "{SECRET}" }}\n',
        f'[slack]\nbot_tokn = "{SECRET}"\n',
        f'[database]\nurl = "postgresql://bot:{SECRET}@db/jobs"\n',
        f'[database]\nurl = "mysql://bot:{SECRET}@db/jobs"\n',
        f'[slack]\napi_url = "https://bot:{SECRET}@slack.com/api"\n',
        f'[slack]\nalarm_channel = "{SECRET}"\n',
        f'token = "{SECRET}"\n',
        f"[slack]\nbot_token = {SECRET}\n",
        f'[slack]\nbot_token = "{SECRET}\n',
        f'[slack]\nbot_token = "{SECRET}"\nbot_token = "{SECRET}"\n',
        f'[poll]\nmin_seconds = "{SECRET}"\n',
        f'[approvals]\nself = "{SECRET}"\n',
        f'[approvals]\napprovers = ["U0BORA0001", "{SECRET}"]\n',
        f'[slack]\nteams = ["{SECRET}"]\n',
    ],
)
def test_no_message_repeats_a_value_that_may_be_secret(empty_folder: Path, text: str) -> None:
    """A token on the wrong line, in the wrong key or in broken TOML stays out of the terminal and the logs."""
    written(empty_folder, text)
    assert SECRET not in refused({})


def test_a_message_holds_no_secret_of_the_environment() -> None:
    """The same for variables, also where other keys are wrong."""
    message = refused(
        {"SLACK_BOT_TOKEN": SECRET, "SWITCHYARD_SESTEK__CLIENT_SECRET": SECRET, "SWITCHYARD_HTTP__PORT": SECRET}
    )
    assert SECRET not in message


def test_a_configuration_shows_no_secret_when_printed() -> None:
    """`repr` is what ends in a log by accident."""
    settings = load({"SLACK_BOT_TOKEN": SECRET, "SWITCHYARD_SESTEK__CLIENT_SECRET": SECRET})
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)


def test_a_configuration_does_not_change() -> None:
    """It is read once."""
    settings = load({})
    for values, name in ((settings, "http"), (settings.http, "port")):
        with pytest.raises(ValidationError):
            setattr(values, name, getattr(values, name))


@pytest.mark.parametrize("by_argument", [True, False])
def test_a_named_file_has_to_be_there(empty_folder: Path, by_argument: bool) -> None:
    """A wrong path is not silently the default configuration."""
    path = empty_folder / "gone.toml"
    message = refused({}, path) if by_argument else refused({"SWITCHYARD_CONFIG": "gone.toml"})
    assert message == f"There is no configuration file {path}; SWITCHYARD_CONFIG names it."


def test_a_file_that_cannot_be_read_is_told(empty_folder: Path) -> None:
    """A folder, other bytes, broken TOML: each with a sentence, and broken TOML with the place."""
    assert "cannot be read (Is a directory)" in refused({}, empty_folder)
    (empty_folder / "latin.toml").write_bytes(b'[slack]\nalarm_channel = "\xfc"\n')
    assert "it holds bytes of another encoding" in refused({}, empty_folder / "latin.toml")
    assert "look at line 2, column " in refused({}, written(empty_folder, "[poll]\nmin_seconds = = 3\n"))


def test_the_tick_is_never_slower_than_the_shortest_pace() -> None:
    """A pace of half a second needs a tick of half a second; a set tick stays."""
    assert load({"SWITCHYARD_POLL__MIN_SECONDS": "0.5"}).poll.tick_seconds == 0.5
    given = {"SWITCHYARD_POLL__MIN_SECONDS": "0.5", "SWITCHYARD_POLL__TICK_SECONDS": "0.2"}
    assert load(given).poll.tick_seconds == 0.2


def test_the_app_token_decides_the_mode() -> None:
    """Socket Mode where there is an app token, else signed HTTP."""
    assert load({"SLACK_APP_TOKEN": "xapp-1"}).mode == "socket"
    assert load({"SLACK_SIGNING_SECRET": "abc"}).mode == "http"


@pytest.mark.parametrize(
    ("environ", "sentences"),
    [
        ({}, ("SLACK_BOT_TOKEN: is not set", "SLACK_APP_TOKEN or SLACK_SIGNING_SECRET: set the first for Socket Mode")),
        ({"SLACK_BOT_TOKEN": "xoxb-1"}, ("SLACK_APP_TOKEN or SLACK_SIGNING_SECRET",)),
        (
            {"SLACK_BOT_TOKEN": "xapp-1", "SLACK_APP_TOKEN": "xoxb-1"},
            ("SLACK_BOT_TOKEN: is not a bot token", "SLACK_APP_TOKEN: is not an app-level token"),
        ),
    ],
)
def test_meeting_slack_needs_tokens(environ: Mapping[str, str], sentences: tuple[str, ...]) -> None:
    """What is missing or swapped is said at once, and never repeated."""
    with pytest.raises(ConfigurationError) as raised:
        load(environ).require_slack()
    message = str(raised.value)
    assert all(sentence in message for sentence in sentences)
    assert not any(value in message for value in environ.values())


@pytest.mark.parametrize("last", [{"SLACK_APP_TOKEN": "xapp-1"}, {"SLACK_SIGNING_SECRET": "abc"}])
def test_a_bot_token_and_one_more_are_enough(last: Mapping[str, str]) -> None:
    """Either mode stands alone; a rotated token is a bot token too."""
    load({"SLACK_BOT_TOKEN": "xoxb-1", **last}).require_slack()
    load({"SLACK_BOT_TOKEN": "xoxe.xoxb-1", **last}).require_slack()


def test_every_secret_is_known_for_redaction(empty_folder: Path) -> None:
    """Tokens and whatever a provider's section calls a key, a secret, a password or a token; longest first."""
    written(empty_folder, '[sixth]\nkeys = ["key-one", "key-two"]\nuser = "open"\ntoken_count = 3\n')
    settings = load(
        {
            "SLACK_BOT_TOKEN": "xoxb-12345",
            "SLACK_SIGNING_SECRET": "abcdef",
            "SWITCHYARD_AITEMS__ACCESS_KEY": "access",
            "SWITCHYARD_DEEPOPINION__EMAIL": "ada@example.com",
            "SWITCHYARD_DEEPOPINION__PASSWORD": "pa",
            "SWITCHYARD_SONY__MODELS__CHURN__DEPLOY_KEY": "deploy-key-1",
        }
    )
    found = secrets(settings)
    assert set(found) == {"xoxb-12345", "abcdef", "access", "deploy-key-1", "key-one", "key-two"}
    assert list(found) == sorted(found, key=len, reverse=True)


def own_keys() -> Iterator[tuple[str, str]]:
    """Section and key of every setting that is not a provider's."""
    for section, field in Settings.model_fields.items():
        keys = getattr(field.annotation, "model_fields", {}).items()
        yield from ((section, key.alias or name) for name, key in keys)


def example(folder: Path) -> Path:
    """The example file with everything in it switched on."""
    text = (ROOT / "switchyard.example.toml").read_text("utf-8")
    return written(folder, re.sub(r"^#(?=[\[\w])", "", text, flags=re.MULTILINE))


def test_the_example_is_a_configuration_with_every_key(empty_folder: Path) -> None:
    """Whoever copies it and takes the # away has valid settings, and nothing is missing from it."""
    settings = load({}, example(empty_folder))
    settings.require_slack()
    shown = tomllib.loads(example(empty_folder).read_text("utf-8"))
    assert {(section, key) for section in shown.keys() - settings.providers for key in shown[section]} == set(
        own_keys()
    )
    assert set(settings.providers) == {"sestek", "deepopinion", "decthings", "aitems", "sony"}


def test_the_example_shows_the_defaults(empty_folder: Path) -> None:
    """What is shown with # is what holds without it, apart from ids, tokens and the folder of the spool."""
    shown, default = load({}, example(empty_folder)), load({}, written(empty_folder, "", "empty.toml"))
    assert (shown.http, shown.database, shown.poll, shown.log) == (
        default.http,
        default.database,
        default.poll,
        default.log,
    )
    assert (shown.data_folder, shown.spool_folder, shown.data.max_mb) == (
        default.data_folder,
        default.spool_folder,
        default.data.max_mb,
    )
    assert shown.approvals.model_copy(update={"approvers": (), "policy": None}) == default.approvals
    assert shown.slack.api_url == default.slack.api_url
    assert (shown.slack.sockets, shown.slack.silence_seconds) == (default.slack.sockets, default.slack.silence_seconds)
    assert shown.health.host == default.health.host
    assert shown.limits == default.limits


def test_the_operator_s_page_names_every_setting() -> None:
    """With its default, as it is in the code."""
    page = (ROOT / "docs" / "operate.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(S[A-Z_]+)` \|\s*([^|]*?)\s*\|", page, re.MULTILINE))
    assert set(rows) == {variable(section, key) for section, key in own_keys()}
    defaults = load({})
    for name, place in {
        "SLACK_API_URL": defaults.slack.api_url,
        "SWITCHYARD_DATABASE_URL": defaults.database.url,
        "SWITCHYARD_DATA__FOLDER": defaults.data.folder,
        "SWITCHYARD_HTTP__HOST": defaults.http.host,
        "SWITCHYARD_HEALTH__HOST": defaults.health.host,
        "SWITCHYARD_LOG__LEVEL": defaults.log.level,
        "SWITCHYARD_APPROVALS__SELF": str(defaults.approvals.may_approve_own).lower(),
    }.items():
        assert rows[name] == f"`{place}`"
    numbers = {
        "slack": defaults.slack,
        "http": defaults.http,
        "data": defaults.data,
        "approvals": defaults.approvals,
        "poll": defaults.poll,
        "limits": defaults.limits,
    }
    for section, key in own_keys():
        value = getattr(numbers.get(section), key, None)
        if isinstance(value, int | float) and not isinstance(value, bool):
            assert rows[variable(section, key)].startswith(f"`{value:g}`")


@pytest.mark.parametrize(
    "environ",
    [
        {"SWITCHYARD_LANGUAGE__CHANNELS": '{"C0123456789": "TR"}'},
        {"SWITCHYARD_LANGUAGE__CHANNELS__C0123456789": "tr"},
    ],
)
def test_a_channel_has_a_language(empty_folder: Path, environ: dict[str, str]) -> None:
    """As JSON, or in a variable of its own; elsewhere the language of all is spoken."""
    language = load(environ, written(empty_folder, '[language]\ndefault = "ko"\n')).language
    assert (language.default, language.channels) == ("ko", {"C0123456789": "tr"})


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('default = "fr"', "SWITCHYARD_LANGUAGE__DEFAULT: has to be one of en, de, ja, ko, tr."),
        ('channels = { C0123456789 = "xx" }', "has to be one of en, de, ja, ko, tr."),
        ('channels = { trainings = "tr" }', "entry 1: not the id of a channel (C… or G…)"),
        ('channels = "tr"', "has to be a table, like"),
        (
            'default = "en"\n[services]\npages = { sestek = "x" }',
            "SWITCHYARD_SERVICES__PAGES: sestek: needs an address",
        ),
    ],
)
def test_a_language_that_is_not_spoken_is_refused(empty_folder: Path, table: str, problem: str) -> None:
    """And a channel by another word than its id."""
    with pytest.raises(ConfigurationError, match=re.escape(problem)):
        load({}, written(empty_folder, f"[language]\n{table}\n"))
