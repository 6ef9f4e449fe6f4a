"""One file a command. Each is found by its entry point, as a team's own commands are."""
