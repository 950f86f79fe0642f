"""From texts to answers with an exported model. May use model and reviews; not training."""
