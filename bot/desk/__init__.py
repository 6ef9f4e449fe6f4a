"""The way of a command: what was said, by whom, may they, record, run, record, answer."""
