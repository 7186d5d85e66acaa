"""What holds for a provider that does not say otherwise. The declared powers keep the rest from being called."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.domain.arguments import Choice, DataRule
from bot.domain.jobs import RemoteStatus
from bot.domain.requests import Json, Payload, Plan, SourceFile, TrainRequest
from bot.errors import ProviderError, RejectedError
from bot.ports import Serving, Watched
from bot.sentences import _


class Defaults(ABC):
    """A provider without files, without cancelling, without a switch, and with one call per look."""

    name: str
    title: str
    data: DataRule | None = None
    listed: tuple[str, ...] = ()

    def check(self, request: TrainRequest) -> None:
        return None

    def prepare(self, request: TrainRequest, files: Mapping[str, SourceFile], spool: Path) -> Payload | None:
        return None

    async def held_data(self, plan: Plan) -> Sequence[tuple[str, str]]:
        return ()

    async def choices(self, argument: str, given: Mapping[str, str]) -> Sequence[Choice]:
        return ()

    def known_id(self, plan: Plan, claim: Mapping[str, Json]) -> str | None:
        return None

    @abstractmethod
    async def status(self, watched: Watched) -> RemoteStatus:
        """Every provider looks in its own way."""

    async def statuses(self, watched: Sequence[Watched]) -> Mapping[str, RemoteStatus | ProviderError]:
        """One look after the other."""
        return {one.job_id: await self._status_or_error(one) for one in watched}

    async def _status_or_error(self, watched: Watched) -> RemoteStatus | ProviderError:
        try:
            return await self.status(watched)
        except ProviderError as error:
            return error

    def group(self, watched: Watched) -> str:
        return watched.job_id

    async def cancel(self, watched: Watched) -> None:
        raise RejectedError(_("{title} cannot cancel a training.", title=self.title))

    def can_see(self, watched: Watched) -> bool:
        return False

    async def survey(self, watched: Watched) -> Mapping[str, Json]:
        return {}

    async def promote(self, watched: Watched) -> None:
        raise RejectedError(_("{title} cannot switch to a model.", title=self.title))

    async def serving(self, watched: Watched, before: Mapping[str, Json]) -> Serving:
        return Serving(is_new=False)

    async def fetch_result(self, watched: Watched, target: Path) -> int | None:
        return None
