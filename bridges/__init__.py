"""The networks that Tocsin speaks. Each turns one network into messages and back, and decides nothing."""
