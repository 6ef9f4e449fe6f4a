"""The components as they show themselves: who is there, and what each one last said."""
