"""The contract between the bot and its components, for both sides. It imports nothing else of ours."""
