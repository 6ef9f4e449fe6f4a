"""Those who hold checkpoints of the record elsewhere. Only they show that its end was cut off, or it was rewritten."""
