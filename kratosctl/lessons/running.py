"""Lessons about running Kratos: migrations and logs."""

from __future__ import annotations

from kratosctl.lessons.lesson import Lesson
from kratosctl.lessons.trial import Trial


def keeps_secrets(trial: Trial) -> str:
    """Whether Kratos keeps a cookie out of its log."""
    if trial.logs_cookies():
        return "the log of Kratos shows the cookies of requests: whoever reads it can take a session over"
    return ""


LOGS = Lesson(
    name="talkative-log",
    title="A log that says too much",
    teaches="what Kratos keeps out of its log unless it is told not to",
    minutes=10,
    symptom="Everything works. Somebody who may only read logs has been seen in other people's accounts.",
    look="sign in, then read what Kratos wrote about your requests: kratosctl logs {env} kratos",
    hints=(
        "Read the headers in the line that says `started handling request`.",
        "Cookies stand in the log as they are, and a cookie is all it takes to be somebody.",
        "log.leak_sensitive_values in kratos.yml has to be false. The log's settings are read at the start only:"
        " `kratosctl restart {env} kratos`. A quieter level only hides it.",
    ),
    solution="log.leak_sensitive_values was on. It is for debugging on one's own machine; what was logged meanwhile is"
    " still in the old log.",
    breaks=lambda ground: ground.with_settings({"log.leak_sensitive_values": True, "log.level": "info"}),
    probe=keeps_secrets,
    rules=("log-secrets",),
    rules_must_be_silent=True,
)

MIGRATIONS = Lesson(
    name="never-ready",
    title="Up, but never ready",
    teaches="that Kratos serves without its newest tables, but is not ready; and who applies migrations",
    minutes=10,
    symptom="Kratos runs, and `kratosctl status {env}` says for minutes that it is starting. A load balancer would"
    " send it nobody.",
    look="ask {public}/health/ready, and /admin/health/ready of the admin API, which says more",
    hints=(
        "Alive and ready are two questions. What does Kratos want before it says that it is ready?",
        "The database has not got all migrations of this release: kratosctl migrate {env} --status counts them.",
        "`kratosctl migrate {env}` applies what is missing, and Kratos notices by itself.",
    ),
    solution="The newest migration was taken back (`kratos migrate sql down`), as in a database from a backup or from"
    " an older release. Kratos serves it, and is ready once `kratos migrate sql` has been run.",
    rules=("kratos-ready",),
    since="v25.4.0",
    rolls_back=1,
)
