"""An app under which a payload that holds the word `deadly` ends the worker, as one does that takes all memory."""
