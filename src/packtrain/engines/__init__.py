"""Engines: they start a training program's workers, watch them and start them again. One port, `ports.Engine`."""
