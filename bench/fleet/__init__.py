"""The sides of `bench/stop` and `bench/lease`, each a process of its own, and the fleet that both sides talk to."""
