"""A strict reader of `multipart/form-data` bodies (RFC 7578), independent of any client's writer."""

from dataclasses import dataclass
from email.message import Message

from aiohttp import web


class MalformedFormError(ValueError):
    """The body is not the form that its Content-Type announces."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One field of a form; `filename` is None for a plain value."""

    name: str
    filename: str | None
    content_type: str | None
    content: bytes

    @property
    def text(self) -> str:
        """The value as text; bytes that are no UTF-8 become a mark that no rule allows."""
        return self.content.decode("utf-8", "replace")


def read_parts(request: web.Request, body: bytes) -> list[Part]:
    """Every part in order; raises MalformedFormError."""
    boundary = _boundary(request)
    opening, *pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if opening.strip() or not pieces or not pieces[-1].startswith(b"--"):
        raise MalformedFormError("the form has no beginning or no end")
    return [_part(piece) for piece in pieces[:-1]]


def _boundary(request: web.Request) -> bytes:
    header = _header("Content-Type", request.headers.get("Content-Type", ""))
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise MalformedFormError("Content-Type is not multipart/form-data with a boundary")
    return boundary.encode("ascii")


def _part(piece: bytes) -> Part:
    head, separator, content = piece.partition(b"\r\n\r\n")
    if not separator or not head.startswith(b"\r\n"):
        raise MalformedFormError("a part has no headers")
    headers = dict(_header_line(line) for line in head[2:].split(b"\r\n"))
    disposition = _header("Content-Disposition", headers.get("content-disposition", ""))
    name = disposition.get_param("name", header="Content-Disposition")
    if disposition.get_content_disposition() != "form-data" or not isinstance(name, str):
        raise MalformedFormError("a part has no name")
    return Part(
        name=name,
        filename=disposition.get_filename(),
        content_type=headers.get("content-type"),
        content=content,
    )


def _header_line(line: bytes) -> tuple[str, str]:
    name, colon, value = line.decode("utf-8", "replace").partition(":")
    if not colon:
        raise MalformedFormError("a part has a line that is no header")
    return name.strip().lower(), value.strip()


def _header(name: str, value: str) -> Message:
    message = Message()
    message[name] = value
    return message
