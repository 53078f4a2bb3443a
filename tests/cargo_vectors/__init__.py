"""The vectors of cargo format 1 (`tests/vectors/cargo/`): what they say, how they are made, how packtrain is judged."""
