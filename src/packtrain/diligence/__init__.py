"""Diligence: who ships what to whom, shown to everyone who asks; and the site's verdict on it."""
