"""The page and its parts as templates: all that is put in is escaped."""

from functools import cache


def render(template, **contents):
    """Text of a template in the folder ``templates``.

    Parameters
    ----------
    template : str
        Name of the file.
    **contents : object
        What the template names.

    Returns
    -------
    text : markupsafe.Markup
        A str that is put into other templates as it is.
    """
    # imported here, since most who import sksim write no report
    from markupsafe import Markup

    text = environment().get_template(template).render(contents)
    return Markup(text)


@cache
def environment():
    """What makes text of templates."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.PackageLoader("sksim.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["fixed"] = lambda number, digits=1: f"{number:.{digits}f}"
    return made
