"""What a person sees of an instance: logging in, a home page, records and lists. All of it is plain."""

from starlette.routing import Route

from wavetank.apis.ui import login, records


def routes() -> list[Route]:
    """The routes of the UI. They need `request.app.state.instance` and `request.state.held`."""
    return [*login.routes(), *records.routes()]
