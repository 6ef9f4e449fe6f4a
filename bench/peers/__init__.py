"""The sides of bench/dispatch. Each is a process of its own, without any network, in an environment that has it."""
