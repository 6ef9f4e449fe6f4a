"""Seeded histories of both halves of the stop machine, judged after each step. It opens no file and no socket."""
