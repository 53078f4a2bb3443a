"""Section 5: the field and the code, bytes at a time by table."""

EXP, LOG = [0] * 510, [0] * 256
power = 1
for exponent in range(255):
    EXP[exponent] = EXP[exponent + 255] = power
    LOG[power] = exponent
    power = power << 1 ^ (0x11D if power & 0x80 else 0)


def product(a: int, b: int) -> int:
    return EXP[LOG[a] + LOG[b]] if a and b else 0


def inverse(a: int) -> int:
    return EXP[255 - LOG[a]]


TIMES = [bytes(product(a, b) for b in range(256)) for a in range(256)]


def inverted(rows: list[list[int]]) -> list[list[int]]:
    k = len(rows)
    wide = [row + [int(i == j) for j in range(k)] for i, row in enumerate(rows)]
    for column in range(k):
        pivot = next(i for i in range(column, k) if wide[i][column])
        wide[column], wide[pivot] = wide[pivot], wide[column]
        factor = inverse(wide[column][column])
        wide[column] = [product(factor, value) for value in wide[column]]
        for i in range(k):
            if i != column and (factor := wide[i][column]):
                wide[i] = [a ^ product(factor, b) for a, b in zip(wide[i], wide[column], strict=True)]
    return [row[k:] for row in wide]


def rebuilt(column: int, k: int, good: list[tuple[int, bytes]], longest: int) -> bytes:
    """Return a data column, filled up with zeros to the longest, from any k columns that are good."""
    rows = [[int(i == j) for j in range(k)] if i < k else [inverse(i ^ j) for j in range(k)] for i, _ in good]
    total = 0
    for factor, (_, payload) in zip(inverted(rows)[column], good, strict=True):
        total ^= int.from_bytes(payload.ljust(longest, b"\0").translate(TIMES[factor]), "big")
    return total.to_bytes(longest, "big")
