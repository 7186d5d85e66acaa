"""`python -m bot` is the command `switchyard`."""

from bot.cli import main

main()
