"""Files in Slack as a form offers them: short enough to be carried, and to the services that take them."""

from bot.domain.arguments import Choice
from bot.usecases.choices import Offers
from handlers.forms.files import MOST, fitting, offered, remembered, with_only_file
from handlers.payloads import FormState
from handlers.views.training_forms import MOST_METADATA
from tests.handlers.registered import NAMES, provider

FILES = {"F0FILE0001": "may.csv", "F0FILE0002": "calls.JSONL", "F0FILE0003": "notes.pdf"}


def test_what_is_carried_stays_short() -> None:
    """Of many files the last ones, of a long name its end too: all of it fits into a form's metadata."""
    files = remembered({}, {f"F0FILE{number:04d}": "리" * 300 + ".csv" for number in range(40)})
    assert len(files) == MOST
    assert list(files)[-1] == "F0FILE0039"
    assert all(name.endswith(".csv") for name in files.values())
    assert len(FormState(channel="C0TRAIN001", files=files).model_dump_json()) < MOST_METADATA / 2


def test_a_service_is_offered_what_it_takes() -> None:
    """By the suffixes that it declares, whatever their case, before what lies in the data folder."""
    taken = {name: list(fitting(provider(name), FILES)) for name in NAMES}
    assert taken == {**{name: [] for name in NAMES}, "sestek": ["F0FILE0002"], "sony": ["F0FILE0001"]}
    offers = offered(Offers(found={"data": (Choice(value="a.csv", label="a.csv"),)}), provider("sony"), FILES)
    assert [one.value for one in offers.found["data"]] == ["F0FILE0001", "a.csv"]
    assert [one.label for one in offers.found["eval"]] == ["may.csv (in Slack)"]
    assert offered(Offers(), provider("aitems"), FILES) == Offers()


def test_the_one_file_that_fits_is_chosen() -> None:
    """Where nothing was said of the data yet; where it was left away on purpose, nothing is chosen again."""
    sony = provider("sony")
    assert with_only_file(sony, {"model": "churn"}, FILES) == {"model": "churn", "data": "F0FILE0001"}
    assert with_only_file(sony, {"data": ""}, FILES) == {"data": ""}
    assert with_only_file(sony, {}, {**FILES, "F0FILE0004": "june.csv"}) == {}
    assert with_only_file(provider("aitems"), {}, FILES) == {}
