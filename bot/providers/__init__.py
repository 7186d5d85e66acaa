"""The training services: a module each, found through the entry points `switchyard.providers`."""
