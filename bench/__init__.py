"""Every speed that Tocsin claims, beside its reference in the same run. Nothing here is in the wheel."""
