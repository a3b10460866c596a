"""What the processes say to each other: schemas, messages, keys, errors and the request ledger."""
