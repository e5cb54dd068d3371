"""The product's promises, sentence by sentence, kept by real parts."""
