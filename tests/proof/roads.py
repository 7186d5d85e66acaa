"""Names that nobody knows and certificates that have ended, both as they are met outside of tests.

A name is looked up by the system's own resolver, in a hosts file and at a name server that are this process's alone. A
certificate comes from an authority of its own, which bots are told to trust.
"""

from __future__ import annotations

import itertools
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.proof.faults import Surroundings
from tests.proof.stage import Launcher
from tests.proof.wires import Address

LOCAL = "127.0.0.1 localhost\n"
NOBODY_ANSWERS = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
IN_PLACE = 'mount --bind "$0" /etc/hosts && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'


@dataclass(frozen=True, slots=True, kw_only=True)
class NewName:
    """A name that is not known yet."""

    address: Address
    hosts: Path
    signs: tuple[str, ...] = ("its name is not known", "ClientConnectorDNSError")

    def mend(self) -> None:
        with self.hosts.open("a") as hosts:
            hosts.write(f"127.0.0.1 {self.address.host}\n")


@contextmanager
def names(folder: Path) -> Iterator[Surroundings | None]:
    """Bots that look names up in a file of theirs; None where the machine allows no file systems of one's own."""
    hosts, servers = folder / "hosts", folder / "resolv.conf"
    hosts.write_text(LOCAL)
    servers.write_text(NOBODY_ANSWERS)
    within = ["unshare", "-rm", "sh", "-c", IN_PLACE, str(hosts), str(servers)]
    if shutil.which("unshare") is None or subprocess.run([*within, "true"], check=False).returncode:
        yield None
        return
    numbers, launcher = itertools.count(1), Launcher(*within)
    try:
        yield Surroundings(
            launcher=launcher,
            build=lambda: NewName(address=Address(host=f"proof-{next(numbers)}.test"), hosts=hosts),
        )
    finally:
        launcher.close()


# -- certificates --------------------------------------------------------------------------------------------------

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
IS_AUTHORITY = ("-addext", "basicConstraints=critical,CA:TRUE")
VALID_DAYS = {"good": "2", "expired": "-1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """A server whose certificate has ended, until it gets a new one."""

    address: Address
    folder: Path
    signs: tuple[str, ...] = ("its certificate is not accepted", "ClientConnectorCertificateError")

    def mend(self) -> None:
        if self.address.tls is not None:
            self.address.tls.load_cert_chain(self.folder / "good.pem", self.folder / "server.key")


@contextmanager
def certificates(folder: Path) -> Iterator[Surroundings | None]:
    """Bots that trust an authority of ours; None without the `openssl` command."""
    if shutil.which("openssl") is None:
        yield None
        return
    _certify(folder)
    trust = {"SSL_CERT_FILE": str(folder / "authority.pem")}
    launcher = Launcher(**trust)  # aiohttp reads what is trusted when it is loaded
    try:
        yield Surroundings(launcher=launcher, environ=trust, build=lambda: _expired(folder))
    finally:
        launcher.close()


def _expired(folder: Path) -> Renewed:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "expired.pem", folder / "server.key")
    return Renewed(address=Address(host="localhost", tls=tls), folder=folder)


def _certify(folder: Path) -> None:
    """An authority, a server's key, and two certificates for it: one that holds, one that ended yesterday."""
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    authority = ("-keyout", "authority.key", "-out", "authority.pem", "-days", "2", "-subj", "/CN=proof")
    _openssl(folder, "req", "-x509", *KEY, *authority, *IS_AUTHORITY)
    _openssl(folder, "req", *KEY, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    for name, days in VALID_DAYS.items():
        signed_by = ("-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial", "-extfile", "names")
        _openssl(folder, "x509", "-req", "-in", "server.csr", *signed_by, "-days", days, "-out", f"{name}.pem")


def _openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
