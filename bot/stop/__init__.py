"""The bell itself. It imports wire, words and store only, so that it works when all else is broken."""
