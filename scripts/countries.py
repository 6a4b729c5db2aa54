#!/usr/bin/env python3
"""Writes the table in src/observe/countries.rs anew.

Usage: scripts/countries.py PhoneNumberMetadata.xml

The file is resources/PhoneNumberMetadata.xml of https://github.com/google/libphonenumber. Of each calling code it says how
many digits may follow: in any of its countries, for any kind of line that can be called from abroad.
"""

import pathlib
import sys
import xml.etree.ElementTree as xml

TABLE = pathlib.Path(__file__).parent.parent / "src/observe/countries.rs"


def lengths(text: str) -> set[int]:
    """The numbers in `7,[9-11]`."""
    found: set[int] = set()
    for part in text.replace("[", "").replace("]", "").split(","):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def main() -> None:
    countries: dict[int, int] = {}
    for territory in xml.parse(sys.argv[1]).getroot().iter("territory"):
        code = int(territory.get("countryCode", ""))
        for kind in territory:
            given = kind.find("possibleLengths")
            if given is None or kind.tag == "noInternationalDialling":
                continue
            # E.164 has no longer ones.
            for length in lengths(given.get("national", "")) & set(range(16)):
                countries[code] = countries.get(code, 0) | 1 << length
    lines = [""]
    for code, mask in sorted(countries.items()):
        item = f" ({code}, {mask:#06x}),"
        if not lines[-1] or len(lines[-1]) + len(item) > 120:
            lines.append("   ")
        lines[-1] += item
    head, rest = TABLE.read_text().split("= &[")
    _, tail = rest.split("];")
    TABLE.write_text(f"{head}= &[{chr(10).join(lines)}\n];{tail}")


main()
