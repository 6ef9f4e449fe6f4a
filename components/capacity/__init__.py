"""A calculator of virtual hardware. It measures nothing, and no machine hears of it."""
