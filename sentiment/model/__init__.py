"""What a model is: encoder, classifier, export, numbered versions. May use reviews."""
