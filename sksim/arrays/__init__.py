"""Mathematics and plumbing that families share; nothing here imports a measure."""
