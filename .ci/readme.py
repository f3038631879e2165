"""Print one fenced block of README.md: ``python3 readme.py LANGUAGE INDEX``."""

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def blocks(language):
    """Contents of the fenced blocks in a language, in order."""
    text = README.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.M | re.S)


if __name__ == "__main__":
    print(blocks(sys.argv[1])[int(sys.argv[2])], end="")
