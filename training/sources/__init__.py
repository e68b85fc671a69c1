"""A shop's own files as training data: catalogue, events and judgements, streamed into one store on disk."""
