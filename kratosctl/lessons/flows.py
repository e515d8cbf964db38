"""Lessons about what happens around signing up: hooks, mail, the check of passwords."""

from __future__ import annotations

from kratosctl.files import yaml_edit
from kratosctl.kratos.config_dir import value_at
from kratosctl.lessons.lesson import Broken, Ground, Lesson, Unfit

_AFTER = "selfservice.flows.registration.after"
_URI = "courier.smtp.connection_uri"
_NOBODY = "passwords.example.invalid"


def forget_session_hook(ground: Ground) -> Broken:
    """Takes the hook away that signs people in when they have signed up."""
    text, after = ground.texts[ground.main], value_at(ground.configuration, _AFTER)
    for method, said in after.items() if isinstance(after, dict) else ():
        hooks = value_at(said, "hooks")
        if isinstance(hooks, list) and any(value_at(hook, "hook") == "session" for hook in hooks):
            left = [hook for hook in hooks if value_at(hook, "hook") != "session"]
            text = yaml_edit.set_at(text, [*_AFTER.split("."), method, "hooks"], left, ground.main)
    if text == ground.texts[ground.main]:
        raise Unfit("signing up does not sign in here: there is no hook `session` after it")
    return Broken({ground.main: text})


def lose_mail_server(ground: Ground) -> Broken:
    """Hands mail to a port where nobody listens."""
    uri = value_at(ground.configuration, _URI)
    if uri and "@mail:" not in str(uri) and "//mail:" not in str(uri):
        raise Unfit(f"{_URI} is not the mail inbox of this environment")
    return ground.with_settings({_URI: "smtp://mail:1026/?disable_starttls=true"})


def ask_nobody_about_passwords(ground: Ground) -> Broken:
    """Has every password checked by a service that cannot be reached."""
    said = {"haveibeenpwned_enabled": True, "haveibeenpwned_host": _NOBODY, "ignore_network_errors": False}
    return ground.with_settings({f"selfservice.methods.password.config.{key}": value for key, value in said.items()})


HOOK = Lesson(
    name="signed-up-not-in",
    title="Signed up, but not in",
    teaches="what hooks do after a flow, and that signing in after signing up is one of them",
    minutes=5,
    symptom="People sign up, and are shown the sign-in page when they go on.",
    look="sign up, then ask /sessions/whoami",
    hints=(
        "The account is there, and its password is right. What is missing is a session: who begins one after sign-up?",
        "Signing in after signing up is a hook, and it is gone.",
        f"{_AFTER}.<method>.hooks in kratos.yml wants `- hook: session` as its first item.",
    ),
    solution="The hook `session` after registration was gone. Without it an account is made, and nobody is signed in.",
    breaks=forget_session_hook,
)

MAIL = Lesson(
    name="no-mail",
    title="The mail that never comes",
    teaches="how Kratos sends mail: the queue, the courier, its tries, and when it gives up",
    minutes=15,
    symptom="People sign up and are asked for the code that was mailed to them. The inbox stays empty.",
    look="sign up, then look at the inbox, at /admin/courier/messages, and at the log",
    hints=(
        "Kratos has put the mail into its queue: kratosctl logs {env} kratos says what the courier then met.",
        "The courier cannot reach the mail server: it asks at a port where nobody listens.",
        "courier.smtp.connection_uri in kratos.yml has to name port 1025. Take it out and run `kratosctl up {env}`:"
        " kratosctl fills in the right one. Mails that were given up stay so; ask for a new code.",
    ),
    solution="courier.smtp.connection_uri named port 1026; the inbox listens on 1025. The courier tries a mail six"
    " times, then calls it abandoned.",
    breaks=lose_mail_server,
    rules=("mail-server",),
    needs=("mail",),
)

PASSWORDS = Lesson(
    name="sign-up-takes-forever",
    title="The slowest sign-up of all",
    teaches="that Kratos asks a service on the Internet about every new password, and what that means without one",
    minutes=10,
    symptom="Whoever signs up waits for a quarter of a minute, and is then told that the password cannot be used.",
    look="sign up, in the UI or with `kratosctl verify {env}`; count the seconds, and read what the form says",
    hints=(
        "Somebody is asked about the password who does not answer.",
        "Kratos asks a service whether a password is among those that leaked, and insists on an answer.",
        "selfservice.methods.password.config in kratos.yml: haveibeenpwned_enabled switches it off.",
    ),
    solution="haveibeenpwned_enabled was on, with a host that cannot be reached, and network errors were not ignored."
    " Where there is no Internet, switch it off: to ignore the errors alone still waits for them.",
    breaks=ask_nobody_about_passwords,
    not_with=("passwordless-code",),
)
