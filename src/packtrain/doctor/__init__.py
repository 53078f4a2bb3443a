"""Whether this machine is ready: what is looked at, what was found, which verb it stops, and how it is mended.

Nothing is changed, and nothing is asked over a network but a Ray cluster whose address is configured. Every look that
may hang (a dead mount, a broken driver) is done by a child that is given up after some seconds.
"""
