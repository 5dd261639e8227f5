"""What people do to what was traced: scores, comments, corrections, tags, bookmarks, public links."""
