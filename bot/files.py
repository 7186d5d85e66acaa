"""The data folder, and the spool of what was checked: what is sent is what was approved, byte for byte.

Everything here blocks; callers use a thread.
"""

import hashlib
import math
import os
import re
import tempfile
import threading
import time
from contextlib import closing
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import IO

from bot.domain.requests import SourceFile
from bot.domain.text import code, cut, either
from bot.errors import DataError
from bot.sentences import _, joined

CHUNK = 1 << 20
_PART = "part-"
_A_DAY = 86_400
_SHA256 = re.compile(r"[0-9a-f]{64}")


class DataFolder:
    """See `bot.ports.Files`. `max_bytes` bounds every file, `spool` holds copies named by their SHA-256."""

    def __init__(self, folder: Path, spool: Path, max_bytes: int) -> None:
        self.spool = spool
        self._folder = folder
        self._max_bytes = max_bytes
        self._ages = threading.Lock()

    def choose(self, source: str | None, model: str, suffixes: tuple[str, ...]) -> str:
        """The name that is meant: the one given, else the one file named after the model."""
        return self._named(source, suffixes) if source is not None else self._after_model(model, suffixes)

    def names(self, suffixes: tuple[str, ...]) -> list[str]:
        """What can be sent of the folder, in order."""
        return sorted(name for name in self._names() if name.casefold().endswith(suffixes))

    def copy(self, role: str, name: str) -> SourceFile:
        """Copy a file of the data folder into the spool."""
        with self._open(name) as source, closing(self.receive(role, name)) as arrival:
            while chunk := source.read(CHUNK):
                arrival.write(chunk)
            return arrival.keep()

    def receive(self, role: str, name: str, size: int = 0) -> "Arrival":
        """See `bot.ports.Files`."""
        if size > self._max_bytes:
            raise _too_large(name, self._max_bytes)
        return Arrival(self.spool, role, name, self._max_bytes)

    def spooled(self, sha256: str) -> Path:
        return self.spool / sha256

    def renew(self, sha256: str, now: datetime) -> None:
        """See `bot.ports.Files`. What is renewed before `tidy` looks at it stays, and what is gone is told."""
        with self._ages:
            os.utime(self.spooled(sha256), (now.timestamp(), now.timestamp()))

    def has_old(self, before: datetime) -> bool:
        """See `bot.ports.Files`."""
        return any(_last_used(path) < limit for path, limit in self._ours(before))

    def tidy(self, before: datetime, needed: frozenset[str], now: datetime) -> int:
        """See `bot.ports.Files`. Each file goes by itself, so it may end anywhere; what is not ours stays."""
        deleted = 0
        for path, limit in self._ours(before):
            with self._ages:
                if _last_used(path) >= limit:
                    continue
                if path.name in needed:
                    os.utime(path, (now.timestamp(), now.timestamp()))
                else:
                    path.unlink(missing_ok=True)
                    deleted += 1
        return deleted

    def _ours(self, before: datetime) -> list[tuple[Path, float]]:
        """Each file of the spool, and when it would have to be used last to be old."""
        if not self.spool.is_dir():
            return []
        limits = {True: before.timestamp(), False: time.time() - _A_DAY}
        # What a crash left unfinished is of no use; what is being written now is younger than a day.
        found = [path for path in self.spool.iterdir() if _SHA256.fullmatch(path.name) or path.name.startswith(_PART)]
        return [(path, limits[bool(_SHA256.fullmatch(path.name))]) for path in found]

    def kept(self, role: str, name: str, sha256: str) -> SourceFile:
        """A file of an earlier training, from the spool."""
        path = self.spooled(sha256)
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            gone = _("The data of the earlier training, {file}, is not kept here any more.", file=_shown(name))
            raise DataError(gone) from None
        if found != sha256:
            raise DataError(_("The kept copy of {file} is not what it was, so it is not used.", file=_shown(name)))
        return SourceFile(role=role, name=name, path=path, size=path.stat().st_size, sha256=sha256)

    def result(self, job_id: str) -> Path:
        folder = self.spool.parent / "results"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / job_id

    def export(self, notice_id: str) -> Path:
        folder = self.spool.parent / "exports"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder / notice_id

    def _named(self, source: str, suffixes: tuple[str, ...]) -> str:
        if not _is_plain(source):
            raise DataError(
                _(
                    "{file} is not the name of a file in the data folder: write its name alone, or the link of a file "
                    "in Slack.",
                    file=_shown(source),
                )
            )
        if not source.casefold().endswith(suffixes):
            raise DataError(
                _(
                    "{file} cannot be sent: this service takes files called {names}.",
                    file=_shown(source),
                    names=either(code(f"*{suffix}") for suffix in suffixes),
                )
            )
        names = self._names()
        if source not in names:
            absent = _("There is no {file} in the data folder.", file=_shown(source))
            raise DataError(joined(" ", [absent, *_hint(source, names, suffixes)]))
        return source

    def _after_model(self, model: str, suffixes: tuple[str, ...]) -> str:
        wanted = {f"{model}{suffix}".casefold() for suffix in suffixes}
        found = sorted(name for name in self._names() if name.casefold() in wanted)
        if len(found) > 1:
            raise DataError(
                _(
                    "Several files are named after {model}: {names}. Say which with `data=NAME`.",
                    model=_shown(model),
                    names=", ".join(code(name) for name in found),
                )
            )
        if not found:
            raise DataError(
                _(
                    "The data folder has no file named after {model} ({names}). Name one with `data=NAME`, or a file "
                    "in Slack with `data=` and its link.",
                    model=_shown(model),
                    names=", ".join(_shown(f"{model}{suffix}") for suffix in suffixes),
                )
            )
        return found[0]

    def _names(self) -> list[str]:
        try:
            return [entry.name for entry in self._folder.iterdir() if _is_plain(entry.name) and entry.is_file()]
        except FileNotFoundError:
            raise DataError(_("The data folder does not exist; its operator sets SWITCHYARD_DATA__FOLDER.")) from None
        except OSError as error:
            sentence = _(
                "The data folder cannot be read ({error}); its operator sets SWITCHYARD_DATA__FOLDER.",
                error=str(error.strerror),
            )
            raise DataError(sentence) from None

    def _open(self, name: str) -> IO[bytes]:
        """Open what really lies in the folder: no link leads out of it, and nothing but a file is read."""
        try:
            path = (self._folder / name).resolve()
            if path.parent != self._folder.resolve():
                raise DataError(
                    _("{file} is not a file of the data folder: it is a link that leads out of it.", file=code(name))
                )
            if not path.is_file():
                raise DataError(_("{file} is not a file of the data folder any more.", file=code(name)))
            # No link either that was put in its place since it was looked at.
            return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")
        except PermissionError:
            raise DataError(_("{file} may not be read by Switchyard.", file=code(name))) from None


class Arrival:
    """See `bot.ports.Arrival`: a file without its final name yet; gone at the end, unless it was given one."""

    def __init__(self, spool: Path, role: str, name: str, max_bytes: int) -> None:
        self._spool, self._role, self._name, self._max_bytes = spool, role, name, max_bytes
        self._seen, self._size = hashlib.sha256(), 0
        spool.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.NamedTemporaryFile(dir=spool, prefix=_PART, delete=False)  # noqa: SIM115  see `close`

    def write(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._max_bytes:
            raise _too_large(self._name, self._max_bytes)
        self._seen.update(chunk)
        self._file.write(chunk)

    def keep(self) -> SourceFile:
        if not self._size:
            raise DataError(_("{file} is empty.", file=code(self._name)))
        self._file.flush()
        os.fsync(self._file.fileno())
        sha256 = self._seen.hexdigest()
        path = Path(self._file.name).replace(self._spool / sha256)
        _sync_folder(self._spool)
        return SourceFile(role=self._role, name=self._name, path=path, size=self._size, sha256=sha256)

    def close(self) -> None:
        try:
            self._file.close()
        finally:
            Path(self._file.name).unlink(missing_ok=True)


def _last_used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def _too_large(name: str, max_bytes: int) -> DataError:
    return DataError(
        _(
            "{file} is larger than {size:.4g} MB, the most that is sent (SWITCHYARD_DATA__MAX_MB).",
            file=code(name),
            size=max_bytes / CHUNK,
        )
    )


def _sync_folder(folder: Path) -> None:
    """Have the new name of a file survive the loss of power, like its content."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _hint(source: str, names: list[str], suffixes: tuple[str, ...]) -> list[str]:
    """The nearest name that could be sent, whatever its case; its suffix makes no name alike."""
    fitting = {_stem(name): name for name in sorted(names) if name.casefold().endswith(suffixes)}
    near = get_close_matches(_stem(source), fitting, n=1, cutoff=0.5)
    return [_("Did you mean {name}?", name=code(fitting[near[0]]))] if near else []


def _stem(name: str) -> str:
    return Path(name).stem.casefold()


def _is_plain(name: str) -> bool:
    """A name alone: no folders, nothing hidden, nothing that a terminal or a message would hide."""
    return name == Path(name).name and not name.startswith(".") and name.isprintable() and "\\" not in name


def _shown(name: str) -> str:
    """A name as it was typed, which may be as long as a command."""
    return code(cut(name, 100))
