"""The only SQL: jobs, their moves, prompts and the outbox in one SQLite file."""
