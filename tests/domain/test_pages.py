"""The addresses of trainings at their services, as operators name them."""

from dataclasses import replace

import pytest

from bot.domain.pages import page_of, refuse_page
from tests.contract.samples import a_job

PAGE = "https://knovvu.example.com/{model}/runs/{id}"


def test_model_and_id_are_filled_in() -> None:
    """Whatever they hold stays within its place of the address."""
    job = replace(a_job(), remote_id="a/b?c#d {id}")
    model = job.request.model
    assert page_of({job.request.provider: PAGE}, job) == (
        f"https://knovvu.example.com/{model}/runs/a%2Fb%3Fc%23d%20%7Bid%7D"
    )


def test_there_is_no_address_before_there_is_an_id() -> None:
    """Nor for a service of which the operator named none; an address without ids is there at once."""
    job = replace(a_job(), remote_id=None)
    assert page_of({job.request.provider: PAGE}, job) == ""
    assert page_of({"another": PAGE}, job) == ""
    assert page_of({job.request.provider: "https://knovvu.example.com"}, job) == "https://knovvu.example.com"


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        (PAGE, None),
        ("https://knovvu.example.com/{user}", "{user} is not filled in"),
        ("http://knovvu.example.com", "https://"),
        ("javascript:alert(1)", "https://"),
        ("https://somebody@knovvu.example.com", "https://"),
        ("https://{model}.example.com", "https://"),
        ("https://[", "https://"),
    ],
)
def test_only_addresses_that_lead_somewhere_are_taken(pattern: str, says: str | None) -> None:
    """And only placeholders that are filled in."""
    found = refuse_page(pattern)
    assert (found is None) if says is None else (found is not None and says in found)
