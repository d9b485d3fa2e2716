"""What a person sees of an instance, plainly: logging in, a home page, records, lists, approvals."""

from starlette.routing import Route

from wavetank.apis.ui import api_keys, approvals, consent, diagnosis, login, records, updates


def routes() -> list[Route]:
    """The routes of the UI. They need `request.app.state.instance` and `request.state.held`."""
    return [
        *login.routes(),
        *diagnosis.routes(),
        *approvals.routes(),
        *api_keys.routes(),
        *consent.routes(),
        *updates.routes(),
        *records.routes(),
    ]
