"""The slash commands: one listener each, the words after it are told apart inside."""
