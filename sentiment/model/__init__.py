"""What a model is: classifier, export, numbered versions. May use reviews and encoders."""
