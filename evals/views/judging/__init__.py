"""Pages of evaluators, their rules and what they judged."""
