"""Forms: what opens them, and what is done with what was filled in."""
