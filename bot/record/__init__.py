"""The record as evidence: opened with its key, checked, proven, published, shown."""
