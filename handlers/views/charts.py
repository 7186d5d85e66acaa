"""Pictures of the history. What a picture shows is said in words too, and each number of it stands in a table."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta

from bot.domain.balances import Balance, tell
from bot.domain.charts import Bar, Durations, Per, Scoreboard, Scored, scales
from bot.domain.history import say_duration
from bot.domain.requests import Payload
from bot.domain.text import code, some_of
from bot.sentences import _, by_name, ngettext, speak
from handlers.marks import foreign
from handlers.views import blocks
from handlers.views.blocks import Block, Message
from handlers.views.words import numeral, typed, verbatim

MOST = blocks.MOST_CATEGORIES
"""As many trainings, weeks or services as a chart of Slack takes."""
MOST_READ = 400
"""Trainings whose moves are read for one chart."""

_MOST_SCORES = 8
_MOST_NAMES = 12
_OLDEST_FIRST = _("Trainings, oldest first")


# -- scores -----------------------------------------------------------------------------------------------------------


def scores(board: Scoreboard, title: str, common: str) -> Message:
    """The scores of trainings that have something in common, mostly the model."""
    heading = _("Scores of {service} {name}", service=foreign(title, 80), name=verbatim(common))
    if not board.trainings:
        nothing = _("{heading}: none. The service told no scores of its finished trainings.", heading=heading)
        return blocks.say_text(nothing)
    said = "; ".join(_score(name, board) for name in board.names[:_MOST_NAMES])
    counted = ngettext("{count} training: {scores}.", "{count} trainings: {scores}.", len(board.trainings), scores=said)
    shown = [blocks.section(f"*{heading}*\n{counted}")]
    shown += [_score_chart(names, board, title, common) for names in scales(board)]
    notes = [blocks.context([note]) for note in _score_notes(board)]
    return blocks.message(f"{heading}: {said}", [*shown, *notes, _score_table(board)])


def _score(name: str, board: Scoreboard) -> str:
    values = [one.scores[name] for one in board.trainings]
    shown = foreign(by_name(name), 60)
    if len(values) == 1:
        return f"{shown} {numeral(values[0], '.6g')}"
    best = max(board.trainings, key=lambda one: one.scores[name])
    return speak(
        _(
            "{score} {first:.6g} → {last:.6g}, highest {highest:.6g} in {id}",
            score=shown,
            first=values[0],
            last=values[-1],
            highest=best.scores[name],
            id=code(best.job.id),
        )
    )


def _score_chart(names: Sequence[str], board: Scoreboard, title: str, common: str) -> Block:
    series = {by_name(name): [one.scores[name] for one in board.trainings] for name in names}
    labels = [one.job.id for one in board.trainings]
    # The name alone where both do not fit: it may be a mere number, which says nothing by itself.
    whole = speak(_("Scores of {service} {name}", service=title, name=common))
    heading = whole if len(whole) <= blocks.MOST_CHART_TITLE else _("Scores of {name}", name=common)
    return blocks.chart("line", heading, labels, series, across=_OLDEST_FIRST, up=_("Score"))


def _score_notes(board: Scoreboard) -> Iterator[str]:
    if board.partly:
        yield _("Not drawn, because some of these trainings lack it: {scores}.", scores=_names(board.partly))
    undrawn = [name for group in scales(board) for name in group[blocks.MOST_SERIES :]]
    if undrawn:
        lines = blocks.MOST_SERIES
        yield _("Not drawn, because a chart takes {lines} lines: {scores}.", lines=lines, scores=_names(undrawn))
    if board.left:
        yield ngettext(
            "{count} more training with scores, older ones or without {score}.",
            "{count} more trainings with scores, older ones or without {score}.",
            board.left,
            score=foreign(by_name(board.names[0]), 60),
        )


def _names(names: Sequence[str]) -> str:
    return some_of([foreign(by_name(name), 60) for name in names], _MOST_NAMES)


def _score_table(board: Scoreboard) -> Block:
    names = [*board.names, *board.partly][:_MOST_SCORES]
    rows = (_score_row(one, names) for one in reversed(board.trainings))
    head = [_("Training"), _("Model"), _("Asked"), *map(by_name, names)]
    return blocks.table(head, rows, numbers=range(3, 3 + len(names)), wrapped=(1,))


def _score_row(one: Scored, names: Sequence[str]) -> list[Block]:
    told = [blocks.cell(numeral(one.scores[name], ".6g") if name in one.scores else _("not given")) for name in names]
    return [blocks.cell(one.job.id), blocks.cell(one.job.request.model), blocks.time_cell(one.job.created_at), *told]


# -- durations --------------------------------------------------------------------------------------------------------

_UNITS = (
    (timedelta(hours=3), 3600, _("Hours")),
    (timedelta(minutes=3), 60, _("Minutes")),
    (timedelta(), 1, _("Seconds")),
)
"""From which longest duration on a chart counts in which unit: its seconds, and its name."""

_ABOUT: Mapping[Per, str] = {
    Per.PROVIDER: _("Services"),
    Per.WEEK: _("Week that began on (UTC)"),
    Per.TRAINING: _OLDEST_FIRST,
}


def durations(found: Durations, query: str, title_of: Callable[[str], str], *, is_cut: bool) -> Message:
    """How long the services took for the trainings that fit a query."""
    if not found.bars:
        nothing = _(
            "Of none of the trainings of {command} both the acceptance and the end were seen.", command=typed(query)
        )
        return blocks.say_text(nothing)
    spells = [one for bar in found.bars for one in bar.spells]
    said = _span_of(Bar(of=None, spells=tuple(spells)))
    heading = _("How long trainings took, from the acceptance to the end of the training")
    shown = [
        blocks.section(f"*{heading}*\n{_counted(query, len(spells), said)}"),
        _duration_chart(found, title_of),
        *(blocks.context([note]) for note in _duration_notes(found, is_cut=is_cut)),
        _duration_table(found, title_of),
    ]
    return blocks.message(f"{heading}: {said}", shown)


def _counted(query: str, count: int, said: str) -> str:
    return ngettext(
        "{command}, {count} finished training: {time}.",
        "{command}, {count} finished trainings: {time}.",
        count,
        command=typed(query),
        time=said,
    )


def _span_of(bar: Bar) -> str:
    if len(bar.spells) == 1:
        return say_duration(bar.middle)
    return _("median {middle}, longest {longest}", middle=say_duration(bar.middle), longest=say_duration(bar.longest))


def _duration_chart(found: Durations, title_of: Callable[[str], str]) -> Block:
    highest = max(bar.longest for bar in found.bars)
    _least, size, unit = next(one for one in _UNITS if highest >= one[0])
    medians = [_rounded(bar.middle, size) for bar in found.bars]
    if found.per is Per.TRAINING:
        # NOTE: At most 20 characters, over durations.
        series: Mapping[str, list[float]] = {_("Took"): medians}
    else:
        # NOTE: At most 20 characters, over durations; so is "Longest".
        series = {_("Median"): medians, _("Longest"): [_rounded(bar.longest, size) for bar in found.bars]}
    labels = [_label(bar, found.per, title_of) for bar in found.bars]
    # NOTE: At most 50 characters.
    title = _("How long trainings took")
    return blocks.chart("bar", title, labels, series, across=_ABOUT[found.per], up=unit)


def _rounded(lasted: timedelta, size: int) -> float:
    return round(lasted.total_seconds() / size, 2)


def _label(bar: Bar, per: Per, title_of: Callable[[str], str]) -> str:
    return title_of(bar.of) if per is Per.PROVIDER else str(bar.of)


def _duration_notes(found: Durations, *, is_cut: bool) -> Iterator[str]:
    if found.per is not Per.TRAINING:
        # NOTE: {what} is "Services" or "Week that began on (UTC)".
        yield _("{what}: the median and the longest of each.", what=_ABOUT[found.per])
    if found.left:
        yield ngettext(
            "{count} older training did not fit into the picture.",
            "{count} older trainings did not fit into the picture.",
            found.left,
        )
    if is_cut:
        yield _("Counted among the newest {most} that fit.", most=MOST_READ)


def _duration_table(found: Durations, title_of: Callable[[str], str]) -> Block:
    """Services as they are drawn, weeks and trainings newest first."""
    if found.per is Per.TRAINING:
        rows = [_one(bar) for bar in reversed(found.bars)]
        head = (_("Training"), _("Model"), _("Asked"), _("Took"))
        return blocks.table(head, rows, numbers=(3,), wrapped=(1,))
    bars = found.bars if found.per is Per.PROVIDER else reversed(found.bars)
    first = _("Service") if found.per is Per.PROVIDER else _ABOUT[found.per]
    rows = [_many(bar, _label(bar, found.per, title_of)) for bar in bars]
    return blocks.table((first, _("Trainings"), _("Median"), _("Longest")), rows, numbers=(1, 2, 3), wrapped=(0,))


def _many(bar: Bar, first: str) -> list[Block]:
    texts = (first, str(len(bar.spells)), say_duration(bar.middle), say_duration(bar.longest))
    return [blocks.cell(text) for text in texts]


def _one(bar: Bar) -> list[Block]:
    job = bar.spells[0].job
    asked = blocks.time_cell(job.created_at)
    return [blocks.cell(job.id), blocks.cell(job.request.model), asked, blocks.cell(say_duration(bar.middle))]


# -- labels -----------------------------------------------------------------------------------------------------------

_MOST_CHARTS = 2
"""Slack takes so many in a message."""
_MOST_LISTED = 40
"""Labels of one column in the table, so that two columns fit."""


def balance(payload: Payload) -> Message:
    """How the rows of a data file are spread over its labels, as its check counted them."""
    heading = _("Label balance of {file}", file=verbatim(payload.name))
    drawn = sorted(payload.balances, key=lambda one: not one.is_label)[:_MOST_CHARTS]
    if not drawn:
        return blocks.say_text(_("{heading}: its check counted no labels.", heading=heading))
    said = [f"{title}: {text}" for title, text in tell(drawn, _MOST_SAID)]
    rows = [row for one in drawn for row in _label_rows(one)]
    head = (_("Column"), _("Label"), _("Rows"), _("Share"))
    table = blocks.table(head, rows, numbers=(2, 3), wrapped=(0, 1))
    notes = [blocks.context([note]) for one in drawn for note in _label_notes(one)]
    more = len(payload.balances) - len(drawn)
    notes += [blocks.context([_more_columns(more)])] if more else []
    shown = [*blocks.lines([f"*{heading}*", *said]), *map(_label_chart, drawn), *notes, table]
    return blocks.message(f"{heading}. {'. '.join(said)}", shown)


_MOST_SAID = 5


def _more_columns(count: int) -> str:
    return ngettext(
        "{count} more column with few values: the story tells them.",
        "{count} more columns with few values: the story tells them.",
        count,
    )


def _label_chart(of: Balance) -> Block:
    kept = of.counts[:MOST]
    labels, rows = [_label_of(label) for label, _ in kept], [count for _, count in kept]
    title = _("Rows per label: {column}", column=_column(of))
    return blocks.chart("bar", title, labels, {_("Rows"): rows}, across=_("Labels"), up=_("Rows"))


def _label_rows(of: Balance) -> Iterator[list[Block]]:
    total = sum(count for _, count in of.counts) + of.other_rows
    left = of.counts[_MOST_LISTED:]
    others = of.other_rows + sum(count for _, count in left)
    listed = [(_label_of(label), count) for label, count in of.counts[:_MOST_LISTED]]
    if others:
        listed.append((_rarer(of.others + len(left)), others))
    for label, count in listed:
        texts = (_column(of), label, numeral(count, ","), _("{percent:.1f} %", percent=100 * count / total))
        yield [blocks.cell(text, 60) for text in texts]


def _rarer(count: int) -> str:
    return ngettext("{count} more label, less frequent", "{count} more labels, less frequent", count)


def _label_notes(of: Balance) -> Iterator[str]:
    if of.labels > MOST:
        column = foreign(_column(of), 60)
        yield _(
            "{column}: the {most} most frequent of {labels:,} labels are drawn.",
            column=column,
            most=MOST,
            labels=of.labels,
        )


def _column(of: Balance) -> str:
    column = of.column or _("without a name")
    return column if of.part == "data" else f"{column} ({of.part})"


def _label_of(label: str) -> str:
    return label if label.strip() else _("(empty)")
