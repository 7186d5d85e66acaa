"""What is kept under a plain name, and shown in words of the reader."""

from zoneinfo import ZoneInfo

import pytest

from bot.domain.arguments import Arguments
from bot.providers import aitems_trains, deepopinion, names, sony_replies
from bot.providers.aitems_trains import Train
from bot.providers.decthings.contracts import CONTRACTS, Contract
from bot.providers.decthings.plans import arguments_of
from tests.handlers.registered import NAMES, provider


def named(arguments: Arguments) -> set[str]:
    ours = {one.name for one in (*arguments.positionals, *arguments.options)}
    return ours | {family.name for family in arguments.families}


@pytest.mark.parametrize("name", NAMES)
def test_every_field_of_a_form_has_a_name_in_the_catalogues(name: str) -> None:
    """A field is called after its argument: a name that the catalogues lack would stay English in every form."""
    assert named(provider(name).arguments) <= set(names.ARGUMENTS)


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=list(CONTRACTS))
def test_so_have_those_of_both_contracts_of_decthings(contract: Contract) -> None:
    """What a training starts from is called otherwise under each."""
    assert named(arguments_of(contract)) <= set(names.ARGUMENTS)


def test_what_we_call_the_facts_of_a_training_is_in_the_catalogues() -> None:
    """The keys of results and metrics are ours where the service has no word for them."""
    model = {"id": 11, "status": "ready", "score": 0.9, "created": "2026-01-02"}
    trains = [
        Train(type="pop", version=one, word=one, created="2026-01-02T03:04:05") for one in ("stopping", "completed")
    ]
    published = {"classifier_id": "c", "version": 1, "model_id": 2, "update_datetime": "2026", "status": "running"}
    seen = [
        deepopinion.to_status(model),
        sony_replies.to_status({"status": "job_finished", "model_id": 2}, str),
        *(aitems_trains.to_status([train], None, ZoneInfo("UTC")) for train in trains),
    ]
    before = sony_replies.read_published({"classifiers": [published]}, "c")
    left = {key for one in seen for key in (*one.result, *one.metrics)}
    assert {key.replace("_", " ") for key in (*left, *before)} == set(names.LEFT)
