#!/usr/bin/env python3
"""Makes the test vectors of the token format, version 1. Those of the activity cookie: `make_activity.py`.

A second implementation, written from the format's description in docs/FORMAT.md and sharing nothing with
the crate. Vectors of a release are added to, never changed: a file that exists is left alone.

    pip install pynacl
    python3 tests/data/make.py
"""
import base64, hashlib, hmac, json, os, struct

from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as encrypt

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "v1")
NOW = 1_795_248_000_000  # 2026-11-21T08:00:00Z
DAY = 24 * 3600 * 1000
LAST_SERIAL = 2**32 - 4
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


# The format, from the inside to the outside.

def varint(number, longer=False):
    out = bytearray()
    while True:
        out.append((number & 0x7F) | (0x80 if number > 0x7F else 0))
        number >>= 7
        if not number:
            break
    if longer:
        out[-1] |= 0x80
        out.append(0)
    return bytes(out)


def hashed(*fields):
    fields = [field.encode() for field in fields]
    hashed = b"".join(struct.pack(">Q", len(field)) + field for field in fields)
    return hashlib.sha256(hashed).digest()[:16]


def subject_key(subject, audience="vectors"):
    return hashed(audience, subject)


def group_key(kind, name, audience="vectors"):
    return hashed(audience, "group", kind, name)


def utf8(text):
    return text if isinstance(text, bytes) else text.encode()


def login(subject="alice", generation=0, at=NOW, roles=(), groups=(), fingerprint=None, key=None):
    return dict(subject=subject, key=key or subject_key(subject if isinstance(subject, str) else ""),
                generation=generation, at=at, roles=roles, groups=groups, fingerprint=fingerprint)


def fields(login=None, **given):
    record = dict(version=1, session=bytes(range(16)), serial=0, login=login, everyone=0, created=NOW,
                  refreshed=NOW, expires=NOW + DAY, lifetime=0, keys=b"", entries=())
    assert not given.keys() - record.keys(), given
    return record | given


def encode(record, longer=(), counts={}, login_option=None, fingerprint_option=None):
    """`longer` names numbers that are written in a longer form than needed, `counts` what is announced
    instead of the truth."""
    def number(name, value):
        return varint(counts.get(name, value), name in longer)

    def string(name, value):
        return number(name + " length", len(value)) + value

    out = bytes([record["version"]]) + record["session"] + number("serial", record["serial"])
    who = record["login"]
    out += bytes([int(who is not None) if login_option is None else login_option])
    if who is not None:
        out += string("subject", utf8(who["subject"])) + who["key"]
        out += number("generation", who["generation"]) + number("authenticated", who["at"])
        out += number("roles", len(who["roles"]))
        for role in who["roles"]:
            out += string("role", utf8(role))
        out += number("groups", len(who["groups"]))
        for key, generation in who["groups"]:
            out += key + number("group generation", generation)
        print_ = who["fingerprint"]
        option = int(print_ is not None) if fingerprint_option is None else fingerprint_option
        out += bytes([option]) + (print_ or b"")
    for name in ("everyone", "created", "refreshed", "expires"):
        out += number(name, record[name])
    out += bytes([record["lifetime"]]) + string("keys", record["keys"])
    out += number("entries", len(record["entries"]))
    for name, value in record["entries"]:
        out += string("name", utf8(name)) + string("value", value)
    return out


def pad(content):
    padded = struct.pack(">I", len(content)) + content
    return padded + bytes(-len(padded) % 32)


def secret(number):
    return hashlib.sha256(b"sealed-session published secret %d" % number).digest()


def hkdf(key, info, length):
    extracted = hmac.new(b"sealed-session/v1", key, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()[:length]


def key_id(number):
    return hkdf(secret(number), b"key id", 16)


def seal(vector, plaintext, key=1, cookie="session", audience="vectors", chunks=1, version=1, at=NOW,
         id=None):
    id = id or key_id(key)
    minutes = struct.pack(">I", at // 60_000)
    # Fixed, so that the vectors are the same each time, and another for each. A sealer draws it at random.
    nonce = hashlib.sha256(b"nonce of the vector " + vector.encode()).digest()[:24]
    bound = [b"sealed-session", bytes([version]), id, minutes, cookie.encode(), audience.encode(),
             bytes([chunks])]
    bound = b"".join(struct.pack(">I", len(field)) + field for field in bound)
    cipher_key = hkdf(secret(key), b"xchacha20poly1305", 32)
    return bytes([version]) + id + minutes + nonce + encrypt(plaintext, bound, nonce, cipher_key)


def text(token):
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()


# The files.

def save(name, vector):
    path = os.path.join(HERE, name + ".json")
    if os.path.exists(path):
        return
    with open(path, "w") as file:
        json.dump(vector, file, indent=2)
        file.write("\n")


def write(name, why, cookies, expect, keys=None):
    if isinstance(cookies, str):
        cookies = {"session": cookies}
    save(name, {
        "kind": "session",
        "why": why,
        "keys": keys or [{"published": 1}],
        "cookie": "session",
        "audience": "vectors",
        "now": "2026-11-21T08:00:00Z",
        "cookies": cookies,
        "expect": expect,
    })


def told(record):
    """A record as a vector tells it."""
    who = record["login"]
    return {
        "session": record["session"].hex(),
        "serial": record["serial"],
        "login": who and {
            "subject": who["subject"],
            "key": who["key"].hex(),
            "generation": who["generation"],
            "at": who["at"],
            "roles": list(who["roles"]),
            "groups": [{"key": key.hex(), "generation": generation} for key, generation in who["groups"]],
            "fingerprint": who["fingerprint"] and who["fingerprint"].hex(),
        },
        "everyone": record["everyone"],
        "created": record["created"],
        "refreshed": record["refreshed"],
        "expires": record["expires"],
        "remembered": record["lifetime"] == 1,
        "earlier_keys": len(record["keys"]) // 4,
        "entries": {name: value.hex() for name, value in record["entries"]},
    }


def vector(name, why, expect, record, plaintext=None, odd={}, sealed={}, change=None, cookies=None,
           keys=None):
    """`odd` is how the record is written, `sealed` how the token; `change` works on the token and
    `cookies` makes the cookies of its text."""
    token = seal(name, pad(encode(record, **odd)) if plaintext is None else plaintext, **sealed)
    value = text(change(token) if change else token)
    write(name, why, cookies(value) if cookies else value, expect, keys)


def opens(name, why, record, more={}, **how):
    vector("opens-" + name, why, {"opens": told(record) | more}, record, **how)


def rejects(name, why, reason, record=fields(), **how):
    vector("rejects-" + name, why, {"rejected": reason}, record, **how)


def flip(place, bit=1):
    def change(token):
        changed = bytearray(token)
        changed[place] ^= bit
        return bytes(changed)
    return change


def cut(sizes):
    """A text over as many cookies."""
    def cookies(text):
        parts, rest = [], text
        for size in sizes:
            parts.append(rest[:size])
            rest = rest[size:]
        parts.append(rest)
        return {"session" + (f".{place}" if place else f""): (f"{len(parts)}." if not place else "") + part
                for place, part in enumerate(parts)}
    return cookies


def without(cookies, name):
    return lambda text: {key: value for key, value in cookies(text).items() if key != name}


def swapped(cookies, one, other):
    def swap(text):
        made = cookies(text)
        made[one], made[other] = made[other], made[one]
        return made
    return swap


os.makedirs(HERE, exist_ok=True)
alice = login()
acme, sid = group_key("org", "acme"), group_key("sid", "1")
first, second = sorted([acme, sid])

# What a record says.
opens("visitor", "a session without a login or entries", fields())
opens("login", "a login with a generation, and two values in MessagePack",
      fields(login(generation=NOW - 1000), everyone=7, serial=3, created=NOW - 5000, refreshed=NOW - 1,
             entries=[("n", b"\x05"), ("theme", b"\xa4dark")]),
      {"values": {"n": 5, "theme": "dark"}})
opens("remembered", "lifetime class 1", fields(alice, lifetime=1, expires=NOW + 30 * DAY))
opens("unicode", "names and subjects are UTF-8",
      fields(login("Jos\u00e9"), entries=[("\u2603", b"\xc0")]))
opens("roles", "two roles", fields(login(roles=["admin", "editor"])))
opens("groups", "two groups, and when each was last ended",
      fields(login(groups=[(first, 0), (second, NOW - 1000)])))
opens("fingerprint", "a client's fingerprint", fields(login(fingerprint=bytes(range(16, 32)))))
opens("everything", "all that a login can carry",
      fields(login(generation=1, roles=["admin"], groups=[(first, 2)], fingerprint=bytes(16)),
             serial=1, everyone=3, lifetime=1, keys=key_id(2)[:4], entries=[("n", b"\x05")]))
opens("earlier-keys", "a session that passed through two other keys", fields(keys=b"abcdefgh"))
opens("entry-order", "names in the order of their bytes",
      fields(entries=[(name, b"\xc0") for name in
                      ("", "\0flash", "B", "a", "aa", "b", "prefixed-a", "prefixed-b", "\uff5e",
                       "\U0001f600")]))
opens("role-order", "roles in the order of their bytes",
      fields(login(roles=["B", "a", "aa", "b", "prefixed-a", "prefixed-b", "\uff5e", "\U0001f600"])))
opens("values", "what reads as a value and what does not",
      fields(entries=sorted([
          ("deep-128", b"\x91" * 127 + b"\x90"), ("deep-129", b"\x91" * 128 + b"\x90"),
          ("extension", b"\xd4\x01\x01"), ("integer", b"\xcd\x01\x00"), ("map", b"\x81\xa1a\xc3"),
          ("maps-128", b"\x81\x01" * 127 + b"\x80"), ("maps-129", b"\x81\x01" * 128 + b"\x80"),
          ("negative", b"\xff"), ("not-utf8", b"\xa1\xff"), ("nothing", b""),
          ("trailing", b"\x05\xc0"), ("two-levels", b"\x92\x91\x01\x91\x02"), ("unused", b"\xc1"),
      ])),
      {"values": {"integer": 256, "map": {"a": True}, "negative": -1, "two-levels": [[1], [2]]},
       "readable": ["deep-128"],
       "unreadable": ["deep-129", "extension", "maps-129", "not-utf8", "nothing", "trailing", "unused"]})

# The limits, from inside.
opens("last-serial", "the largest serial that a cookie may carry", fields(serial=LAST_SERIAL))
opens("largest-numbers", "numbers of 64 bits",
      fields(login(generation=2**64 - 1, groups=[(first, 2**63)]), everyone=2**64 - 1))
opens("latest-times", "times ahead of the clock by the tolerated minute",
      fields(login(at=NOW + 60_000), created=NOW + 60_000, refreshed=NOW + 60_000))
opens("longest-life", "exactly 400 days", fields(expires=NOW + 400 * DAY))
opens("shortest-life", "a millisecond", fields(expires=NOW + 1))
opens("longest-subject", "255 bytes", fields(login("\u00e9" * 127 + "x")))
opens("most-roles", "32 roles, one of them of 64 bytes",
      fields(login(roles=sorted([f"{role:02}" for role in range(31)] + ["r" * 64]))))
opens("most-groups", "8 groups, which differ in their last byte",
      fields(login(groups=[(bytes(15) + bytes([n]), n) for n in range(8)])))
opens("most-earlier-keys", "16 keys", fields(keys=bytes(range(64))))
for name, lengths in (("7", (("a", 127), ("b", 128), ("c" * 127, 4), ("d" * 128, 4))),
                      ("14", (("a", 16_383),)), ("15", (("a", 16_384),))):
    opens("lengths-" + name, f"lengths around {name} bits",
          fields(entries=[(name, b"\xc5" + struct.pack(">H", length - 3) + bytes(length - 3))
                          for name, length in lengths]))
short = len(encode(fields(alice, entries=[("x", b"")])))
opens("full-block", "a record that needs no padding at all",
      fields(alice, entries=[("x", b"\xc4" + bytes([(-(short + 6)) % 32]) + bytes((-(short + 6)) % 32))]))
size = 24_512 - 4 - len(encode(fields(entries=[("big", bytes(20_000))]))) + 20_000
longest = fields(entries=[("big", b"\xc5" + struct.pack(">H", size - 3) + b"x" * (size - 3))])
assert len(pad(encode(longest))) == 24_512
opens("longest-text", "the longest text of whole blocks below the limit", longest)

# Keys.
two = [{"published": 1}, {"published": 2}]
opens("second-key", "the key id picks the key", fields(), sealed=dict(key=2), keys=two)
opens("key-not-active-yet", "a key opens before it seals", fields(), sealed=dict(key=2),
      keys=[{"published": 1}, {"published": 2, "activate": "2026-11-22T08:00:00Z"}])
opens("key-retires-later", "a key opens until it retires", fields(), sealed=dict(key=2),
      keys=[{"published": 1}, {"published": 2, "retire": "2026-11-21T08:00:01Z"}])
opens("through-a-retired-key", "only a revoked key ends what passed through it",
      fields(keys=key_id(2)[:4]),
      keys=[{"published": 1}, {"published": 2, "retire": "2026-11-21T07:59:00Z"}])
retired = lambda at: [{"published": 1}, {"published": 2, "retire": at}]
revoked = [{"published": 1}, {"published": 2, "revoked": "2026-11-21T07:00:00Z"}]
rejects("unknown-key", "a key id that is not in the ring", "UnknownKey", sealed=dict(key=2))
rejects("unknown-id", "a known key under another id", "UnknownKey", sealed=dict(id=bytes(16)))
rejects("id-like-another", "a key id of which only the first four bytes are known", "UnknownKey",
        sealed=dict(id=key_id(1)[:4] + bytes(12)))
rejects("key-id-of-another-key", "a key id picks its key, and no other is tried", "NotAuthentic",
        sealed=dict(key=2, id=key_id(1)), keys=two)
rejects("retired-key", "the key has retired", "RetiredKey", sealed=dict(key=2),
        keys=retired("2026-11-21T07:59:00Z"))
rejects("key-retires-now", "the key retires at this very millisecond", "RetiredKey", sealed=dict(key=2),
        keys=retired("2026-11-21T08:00:00Z"))
rejects("revoked-key", "the key was revoked", "RevokedKey", sealed=dict(key=2), keys=revoked)
for name, trail in [("", b"wxyz" + key_id(2)[:4]), ("-first", key_id(2)[:4] + b"wxyz"),
                    ("-between", b"abcd" + key_id(2)[:4] + b"wxyz")]:
    rejects("through-a-revoked-key" + name, "sealed by a good key since", "RevokedKey", fields(keys=trail),
            keys=revoked)

# Cookies and text.
good = fields(alice)
opens("two-parts", "a token in two cookies; the first begins with the count", good,
      cookies=cut([100]), sealed=dict(chunks=2))
opens("chunks", "a token in three cookies", fields(entries=[("big", b"\xda\x17\x70" + b"x" * 6000)]),
      cookies=cut([3000, 3000]), sealed=dict(chunks=3))
opens("eight-parts", "a token in as many cookies as there can be", good,
      cookies=cut([20] * 7), sealed=dict(chunks=8))
opens("parts-beyond-the-count", "parts that the count does not name are ignored", good,
      cookies=lambda text: cut([100])(text) | {"session.2": "AAAA"}, sealed=dict(chunks=2))
opens("one-part-and-more", "of a token in one cookie too", good,
      cookies=lambda text: {"session": text, "session.1": "AAAA"})
opens("other-names", "cookies with names much like ours", good,
      cookies=lambda text: {"SESSION": "AAAA", "Session": "AAAA", "sessio": "AAAA", "session": text,
                            "session-1": "AAAA", "session2": "AAAA"})
rejects("chunks-missing", "a part is missing", "Malformed", good,
        cookies=without(cut([100, 100]), "session.2"), sealed=dict(chunks=3))
rejects("chunks-missing-first", "the part after the first is missing", "Malformed", good,
        cookies=without(cut([100, 100]), "session.1"), sealed=dict(chunks=3))
rejects("chunks-missing-empty", "a part is missing that would be empty", "Malformed", good,
        cookies=lambda text: {"session": "3." + text[:100], "session.1": text[100:]},
        sealed=dict(chunks=3))
# Of a multiple of three bytes, so that its text has no bits to spare wherever it ends.
even = fields(alice, entries=[("x", bytes(30))])
assert len(pad(encode(even))) == 128
rejects("chunks-swapped", "parts in the wrong order", "NotAuthentic", even,
        cookies=swapped(cut([150, 40]), "session.1", "session.2"), sealed=dict(chunks=3))
rejects("chunks-count-0", "a count of none", "Malformed", good, cookies=lambda text: "0." + text)
rejects("chunks-count-1", "a count of one is not written", "Malformed", good,
        cookies=lambda text: "1." + text)
rejects("chunks-count-9", "more parts than there can be", "Malformed", good,
        cookies=cut([20] * 8), sealed=dict(chunks=9))
rejects("chunks-count-x", "a count that is no digit", "Malformed", good, cookies=lambda text: "x." + text)
rejects("another-count", "one cookie presented where two were sealed", "NotAuthentic", good,
        sealed=dict(chunks=2))
rejects("more-parts-than-sealed", "two cookies presented where one was sealed", "NotAuthentic", good,
        cookies=cut([100]))
rejects("empty", "no token at all", "Length", cookies=lambda text: "")
rejects("percent-encoded", "percent-encoding is not undone", "Malformed",
        cookies=lambda text: "%41" + text[1:])
rejects("quoted", "quotes are not taken off", "Malformed", cookies=lambda text: f'"{text}"')
rejects("base64-space", "white space inside", "Malformed",
        cookies=lambda text: text[:10] + " " + text[10:])
rejects("space-before", "white space before the text", "Malformed",
        cookies=lambda text: {"session": " " + text, "z": "z"})
rejects("space-behind", "white space behind the text", "Malformed",
        cookies=lambda text: {"session": text + " ", "z": "z"})
rejects("base64-padding", "base64 with padding", "Malformed",
        cookies=lambda text: text + "=" * (-len(text) % 4))
standard = "base64-alphabet"
special = next(n for n in range(100) if set("-_") <= set(text(seal(
    "rejects-" + standard, pad(encode(fields(serial=n)))))))
rejects(standard, "the other alphabet of base64", "Malformed", fields(serial=special),
        cookies=lambda text: text.replace("-", "+").replace("_", "/"))


def trailing_bits(text):
    assert len(text) % 4 != 0
    return text[:-1] + ALPHABET[ALPHABET.index(text[-1]) + 1]


rejects("base64-trailing-bits", "bits behind the last byte that are not zero", "Malformed",
        cookies=trailing_bits)
too_long = fields(entries=[("big", longest["entries"][0][1] + b"x")])
rejects("too-long", "a block more than the longest", "Length", too_long)
rejects("32768-characters", "as long as a text may be, of version 0", "Version",
        cookies=lambda _: "A" * 32_768)
rejects("32769-characters", "a character more than a text may have", "Length",
        cookies=lambda _: "B" * 32_769)

# The envelope.
rejects("20-bytes", "shorter than what every version begins with", "Length", sealed=dict(version=2),
        change=lambda token: token[:20])
rejects("short", "shorter than the shortest token", "Length", change=lambda token: token[:92])
rejects("no-block", "nothing is sealed", "Length", change=lambda token: token[:45] + token[-16:])
rejects("partial-block", "a ciphertext that is no multiple of 32 bytes", "Length",
        change=lambda token: token + b"x")
rejects("no-text", "an empty plaintext, well sealed", "Length", plaintext=b"")
rejects("half-block", "half a block, well sealed", "Length", plaintext=pad(encode(fields()))[:48])
rejects("cut-block", "a whole block of the ciphertext is missing", "NotAuthentic", good,
        change=lambda token: token[:45] + token[77:])
rejects("version-0", "version 0", "Version", sealed=dict(version=0))
rejects("version-2", "a version from the future", "Version", sealed=dict(version=2))
rejects("version-2-of-21-bytes", "of another version only the first 21 bytes mean anything", "Version",
        sealed=dict(version=2), change=lambda token: token[:21])
rejects("flipped-version", "one bit of it changed", "Version", change=flip(0, 0x80))
rejects("flipped-key-id", "one bit of it changed", "UnknownKey", change=flip(16))
rejects("flipped-sealed-at", "the sealing time is authenticated", "NotAuthentic", change=flip(20))
rejects("flipped-nonce", "one bit of it changed", "NotAuthentic", change=flip(21))
rejects("flipped-nonce-end", "one bit of it changed", "NotAuthentic", change=flip(44))
rejects("flipped-ciphertext", "one bit of it changed", "NotAuthentic", change=flip(50))
rejects("flipped-padding", "one bit of the encrypted padding changed", "NotAuthentic", change=flip(-17))
rejects("flipped-tag", "one bit of it changed", "NotAuthentic", change=flip(-16))
rejects("flipped-tag-end", "one bit of it changed", "NotAuthentic", change=flip(-1))
rejects("another-cookie", "sealed for another cookie", "NotAuthentic", sealed=dict(cookie="other"))
rejects("another-audience", "sealed for another application or environment", "NotAuthentic",
        sealed=dict(audience="vectors/staging"))
rejects("fields-run-together", "the same bytes, divided otherwise", "NotAuthentic",
        sealed=dict(cookie="sessionv", audience="ectors"))

# The plaintext.
padded = pad(encode(fields()))
end = len(encode(fields())) + 4
assert len(padded) - end > 2
rejects("padding-not-zero", "the last byte of the padding is not zero", "Implausible",
        plaintext=padded[:-1] + b"\x01")
rejects("padding-begins-not-zero", "the first byte of the padding is not zero", "Implausible",
        plaintext=padded[:end] + b"\x01" + padded[end + 1:])
rejects("padding-block", "a block of padding too much", "Implausible", plaintext=padded + bytes(32))
rejects("padding-overrun", "a length beyond the end", "Implausible",
        plaintext=struct.pack(">I", 4000) + padded[4:])
rejects("padding-overrun-by-one", "a length a byte beyond the end", "Implausible",
        plaintext=struct.pack(">I", len(padded) - 3) + padded[4:])
full = fields(entries=[("x", b"\xc4\x00")])
full["entries"] = [("x", bytes((-len(encode(full)) - 4) % 32 + 2))]
assert len(encode(full)) % 32 == 28
rejects("padding-of-a-full-block", "padding where none is needed", "Implausible",
        plaintext=pad(encode(full)) + bytes(32))
rejects("padding-overrun-of-a-full-block", "a length a byte beyond a record that needs no padding",
        "Implausible", plaintext=struct.pack(">I", len(encode(full)) + 1) + encode(full))

# The record.
rejects("record-empty", "no record at all", "Implausible", plaintext=bytes(32))
rejects("record-trailing-byte", "a byte behind the record", "Implausible",
        plaintext=pad(encode(fields()) + b"\x00"))
rejects("record-cut", "a record that ends early", "Implausible", plaintext=pad(encode(fields())[:-1]))
rejects("record-version-0", "a record version that never was", "Implausible", fields(version=0))
rejects("record-version-2", "a record version from the future", "Implausible", fields(version=2))
rejects("record-class-2", "a lifetime class that does not exist", "Implausible", fields(lifetime=2))
rejects("record-option-2", "a login that is neither something nor nothing", "Implausible", good,
        odd=dict(login_option=2))
rejects("record-fingerprint-option-2", "a fingerprint that is neither something nor nothing",
        "Implausible", fields(login(fingerprint=bytes(16))), odd=dict(fingerprint_option=2))
rejects("record-number-too-large", "a serial of more than 32 bits", "Implausible",
        fields(serial=2**32 + 1))
rejects("record-number-of-65-bits", "a generation of more than 64 bits", "Implausible",
        fields(login(generation=2**64 + 1)))
rejects("record-number-endless", "a serial that does not end within five bytes", "Implausible",
        plaintext=pad(encode(fields())[:17] + b"\x80\x80\x80\x80\x80\x00" + encode(fields())[18:]))
whole = fields(login(generation=1, roles=["admin"], groups=[(first, 2)]), keys=b"abcd",
               entries=[("n", b"\x05")])
for name in ("serial", "subject length", "generation", "authenticated", "roles", "role length", "groups",
             "group generation", "everyone", "created", "refreshed", "expires", "keys length", "entries",
             "name length", "value length"):
    rejects("longer-" + name.replace(" ", "-"), "a number in a longer form than it needs", "Implausible",
            whole, odd=dict(longer=[name]))
for name, count in (("subject length", 2**40), ("role length", 2**40), ("roles", 2), ("groups", 2),
                    ("keys length", 2**40), ("entries", 2**40), ("name length", 2**40),
                    ("value length", 2)):
    rejects("overrun-" + name.replace(" ", "-"), "more is announced than there is", "Implausible",
            whole, odd=dict(counts={name: count}))
rejects("overrun-entries-by-one", "an entry more is announced than there is", "Implausible", whole,
        odd=dict(counts={"entries": 2}))
rejects("fewer-entries", "an entry less is announced than there is", "Implausible", whole,
        odd=dict(counts={"entries": 0}))
rejects("record-keys-partial", "key prefixes of four bytes each", "Implausible", fields(keys=b"abcde"))
rejects("record-keys-17", "more keys than a session can pass through", "Implausible",
        fields(keys=bytes(range(68))))
rejects("record-keys-equal", "a key twice", "Implausible", fields(keys=b"abcdabcd"))
rejects("record-keys-equal-apart", "a key twice, with another between", "Implausible",
        fields(keys=b"abcdwxyzabcd"))
rejects("record-subject-empty", "a login of nobody", "Implausible", fields(login("")))
rejects("record-subject-256", "a subject of more than 255 bytes", "Implausible",
        fields(login("\u00e9" * 128)))
rejects("record-subject-key", "another subject's key", "Implausible",
        fields(login(key=subject_key("bob"))))
rejects("record-subject-key-end", "a key that differs in its last byte", "Implausible",
        fields(login(key=flip(-1)(subject_key("alice")))))
rejects("record-subject-key-of-audience", "the subject's key in another application", "Implausible",
        fields(login(key=subject_key("alice", "vectors/staging"))))
rejects("record-subject-key-of-group", "the key of a group", "Implausible",
        fields(login(key=group_key("", "alice"))))
rejects("record-subject-not-utf8", "a subject that is not UTF-8", "Implausible",
        fields(login(b"al\xffce", key=hashlib.sha256(
            struct.pack(">Q", 7) + b"vectors" + struct.pack(">Q", 5) + b"al\xffce").digest()[:16])))
surrogate = b"\xed\xa0\x80"
rejects("record-subject-surrogate", "a subject that is half a UTF-16 pair", "Implausible",
        fields(login(surrogate, key=hashlib.sha256(
            struct.pack(">Q", 7) + b"vectors" + struct.pack(">Q", 3) + surrogate).digest()[:16])))
rejects("record-role-surrogate", "a role that is half a UTF-16 pair", "Implausible",
        fields(login(roles=[surrogate])))
rejects("record-entry-not-utf8", "a name that is not UTF-8", "Implausible",
        fields(entries=[(b"n\xffme", b"\xc0")]))
rejects("record-entry-surrogate", "a name with half a UTF-16 pair", "Implausible",
        fields(entries=[(surrogate, b"\xc0")]))
rejects("record-entries-equal", "a name twice", "Implausible",
        fields(entries=[("a", b"\x01"), ("a", b"\x02")]))
rejects("record-entries-unsorted", "names out of order", "Implausible",
        fields(entries=[("b", b"\x01"), ("a", b"\x02")]))
rejects("record-entries-unsorted-end", "names of which the last is out of order", "Implausible",
        fields(entries=[("b", b"\x01"), ("c", b"\x02"), ("a", b"\x03")]))
rejects("record-entries-by-length", "names in the order of their lengths", "Implausible",
        fields(entries=[("b", b"\x01"), ("aa", b"\x02")]))
rejects("record-entries-in-utf16-order", "names in the order of their UTF-16", "Implausible",
        fields(entries=[("\U0001f600", b"\x01"), ("\uff5e", b"\x02")]))
rejects("record-roles-33", "more roles than a login can carry", "Implausible",
        fields(login(roles=[f"{role:02}" for role in range(33)])))
rejects("record-role-empty", "a role without a name", "Implausible", fields(login(roles=[""])))
rejects("record-role-65", "a role of more than 64 bytes", "Implausible", fields(login(roles=["r" * 65])))
rejects("record-role-not-utf8", "a role that is not UTF-8", "Implausible", fields(login(roles=[b"\xff"])))
rejects("record-roles-equal", "a role twice", "Implausible", fields(login(roles=["a", "a"])))
rejects("record-roles-unsorted", "roles out of order", "Implausible", fields(login(roles=["b", "a"])))
rejects("record-roles-unsorted-end", "roles of which the last is out of order", "Implausible",
        fields(login(roles=["b", "c", "a"])))
rejects("record-groups-9", "more groups than a session can belong to", "Implausible",
        fields(login(groups=[(bytes([n]) * 16, n) for n in range(9)])))
rejects("record-groups-16", "16 groups are announced, and 8 there", "Implausible",
        fields(login(groups=[(bytes([n]) * 16, n) for n in range(8)])), odd=dict(counts={"groups": 16}))
rejects("record-groups-equal", "a group twice, with two generations", "Implausible",
        fields(login(groups=[(first, 1), (first, 2)])))
rejects("record-groups-unsorted", "groups out of order", "Implausible",
        fields(login(groups=[(second, 1), (first, 2)])))
rejects("record-groups-unsorted-end", "groups that are out of order by their last byte", "Implausible",
        fields(login(groups=[(bytes(15) + b"\x02", 1), (bytes(15) + b"\x01", 2)])))

rejects("record-groups-unsorted-third", "groups of which the third is out of order", "Implausible",
        fields(login(groups=[(bytes([n]) * 16, n) for n in (2, 3, 1)])))

# What an honest writer can have made.
rejects("created-ahead", "began more than a minute from now", "Implausible", fields(created=NOW + 60_001))
rejects("refreshed-ahead", "sealed more than a minute from now", "Implausible",
        fields(refreshed=NOW + 60_001))
rejects("login-ahead", "logged in more than a minute from now", "Implausible",
        fields(login(at=NOW + 60_001)))
rejects("ends-as-it-begins", "no life at all", "Implausible", fields(expires=NOW))
rejects("ends-before-it-begins", "less than no life", "Implausible", fields(expires=NOW - 1))
rejects("life-too-long", "longer than 400 days", "Implausible", fields(expires=NOW + 400 * DAY + 1))
rejects("life-too-long-by-its-beginning", "longer than 400 days, of which one has passed", "Implausible",
        fields(created=NOW - DAY, expires=NOW + 399 * DAY + 1))
rejects("serial-too-large", "the serial above the last", "Implausible", fields(serial=LAST_SERIAL + 1))
rejects("serial-of-an-end", "the serial that a logout publishes", "Implausible", fields(serial=2**32 - 2))
rejects("serial-of-a-succession", "the serial that a login over a session publishes", "Implausible",
        fields(serial=2**32 - 1))
