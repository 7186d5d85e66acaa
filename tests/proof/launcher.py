"""Starts bots as processes of their own, quickly: `python -m tests.proof.launcher` loads everything once and forks.

A bot is `switchyard run` with its own environment, folder and log. What it commits is told to the conductor before and
after, and the bot waits for a word back; this is done at the library, by a connection class of SQLite's, so that the
product knows nothing of it. SIGUSR1 moves the bot's clock ahead; SIGUSR2 sets one right that goes wrong.

Lines of JSON come in, one answer each goes out: {"launch": {…}} -> {"pid": 1}, {"reap": 1} -> {"status": -9},
or null while it runs.
"""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import sqlite_utils.utils

from bot import app, cli, logs, settings
from bot.providers import aitems, decthings, deepopinion, sestek, sony

CONTROL = "PROOF_CONTROL"
AHEAD = "PROOF_AHEAD_SECONDS"
WRONG = "PROOF_WRONG_SECONDS"
JUMP = timedelta(minutes=31)
LOADED = (cli, logs, settings, aitems, decthings, deepopinion, sestek, sony)
"""What a bot loads later on would be loaded again by each of them."""

_WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER)\b", re.IGNORECASE)
_TABLE = re.compile(r"\b(?:INTO|UPDATE|FROM|TABLE|ON|TRIGGER)\s+[\[\"]?(\w+)", re.IGNORECASE)
_SET = re.compile(r"\bSET\s+(.*?)(?:\bWHERE\b|$)", re.IGNORECASE | re.DOTALL)
_SCHEMA = ("CREATE", "DROP", "ALTER")
_LONGEST = 80


class Control:
    """The line to the conductor. Whoever tells something waits until he may go on."""

    def __init__(self, address: str) -> None:
        host, _, port = address.partition(":")
        self._socket = socket.create_connection((host, int(port)))
        self._turn = threading.Lock()

    def tell(self, **fact: Any) -> None:
        with self._turn:
            self._socket.sendall(json.dumps(fact).encode() + b"\n")
            if not self._socket.recv(1):
                os.kill(os.getpid(), signal.SIGKILL)  # the world is over

    def close(self) -> None:
        self._socket.close()


def announce_commits(control: Control) -> None:
    """Have every connection that is made from now on tell what it commits, before and after."""
    library: Any = sqlite_utils.utils.sqlite3
    library.connect = partial(library.connect, factory=announced(library.Connection, control))


def announced(connection: type[Any], control: Control) -> type[Any]:
    """A class of connections that tell what they commit."""

    class Announced(connection):  # type: ignore[misc]  # the library is chosen while the program runs
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._written: list[tuple[int, dict[str, Any]]] = []
            self._rows = 0

        def execute(self, sql: str, parameters: Any = ()) -> Any:
            plain = partial(super().execute, sql, parameters)
            if sql.lstrip()[:6].upper() == "COMMIT":
                return self._told(plain)
            if not _WRITES.match(sql):
                return plain()
            self._written.append((self.total_changes, effect(sql, parameters)))
            return plain() if self.in_transaction else self._told(plain)

        def commit(self) -> Any:
            return self._told(super().commit) if self.in_transaction else super().commit()

        def _told(self, commit: Callable[[], Any]) -> Any:
            written, self._written = self._effects(), []
            if not self._is_anything_new(written):
                return commit()
            control.tell(commit="before", written=written)
            result = commit()
            control.tell(commit="after", written=written)
            return result

        def _effects(self) -> list[dict[str, Any]]:
            """What a transaction writes; a statement outside of one is yet to be run.

            Several wishes share a commit, and among them are ticks that have nothing to do: a statement that meets no
            row is no part of what is committed.
            """
            marks = [*(rows for rows, _ in self._written), self.total_changes]
            return [
                one
                for (rows, one), after in zip(self._written, marks[1:], strict=True)
                if rows != after or one["verb"] in _SCHEMA or not self.in_transaction
            ]

        def _is_anything_new(self, written: Sequence[Mapping[str, Any]]) -> bool:
            """A transaction whose statements met no row leaves the file as it was."""
            rows, self._rows = self._rows, self.total_changes
            is_schema = any(one["verb"] in _SCHEMA for one in written)
            return rows != self._rows or is_schema or not self.in_transaction

    return Announced


def effect(sql: str, parameters: Any) -> dict[str, Any]:
    """What a statement writes: its verb, its table, the columns that it sets, and its short named values."""
    table, columns = _TABLE.search(sql), _SET.search(sql)
    values = parameters.items() if isinstance(parameters, Mapping) else ()
    return {
        "verb": sql.split(None, 1)[0].upper(),
        "table": table[1] if table else "",
        "sets": re.findall(r"(\w+)\s*=", columns[1]) if columns else [],
        "values": {key: value for key, value in values if isinstance(value, str | int) and len(str(value)) < _LONGEST},
    }


class Clock:
    """Real time, what SIGUSR1 has put on top of it, and by how much it goes wrong until SIGUSR2 sets it right."""

    def __init__(self, ahead: timedelta, wrong: timedelta) -> None:
        self._ahead = ahead
        self._wrong = wrong

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead + self._wrong

    def of_the_machine(self) -> float:
        return (datetime.now(UTC) + self._wrong).timestamp()

    def jump(self, *_: object) -> None:
        self._ahead += JUMP

    def set_right(self, *_: object) -> None:
        self._wrong = timedelta()


def keep_time(clock: Clock) -> None:
    """The clock of this process. The product's is a port; Bolt reads the machine's, which only goes wrong."""
    signal.signal(signal.SIGUSR1, clock.jump)
    signal.signal(signal.SIGUSR2, clock.set_right)
    app.running = partial(app.running, now=clock.now)
    time.time = clock.of_the_machine


def run_bot(environ: Mapping[str, str], folder: str) -> None:
    """`switchyard run`, with the two things that are watched and moved from outside."""
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    announce_commits(Control(environ[CONTROL]))
    ahead, wrong = (timedelta(seconds=float(environ.get(name, "0"))) for name in (AHEAD, WRONG))
    keep_time(Clock(ahead, wrong))
    sys.argv = ["switchyard", "run"]
    cli.main()


def fork_bot(environ: Mapping[str, str], folder: str, log: str) -> int:
    """A new process that runs the bot and writes what it says to `log`; its id."""
    if pid := os.fork():
        return pid
    code = 1
    try:
        _leave_the_pipes(log)
        run_bot(environ, folder)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except Exception:  # noqa: BLE001  the log is the only place where a forked process can say it
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _leave_the_pipes(log: str) -> None:
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, file in ((0, nothing), (1, out), (2, out)):
        os.dup2(file, number)


def serve() -> None:
    """Answer lines until there are no more; then nothing that was started goes on."""
    children: set[int] = set()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_answer(json.loads(line), children)) + "\n")
        sys.stdout.flush()
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _answer(wish: Mapping[str, Any], children: set[int]) -> dict[str, int | None]:
    if "launch" in wish:
        pid = fork_bot(**wish["launch"])
        children.add(pid)
        return {"pid": pid}
    pid, status = os.waitpid(wish["reap"], os.WNOHANG)
    children.discard(pid)
    return {"status": os.waitstatus_to_exitcode(status) if pid else None}


def main(_: Sequence[str] = ()) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()  # what is loaded stays shared with the bots
    serve()


if __name__ == "__main__":
    main()
