"""What `bench/channels.py` measures. Nothing here is part of the bot."""
