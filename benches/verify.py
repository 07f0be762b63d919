"""candor-verify over a whole log of 10 million entries (A21): reads, hashes, checks heads and pairing."""
