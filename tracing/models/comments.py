"""What people and programs remark on traces, observations, sessions and prompts."""

from __future__ import annotations

import uuid

from django.db import models

#: characters, without the blanks around them
LONGEST_COMMENT = 5000
LONGEST_OBJECT_ID = 800


def new_comment_id() -> str:
    return str(uuid.uuid4())


class CommentObjectType(models.TextChoices):
    TRACE = "TRACE"
    OBSERVATION = "OBSERVATION"
    SESSION = "SESSION"
    PROMPT = "PROMPT"


class Comment(models.Model):
    """A remark on one object, which is kept elsewhere and known here by its id. An author who leaves stays unnamed."""

    id = models.CharField(primary_key=True, max_length=255, default=new_comment_id, editable=False)
    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="comments")
    object_type = models.CharField(max_length=20, choices=CommentObjectType.choices)
    #: of a prompt, that of one version
    object_id = models.CharField(max_length=LONGEST_OBJECT_ID)
    content = models.TextField()
    author = models.ForeignKey("accounts.User", models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [
            models.Index(fields=["project", "-created_at"], name="tracing_comment_newest"),
            models.Index(fields=["project", "object_type", "object_id"], name="tracing_comment_by_object"),
        ]

    def __str__(self) -> str:
        return f"{self.object_type} {self.object_id}: {self.content[:40]}"


class CommentMention(models.Model):
    """A member who is called by name in a comment."""

    comment = models.ForeignKey(Comment, models.CASCADE, related_name="mentions")
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint("comment", "user", name="tracing_one_mention")]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.comment_id}"


class CommentReaction(models.Model):
    """One sign of one person under a comment."""

    comment = models.ForeignKey(Comment, models.CASCADE, related_name="reactions")
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    sign = models.CharField(max_length=16)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint("comment", "user", "sign", name="tracing_one_reaction")]

    def __str__(self) -> str:
        return f"{self.sign} of {self.user_id} under {self.comment_id}"
