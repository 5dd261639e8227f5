"""What went wrong with a call, in words for people, and what they can do about it."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from prompts.llm.types import ProviderError, Trouble


@dataclass(frozen=True, slots=True)
class Explained:
    """`title` says what happened, `advice` what to change; `said` is the provider's own sentence, where it said one."""

    title: str
    advice: str
    said: str = ""


def explained(error: ProviderError) -> Explained:
    if error.trouble is Trouble.STATUS:
        title, advice = _of_status(error)
        return Explained(title, advice, error.message)
    title, advice = _of_trouble(error.trouble)
    return Explained(title, advice, error.message)


def _of_status(error: ProviderError) -> tuple[str, str]:
    status = error.provider_status or 0
    if 300 <= status < 400:
        return _("The address leads elsewhere"), _(
            "Redirects are not followed, as the key would go along. Correct the base URL."
        )
    known = {
        400: (_("The provider did not accept the request"), _("Its own words below say which part.")),
        401: (_("The key was refused"), _("Enter a key that is valid, and belongs to this provider and base URL.")),
        402: (_("The account has no credit left"), _("Look at the billing pages of the provider.")),
        403: (
            _("The key may not do this"),
            _("It was accepted, but not for this model, project or region. Change its rights at the provider."),
        ),
        404: (
            _("The model or the address is not known there"),
            _("Check the model's name (on Azure: that of the deployment) and the base URL."),
        ),
        408: _slow(),
        413: (_("The request is too large"), _("Send less: shorter messages or smaller pictures.")),
        429: (
            _("Too many requests, or the quota is used up"),
            _("Wait a little, or raise the limits at the provider."),
        ),
        504: _slow(),
    }
    if status in known:
        return known[status]
    if status >= 500:
        return _("The provider has a problem"), _("Try again; if it stays, see the status page of the provider.")
    return _("The provider refused the request (%(status)d)") % {"status": status}, _("Its own words are below.")


def _of_trouble(trouble: Trouble) -> tuple[str, str]:
    found = {
        Trouble.IN_STREAM: (_("The provider broke off with an error"), _("Its own words are below.")),
        Trouble.CUT_OFF: (_("The answer broke off in the middle"), _("The connection was closed. Try again.")),
        Trouble.NOT_UNDERSTOOD: (
            _("What came is no answer of a model"),
            _("Something else answers at this address: check the base URL, and which kind of provider this is."),
        ),
        Trouble.ADDRESS_REFUSED: (
            _("This instance does not call that address"),
            _("It is private or special. Who runs the instance can open it by the setting SPANWISE_OUTGOING_ALLOWED."),
        ),
        Trouble.HOST_NOT_FOUND: (_("There is no such host"), _("Check the base URL for a slip in the name.")),
        Trouble.NO_CONNECTION: (
            _("Nobody answers at this address"),
            _("Check host and port, and that the server runs."),
        ),
        Trouble.TLS: (
            _("No secure connection"),
            _("The certificate is not trusted, or the server does not speak TLS here: check https and the port."),
        ),
        Trouble.TIME_OUT: _slow(),
        Trouble.TOO_LARGE: (_("The answer is larger than is read"), _("Check that the base URL leads to a model.")),
        Trouble.SETUP: (_("The connection is not set up right"), _("Correct it and try again.")),
        Trouble.CALL: (_("This provider cannot do that"), _("Take it out of the call.")),
    }
    return found.get(trouble, (_("The call failed"), ""))


def _slow() -> tuple[str, str]:
    return _("No answer in time"), _("The server takes too long. Try again, or a smaller model.")
