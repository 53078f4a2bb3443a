"""The commands. `terminal.py` alone prints; each verb has a file of its own under verbs/."""
