"""Checkpoints outlive the host that wrote them: what each host keeps, and who copies what to whom."""
