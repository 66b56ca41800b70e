#!/usr/bin/env python3
"""Makes the test vectors of the token against cross-site requests (docs/FORMAT.md, 15), as `make.py` does those of
sessions.

What it says is written anew here; the cookie beside it is one of `make.py`'s.

    pip install pynacl
    python3 tests/data/make_csrf.py
"""
import hashlib, hmac, struct, sys

# What lies here is packaged: no compiled copy of the other file, which makes its own vectors where they are missing.
sys.dont_write_bytecode = True
from make import encode, fields, flip, hkdf, key_id, login, pad, save, seal, secret, text

SESSION, ANOTHER = bytes(range(16)), bytes(range(16, 32))


def bound(*fields):
    return b"".join(struct.pack(">I", len(field.encode())) + field.encode() for field in fields)


def tag(key=1, session=SESSION, cookie="session", audience="vectors", info=b"csrf token"):
    message = bound(cookie, audience) + session
    return hmac.new(hkdf(secret(key), info, 32), message, hashlib.sha256).digest()[:16]


def token(mask=bytes(range(100, 116)), prefix=None, masked=None, **to):
    masked = masked or tag(**to)
    prefix = prefix or key_id(to.get("key", 1))[:4]
    return prefix + mask + bytes(one ^ two for one, two in zip(masked, mask))


def write(name, why, value, key=1, keys=None, cookie="session", audience="vectors", who=login()):
    """`key` is the one that sealed the session's cookie."""
    sealed = seal(name, pad(encode(fields(who, session=SESSION))), key=key, cookie=cookie, audience=audience)
    save(name, {
        "kind": "csrf",
        "why": why,
        "keys": keys or [{"published": 1}],
        "cookie": cookie,
        "audience": audience,
        "now": "2026-11-21T08:00:00Z",
        "headers": [f"{cookie}={text(sealed)}"],
        "token": value,
        "expect": "no-" not in name,
    })


two = [{"published": 1}, {"published": 2}]
retired = [{"published": 1}, {"published": 2, "retire": "2026-11-21T07:59:00Z"}]
revoked = [{"published": 1}, {"published": 2, "revoked": "2026-11-21T07:00:00Z"}]
good = text(token())

write("csrf-token", "of a session with a login", good)
write("csrf-of-a-visitor", "of a session without a login", good, who=None)
write("csrf-of-another-mask", "the same under another mask", text(token(bytes(range(7, 23)))))
write("csrf-of-a-mask-of-zeros", "a mask that hides nothing is one", text(token(bytes(16))))
write("csrf-of-another-key-that-opens", "not the key of the cookie", text(token(key=2)), keys=two)
write("csrf-of-a-key-not-active-yet", "a key opens before it seals", text(token(key=2)),
      keys=[{"published": 1}, {"published": 2, "activate": "2026-11-21T09:00:00Z"}])
write("csrf-of-an-audience-in-utf8", "its bytes are counted", text(token(audience="ü/€")),
      audience="ü/€", who=None)

write("no-csrf-of-another-session", "another session's", text(token(session=ANOTHER)))
write("no-csrf-of-another-cookie", "made for another cookie", text(token(cookie="other")))
write("no-csrf-of-another-audience", "made for another application or environment",
      text(token(audience="vectors/staging")))
write("no-csrf-of-fields-run-together", "the same bytes, divided otherwise",
      text(token(cookie="sessionvec", audience="tors")))
write("no-csrf-of-an-unknown-key", "no key of the ring begins like this", text(token(key=3)))
write("no-csrf-of-a-retired-key", "the key has retired", text(token(key=2)), keys=retired)
write("no-csrf-of-a-revoked-key", "the key was revoked", text(token(key=2)), keys=revoked)
write("no-csrf-named-by-another-key", "the key that is named is tried alone",
      text(token(key=2, prefix=key_id(1)[:4])), keys=two)
write("no-csrf-of-the-activity-key", "each purpose has a key of its own", text(token(info=b"activity")))
write("no-csrf-of-the-cipher-key", "each purpose has a key of its own", text(token(info=b"xchacha20poly1305")))
write("no-csrf-flipped-mask", "one bit of the mask changed", text(flip(4)(token())))
write("no-csrf-flipped-tag", "one bit of the tag changed", text(flip(20)(token())))
write("no-csrf-flipped-tag-end", "the last bit of the tag changed", text(flip(35)(token())))
write("no-csrf-flipped-tag-half", "a bit in the second half of the tag changed", text(flip(28)(token())))
write("no-csrf-without-a-mask", "the tag as it is", text(key_id(1)[:4] + tag()))
write("no-csrf-unmasked", "the tag as it is, behind a mask", text(token()[:20] + tag()))
write("no-csrf-empty", "nothing", "")
write("no-csrf-cut", "a character less", good[:-1])
write("no-csrf-longer", "a character more", good + "A")
write("no-csrf-base64-padding", "base64 with padding", good + "====")
write("no-csrf-base64-alphabet", "the other alphabet of base64",
      text(token(bytes([255] * 16))).replace("_", "/").replace("-", "+"))
write("no-csrf-base64-space", "white space inside", good[:24] + " " + good[24:])
write("no-csrf-in-hexadecimal", "the bytes in another form", token().hex())
