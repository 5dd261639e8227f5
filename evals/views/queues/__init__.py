"""Pages of annotation queues: the list, a queue and its form, judging, and adding what is to be judged."""
