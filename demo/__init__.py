"""A whole system on one machine. Nothing but tests and bench imports it."""
