#!/usr/bin/env python3
"""Makes the test vectors of the activity cookie (docs/FORMAT.md, 9), as `make.py` does those of sessions.

What it says is written anew here; the data cookie beside it is one of `make.py`'s.

    pip install pynacl
    python3 tests/data/make_activity.py
"""
import hashlib, hmac, struct, sys

# What lies here is packaged: no compiled copy of the other file, which makes its own vectors where they are missing.
sys.dont_write_bytecode = True
from make import ALPHABET, DAY, NOW, encode, fields, flip, hkdf, key_id, login, pad, save, seal, secret, text

MINUTE = 60_000
CREATED = NOW - 5 * 60 * MINUTE
REFRESHED = NOW - 50 * MINUTE
USED = NOW - 10 * MINUTE
SESSION, ANOTHER = bytes(range(16)), bytes(range(16, 32))


def bound(*fields):
    return b"".join(struct.pack(">I", len(field.encode())) + field.encode() for field in fields)


def mac(time, key=1, session=SESSION, cookie="session", audience="vectors"):
    message = bound(cookie, audience) + session + time
    return hmac.new(hkdf(secret(key), b"activity", 32), message, hashlib.sha256).digest()


def token(at=USED, **to):
    time = at.to_bytes(6, "big")
    return time + mac(time, **to)[:16]


def seen(at=USED, **to):
    return text(token(at, **to))


def data(refreshed=REFRESHED, session=SESSION, who=login(at=CREATED), keys=b"", serial=0):
    return fields(who, session=session, created=CREATED, refreshed=refreshed, expires=CREATED + DAY,
                  keys=keys, serial=serial)


def lines(cookies):
    """A Cookie header of one line."""
    return ["; ".join(f"{name}={value}" for name, value in cookies)]


def save_one(name, why, values, last_use=None, record=None, sealed={}, headers=None, second=None,
             expect=None, refresh_after=5 * MINUTE, cookie="session", audience="vectors", keys=None,
             previous=None):
    """`values` are those of the activity cookie, in their order. `headers` makes the header's lines of the
    texts of the data cookie and of a `second` one: a record and how it is sealed."""
    record = record or data()
    bound_to = dict(cookie=cookie, audience=audience, at=record["refreshed"])
    one = text(seal(name, pad(encode(record)), **(bound_to | sealed)))
    texts = [one]
    if second:
        other, how = second
        how = bound_to | dict(at=other["refreshed"]) | how
        texts.append(text(seal(name + ", the second", pad(encode(other)), **how)))
    if headers is None:
        headers = lambda one: lines([(cookie, one)] + [(cookie + ".seen", value) for value in values])
    expected = expect or record
    refreshed = expected["refreshed"]
    save(name, {
        "kind": "activity",
        "why": why,
        "keys": keys or [{"published": 1}],
        "cookie": cookie,
        **({"previous": previous} if previous else {}),
        "audience": audience,
        "now": "2026-11-21T08:00:00Z",
        "refresh_after": refresh_after,
        "headers": headers(*texts),
        "expect": {
            "session": expected["session"].hex(),
            "refreshed": refreshed,
            "last_use": refreshed if last_use is None else last_use,
        },
    })


def counts(name, why, values, last_use=USED, **how):
    save_one("activity-" + name, why, values, last_use, **how)


def none(name, why, values, **how):
    save_one("no-activity-" + name, why, values, **how)


# The time.
counts("later", "used since the data were sealed", [seen()])
counts("of-a-visitor", "a session without a login", [seen()], record=data(who=None))
counts("a-millisecond-later", "the smallest step", [seen(REFRESHED + 1)], REFRESHED + 1)
counts("now", "used at this very millisecond", [seen(NOW)], NOW)
counts("a-minute-ahead", "ahead of the clock by the tolerated minute", [seen(NOW + MINUTE)], NOW + MINUTE)
none("absent", "no activity cookie at all", [])
none("ahead", "more than a minute from now", [seen(NOW + MINUTE + 1)])
none("of-the-last-time", "the largest of six bytes, in the year 10889", [seen(2**48 - 1)])
none("of-1970", "the smallest", [seen(0)])
none("as-it-was-sealed", "the time that the record says", [seen(REFRESHED)])
none("before-it-was-sealed", "a millisecond before the time that the record says", [seen(REFRESHED - 1)])
none("before-it-began", "a millisecond before the session", [seen(CREATED - 1)])

# When it is looked at.
counts("refreshed-long-enough-ago", "sealed exactly `refresh_after` ago", [seen(NOW)], NOW,
       record=data(NOW - 5 * MINUTE))
counts("by-a-shorter-setting", "`refresh_after` is a setting", [seen(NOW)], NOW,
       record=data(NOW - 2 * MINUTE), refresh_after=MINUTE)
none("refreshed-lately", "sealed a millisecond less than `refresh_after` ago", [seen(NOW)],
     record=data(NOW - 5 * MINUTE + 1))
none("by-a-longer-setting", "`refresh_after` is a setting", [seen(NOW)],
     record=data(NOW - 7 * MINUTE), refresh_after=10 * MINUTE)

# What it is bound to.
two = [{"published": 1}, {"published": 2}]
retired = [{"published": 1}, {"published": 2, "retire": "2026-11-21T07:59:00Z"}]
revoked = [{"published": 1}, {"published": 2, "revoked": "2026-11-21T07:00:00Z"}]
to_come = [{"published": 1}, {"published": 2, "activate": "2026-11-22T08:00:00Z"}]
by_two = dict(sealed=dict(key=2))
counts("of-the-second-key", "the key that sealed the data", [seen(key=2)], keys=two, **by_two)
counts("of-a-key-not-active-yet", "such a key opens, and its activity counts", [seen(key=2)], keys=to_come,
       **by_two)
counts("of-a-key-that-retires-later", "a key counts until it retires", [seen(key=2)],
       keys=[{"published": 1}, {"published": 2, "retire": "2026-11-21T08:00:01Z"}], **by_two)
counts("of-the-default-name", "the name is that of the data's cookie", [seen(cookie="__Host-session")],
       cookie="__Host-session")
counts("of-an-audience-in-utf8", "lengths are those of bytes", [seen(audience="l\u00e4den")],
       audience="l\u00e4den", record=data(who=None))
counts("of-a-renewed-session", "the serial is not bound", [seen()], record=data(serial=3))
none("of-an-unknown-key", "a key that is not in the ring", [seen(key=2)])
none("of-another-key", "a good key of the ring, but not the one that sealed the data", [seen(key=2)],
     keys=two)
none("of-the-first-key", "the first key of the ring did not seal the data", [seen(key=1)], keys=two, **by_two)
none("of-a-key-passed-through", "a key that sealed the session's data before", [seen(key=2)],
     record=data(keys=key_id(2)[:4]), keys=two)
none("of-a-retired-key", "the key has retired", [seen(key=2)], keys=retired)
none("of-a-revoked-key", "the key was revoked", [seen(key=2)], keys=revoked)
none("of-another-session", "another session's", [seen(session=ANOTHER)])
none("of-a-session-much-like-it", "ids differ in their last bit", [seen(session=flip(-1)(SESSION))])
none("of-another-cookie", "made for another cookie", [seen(cookie="other")])
none("of-its-own-name", "the name that is bound is that of the data, without `.seen`",
     [seen(cookie="session.seen")])
none("of-another-audience", "made for another application or environment",
     [seen(audience="vectors/staging")])
none("of-fields-run-together", "the same bytes, divided otherwise",
     [seen(cookie="sessionv", audience="ectors")])

# The tag.
time = USED.to_bytes(6, "big")
none("flipped-time", "the time is authenticated from its first byte on",
     [text(flip(0)(token(USED ^ 1 << 40)))])
none("flipped-time-end", "the time is authenticated to its last bit", [text(flip(5)(token()))])
none("flipped-tag", "one bit of it changed", [text(flip(6)(token()))])
none("flipped-tag-end", "one bit of it changed", [text(flip(-1)(token()))])
none("second-half", "the other half of the HMAC", [text(time + mac(time)[16:])])
none("without-tag", "a time alone", [text(time)])
none("short-tag", "a byte of the tag is missing", [text(token()[:-1])])
zero = next(at for at in range(USED, USED + 10_000) if token(at)[-1] == 0)
none("short-tag-of-a-zero", "the byte that is missing is a zero", [text(token(zero)[:-1])])
none("long-tag", "a byte more than half of the HMAC", [text(time + mac(time)[:17])])
none("whole-tag", "all of the HMAC", [text(time + mac(time))])
none("of-eight-bytes", "a time of eight bytes",
     [text(USED.to_bytes(8, "big") + mac(USED.to_bytes(8, "big"))[:16])])
none("with-a-version", "no version stands before the time", [text(b"\x01" + token())])

# The text.
good = seen()
dashed = next(at for at in range(USED, USED + 10_000) if set("-_") <= set(seen(at)))
none("empty", "nothing", [""])
none("cut", "a character less", [good[:-1]])
none("base64-longer", "a character more", [good + "A"])
none("base64-another-token", "two of them, joined", [good + good])
none("base64-padding", "base64 with padding", [good + "=="])
none("base64-alphabet", "the other alphabet of base64",
     [seen(dashed).replace("-", "+").replace("_", "/")])
none("base64-trailing-bits", "bits behind the last byte that are not zero",
     [good[:-1] + ALPHABET[ALPHABET.index(good[-1]) + 1]])
none("base64-space", "white space inside", [good[:10] + " " + good[10:]])
none("in-hexadecimal", "the bytes in another form", [token().hex()])
none("percent-encoded", "percent-encoding is not undone", [f"%{ord(good[0]):02X}" + good[1:]])
none("quoted", "quotes are not taken off", [f'"{good}"'])
none("space-before", "white space before the text", [" " + good])
none("space-behind", "white space behind the text", [],
     headers=lambda one: lines([("session", one), ("session.seen", good + " "), ("z", "z")]))

# Its name, and where it stands.
counts("before-the-data", "the order of names means nothing", [],
       headers=lambda one: lines([("session.seen", good), ("session", one)]))
counts("in-another-line", "all lines of the header count", [],
       headers=lambda one: [f"session={one}", f"z=z; session.seen={good}"])
counts("without-a-blank", "no blank need stand before a name", [],
       headers=lambda one: [f"session={one};session.seen={good}"])
counts("behind-blanks", "blanks and tabs before a name are skipped", [],
       headers=lambda one: [f"session={one}; \t  session.seen={good}"])
counts("in-parts", "a session in two cookies has one activity cookie", [], sealed=dict(chunks=2),
       headers=lambda one: lines([("session", "2." + one[:100]), ("session.1", one[100:]),
                                  ("session.1.seen", "A"), ("session.seen", good)]))
like_ours = ["SESSION.SEEN", "session.Seen", "Session.seen", "session.see", "session.seen2", "session.seen.1",
             "session-seen", "xsession.seen", "session.1.seen", "session.seen ", "other.seen"]
counts("among-other-names", "cookies with names much like ours", [],
       headers=lambda one: lines([("session", one)] + [(name, "A") for name in like_ours]
                                 + [("session.seen", good)] + [(name, "A") for name in like_ours]))
none("of-other-names", "names are compared byte for byte", [],
     headers=lambda one: lines([("session", one)] + [(name, good) for name in like_ours]))
none("without-equals", "a name without a value is none", [],
     headers=lambda one: [f"session={one}; session.seen; {good}"])

# Several of them.
ahead, early, late = seen(NOW + 2 * MINUTE), seen(NOW - 30 * MINUTE), seen(NOW - 5 * MINUTE)
counts("latest-first", "the latest of two", [late, early], NOW - 5 * MINUTE)
counts("latest-last", "the latest of two", [early, late], NOW - 5 * MINUTE)
counts("beside-one-ahead", "the other one counts", [ahead, good])
counts("beside-another-sessions", "the other one counts", [seen(NOW, session=ANOTHER), good])
counts("fourth", "behind three that say nothing", ["", "A", ahead, good])
counts("latest-of-four", "four are looked at", [early, good, late, early, seen(NOW)], NOW - 5 * MINUTE)
counts("before-a-thousand", "a thousand that say nothing", [good] + ["A"] * 1000)
counts("before-a-thousand-good-ones", "a thousand later ones", [good] * 4 + [seen(NOW)] * 1000)
counts("in-the-order-of-lines", "the first four of two lines", [],
       headers=lambda one: lines([("session", one)] + [("session.seen", "A")] * 3)
       + lines([("session.seen", good), ("session.seen", seen(NOW))]))
none("fifth", "behind four that say nothing", ["A", "B" * 30, "C" * 29, "D" * 31, good])
none("behind-four-empty-ones", "empty ones are among the four", [""] * 4 + [good])
none("behind-four-ahead", "those that count as none are among the four", [ahead] * 4 + [good])
none("behind-four-of-another-session", "those of other sessions, too",
     [seen(NOW, session=ANOTHER)] * 4 + [good])
none("behind-the-same-four-times", "equal ones are counted each", ["A"] * 4 + [good])
none("behind-a-thousand", "a thousand that say nothing", ["A"] * 1000 + [good])

# Several data cookies.
counts("of-the-first-session", "each session's own", [], second=(data(session=ANOTHER), {}),
       headers=lambda one, other: lines([("session", one), ("session", other),
                                         ("session.seen", seen(NOW, session=ANOTHER)),
                                         ("session.seen", good)]))
newer = data(REFRESHED + 10 * MINUTE)
counts("of-both-data", "the newer data, and a use that both of them know", [], second=(newer, {}),
       expect=newer,
       headers=lambda one, other: lines([("session", one), ("session", other), ("session.seen", good)]))
none("of-older-data", "a use that only older data know does not make them the newer ones", [],
     second=(newer, dict(key=2)), expect=newer, keys=two,
     headers=lambda one, other: lines([("session", one), ("session", other), ("session.seen", good)]))
old = dict(previous=["old"], sealed=dict(cookie="old"))
of_old = seen(cookie="old")
counts("of-an-earlier-name", "data under the name of an earlier setting", [], **old,
       headers=lambda one: lines([("old", one), ("old.seen", of_old)]))
counts("of-an-earlier-name-beside", "the activity of the name that the data are read from", [], **old,
       headers=lambda one: lines([("session.seen", seen(NOW))] * 4 + [("old", one), ("old.seen", of_old)]))
none("of-the-new-name", "it stands under the name that its data do not have", [], **old,
     headers=lambda one: lines([("old", one), ("session.seen", of_old)]))
none("bound-to-the-new-name", "it stands under the right name, made for another one", [], **old,
     headers=lambda one: lines([("old", one), ("old.seen", good)]))
