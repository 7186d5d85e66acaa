"""Label balances: what is kept of many labels, and how it is told."""

from bot.domain.balances import MOST_IN_LABEL, MOST_KEPT, Balance, changed, compare, tell, weigh


def test_few_labels_are_all_told() -> None:
    """The most frequent come first, labels as code, an empty one in words."""
    balance = weigh("churned", {"no": 750, "yes": 2250, "": 1})
    assert balance.counts == (("yes", 2250), ("no", 750), ("", 1))
    assert tell([balance]) == [("Balance of churned", "`yes` 2,250, `no` 750, (empty) 1")]


def test_many_labels_are_summed_up() -> None:
    """The rarest and the most frequent say how even they are; a longer text tells more of them and counts the rest."""
    balance = weigh("Label", {f"l{number}": number * 200 for number in range(1, 9)}, is_label=True)
    assert tell([balance]) == [("Labels", "8, from `l1` 200 to `l8` 1,600")]
    assert tell([balance], 6)[0][1].endswith("`l3` 600 and 2 more with 600 rows")


def test_a_bounded_number_of_labels_is_kept() -> None:
    """What is not kept one by one is kept as two numbers, and no rows are lost."""
    counted = {f"label {number}": number + 1 for number in range(3 * MOST_KEPT)}
    balance = weigh("Label", counted, is_label=True, part="eval")
    assert len(balance.counts) == MOST_KEPT
    assert balance.labels == 3 * MOST_KEPT
    assert balance.other_rows + sum(rows for _, rows in balance.counts) == sum(counted.values())
    assert balance.least == ("label 0", 1)
    assert tell([balance])[0][0] == "Evaluation: Labels"


def test_labels_are_made_fit_for_a_message() -> None:
    """A label of a file breaks no line, opens no code, mentions nobody, and is cut."""
    balance = weigh("Label", {"a\n`b`\x00<@U1>" + "고" * 99: 1})
    [(label, _)] = balance.counts
    assert len(label) == MOST_IN_LABEL
    assert tell([balance])[0][1] == "`a 'b'&lt;@U1&gt;" + "고" * 19 + "…` 1"


def test_then_and_now() -> None:
    """What is as before says so; new and lost labels are named; a text of an earlier version stands as it was."""
    then, now = weigh("Label", {"a": 5, "b": 1}, is_label=True), weigh("Label", {"a": 5, "<c>": 2}, is_label=True)
    assert list(compare([then], [then], {})) == [("Labels", "2: `a` 5, `b` 1, as before")]
    assert list(compare([then], [now], {})) == [
        ("Labels", "2: `a` 5, `b` 1 → 2: `a` 5, `&lt;c&gt;` 2"),
        ("New labels", "`&lt;c&gt;`"),
        ("Labels no more there", "`b`"),
    ]
    churned = weigh("churned", {"no": 2, "yes": 1})
    told = [("Balance of churned", "no 750, yes &lt;5 → `no` 2, `yes` 1")]
    assert list(compare([], [churned], {"Balance of churned": "no 750, yes <5"})) == told
    assert list(compare([], [churned], {})) == [("Balance of churned", "none → `no` 2, `yes` 1")]


def test_labels_that_came_and_went() -> None:
    """Told only where all labels of both are known."""
    then, now = weigh("Label", {"a": 1, "b": 1}), weigh("Label", {"b": 2, "c": 1})
    assert changed(then, now) == (["c"], ["a"])
    cut_off = Balance(column="Label", counts=(("a", 1),), least=("z", 1), others=4, other_rows=4)
    assert changed(cut_off, now) == ([], [])
