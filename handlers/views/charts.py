"""Pictures of the history. What a picture shows is said in words too, and each number of it stands in a table."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta

from bot.domain.balances import Balance, tell
from bot.domain.charts import Bar, Durations, Per, Scoreboard, Scored, scales
from bot.domain.history import say_duration
from bot.domain.requests import Payload
from bot.domain.text import code
from handlers.marks import foreign
from handlers.views import blocks
from handlers.views.blocks import Block, Message
from handlers.views.words import typed, verbatim

MOST = blocks.MOST_CATEGORIES
"""As many trainings, weeks or services as a chart of Slack takes."""
MOST_READ = 400
"""Trainings whose moves are read for one chart."""

_MOST_SCORES = 8
_MOST_NAMES = 12
_OLDEST_FIRST = "Trainings, oldest first"


# -- scores -----------------------------------------------------------------------------------------------------------


def scores(board: Scoreboard, title: str, common: str) -> Message:
    """The scores of trainings that have something in common, mostly the model."""
    heading = f"Scores of {foreign(title, 80)} {verbatim(common)}"
    if not board.trainings:
        return blocks.say_text(f"{heading}: none. The service told no scores of its finished trainings.")
    said = "; ".join(_score(name, board) for name in board.names[:_MOST_NAMES])
    shown = [blocks.section(f"*{heading}*\n{_count(len(board.trainings), 'training')}: {said}.")]
    shown += [_score_chart(names, board, title, common) for names in scales(board)]
    notes = [blocks.context([note]) for note in _score_notes(board)]
    return blocks.message(f"{heading}: {said}", [*shown, *notes, _score_table(board)])


def _score(name: str, board: Scoreboard) -> str:
    values = [one.scores[name] for one in board.trainings]
    best = max(board.trainings, key=lambda one: one.scores[name])
    course = f"{values[0]:.6g} → {values[-1]:.6g}" if len(values) > 1 else f"{values[0]:.6g}"
    most = f", highest {best.scores[name]:.6g} in {code(best.job.id)}" if len(values) > 1 else ""
    return f"{foreign(name, 60)} {course}{most}"


def _score_chart(names: Sequence[str], board: Scoreboard, title: str, common: str) -> Block:
    series = {name: [one.scores[name] for one in board.trainings] for name in names}
    labels = [one.job.id for one in board.trainings]
    # The name alone where both do not fit: it may be a mere number, which says nothing by itself.
    whole = f"Scores of {title} {common}"
    fits = len(whole) <= blocks.MOST_CHART_TITLE
    return blocks.chart(
        "line", whole if fits else f"Scores of {common}", labels, series, across=_OLDEST_FIRST, up="Score"
    )


def _score_notes(board: Scoreboard) -> Iterator[str]:
    if board.partly:
        yield f"Not drawn, because some of these trainings lack it: {_names(board.partly)}."
    undrawn = [name for group in scales(board) for name in group[blocks.MOST_SERIES :]]
    if undrawn:
        yield f"Not drawn, because a chart takes {blocks.MOST_SERIES} lines: {_names(undrawn)}."
    if board.left:
        yield f"{_count(board.left, 'more training')} with scores, older ones or without {foreign(board.names[0], 60)}."


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{', '.join(foreign(name, 60) for name in names[:_MOST_NAMES])}{more}"


def _score_table(board: Scoreboard) -> Block:
    names = [*board.names, *board.partly][:_MOST_SCORES]
    rows = (_score_row(one, names) for one in reversed(board.trainings))
    return blocks.table(["Training", "Model", "Asked", *names], rows, numbers=range(3, 3 + len(names)), wrapped=(1,))


def _score_row(one: Scored, names: Sequence[str]) -> list[Block]:
    told = [blocks.cell(f"{one.scores[name]:.6g}" if name in one.scores else "not given") for name in names]
    return [blocks.cell(one.job.id), blocks.cell(one.job.request.model), blocks.time_cell(one.job.created_at), *told]


# -- durations --------------------------------------------------------------------------------------------------------

_UNITS = ((timedelta(hours=3), 3600, "Hours"), (timedelta(minutes=3), 60, "Minutes"), (timedelta(), 1, "Seconds"))
"""From which longest duration on a chart counts in which unit: its seconds, and its name."""

_ABOUT: Mapping[Per, str] = {
    Per.PROVIDER: "Services",
    Per.WEEK: "Week that began on (UTC)",
    Per.TRAINING: _OLDEST_FIRST,
}


def durations(found: Durations, query: str, title_of: Callable[[str], str], *, is_cut: bool) -> Message:
    """How long the services took for the trainings that fit a query."""
    if not found.bars:
        return blocks.say_text(f"Of none of the trainings of {typed(query)} both the acceptance and the end were seen.")
    spells = [one for bar in found.bars for one in bar.spells]
    said = _span_of(Bar(of=None, spells=tuple(spells)))
    heading = "How long trainings took, from the acceptance to the end of the training"
    shown = [
        blocks.section(f"*{heading}*\n{typed(query)}, {_count(len(spells), 'finished training')}: {said}."),
        _duration_chart(found, title_of),
        *(blocks.context([note]) for note in _duration_notes(found, is_cut=is_cut)),
        _duration_table(found, title_of),
    ]
    return blocks.message(f"{heading}: {said}", shown)


def _span_of(bar: Bar) -> str:
    if len(bar.spells) == 1:
        return say_duration(bar.middle)
    return f"median {say_duration(bar.middle)}, longest {say_duration(bar.longest)}"


def _duration_chart(found: Durations, title_of: Callable[[str], str]) -> Block:
    highest = max(bar.longest for bar in found.bars)
    _, size, unit = next(one for one in _UNITS if highest >= one[0])
    medians = [_rounded(bar.middle, size) for bar in found.bars]
    if found.per is Per.TRAINING:
        series: Mapping[str, list[float]] = {"Took": medians}
    else:
        series = {"Median": medians, "Longest": [_rounded(bar.longest, size) for bar in found.bars]}
    labels = [_label(bar, found.per, title_of) for bar in found.bars]
    return blocks.chart("bar", "How long trainings took", labels, series, across=_ABOUT[found.per], up=unit)


def _rounded(lasted: timedelta, size: int) -> float:
    return round(lasted.total_seconds() / size, 2)


def _label(bar: Bar, per: Per, title_of: Callable[[str], str]) -> str:
    return title_of(bar.of) if per is Per.PROVIDER else str(bar.of)


def _duration_notes(found: Durations, *, is_cut: bool) -> Iterator[str]:
    if found.per is not Per.TRAINING:
        yield f"{_ABOUT[found.per]}: the median and the longest of each."
    if found.left:
        yield f"{_count(found.left, 'older training')} did not fit into the picture."
    if is_cut:
        yield f"Counted among the newest {MOST_READ} that fit."


def _duration_table(found: Durations, title_of: Callable[[str], str]) -> Block:
    """Services as they are drawn, weeks and trainings newest first."""
    if found.per is Per.TRAINING:
        rows = [_one(bar) for bar in reversed(found.bars)]
        return blocks.table(("Training", "Model", "Asked", "Took"), rows, numbers=(3,), wrapped=(1,))
    bars = found.bars if found.per is Per.PROVIDER else reversed(found.bars)
    first = "Service" if found.per is Per.PROVIDER else _ABOUT[found.per]
    rows = [_many(bar, _label(bar, found.per, title_of)) for bar in bars]
    return blocks.table((first, "Trainings", "Median", "Longest"), rows, numbers=(1, 2, 3), wrapped=(0,))


def _many(bar: Bar, first: str) -> list[Block]:
    texts = (first, str(len(bar.spells)), say_duration(bar.middle), say_duration(bar.longest))
    return [blocks.cell(text) for text in texts]


def _one(bar: Bar) -> list[Block]:
    job = bar.spells[0].job
    asked = blocks.time_cell(job.created_at)
    return [blocks.cell(job.id), blocks.cell(job.request.model), asked, blocks.cell(say_duration(bar.middle))]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


# -- labels -----------------------------------------------------------------------------------------------------------

_MOST_CHARTS = 2
"""Slack takes so many in a message."""
_MOST_LISTED = 40
"""Labels of one column in the table, so that two columns fit."""


def balance(payload: Payload) -> Message:
    """How the rows of a data file are spread over its labels, as its check counted them."""
    heading = f"Label balance of {verbatim(payload.name)}"
    drawn = sorted(payload.balances, key=lambda one: not one.is_label)[:_MOST_CHARTS]
    if not drawn:
        return blocks.say_text(f"{heading}: its check counted no labels.")
    said = [f"{title}: {text}" for title, text in tell(drawn, _MOST_SAID)]
    rows = [row for one in drawn for row in _label_rows(one)]
    table = blocks.table(("Column", "Label", "Rows", "Share"), rows, numbers=(2, 3), wrapped=(0, 1))
    notes = [blocks.context([note]) for one in drawn for note in _label_notes(one)]
    more = len(payload.balances) - len(drawn)
    notes += [blocks.context([f"{_count(more, 'more column')} with few values: the story tells them."])] if more else []
    shown = [*blocks.lines([f"*{heading}*", *said]), *map(_label_chart, drawn), *notes, table]
    return blocks.message(f"{heading}. {'. '.join(said)}", shown)


_MOST_SAID = 5


def _label_chart(of: Balance) -> Block:
    kept = of.counts[:MOST]
    labels, rows = [_label_of(label) for label, _ in kept], [count for _, count in kept]
    return blocks.chart("bar", f"Rows per label: {_column(of)}", labels, {"Rows": rows}, across="Labels", up="Rows")


def _label_rows(of: Balance) -> Iterator[list[Block]]:
    total = sum(count for _, count in of.counts) + of.other_rows
    left = of.counts[_MOST_LISTED:]
    others = of.other_rows + sum(count for _, count in left)
    listed = [(_label_of(label), count) for label, count in of.counts[:_MOST_LISTED]]
    if others:
        listed.append((f"{_count(of.others + len(left), 'more label')}, less frequent", others))
    for label, count in listed:
        texts = (_column(of), label, f"{count:,}", f"{100 * count / total:.1f} %")
        yield [blocks.cell(text, 60) for text in texts]


def _label_notes(of: Balance) -> Iterator[str]:
    if of.labels > MOST:
        yield f"{foreign(_column(of), 60)}: the {MOST} most frequent of {of.labels:,} labels are drawn."


def _column(of: Balance) -> str:
    column = of.column or "without a name"
    return column if of.part == "data" else f"{column} ({of.part})"


def _label_of(label: str) -> str:
    return label if label.strip() else "(empty)"
