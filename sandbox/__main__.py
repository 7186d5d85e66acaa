"""`python -m sandbox`: starts the world, says in one line of JSON where it is, and runs until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
from pathlib import Path

from sandbox.world import DATA, EVENTS_URL, World, commands


def main() -> None:
    options = _options()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    try:
        asyncio.run(_run(options))
    except OSError as failure:
        sys.exit(f"The sandbox cannot listen on {options.host}:{options.port}: {failure.strerror}")


async def _run(options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_number, stopped.set)
    async with World(**vars(options)) as world:
        ready = {"page": world.page, "env": world.environment(), "commands": commands()}
        print(json.dumps(ready), flush=True)
        await stopped.wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="A local Slack and the five services.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8765, help="of the page and of Slack; 0 takes a free one")
    parser.add_argument("--mode", choices=("socket", "http"), default="socket", help="how Slack reaches the bot")
    parser.add_argument("--events-url", default=EVENTS_URL, help="where the bot listens in mode http")
    parser.add_argument("--data", dest="data_folder", type=Path, default=DATA, help="the folder of sample files")
    parser.add_argument("--training-seconds", type=float, default=20.0, help="how long a training takes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
