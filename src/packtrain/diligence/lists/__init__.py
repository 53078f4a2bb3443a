"""Lists of parties that governments publish: read in their own formats, kept in the voyage folder. None is shipped."""
