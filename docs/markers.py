"""A page and a table become the page with the table between its markers."""

BEGIN, END = "<!-- {}, written by docs/{} -->\n", "<!-- end of {} -->\n"


def with_table(text: str, name: str, writer: str, table: str) -> str:
    """Return the page with another table under `name`; `writer` is the script that writes it."""
    before, begin, rest = text.partition(BEGIN.format(name, writer))
    _, end, after = rest.partition(END.format(name))
    assert begin, f"the page has no place for {name}"
    assert end, f"{name} has no end"
    return f"{before}{begin}{table}{end}{after}"
