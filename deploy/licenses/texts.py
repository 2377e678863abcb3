"""Turns the JSON of cargo-about into text, each licence once.

Texts that differ in white space only are the same. So are copies of the Apache License,
whatever follows its terms (how to apply it, and to whose work it was): the holders of
copyright are named above its text instead.
"""

import json
import re
import sys

END_OF_TERMS = "END OF TERMS AND CONDITIONS"
# A longer one contains another licence.
MAX_APPENDIX = 2000
# The templates in the appendix name nobody.
HOLDER = re.compile(r"^\s*(Copyright (?![\[{]).*\S)", re.MULTILINE)

groups = {}
for licence in json.load(sys.stdin)["licenses"]:
    text = licence["text"]
    terms, end, rest = text.partition(END_OF_TERMS)
    if len(rest) > MAX_APPENDIX:
        end = ""
    before, _, terms = terms.rpartition("Apache License\n")
    key = "".join(terms.split()) if end else "".join(text.split())
    group = groups.setdefault((licence["name"], key), {"text": text, "crates": set(), "holders": set()})
    group["crates"] |= {f"{user['crate']['name']} {user['crate']['version']}" for user in licence["used_by"]}
    if end:
        group["text"] = min(group["text"], text, key=len)
        group["holders"] |= set(HOLDER.findall(before)) | set(HOLDER.findall(rest))

print("Licences of the libraries that the programs of pod-utils contain. pod-utils itself is")
print("under the Apache License 2.0.")
for (name, _), group in sorted(groups.items()):
    print("\n" + "=" * 80)
    print(f"{name}, for:")
    for crate in sorted(group["crates"]):
        print(f"  {crate}")
    print("-" * 80)
    for line in sorted(group["holders"]):
        print(line)
    print()
    print("\n".join(line.rstrip() for line in group["text"].strip("\n").splitlines()))
