"""A page as those read it who can't see it."""

import html.parser


class Page(html.parser.HTMLParser):
    """Tags must close in order, and nothing may come from elsewhere.

    Attributes
    ----------
    tags : list of str
        As they are opened.
    cells : list of dict
        Attributes of the cells of tables.
    words : list of str
        Text in the order in which it is read aloud.
    """

    VOID = {"meta", "link", "img", "wbr", "input"}

    def __init__(self, text):
        super().__init__()
        self.open, self.cells, self.tags, self.words = [], [], [], []
        self.attributes = []
        self.words_before_table = None
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        attrs = dict(attrs)
        self.attributes.append((tag, attrs))
        for name in ("src", "href"):
            assert attrs.get(name, "data:").startswith("data:")
        assert not any(name.startswith("on") for name in attrs)
        if tag == "td" or attrs.get("scope") == "row":
            self.cells.append(attrs)
        if tag == "table" and self.words_before_table is None:
            self.words_before_table = list(self.words)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words.extend(data.split())
