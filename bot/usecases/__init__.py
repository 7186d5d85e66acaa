"""What Switchyard does, a coroutine or tick each: stores, looks and acts through the ports alone."""
