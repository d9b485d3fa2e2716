"""Names in a text, as properties and fields list them."""


def listed(text: str) -> set[str]:
    """The names between the commas."""
    return {each.strip() for each in text.split(",")} - {""}
