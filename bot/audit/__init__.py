"""What makes the record tamper-evident: tree, proofs, tiles, signed notes. It reads and writes nothing."""
