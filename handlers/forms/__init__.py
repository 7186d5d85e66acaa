"""Forms: what a modal shows, and what its answer does."""
