"""The rules, chapter by chapter. Each is tried on a component of its own and depends on no other."""
