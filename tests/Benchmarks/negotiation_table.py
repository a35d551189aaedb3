"""Makes the table of negotiation.sh's results: what each pair of guests agreed on, and how fast it was."""
import json
import os
import re
import statistics
import sys

# Of the sender, and what the receiver must have accepted for it (docs/features.md).
PAIRS = [
    ("CSUM", ["GUEST_CSUM"]), ("HOST_TSO4", ["GUEST_TSO4"]), ("HOST_TSO6", ["GUEST_TSO6"]), ("HOST_ECN", ["GUEST_ECN"]),
    ("HOST_UFO", ["GUEST_UFO"]), ("HOST_USO", ["GUEST_USO4", "GUEST_USO6"]),
]

HEAD = """# Who agrees with whom on what

Pairs of guests that do not have the same features, each run for real by
[tests/Benchmarks/negotiation.sh](../tests/Benchmarks/negotiation.sh), {date}:
{versions}. The VMs are {accel}; the rates are of this machine on that day, and only compare with each other: *of equal guests* is the rate in parts of the row of the same kind in which nothing is
missing. Policy `auto` is rounds where both guests know them, and translation where not. TCP from A to B; the median of three runs, and their
range: the machine had other work, too.

- *A sends*: the offloads that A uses and B takes.
- *translated*: those that A uses and B refused, which the switch does per frame, and its cost: the switch's own time per byte sent.

"""


def short(names):
    return {n.split("_F_", 1)[1] for n in names}


def offloads(row):
    sends = short(row["first"].get("acceptedFeatures", []))
    takes = short(row["second"].get("acceptedFeatures", []))
    used = [(name, needed) for name, needed in PAIRS if name in sends]
    direct = [name for name, needed in used if takes.issuperset(needed)]
    return direct, [name for name, needed in used if not takes.issuperset(needed)]


def how(row):
    link = row["link"]
    if any(r["state"] == "REPLUG_STATE_DONE" for r in link.get("replugs", [])):
        return "A re-plugged"
    negotiation = link.get("negotiation", {})
    rounds = negotiation.get("rounds", [])
    if not rounds:
        return "each took its own"
    state = negotiation["state"].removeprefix("NEGOTIATION_STATE_").lower()
    return f"{state}, {len(rounds)} round{'s' if len(rounds) > 1 else ''}"


def cost(row, translated):
    # The counts are the link's: from before a re-plug, too.
    direction = row["link"]["directions"][0]
    translation = direction.get("translation", {})
    if not translated or int(translation.get("frames", 0)) == 0:
        return ""
    nanoseconds = float(translation.get("time", "0s").rstrip("s")) * 1e9 / int(direction["bytes"])
    return f" ({int(translation['frames']):,} frames into {int(translation.get('segments', 0)):,}; {nanoseconds:.3f} ns per byte)"


def rate(mbit):
    return f"{mbit / 1000:.2f} Gbit/s" if mbit >= 1000 else f"{mbit:.0f} Mbit/s"


def main(files):
    rows = {}
    for file in files:
        with open(file, encoding="utf-8") as text:
            row = json.load(text)
        rows[row["row"]] = row
    medians = {name: statistics.median(row["rates"]) for name, row in rows.items()}
    newest = max(rows.values(), key=lambda r: r["date"])
    accel = "emulated (no KVM)" if "accelerator tcg" in newest["versions"] else "on KVM"
    versions = newest["versions"]
    if not any(name.startswith("d") for name in rows):
        versions = re.sub(r", DPDK [^,]*", "", versions)
    print(HEAD.format(date=newest["date"], versions=versions, accel=accel), end="")
    print("| guest A | guest B | policy | negotiated | A sends | translated | A to B | of equal guests |")
    print("|---|---|---|---|---|---|---|---|")
    order = "qdha"
    for name in sorted(rows, key=lambda n: (order.index(n[0]), n)):
        row = rows[name]
        direct, translated = offloads(row)
        base = medians.get(row["baseline"])
        ratio = "-" if base is None else "1" if row["baseline"] == name else f"{medians[name] / base:.2f}"
        print(f"| {row['a']} | {row['b']} | {row['policy']} | {how(row)} | {' '.join(direct) or 'none'} "
              f"| {' '.join(translated) or 'none'}{cost(row, translated)} | {rate(medians[name])} ({rate(min(row['rates']))} to {rate(max(row['rates']))}) | {ratio} |")
    missing = [name for name in os.environ.get("ROWS", "").split() if name not in rows]
    if missing:
        print(f"\nNot run that day: the script's rows {', '.join(missing)}.")


main(sys.argv[1:])
