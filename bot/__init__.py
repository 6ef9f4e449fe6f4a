"""What Tocsin is, whatever the chat network. It never imports a bridge, a command or a component."""

__version__ = "0.1.0"
