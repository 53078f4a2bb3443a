"""The voyage, stage by stage. Stages never import each other: they meet in the documents of the voyage folder."""
