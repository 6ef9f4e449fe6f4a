"""What is commanded: the kit that a component is made with, and components. They know the wire only."""
