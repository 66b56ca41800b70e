#!/usr/bin/env python3
"""Makes the test vectors of the rows of an index of sessions: of labels (docs/FORMAT.md, 16) and of facts (17).

What it says is written anew here; numbers, keys and names that are hashed are those of `make.py`.

    pip install pynacl
    python3 tests/data/make_labels.py
"""
import hashlib, struct, sys

# What lies here is packaged: no compiled copy of the other file, which makes its own vectors where they are missing.
sys.dont_write_bytecode = True
from make import DAY, NOW, encrypt, flip, group_key, hkdf, key_id, save, secret, subject_key, varint

SESSION, ANOTHER = bytes(range(16)), bytes(range(16, 32))
HOUR, MINUTE = 3_600_000, 60_000
FIREFOX = b"Firefox on Linux"


def padded(text):
    return bytes([len(text)]) + text + bytes(95 - len(text))


def label(vector, plaintext=padded(FIREFOX), key=1, audience="vectors", subject="alice", session=SESSION, prefix=None,
          id=None, info=b"session label"):
    """`prefix` and `id` are what is named and what is bound instead of the key's own."""
    # Fixed, so that the vectors are the same each time, and another for each. A sealer draws it at random.
    nonce = hashlib.sha256(b"nonce of the vector " + vector.encode()).digest()[:24]
    bound = b"".join(struct.pack(">I", len(field)) + field for field in (b"sealed-session label", audience.encode()))
    bound += subject_key(subject, audience) + session + (id or key_id(key))
    return (prefix or key_id(key)[:4]) + nonce + encrypt(plaintext, bound, nonce, hkdf(secret(key), info, 32))


def facts(version=1, remembered=0, created=NOW - HOUR, generation=0, everyone=0, groups=(), keys=(1,), counts={},
          begin=varint):
    """The first of `keys` sealed the session last. `begin` writes the time at which the session began, `counts` are
    announced instead of the truth."""
    out = bytes([version, remembered]) + begin(created) + varint(generation) + varint(everyone)
    out += varint(counts.get("groups", len(groups)))
    out += b"".join(group + varint(of) for group, of in groups)
    out += varint(counts.get("keys", len(keys)))
    return out + b"".join(key_id(key)[:4] for key in keys)


def endless(number):
    """In eleven bytes, where ten are the most."""
    short = varint(number)
    return short[:-1] + bytes([short[-1] | 0x80]) + b"\x80" * (10 - len(short)) + bytes(1)


def write(name, why, text=FIREFOX.decode(), change=lambda label: label, sealed=None, row=None, keys=None,
          cookie="session", audience="vectors", remembered=False, **to):
    if sealed is None:
        sealed = change(label(name, audience=audience, **to))
    shown = not name.startswith("no-row-")
    save(name, {
        "kind": "listed",
        "why": why,
        "keys": keys or [{"published": 1}],
        "cookie": cookie,
        "audience": audience,
        "now": "2026-11-21T08:00:00Z",
        "subject": "alice",
        "row": {
            "session": SESSION.hex(),
            "last_seen": NOW - 10 * MINUTE,
            "until": NOW + DAY,
            "facts": (facts() if row is None else row).hex(),
            "label": sealed.hex(),
        },
        "expect": {
            "created": NOW - HOUR,
            "remembered": remembered,
            "label": None if name.startswith("no-") else text,
        } if shown else None,
    })


two = [{"published": 1}, {"published": 2}]
pending = [{"published": 1}, {"published": 2, "activate": "2026-11-21T09:00:00Z"}]
retiring = [{"published": 1}, {"published": 2, "retire": "2026-11-21T08:01:00Z"}]
retired = [{"published": 1}, {"published": 2, "retire": "2026-11-21T08:00:00Z"}]
revoked = [{"published": 1}, {"published": 2, "revoked": "2026-11-21T07:00:00Z"}]
pruned = [{"published": 1}, {"published": 2, "pruned": "2026-11-21T08:00:00Z"}]
# The second one seals before the first one has retired.
first_retired = [{"published": 2}, {"published": 1, "retire": "2026-11-21T08:00:00Z"}]
first_revoked = [{"published": 1, "revoked": "2026-11-21T07:00:00Z"}, {"published": 2}]
groups = sorted((group_key("org", f"group {number}"), number * 1000) for number in range(9))

write("label-of-a-session", "as it is at the login")
write("label-of-95-bytes", "the longest", text="x" * 95, plaintext=padded(b"x" * 95))
write("label-in-utf8", "lengths are those of bytes", text="Küche, 台所 🍳", plaintext=padded("Küche, 台所 🍳".encode()))
write("label-of-an-audience-in-utf8", "its bytes are counted", audience="ü/€")
write("label-under-another-name-of-the-cookie", "the cookie is not bound", cookie="__Host-other")
write("label-of-another-key-that-opens", "not the key of the session", key=2, keys=two)
write("label-of-a-key-not-active-yet", "a key opens before it seals", key=2, keys=pending)
write("label-of-a-key-that-retires-later", "a key opens until it retires", key=2, keys=retiring)
write("label-of-a-remembered-session", "the class of its lifetime", row=facts(remembered=1), remembered=True)
write("label-of-a-member-of-eight-groups", "as many as there can be", row=facts(groups=groups[:8]))
write("label-of-a-later-generation", "numbers of several bytes", row=facts(generation=NOW - 1, everyone=NOW - 2))
write("label-of-a-session-of-the-second-key", "the key that is named need not be the first", row=facts(keys=[2]),
      keys=two)
write("label-of-a-session-of-a-key-not-active-yet", "a key opens before it seals", row=facts(keys=[2]), keys=pending)
write("label-of-a-session-through-a-retired-key", "a session ends with the key that sealed it last", key=2,
      row=facts(keys=[2, 1]), keys=first_retired)
write("label-of-a-session-through-sixteen-keys", "as many as there can be, and nobody knows them any more",
      row=facts(keys=range(1, 18)))
write("label-of-a-session-that-came-back", "the key that sealed it last is one that it passed through", key=2,
      row=facts(keys=[2, 1, 2]), keys=two)

write("no-label-of-no-bytes", "the shortest: nothing is known", plaintext=padded(b""))
write("no-label-of-a-retired-key", "the key has retired, at this very millisecond", key=2, keys=retired)
write("no-label-of-a-pruned-key", "the key has retired, and only its id is left", key=2, keys=pruned)
write("no-label-of-a-revoked-key", "the key was revoked", key=2, keys=revoked)

write("no-row-label-absent", "none was written", sealed=b"")
write("no-row-label-of-an-unknown-key", "no key of the ring begins like this", key=3)
write("no-row-label-of-another-session", "moved from another row", session=ANOTHER)
write("no-row-label-of-another-subject", "moved from another user", subject="bob")
write("no-row-label-of-another-audience", "made for another application or environment",
      sealed=label("no-row-label-of-another-audience", audience="vectors/staging"))
write("no-row-label-named-by-another-key", "the key that is named is tried alone", key=2, prefix=key_id(1)[:4], keys=two)
write("no-row-label-bound-to-four-bytes", "all of the key's id is bound", id=key_id(1)[:4])
write("no-row-label-of-the-cipher-key", "each purpose has a key of its own", info=b"xchacha20poly1305")
write("no-row-label-of-the-csrf-key", "each purpose has a key of its own", info=b"csrf token")
write("no-row-label-flipped-nonce", "one bit of the nonce changed", change=flip(4))
write("no-row-label-flipped-text", "one bit of the text changed", change=flip(29))
write("no-row-label-flipped-padding", "one bit behind the text changed", change=flip(123))
write("no-row-label-flipped-tag", "one bit of the tag changed", change=flip(124))
write("no-row-label-flipped-tag-end", "the last bit of the tag changed", change=flip(139))
write("no-row-label-cut", "a byte less", change=lambda label: label[:-1])
write("no-row-label-longer", "a byte more", change=lambda label: label + bytes(1))
write("no-row-label-of-a-shorter-text", "its length would tell that of the text", plaintext=padded(FIREFOX)[:32])
write("no-row-label-of-a-longer-text", "its length would tell that of the text", plaintext=padded(FIREFOX) + bytes(32))
write("no-row-label-overrun-by-one", "a length of 96, and 95 bytes", plaintext=bytes([96]) + b"x" * 95)
write("no-row-label-overrun", "the largest length, and 95 bytes", plaintext=bytes([255]) + b"x" * 95)
write("no-row-label-padding-begins-not-zero", "padding that is not zero",
      plaintext=padded(FIREFOX)[:17] + b"x" + bytes(78))
write("no-row-label-padding-ends-not-zero", "padding that is not zero", plaintext=padded(FIREFOX)[:95] + b"x")
write("no-row-label-not-utf8", "a text that is not UTF-8", plaintext=padded(b"\xffirefox"))
write("no-row-label-surrogate", "half a UTF-16 pair", plaintext=padded(b"\xed\xa0\x80"))
write("no-row-label-cut-in-a-character", "a text that ends in a character", plaintext=padded("ü".encode()[:1]))

write("no-row-empty", "no facts at all", row=b"")
write("no-row-version-0", "no version is 0", row=facts(version=0))
write("no-row-version-2", "a later version", row=facts(version=2))
write("no-row-cut", "a byte less", row=facts()[:-1])
write("no-row-trailing-byte", "a byte more", row=facts() + bytes(1))
write("no-row-remembered-2", "neither yes nor no", row=facts(remembered=2))
write("no-row-number-of-65-bits", "a time that does not fit into 64 bits", row=facts(created=2**64))
write("no-row-number-endless", "a number of eleven bytes", row=facts(begin=endless))
write("no-row-of-nine-groups", "more than there can be", row=facts(groups=groups))
write("no-row-overrun-groups", "more groups are announced than there are", row=facts(groups=groups[:1], counts={"groups": 2}))
write("no-row-fewer-groups", "fewer groups are announced than there are", row=facts(groups=groups[:1], counts={"groups": 0}))
write("no-row-of-no-key", "some key sealed the session", row=facts(keys=[]))
write("no-row-of-eighteen-keys", "more than there can be", row=facts(keys=range(1, 19)))
write("no-row-overrun-keys", "more keys are announced than there are", row=facts(counts={"keys": 2}))
write("no-row-fewer-keys", "fewer keys are announced than there are", row=facts(keys=[1, 2], counts={"keys": 1}))
write("no-row-of-an-unknown-key", "no key of the ring begins like this", row=facts(keys=[3]))
write("no-row-of-a-retired-key", "the session ended with its key", row=facts(keys=[2]), keys=retired)
write("no-row-of-a-pruned-key", "the session ended with its key", row=facts(keys=[2]), keys=pruned)
write("no-row-of-a-retired-key-through-a-good-one", "the first of the keys has to open", row=facts(keys=[2, 1]),
      keys=retired)
write("no-row-of-a-revoked-key", "the session ended with its key", row=facts(keys=[2]), keys=revoked)
write("no-row-through-a-revoked-key", "the session passed through it", key=2, row=facts(keys=[2, 1]),
      keys=first_revoked)
write("no-row-through-a-revoked-key-between", "it is neither the first nor the last of them", key=2,
      row=facts(keys=[2, 3, 1, 4]), keys=first_revoked)
