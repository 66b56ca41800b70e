#!/usr/bin/env python3
"""Makes the test vectors of the token format, version 1.

A second implementation, written from the format's description in SECURITY.md and sharing nothing with
the crate. Vectors of a release are added to, never changed: a file that exists is left alone.

    pip install pynacl
    python3 tests/data/make.py
"""
import base64, hashlib, hmac, json, os, struct

from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as encrypt

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "v1")
NOW = 1_795_248_000_000  # 2026-11-21T08:00:00Z
DAY = 24 * 3600 * 1000


def secret(number):
    return hashlib.sha256(b"sealed-session published secret %d" % number).digest()


def hkdf(key, info, length):
    extracted = hmac.new(b"sealed-session/v1", key, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()[:length]


def varint(number):
    out = bytearray()
    while True:
        out.append((number & 0x7F) | (0x80 if number > 0x7F else 0))
        number >>= 7
        if not number:
            return bytes(out)


def string(data):
    return varint(len(data)) + data


def subject_key(subject, audience="vectors"):
    hashed = b"".join(struct.pack(">Q", len(part)) + part
                      for part in (audience.encode(), subject.encode()))
    return hashlib.sha256(hashed).digest()[:16]


def record(version=1, id=bytes(range(16)), serial=0, login=None, everyone=0, created=NOW,
           refreshed=NOW, expires=NOW + DAY, lifetime_class=0, keys=b"", entries=(), key_of=None):
    out = bytes([version]) + id + varint(serial)
    if login is None:
        out += b"\x00"
    else:
        subject, generation, at = login
        out += b"\x01" + string(subject.encode()) + subject_key(key_of or subject)
        out += varint(generation) + varint(at)
    for number in (everyone, created, refreshed, expires):
        out += varint(number)
    out += bytes([lifetime_class]) + string(keys) + varint(len(entries))
    for name, value in entries:
        out += string(name.encode()) + string(value)
    return out


def pad(content):
    padded = struct.pack(">I", len(content)) + content
    return padded + bytes(-len(padded) % 32)


def field(data):
    return struct.pack(">I", len(data)) + data


def token(plaintext, key=1, cookie="session", audience="vectors", chunks=1, version=1, at=NOW,
          key_id=None):
    key_id = key_id or hkdf(secret(key), b"key id", 16)
    minutes = struct.pack(">I", at // 60_000)
    # Fixed by the content, so that the vectors are the same each time. A sealer draws it at random.
    nonce = hashlib.sha256(b"nonce" + plaintext + cookie.encode()).digest()[:24]
    aad = b"".join(map(field, [b"sealed-session", bytes([version]), key_id, minutes,
                               cookie.encode(), audience.encode(), bytes([chunks])]))
    cipher_key = hkdf(secret(key), b"xchacha20poly1305", 32)
    return bytes([version]) + key_id + minutes + nonce + encrypt(plaintext, aad, nonce, cipher_key)


def text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def write(name, why, value, expect, cookie="session", keys=None):
    path = os.path.join(HERE, name + ".json")
    if os.path.exists(path):
        return
    cookies = value if isinstance(value, dict) else {cookie: value}
    vector = {
        "why": why,
        "keys": keys or [{"published": 1}],
        "cookie": cookie,
        "audience": "vectors",
        "now": "2026-11-21T08:00:00Z",
        "cookies": cookies,
        "expect": expect,
    }
    with open(path, "w") as file:
        json.dump(vector, file, indent=2)
        file.write("\n")


def opens(name, why, value, expect, **more):
    write("opens-" + name, why, value, {"opens": expect}, **more)


def rejects(name, why, value, reason, **more):
    write("rejects-" + name, why, value, {"rejected": reason}, **more)


def sealed(plaintext=None, **more):
    return text(token(pad(record()) if plaintext is None else plaintext, **more))


def of(**fields):
    return sealed(pad(record(**fields)))


os.makedirs(HERE, exist_ok=True)
alice = ("alice", 0, NOW)
session = bytes(range(16)).hex()

opens("visitor", "a session without a login or entries", of(),
      {"session": session, "serial": 0, "subject": None, "entries": {}})
opens("login", "a login with a generation, and two values in MessagePack",
      of(login=("alice", NOW - 1000, NOW), everyone=7, serial=3,
         entries=[("n", b"\x05"), ("theme", b"\xa4dark")]),
      {"session": session, "serial": 3, "subject": "alice", "generation": NOW - 1000,
       "entries": {"n": 5, "theme": "dark"}})
opens("remembered", "lifetime class 1", of(login=alice, lifetime_class=1, expires=NOW + 30 * DAY),
      {"session": session, "serial": 0, "subject": "alice", "remembered": True, "entries": {}})
opens("unicode", "names and subjects are UTF-8",
      of(login=("Jos\u00e9", 0, NOW), entries=[("\u2603", b"\xc0")]),
      {"session": session, "serial": 0, "subject": "Jos\u00e9", "entries": {"\u2603": None}})
short = len(record(login=alice, entries=[("x", b"")]))
opens("full-block", "a record that needs no padding at all",
      of(login=alice, entries=[("x", b"\xc4" + bytes([(-(short + 6)) % 32])
                               + bytes((-(short + 6)) % 32))]),
      {"session": session, "serial": 0, "subject": "alice"})
opens("last-serial", "the largest serial that a cookie may carry", of(serial=2**32 - 3),
      {"session": session, "serial": 2**32 - 3, "subject": None, "entries": {}})
opens("earlier-keys", "a session that passed through two other keys",
      of(keys=b"abcdefgh"),
      {"session": session, "serial": 0, "subject": None, "earlier_keys": 2})
opens("latest-times", "times ahead of the clock by the tolerated minute",
      of(created=NOW + 60_000, refreshed=NOW + 60_000),
      {"session": session, "serial": 0, "subject": None})
opens("longest-life", "exactly 400 days", of(expires=NOW + 400 * DAY),
      {"session": session, "serial": 0, "subject": None})
big = sealed(pad(record(entries=[("big", b"\xda\x17\x70" + b"x" * 6000)])), chunks=3)
parts = [big[:3000], big[3000:6000], big[6000:]]
opens("chunks", "a token in three cookies; the first begins with the count",
      {"session": "3." + parts[0], "session.1": parts[1], "session.2": parts[2]},
      {"session": session, "serial": 0, "subject": None})

good = token(pad(record()))
rejects("empty", "no token at all", "", "Length")
rejects("short", "shorter than the shortest token", text(good[:76]), "Length")
rejects("cut-block", "a whole block of the ciphertext is missing",
        text(token(pad(record(login=alice)))[:45] + token(pad(record(login=alice)))[77:]),
        "NotAuthentic")
rejects("partial-block", "a ciphertext that is no multiple of 32 bytes", text(good + b"x"), "Length")
rejects("base64-padding", "base64 with padding", base64.urlsafe_b64encode(good).decode() + "=",
        "Malformed")
rejects("base64-alphabet", "the other alphabet of base64",
        base64.b64encode(b"\x01" + b"\xff" * 92).rstrip(b"=").decode(), "Malformed")
rejects("base64-space", "white space", text(good)[:10] + " " + text(good)[10:], "Malformed")
odd = text(token(pad(record())))
assert len(good) % 3 != 0
alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
rejects("base64-trailing-bits", "bits behind the last byte that are not zero",
        odd[:-1] + alphabet[alphabet.index(odd[-1]) + 1], "Malformed")
rejects("percent-encoded", "percent-encoding is not undone", "%41" + text(good)[1:], "Malformed")
rejects("version-0", "version 0", sealed(version=0), "Version")
rejects("version-2", "a version from the future", sealed(version=2), "Version")
rejects("unknown-key", "a key id that is not in the ring", sealed(key=2), "UnknownKey")
rejects("key-id-of-another-key", "a key id picks its key, and no other is tried",
        sealed(key=2, key_id=hkdf(secret(1), b"key id", 16)), "NotAuthentic")
rejects("retired-key", "the key has retired", sealed(key=2), "RetiredKey",
        keys=[{"published": 1}, {"published": 2, "retire": "2026-11-21T07:59:00Z"}])
rejects("revoked-key", "the key was revoked", sealed(key=2), "RevokedKey",
        keys=[{"published": 1}, {"published": 2, "revoked": "2026-11-21T07:00:00Z"}])
rejects("through-a-revoked-key", "sealed by a good key since",
        of(keys=b"wxyz" + hkdf(secret(2), b"key id", 16)[:4]), "RevokedKey",
        keys=[{"published": 1}, {"published": 2, "revoked": "2026-11-21T07:00:00Z"}])
for name, where in [("version", 0), ("nonce", 30), ("ciphertext", 50), ("tag", len(good) - 1)]:
    flipped = bytearray(good)
    flipped[where] ^= 0x80 if name == "version" else 1
    rejects("flipped-" + name, "one bit of it changed", text(bytes(flipped)),
            "Version" if name == "version" else "NotAuthentic")
flipped = bytearray(good)
flipped[20] ^= 1
rejects("flipped-sealed-at", "the sealing time is authenticated", text(bytes(flipped)), "NotAuthentic")
rejects("another-cookie", "sealed for another cookie", sealed(cookie="other"), "NotAuthentic")
rejects("another-audience", "sealed for another application or environment",
        sealed(audience="vectors/staging"), "NotAuthentic")
rejects("another-count", "one cookie presented where two were sealed", sealed(chunks=2),
        "NotAuthentic")
rejects("chunks-missing", "a part is missing", {"session": "3." + parts[0], "session.1": parts[1]},
        "Malformed")
rejects("chunks-swapped", "parts in the wrong order",
        {"session": "3." + parts[0], "session.1": parts[2], "session.2": parts[1]}, "NotAuthentic")
rejects("chunks-count-1", "a count of one is not written", "1." + text(good), "Malformed")
rejects("chunks-count-9", "more parts than there can be", "9." + parts[0], "Malformed")
dirty = bytearray(pad(record()))
dirty[-1] = 1
rejects("padding-not-zero", "padding that is not zero", sealed(bytes(dirty)), "Implausible")
rejects("padding-block", "a block of padding too much", sealed(pad(record()) + bytes(32)),
        "Implausible")
rejects("padding-overrun", "a length beyond the end",
        sealed(struct.pack(">I", 4000) + bytes(60)), "Implausible")
rejects("record-trailing-byte", "a byte behind the record", sealed(pad(record() + b"\x00")),
        "Implausible")
rejects("record-cut", "a record that ends early", sealed(pad(record()[:-1])), "Implausible")
rejects("record-version-2", "a record version from the future", of(version=2), "Implausible")
rejects("record-class-2", "a lifetime class that does not exist", of(lifetime_class=2), "Implausible")
rejects("record-keys-partial", "key prefixes of four bytes each", of(keys=b"abcde"), "Implausible")
rejects("record-keys-17", "more keys than a session can pass through", of(keys=bytes(range(68))),
        "Implausible")
rejects("record-subject-empty", "a login of nobody", of(login=("", 0, NOW)), "Implausible")
rejects("record-subject-key", "another subject's key", of(login=alice, key_of="bob"), "Implausible")
rejects("record-subject-not-utf8", "a subject that is not UTF-8",
        sealed(pad(record(login=alice).replace(b"alice", b"al\xffce"))), "Implausible")
rejects("created-ahead", "began more than a minute from now", of(created=NOW + 60_001),
        "Implausible")
rejects("refreshed-ahead", "sealed more than a minute from now", of(refreshed=NOW + 60_001),
        "Implausible")
rejects("login-ahead", "logged in more than a minute from now", of(login=("alice", 0, NOW + 60_001)),
        "Implausible")
rejects("ends-before-it-begins", "no life at all", of(expires=NOW), "Implausible")
rejects("life-too-long", "longer than 400 days", of(expires=NOW + 400 * DAY + 1), "Implausible")
rejects("serial-too-large", "a serial above the last", of(serial=2**32 - 2), "Implausible")
large = pad(record(entries=[("big", b"\xda\x5f\xa0" + b"x" * 24_480)]))
assert len(text(token(large))) > 32_768
rejects("too-long", "longer than any token", sealed(large), "Length")
plain = record()
rejects("record-option-2", "neither something nor nothing",
        sealed(pad(plain[:18] + b"\x02" + plain[19:])), "Implausible")
rejects("record-number-too-large", "a serial of more than 32 bits",
        sealed(pad(plain[:17] + b"\xff\xff\xff\xff\x1f" + plain[18:])), "Implausible")
rejects("record-number-endless", "a serial that does not end within five bytes",
        sealed(pad(plain[:17] + b"\x80\x80\x80\x80\x80\x00" + plain[18:])), "Implausible")
rejects("record-length-overrun", "keys of more bytes than there are",
        sealed(pad(plain[:-2] + varint(2**40) + plain[-1:])), "Implausible")
rejects("record-entries-overrun", "more entries than there are",
        sealed(pad(plain[:-1] + varint(2**40))), "Implausible")
rejects("record-entry-not-utf8", "a name that is not UTF-8",
        sealed(pad(record(entries=[("name", b"\xc0")]).replace(b"name", b"n\xffme"))), "Implausible")
