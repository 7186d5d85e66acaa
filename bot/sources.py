"""Where a secret stands that stands neither in the environment nor in the configuration file.

A key `token` may be given as `token_file`, the path of a file that holds it, or as `token_keyring`, the name under
which a keyring holds it. A folder of such files, as containers mount it (https://docs.docker.com/engine/swarm/secrets/,
https://kubernetes.io/docs/concepts/configuration/secret/), stands for variables of the files' names. No sentence
repeats a value, a path or a name: somebody may have put the secret itself there.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

SECRET_WORDS = ("key", "secret", "password", "token")
LARGEST = 64 * 1024
"""Bytes of a file that is read; no token is nearly as long."""
SERVICE = "switchyard"
"""Under which the keyring holds our names: `keyring set switchyard NAME`."""


class SourceError(Exception):
    """A secret could not be read; a half sentence that says why and quotes nothing."""


def is_secret(key: str) -> bool:
    """Does a key of this name hold a secret?"""
    return any(word in key.lower() for word in SECRET_WORDS)


def split(key: str) -> tuple[str, str]:
    """`api_key_file` as ("api_key", "file"), `api_key` as ("api_key", "")."""
    plain = key.lower().replace("-", "_")
    for source in SOURCES:
        stem = plain.removesuffix(f"_{source}")
        if stem != plain and is_secret(stem):
            return stem, source
    return plain, ""


def fetch(sections: Mapping[str, Any], folder: Path, name: Callable[..., str], problems: list[str]) -> dict[str, Any]:
    """The sections with every secret in its place. Relative paths count from `folder`; `name` names a key's variable.

    What cannot be read, and what is given twice, is added to `problems`.
    """
    return _fetched(sections, folder, name, problems, ())


def _fetched(
    values: Mapping[str, Any], folder: Path, name: Callable[..., str], problems: list[str], above: tuple[str, ...]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        stem, source = split(key)
        if isinstance(value, dict):
            found[key] = _fetched(value, folder, name, problems, (*above, key))
        elif not source or not above:
            found[key] = value
        elif any(split(other)[0] == stem and other != key for other in values):
            problems.append(f"{name(*above, key)}: is given besides {name(*above, stem)} or twice; only one can hold.")
        else:
            _put(found, stem, partial(SOURCES[source], value, folder), name(*above, key), problems)
    return found


def _put(found: dict[str, Any], stem: str, read: Callable[[], str], name: str, problems: list[str]) -> None:
    try:
        found[stem] = read()
    except SourceError as error:
        problems.append(f"{name}: {error}")


def variables_in(folder: Path, is_ours: Callable[[str], bool], problems: list[str]) -> dict[str, str]:
    """The files of a folder as variables, where they are called like one of ours. Hidden files and folders are not."""
    try:
        paths = sorted(path for path in folder.iterdir() if is_ours(path.name.upper()) and path.is_file())
    except OSError as error:
        problems.append(f"SWITCHYARD_SECRETS_FOLDER: the folder cannot be read ({error.strerror}).")
        return {}
    found: dict[str, str] = {}
    for path in paths:
        name = path.name.upper()
        _put(found, name, partial(read_file, path, folder), f"{name} in SWITCHYARD_SECRETS_FOLDER", problems)
    return found


def read_file(value: Any, folder: Path) -> str:
    """The text of a file without the blanks around it. Raises SourceError."""
    try:
        with (folder / value).open("rb") as file:
            content: bytes = file.read(LARGEST + 1)
    except OSError as error:
        raise SourceError(f"the file cannot be read ({error.strerror}).") from None
    except (TypeError, ValueError):
        raise SourceError("has to be the path of a file.") from None
    if len(content) > LARGEST:
        raise SourceError(f"the file holds more than {LARGEST // 1024} KB, so it is no secret.")
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise SourceError("the file is not text in UTF-8.") from None
    if not text:
        raise SourceError("the file is empty.")
    return text


def read_keyring(value: Any, _folder: Path) -> str:
    """What the keyring of the system holds under this name. Raises SourceError."""
    if not isinstance(value, str):
        raise SourceError("has to be a name in the keyring.")
    try:
        import keyring  # an extra, which few installations have
        from keyring.errors import KeyringError
    except ImportError:
        raise SourceError("needs the library keyring, which is not installed; see docs/operate.md.") from None
    try:
        found = keyring.get_password(SERVICE, value)
    except (KeyringError, RuntimeError, OSError) as error:
        # Backends tell in words of their own, some of them with the name; the kind of the error can be looked up.
        raise SourceError(f"the keyring cannot be read ({type(error).__name__}).") from None
    text = str(found or "").strip()
    if not text:
        raise SourceError(f"the keyring holds nothing under this name of the service `{SERVICE}`.")
    return text


SOURCES: Mapping[str, Callable[[Any, Path], str]] = {"file": read_file, "keyring": read_keyring}
"""What may follow a key's name, and how it is read."""
