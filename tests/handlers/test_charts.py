"""Pictures, as people read them: what they show is said, and what they leave out is said too."""

from typing import Any

import pytest

from bot.domain.balances import weigh
from bot.domain.charts import durations, scoreboard, spells_of
from handlers.views import blocks, charts
from handlers.views.blocks import Message
from tests.handlers import samples
from tests.handlers.test_views import faults, read


def drawn(message: Message) -> list[dict[str, Any]]:
    return [block for block in message.blocks if block["type"] == "data_visualization"]


def rows(message: Message) -> list[str]:
    """The lines of the table, as they go out where Slack takes no table."""
    return [line for line in message.plain().split("\n") if " | " in line]


def test_scores_are_said_drawn_and_listed() -> None:
    """The line of a picture has its course in words, and each of its numbers in a table, newest first."""
    jobs = [samples.scored(number, "own", f1=0.5 + number / 100) for number in (3, 2, 1)]
    told = charts.scores(scoreboard(jobs, charts.MOST), "DeepOpinion", "reviews")
    assert "Scores of DeepOpinion `reviews`" in told.text
    assert "3 trainings: own 0.5 → 0.5, highest 0.5 in `j230001`; f1 0.51 → 0.53, highest 0.53 in `j230003`" in read(
        told
    )
    [chart] = drawn(told)
    assert [one["name"] for one in chart["chart"]["series"]] == ["own", "f1"]
    assert chart["chart"]["axis_config"]["categories"] == ["j230001", "j230002", "j230003"]
    assert rows(told)[:2] == [
        "Training | Model | Asked | own | f1",
        "j230003 | own | 2026-11-24 12:00 UTC | 0.5 | 0.53",
    ]


@pytest.mark.parametrize(
    ("title", "common", "heading"),
    [
        ("DeepOpinion Studio project", "1", "Scores of DeepOpinion Studio project 1"),
        ("Sony Easy Predictive Analytics", "a-longer-name", "Scores of a-longer-name"),
    ],
)
def test_a_picture_of_scores_says_whose_they_are(title: str, common: str, heading: str) -> None:
    """The number of a project alone says nothing; where both are too long, the name goes first."""
    jobs = [samples.scored(number, "own", f1=0.5) for number in (2, 1)]
    [chart] = drawn(charts.scores(scoreboard(jobs, charts.MOST), title, common))
    assert chart["title"] == heading


def test_what_a_picture_of_scores_leaves_out_is_named() -> None:
    """Scores that some trainings lack, older trainings, and trainings without the common score."""
    jobs = [samples.scored(number, "own", **({"recall": 0.1} if number == 1 else {})) for number in range(25, 0, -1)]
    told = read(charts.scores(scoreboard(jobs, charts.MOST), "DeepOpinion", "m"))
    assert "5 more trainings with scores, older ones or without own." in told
    few = read(charts.scores(scoreboard(jobs[-2:], charts.MOST), "DeepOpinion", "m"))
    assert "Not drawn, because some of these trainings lack it: recall." in few
    many = [samples.scored(1, "own", **{f"score {number}": 0.1 for number in range(7)})]
    assert "a chart takes 6 lines: score 5, score 6." in read(charts.scores(scoreboard(many, charts.MOST), "D", "m"))
    assert "none. The service told no scores" in charts.scores(scoreboard([], charts.MOST), "Sestek", "m").text


@pytest.mark.parametrize(
    ("hours", "unit", "value"), [(1 / 60, "Seconds", 60.0), (1, "Minutes", 60.0), (30, "Hours", 30.0)]
)
def test_durations_are_counted_in_a_unit_that_people_read(hours: float, unit: str, value: float) -> None:
    """Not 0.02 hours and not 108,000 seconds; the sentence beside says it in words."""
    told = charts.durations(
        durations(spells_of([samples.finished(1, hours=hours)]), charts.MOST), "sestek", str, is_cut=False
    )
    [chart] = drawn(told)
    assert chart["chart"]["axis_config"]["y_label"] == unit
    assert chart["chart"]["series"][0]["data"] == [{"label": "j230001", "value": value}]
    assert "`/jobs sestek`, 1 finished training: " in read(told)
    assert rows(told)[0] == "Training | Model | Asked | Took"


def test_durations_say_what_they_count() -> None:
    """Services and weeks are medians of several trainings; what was not read or did not fit is said."""
    some = [samples.finished(number) for number in range(30, 0, -1)]
    told = charts.durations(durations(spells_of(some), charts.MOST), "", str, is_cut=True)
    assert "Week that began on (UTC): the median and the longest of each." in read(told)
    assert "Counted among the newest 400 that fit." in read(told)
    assert [one["name"] for one in drawn(told)[0]["chart"]["series"]] == ["Median", "Longest"]
    both = charts.durations(
        durations(spells_of([*some, samples.finished(1, "m", "sony")]), charts.MOST), "", str.upper, is_cut=False
    )
    assert rows(both)[1:] == ["SESTEK | 30 | 4 h | 7 h", "SONY | 1 | 2 h | 2 h"]
    none = charts.durations(durations([], charts.MOST), "sony", str, is_cut=False)
    assert none.text == "Of none of the trainings of `/jobs sony` both the acceptance and the end were seen."


def test_the_balance_of_labels_is_said_drawn_and_listed() -> None:
    """A label that hardly occurs is seen at once; what is learnt stands before columns of few values."""
    rows_of = {"refund": 60, "order": 39, " ": 1}
    payload = samples.weighed("x", balances=(weigh("shop", {"a": 1}), weigh("intent", rows_of, is_label=True)))
    told = charts.balance(payload)
    assert "Labels: 3: `refund` 60, `order` 39, (empty) 1" in read(told)
    [chart, second] = drawn(told)
    assert (chart["title"], second["title"]) == ("Rows per label: intent", "Rows per label: shop")
    [series] = chart["chart"]["series"]
    assert [point["value"] for point in series["data"]] == [60, 39, 1]
    assert rows(told) == [
        "Column | Label | Rows | Share",
        "intent | refund | 60 | 60.0 %",
        "intent | order | 39 | 39.0 %",
        "intent | (empty) | 1 | 1.0 %",
        "shop | a | 1 | 100.0 %",
    ]


def test_of_many_labels_the_most_frequent_are_drawn_and_the_rest_is_counted() -> None:
    """Twenty fit into a chart and forty into the table; of 200 labels with names of 80 characters nothing is lost."""
    payload = samples.weighed("고객 문의 유형 " * 8, labels=200)
    told = charts.balance(payload)
    assert faults(told) == []
    assert "did not fit" not in read(told)
    assert "the 20 most frequent of 200 labels are drawn." in read(told)
    assert "1 more column with few values: the story tells them." in read(told)
    [table] = [block for block in told.blocks if block["type"] == "table"]
    assert table["rows"][41][1]["text"] == "160 more labels, less frequent"
    assert table["rows"][41][2]["text"] == f"{sum(range(1, 161)):,}"


def test_names_below_a_chart_stay_apart() -> None:
    """Slack cuts nothing and takes no name twice: what is the same after twenty characters is counted."""
    names = blocks.distinct(["모델" * 40, "모델" * 40, "", " ", "x", "x"])
    assert names == ["모델" * 9 + "모…", "모델" * 8 + "모… 2", "–", "– 2", "x", "x 2"]
    assert all(len(name) <= 20 for name in names)
