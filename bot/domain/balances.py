"""How the rows of a data file are spread over labels: counted by the check, kept with the plan, told alike."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.domain.text import code, cut, escape, in_one_line, some_of
from bot.sentences import _, joined

MOST_KEPT = 50
"""So many labels are kept one by one; how many more there are, and their rows, is kept as numbers."""
MOST_IN_LABEL = 80
MOST_TOLD, MOST_IN_TOLD = 5, 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """`counts` are labels with their rows, the most frequent first; `others` more labels have `other_rows` together.

    `column` is where the labels stand; `is_label` where the service is known to learn them, and not only a column of
    few values. `least` is the rarest label of all. `part` is the role of the file ("data", "eval").
    """

    column: str
    counts: tuple[tuple[str, int], ...]
    least: tuple[str, int]
    others: int = 0
    other_rows: int = 0
    is_label: bool = False
    part: str = "data"

    @property
    def labels(self) -> int:
        return len(self.counts) + self.others


def weigh(column: str, counted: Mapping[str, int], *, is_label: bool = False, part: str = "data") -> Balance:
    """The balance of labels that were counted, of which there is at least one."""
    ranked = sorted(counted.items(), key=lambda one: (-one[1], one[0]))
    rest = ranked[MOST_KEPT:]
    return Balance(
        column=_kept(column),
        counts=tuple((_kept(label), rows) for label, rows in ranked[:MOST_KEPT]),
        least=(_kept(ranked[-1][0]), ranked[-1][1]),
        others=len(rest),
        other_rows=sum(rows for _, rows in rest),
        is_label=is_label,
        part=part,
    )


def _kept(label: str) -> str:
    return cut(in_one_line(label), MOST_IN_LABEL)


def tell(balances: Iterable[Balance], most: int = MOST_TOLD) -> list[tuple[str, str]]:
    """A heading and a text for each; the texts are escaped, their labels are code."""
    return [(_heading(one), _told(one, most)) for one in balances]


def _heading(balance: Balance) -> str:
    column = balance.column or _("a column without a name")
    what = _("Labels") if balance.is_label else _("Balance of {column}", column=column)
    return what if balance.part == "data" else _("Evaluation: {what}", what=what)


def _told(balance: Balance, most: int) -> str:
    if balance.labels <= most:
        return _counted(balance, joined(", ", [_one(*one) for one in balance.counts]))
    if most <= MOST_TOLD:
        least, largest = _one(*balance.least), _one(*balance.counts[0])
        # NOTE: So many labels; {least} and {largest} are labels with their rows.
        return _("{count:,}, from {least} to {largest}", count=balance.labels, least=least, largest=largest)
    shown = joined(", ", [_one(*one) for one in balance.counts[:most]])
    left = balance.counts[most:]
    rows = balance.other_rows + sum(one for _label, one in left)
    more = balance.others + len(left)
    told = _("{shown} and {count:,} more with {rows:,} rows", shown=shown, count=more, rows=rows)
    return _counted(balance, told)


def _counted(balance: Balance, told: str) -> str:
    return _("{count:,}: {labels}", count=balance.labels, labels=told) if balance.is_label else told


def _one(label: str, rows: int) -> str:
    return _("{label} {rows:,}", label=as_code(label), rows=rows)


def as_code(label: str) -> str:
    """A label as code, cut to what a line holds."""
    return code(cut(label, MOST_IN_TOLD)) if label.strip() else _("(empty)")


def compare(then: Iterable[Balance], now: Iterable[Balance], told_then: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each balance then and now, and the labels that came or went, escaped. `told_then` are texts of former ones.

    Plans of earlier versions keep their balance as such a text.
    """
    now, then = tuple(now), tuple(then)
    before = dict(tell(then))
    for heading, told in tell(now):
        # NOTE: There was no such line then.
        former = before.get(heading) or _as_told(told_then.get(heading, "")) or _("none")
        is_same = former == told
        yield heading, _("{now}, as before", now=told) if is_same else _("{then} → {now}", then=former, now=told)
    known = {(one.part, one.column): one for one in then}
    for one in now:
        came, went = changed(known.get((one.part, one.column), one), one)
        yield from _named(_("New labels"), came)
        yield from _named(_("Labels no more there"), went)


def _as_told(former: str) -> str:
    return escape(in_one_line(former).replace("`", "'"))


def _named(heading: str, labels: Sequence[str]) -> Iterator[tuple[str, str]]:
    if labels:
        yield heading, some_of([as_code(one) for one in labels[:MOST_TOLD]], MOST_TOLD, of=len(labels))


def changed(then: Balance, now: Balance) -> tuple[list[str], list[str]]:
    """The labels that are new, and those that are gone; both empty where not all labels are kept."""
    if then.others or now.others:
        return [], []
    before, after = dict(then.counts), dict(now.counts)
    return [label for label in after if label not in before], [label for label in before if label not in after]
