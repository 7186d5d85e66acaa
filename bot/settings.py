"""The configuration, read once: `switchyard.toml` and the environment, which wins.

A key is called `key` in the section `[section]` of the file and `SWITCHYARD_SECTION__KEY` in the environment; case does
not matter. Sections that are not Switchyard's own belong to the providers, which check them themselves. All problems
are reported in one ConfigurationError, and no sentence repeats a secret.
"""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from bot import sources
from bot.domain.pace import Pace
from bot.domain.pages import refuse_page
from bot.domain.policy import people_in
from bot.errors import ConfigurationError
from bot.languages import LANGUAGES

PREFIX = "SWITCHYARD_"
NESTED = "__"
FILE_NAME = "switchyard.toml"
SHORTEST_SECRET = 4
"""Shorter values are not looked for in texts: replacing every `1` would hide nothing and spoil everything."""

LONGEST_HOURS = 10 * 366 * 24
"""Ten years: a time that is added to now still is a date."""

SHORT_NAMES: Mapping[str, tuple[str, str]] = {
    "SLACK_BOT_TOKEN": ("slack", "bot_token"),
    "SLACK_APP_TOKEN": ("slack", "app_token"),
    "SLACK_SIGNING_SECRET": ("slack", "signing_secret"),
    "SLACK_API_URL": ("slack", "api_url"),
    "SWITCHYARD_DATABASE_URL": ("database", "url"),
}
"""Variables that are not called by their section."""

_TEAM_ID = re.compile(r"[TE][A-Z0-9]{2,}")
_CHANNEL_ID = re.compile(r"[CG][A-Z0-9]{2,}")
_SLACK_ID = re.compile(r"[UWS][A-Z0-9]{2,}")


def _problem(sentence: str) -> PydanticCustomError:
    # Braces are placeholders in pydantic's templates.
    return PydanticCustomError("sentence", "{sentence}", {"sentence": sentence})


def _read_list(value: Any) -> Any:
    """A list as the file has it, or as JSON text as the environment has it."""
    if not isinstance(value, str):
        return value
    try:
        read = json.loads(value)
    except ValueError:
        read = None
    if not isinstance(read, list):
        raise _problem('has to be a JSON list of texts, like ["one", "two"].')
    return read


def _entries(ids: tuple[str, ...], pattern: re.Pattern[str]) -> str:
    """Which of them are not of the pattern, by their places: what stands there may be a secret that went astray."""
    wrong = [str(place) for place, id_ in enumerate(ids, 1) if not pattern.fullmatch(id_)]
    return f"{'entry' if len(wrong) == 1 else 'entries'} {', '.join(wrong)}" if wrong else ""


def _check_approvers(ids: tuple[str, ...]) -> tuple[str, ...]:
    wrong = _entries(ids, _SLACK_ID)
    if wrong:
        raise _problem(
            f"{wrong}: not the id of a person (U… or W…) or of a user group (S…). Slack shows a person's under "
            "“Copy member ID” in the profile, a group's in the address of its page."
        )
    return tuple(dict.fromkeys(ids))


def _check_teams(ids: tuple[str, ...]) -> tuple[str, ...]:
    wrong = _entries(ids, _TEAM_ID)
    if wrong:
        raise _problem(f"{wrong}: not the id of a workspace (T…) or of an organisation (E…).")
    return tuple(dict.fromkeys(ids))


def _lower(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip().lower() for name in names))


def _check_api_url(text: str) -> str:
    try:
        url = urlsplit(text)
    except ValueError:
        url = urlsplit("")
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment or "@" in url.netloc:
        raise _problem("has to be an address like https://slack.com/api/, without a name, a password or a query.")
    return text if text.endswith("/") else f"{text}/"


def _check_database(text: str) -> str:
    if text.startswith(("postgresql:", "postgresql+", "postgres:")):
        raise _problem("PostgreSQL is not built yet; use SQLite: sqlite:///switchyard.db.")
    if not text.startswith("sqlite:///") or text in ("sqlite:///", "sqlite:///:memory:") or "?" in text:
        raise _problem(
            "has to name a file: sqlite:///switchyard.db, or with four slashes sqlite:////var/lib/switchyard.db."
        )
    return text


def _read_language(value: Any) -> Any:
    code = value.strip().lower() if isinstance(value, str) else value
    if code not in LANGUAGES:
        raise _problem(f"has to be one of {', '.join(LANGUAGES)}.")
    return code


def _read_table(value: Any, example: str) -> dict[str, Any]:
    """A table as the file has it, or as JSON text as the environment has it."""
    read = value
    if isinstance(value, str):
        try:
            read = json.loads(value)
        except ValueError:
            read = None
    if not isinstance(read, Mapping):
        raise _problem(f"has to be a table, like {example}.")
    return {str(key): one for key, one in read.items()}


def _read_channels(value: Any) -> Any:
    return {name.upper(): one for name, one in _read_table(value, '{"C0123456789": "tr"}').items()}


def _read_pages(value: Any) -> Any:
    return {name.lower(): one for name, one in _read_table(value, '{"sestek": "https://…/{model}"}').items()}


def _check_pages(pages: Mapping[str, str]) -> Mapping[str, str]:
    for name, pattern in pages.items():
        wrong = refuse_page(pattern)
        if wrong:
            raise _problem(f"{name}: {wrong}")
    return pages


def _check_channels(channels: Mapping[str, str]) -> Mapping[str, str]:
    wrong = _entries(tuple(channels), _CHANNEL_ID)
    if wrong:
        raise _problem(f"{wrong}: not the id of a channel (C… or G…); Slack shows it under “View channel details”.")
    return channels


Names = Annotated[tuple[str, ...], BeforeValidator(_read_list)]
LanguageCode = Annotated[str, BeforeValidator(_read_language)]
LanguageTable = Annotated[Mapping[str, LanguageCode], BeforeValidator(_read_channels), AfterValidator(_check_channels)]
PageTable = Annotated[Mapping[str, str], BeforeValidator(_read_pages), AfterValidator(_check_pages)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Hours = Annotated[float, Field(gt=0, le=LONGEST_HOURS, allow_inf_nan=False)]


class Section(BaseModel):
    """A section of the configuration: nothing unknown, nothing changed afterwards, no value in an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True)


class SlackSettings(Section):
    """Where Slack is and who the bot is there. `api_url` ends in a slash."""

    bot_token: SecretStr | None = None
    app_token: SecretStr | None = None
    signing_secret: SecretStr | None = None
    api_url: Annotated[str, AfterValidator(_check_api_url)] = "https://slack.com/api/"
    alarm_channel: str | None = Field(default=None, pattern=r"^[CGD][A-Z0-9]{2,}$")
    posts_per_second: Positive = 1
    edits_per_minute: int = Field(default=50, ge=2)
    sockets: int = Field(default=2, ge=1, le=10)
    silence_seconds: Positive = 30
    teams: Annotated[Names, AfterValidator(_check_teams)] = ()


class HttpSettings(Section):
    """Where Slack's requests are taken in HTTP mode. Port 0 takes any that is free."""

    host: str = "127.0.0.1"
    port: int = Field(default=3000, ge=0, le=65535)


class HealthSettings(Section):
    """Where machines may ask how the bot is. Without a port nowhere; port 0 takes any that is free."""

    host: str = "127.0.0.1"
    port: int | None = Field(default=None, ge=0, le=65535)


class DatabaseSettings(Section):
    """The database. Its path is `Settings.database_path`."""

    url: Annotated[str, AfterValidator(_check_database)] = "sqlite:///switchyard.db"


class DataSettings(Section):
    """The data files. The folders, made absolute, are `Settings.data_folder` and `Settings.spool_folder`."""

    folder: str = Field(default="data", min_length=1)
    spool: str | None = Field(default=None, min_length=1)
    max_mb: Positive = 200
    download_minutes: float = Field(default=10, gt=0, le=15)
    keep_days: float = Field(default=30, gt=0, le=LONGEST_HOURS / 24, allow_inf_nan=False)

    @property
    def max_bytes(self) -> int:
        return int(self.max_mb * 1024 * 1024)


class ApprovalSettings(Section):
    """Who decides (`approvers`: U…, W…, S…) and how many of them, which providers' starts need a yes (`start`), and the
    file that says more (`policy`). `remind_hours` 0 means that nobody is reminded."""

    approvers: Annotated[Names, AfterValidator(_check_approvers)] = ()
    needed: int = Field(default=1, ge=1)
    may_approve_own: bool = Field(default=False, alias="self")
    start: Annotated[Names, AfterValidator(_lower)] = ()
    expire_hours: Hours = 168
    remind_hours: float = Field(default=4, ge=0, le=LONGEST_HOURS, allow_inf_nan=False)
    policy: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        people = people_in(self.approvers)
        if people and len(people) == len(self.approvers) and len(people) < self.needed:
            names = f"{PREFIX}APPROVALS__APPROVERS names {len(people)} only."
            raise _problem(f"{PREFIX}APPROVALS__NEEDED is {self.needed}, and {names}")
        return self


class PollSettings(Section):
    """The pace and the patience. Names say the unit."""

    min_seconds: Positive = 15
    max_seconds: Positive = 300
    limit_hours: Positive = 72
    tick_seconds: Positive = Field(default_factory=lambda given: min(1.0, given.get("min_seconds", 1.0)))
    settle_seconds: Positive = 120
    live_minutes: Positive = 60
    lost_minutes: Positive = 10
    hold_hours: Positive = 24
    late_hours: Hours = 6
    step_timeout_seconds: Positive = 60

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.max_seconds < self.min_seconds:
            raise _problem(
                f"{PREFIX}POLL__MAX_SECONDS is less than {PREFIX}POLL__MIN_SECONDS; it has to be as much or more."
            )
        return self

    @property
    def pace(self) -> Pace:
        return Pace(shortest=timedelta(seconds=self.min_seconds), longest=timedelta(seconds=self.max_seconds))


class LimitSettings(Section):
    """How much one person may have and ask."""

    living_per_person: int = Field(default=20, ge=1)
    commands_per_minute: int = Field(default=30, ge=1)
    recurring_per_person: int = Field(default=10, ge=1)
    recurring_per_channel: int = Field(default=30, ge=1)


class AuditSettings(Section):
    """Where anchors of the audit log are posted, and after how much time or how many rows."""

    channel: str | None = Field(default=None, pattern=r"^[CG][A-Z0-9]{2,}$")
    anchor_hours: Positive = 24
    anchor_rows: int = Field(default=1000, ge=1)


class LanguageSettings(Section):
    """What is spoken: in the channels that are named, and elsewhere. Who has a locale of ours reads that alone."""

    default: LanguageCode = "en"
    channels: LanguageTable = Field(default_factory=dict)


class ServicesSettings(Section):
    """Where each service shows a training to people, by the service's name; `{model}` and `{id}` are filled in."""

    pages: PageTable = Field(default_factory=dict)


class LogSettings(Section):
    """How much is logged."""

    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(lambda v: str(v).lower())] = "info"


class Settings(BaseModel):
    """Everything that can be configured.

    `folder` is where relative paths count from: the configuration file's folder, else the current one at start.
    `providers` are the sections that are not Switchyard's own, with lower-case keys, unchecked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    slack: SlackSettings = SlackSettings()
    http: HttpSettings = HttpSettings()
    health: HealthSettings = HealthSettings()
    database: DatabaseSettings = DatabaseSettings()
    data: DataSettings = DataSettings()
    approvals: ApprovalSettings = ApprovalSettings()
    poll: PollSettings = PollSettings()
    audit: AuditSettings = AuditSettings()
    limits: LimitSettings = LimitSettings()
    language: LanguageSettings = LanguageSettings()
    services: ServicesSettings = ServicesSettings()
    log: LogSettings = LogSettings()
    providers: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict, repr=False)
    folder: Path = Field(default_factory=Path.cwd)

    @property
    def database_path(self) -> Path:
        return self.folder / self.database.url.removeprefix("sqlite:///")

    @property
    def data_folder(self) -> Path:
        return self.folder / self.data.folder

    @property
    def spool_folder(self) -> Path:
        """Where files lie that were checked and will be sent: beside the database, unless it is configured."""
        return self.folder / self.data.spool if self.data.spool else self.database_path.parent / "spool"

    @property
    def policy_file(self) -> Path | None:
        return self.folder / self.approvals.policy if self.approvals.policy else None

    @property
    def mode(self) -> Literal["socket", "http"]:
        """Socket Mode where there is an app token, else signed HTTP."""
        return "socket" if self.slack.app_token else "http"

    def require_slack(self) -> None:
        """Raise ConfigurationError unless everything is there that a bot needs to meet Slack."""
        problems = list(_slack_problems(self.slack))
        if problems:
            raise ConfigurationError(_list(problems, "Slack cannot be reached with this configuration"))


def load(environ: Mapping[str, str] = os.environ, config: Path | None = None) -> Settings:
    """Read the configuration. Raises ConfigurationError, which names every problem and no secret.

    `config` is the file to read, else the one that SWITCHYARD_CONFIG names, else `switchyard.toml` where it exists. A
    variable that is set to nothing counts as not set. Secrets may stand elsewhere, see `bot.sources`; what the
    environment says wins over the folder of secrets, and that over the configuration file.
    """
    path = _find_file(environ, config)
    folder = path.parent if path else Path.cwd()
    written = _read_file(path) if path else {}
    problems: list[str] = []
    given = _read_environment(_with_folder(environ, folder, problems), problems)
    sections = _merge(written, given, problems)
    return _check(sources.fetch(sections, folder, variable, problems), folder, problems)


def _with_folder(environ: Mapping[str, str], folder: Path, problems: list[str]) -> dict[str, str]:
    """The environment, and below it the files of the folder that SWITCHYARD_SECRETS_FOLDER names."""
    named = environ.get(f"{PREFIX}SECRETS_FOLDER", "").strip()
    found = sources.variables_in(folder / named, _is_ours, problems) if named else {}
    set_here = {_secret_at(name) for name, text in environ.items() if text.strip()}
    return {**{name: text for name, text in found.items() if _secret_at(name) not in set_here}, **environ}


def secrets(settings: Settings) -> tuple[str, ...]:
    """Every configured value that must not be seen in a log or a message, the providers' included; longest first."""
    slack = (settings.slack.bot_token, settings.slack.app_token, settings.slack.signing_secret)
    found = {token.get_secret_value() for token in slack if token} | set(_secrets_in(settings.providers))
    return tuple(sorted((secret for secret in found if len(secret) >= SHORTEST_SECRET), key=len, reverse=True))


def variable(section: str, *keys: str) -> str:
    """What a key is called in the environment."""
    stem, source = sources.split(keys[-1]) if keys else ("", "")
    for name, place in SHORT_NAMES.items():
        if place == (section, *keys):
            return name
        if source and place == (section, stem):
            return f"{name}_{source}".upper()
    return PREFIX + NESTED.join((section, *keys)).upper().replace("-", "_")


def _secrets_in(values: Mapping[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _secrets_in(value)
        elif sources.is_secret(key):
            yield from (text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str))


def _slack_problems(slack: SlackSettings) -> Iterator[str]:
    if slack.bot_token is None:
        yield "SLACK_BOT_TOKEN: is not set. The app's page “OAuth & Permissions” shows it as “Bot User OAuth Token”."
    elif not slack.bot_token.get_secret_value().startswith(("xoxb-", "xoxe.xoxb-")):
        yield "SLACK_BOT_TOKEN: is not a bot token; these begin with xoxb-."
    if slack.app_token is not None and not slack.app_token.get_secret_value().startswith("xapp-"):
        yield "SLACK_APP_TOKEN: is not an app-level token; these begin with xapp-."
    if slack.app_token is None and slack.signing_secret is None:
        yield (
            "SLACK_APP_TOKEN or SLACK_SIGNING_SECRET: set the first for Socket Mode, the second for HTTP mode. Both "
            "are on the app's page “Basic Information”."
        )


def _find_file(environ: Mapping[str, str], config: Path | None) -> Path | None:
    named = environ.get(f"{PREFIX}CONFIG", "").strip()
    path = config or (Path(named) if named else None)
    if path is not None:
        return path.absolute()
    usual = Path(FILE_NAME).absolute()
    return usual if usual.is_file() else None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        read = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"There is no configuration file {path}; SWITCHYARD_CONFIG names it.") from None
    except OSError as error:
        raise ConfigurationError(f"The configuration file {path} cannot be read ({error.strerror}).") from None
    except ValueError as error:
        raise ConfigurationError(f"The configuration file {path} is not TOML in UTF-8: {_where(error)}.") from None
    return _lower_keys(read)


def _where(error: ValueError) -> str:
    # Only the place: the rest of the message may hold a piece of the line, and the line may hold a secret.
    found = re.search(r"at line \d+, column \d+|at end of document", str(error))
    return f"look {found[0]}" if found else "it holds bytes of another encoding"


def _lower_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    lower: dict[str, Any] = {}
    for key, value in values.items():
        if key.lower() in lower:
            raise ConfigurationError(f"The configuration file says `{key.lower()}` twice, in two spellings.")
        if value != "":
            lower[key.lower()] = _lower_keys(value) if isinstance(value, dict) else value
    return lower


def _read_environment(environ: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, text in sorted(_variables(environ), key=lambda variable: _short_place(variable[0]) is not None):
        place = _place(name)
        if not all(place):
            problems.append(f"{name}: is not the name of a setting.")
        elif not _put(given, place, text):
            problems.append(f"{name}: is set besides settings below it or above it; only one of them can hold.")
    problems += _near_misses(environ)
    return given


def _short_place(name: str) -> tuple[str, ...] | None:
    """Where a variable of `SHORT_NAMES` belongs, also one that says where its secret stands: `SLACK_BOT_TOKEN_FILE`."""
    if name in SHORT_NAMES:
        return SHORT_NAMES[name]
    stem, source = sources.split(name)
    section, key = SHORT_NAMES.get(stem.upper(), ("", ""))
    return (section, f"{key}_{source}") if source and section else None


def _place(name: str) -> tuple[str, ...]:
    return _short_place(name) or tuple(name.removeprefix(PREFIX).lower().split(NESTED))


def _secret_at(name: str) -> tuple[str, ...]:
    """The place of a variable, the same for each way to give a secret."""
    *above, key = _place(name.upper())
    return (*above, sources.split(key)[0])


def _is_ours(name: str) -> bool:
    return _short_place(name) is not None or (name.startswith(PREFIX) and NESTED in name)


def _variables(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, text in environ.items():
        upper, value = name.upper(), text.strip()
        if value and _is_ours(upper):
            yield upper, value


def _put(values: dict[str, Any], place: tuple[str, ...], text: str) -> bool:
    for key in place[:-1]:
        below: object = values.setdefault(key, {})
        if not isinstance(below, dict):
            return False
        values = below
    if isinstance(values.get(place[-1]), dict):
        return False
    values[place[-1]] = text
    return True


def _near_misses(environ: Mapping[str, str]) -> list[str]:
    """Variables with one underscore where two belong: silently unread, they would be looked for in vain."""
    places = [(section, key) for section, model in _own_sections().items() for key in _keys(model)]
    names = {f"{PREFIX}{section}_{key}".upper(): variable(section, key) for section, key in places}
    missed = [name.upper() for name in environ if names.get(name.upper(), name.upper()) != name.upper()]
    return [f"{name}: is not read; the setting is called {names[name]}." for name in missed]


def _own_sections() -> dict[str, type[Section]]:
    fields = Settings.model_fields.items()
    return {name: field.annotation for name, field in fields if _is_section(field.annotation)}  # type: ignore[misc]


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)


def _keys(model: type[Section]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _merge(written: Mapping[str, Any], given: Mapping[str, Any], problems: list[str], *above: str) -> dict[str, Any]:
    """The file's values with the environment's over them."""
    said = {sources.split(name)[0] for name in given}
    # A secret may be given in several ways, and the environment's way wins.
    merged = {key: value for key, value in written.items() if not _gives_way(key, value, said)}
    for name, value in given.items():
        key = next((known for known in written if known.replace("-", "_") == name), name)
        old = merged.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            merged[key] = _merge(old, value, problems, *above, key)
        elif old is not None and isinstance(value, dict) != isinstance(old, dict):
            problems.append(f"{variable(*above, key)}: is one value here and a section of values there.")
        else:
            merged[key] = value
    return merged


def _gives_way(key: str, value: Any, said: set[str]) -> bool:
    return sources.is_secret(key) and not isinstance(value, dict) and sources.split(key)[0] in said


def _check(sections: Mapping[str, Any], folder: Path, problems: list[str]) -> Settings:
    own = _own_sections()
    mine = {name: values for name, values in sections.items() if name in own}
    others = {name: values for name, values in sections.items() if name not in own}
    problems += [f"{PREFIX}{name.upper()}: stands outside of every section." for name in _loose(others)]
    try:
        providers = {name: values for name, values in others.items() if isinstance(values, dict)}
        settings = Settings(**mine, providers=providers, folder=folder)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        problems += [_sentence(one) for one in found if one["type"] != "default_factory_not_called"]
    else:
        if not problems:
            return settings
    raise ConfigurationError(_list(problems, "The configuration cannot be used"))


def _loose(sections: Mapping[str, Any]) -> list[str]:
    return [name for name, values in sections.items() if not isinstance(values, dict)]


def _sentence(error: ErrorDetails) -> str:
    place = [str(part) for part in error["loc"] if not isinstance(part, int)]
    known = _SAID.get(error["type"])
    said = known.format(**error.get("ctx", {})) if known else error["msg"]
    if len(place) == 1 and error["type"] == "sentence":
        return said
    if error["type"] == "extra_forbidden":
        return f"{variable(*place)}: there is no such setting.{_suggestion(*place)}"
    return f"{variable(*place)}: {said}"


_SAID: Mapping[str, str] = {
    "float_parsing": "has to be a number.",
    "float_type": "has to be a number.",
    "finite_number": "has to be a number that ends.",
    "int_parsing": "has to be a whole number.",
    "int_from_float": "has to be a whole number.",
    "int_type": "has to be a whole number.",
    "bool_parsing": "has to be true or false.",
    "bool_type": "has to be true or false.",
    "string_type": "has to be a text.",
    "string_too_short": "is empty.",
    "string_pattern_mismatch": "has to be the id of a channel, C…; Slack shows it under “View channel details”.",
    "tuple_type": 'has to be a list of texts, like ["one", "two"].',
    "greater_than": "has to be more than {gt:g}.",
    "greater_than_equal": "has to be {ge:g} or more.",
    "less_than_equal": "has to be {le:g} or less.",
    "literal_error": "has to be {expected}.",
    "model_type": "has to be a section of values.",
}


def _suggestion(section: str, key: str) -> str:
    near = difflib.get_close_matches(key, _keys(_own_sections()[section]), n=1)
    return f" Did you mean {variable(section, near[0])}?" if near else ""


def _list(problems: list[str], heading: str) -> str:
    """One problem in one line, several as a list."""
    if len(problems) == 1:
        return f"{heading}. {problems[0]}"
    return "\n".join([f"{heading}:", *(f"  * {problem}" for problem in problems)])
