"""Decthings: models with a `train` function of their own, called through binary-framed POSTs."""
