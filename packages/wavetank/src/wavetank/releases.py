"""What differs between ServiceNow's family releases, and nothing else."""

from dataclasses import dataclass

ORDER = ("vancouver", "washingtondc", "xanadu", "yokohama", "zurich", "australia")
LATEST = ORDER[-1]


@dataclass(frozen=True)
class Release:
    """One family release: its name and the behaviours that came or went with it."""

    name: str
    # The wording of the 401 changed at some point; both are seen in the field (measured on
    # developer instances). Which release brought it is not known, so the newest says it the new way.
    unauthenticated: str
    # The form of the build tag is documented by example; the dates in it are invented.
    build: str
    # An access control with no role, condition, attribute or script denies from Xanadu on
    # (ServiceNow docs: exploring-access-control-list).
    empty_acl_denies: bool
    # API keys came with Washington DC (ServiceNow docs: API Key and HMAC Authentication).
    api_keys: bool


def release(name: str) -> Release:
    """The facts of one release. Raises ValueError for a name that is no family release."""
    if name not in ORDER:
        raise ValueError(f"unknown release {name!r}; one of {', '.join(ORDER)}")
    return Release(
        name=name,
        unauthenticated="User is not authenticated" if name == LATEST else "User Not Authenticated",
        build=f"glide-{name}-07-01-2025__patch2-09-10-2025",
        empty_acl_denies=ORDER.index(name) >= ORDER.index("xanadu"),
        api_keys=ORDER.index(name) >= ORDER.index("washingtondc"),
    )
