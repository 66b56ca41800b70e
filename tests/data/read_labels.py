"""How `broken.py` reads the rows of an index of sessions (docs/FORMAT.md, 16 and 17), and how it can get them wrong."""
import hashlib, hmac, struct

from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt as decrypt
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as encrypt
from nacl.exceptions import CryptoError


class Unreadable(Exception):
    pass


class Row:
    def __init__(self, reader, key_id, keys_that_open):
        """`key_id` makes the id of a number; `keys_that_open` those of a ring, now."""
        self.is_broken = reader.is_broken
        self.limit = reader.limit
        self.key_id = key_id
        self.keys_that_open = keys_that_open

    def read(self, vector):
        """What a list shows of it; `None` where it does not."""
        row = vector["row"]
        try:
            facts = self.facts(bytes.fromhex(row["facts"]))
            label = self.label(bytes.fromhex(row["label"]), vector)
        except Unreadable:
            return None
        return facts | {"label": label or None} if self.counts(vector["keys"]) else None

    def counts(self, ring):
        """Whether no key has taken the session with it."""
        begins = lambda numbers: [self.key_id(number)[:4] for number in numbers]
        published = lambda mark: begins(key["published"] for key in ring if mark in key)
        if not self.keys:
            return self.is_broken("row of no key", "a row that names no key is shown")
        opening = begins(self.keys_that_open(ring))
        first, trail = self.keys[0], self.keys[1:]
        if self.is_broken("row's keys the other way", "the key that sealed last is the last of a row"):
            first = self.keys[-1]
        opens = first in opening
        if self.is_broken("rows of one good key", "one key of a row has to open, whichever"):
            opens = any(key in opening for key in self.keys)
        if not opens and not self.is_broken("rows of any key", "a session whose key does not open is shown"):
            return False
        if first != published("published")[0] \
                and self.is_broken("rows of the first key", "a session of another key than the first is not shown"):
            return False
        if first in trail and self.is_broken("row's keys once", "no key may stand in a row twice"):
            return False
        dead = published("revoked")
        if self.is_broken("rows through retired keys", "a retired key hides what passed through it"):
            dead += published("retire")
        if self.is_broken("rows through unknown keys", "an unknown key hides what passed through it"):
            dead += [key for key in trail if key not in published("published")]
        looked = self.keys
        if self.is_broken("row's keys but the first", "of a row's keys the first is looked at alone"):
            looked = [first]
        if self.is_broken("row's earliest key", "of the keys passed through the first is looked at alone in a row"):
            looked = trail[:1]
        if self.is_broken("row's latest key", "of the keys passed through the last is looked at alone in a row"):
            looked = trail[-1:]
        return not any(key in dead for key in looked)

    # 17, the facts.

    def facts(self, data):
        self.rest = data
        version, = self.take(1)
        versions = {1}
        for other in (0, 2):
            if self.is_broken(f"row version {other}", f"a row of version {other} is read as one of 1"):
                versions.add(other)
        if version not in versions:
            raise Unreadable
        remembered, = self.take(1)
        if remembered > 1 and not self.is_broken("row of any class", "any byte but 0 is remembered"):
            raise Unreadable
        if self.is_broken("row never remembered", "the class is skipped"):
            remembered = 0
        created = self.number()
        self.number(), self.number()
        count = self.number()
        if count > self.limit("groups of a row", 8):
            raise Unreadable
        for _ in range(count):
            if len(self.rest) == 5 and self.is_broken("row's groups as they come", "groups that are missing are none"):
                break
            self.take(16)
            self.number()
        count = self.number()
        if count > self.limit("keys of a row", 17):
            raise Unreadable
        self.keys = []
        for _ in range(count):
            if not self.rest and self.is_broken("row's keys as they come", "keys that are missing are none"):
                break
            self.keys.append(self.take(4))
        if self.rest and not self.is_broken("row with a rest", "what is left over of a row is skipped"):
            raise Unreadable
        return {"created": created, "remembered": remembered > 0}

    def take(self, count):
        if count > len(self.rest):
            raise Unreadable
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def number(self):
        number = 0
        for place in range(10 if not self.is_broken("row's endless numbers", "a number has any length") else 20):
            byte, = self.take(1)
            number |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                break
        else:
            raise Unreadable
        if self.is_broken("row's short numbers", "a number has 32 bits"):
            number &= 2**32 - 1
        if number >> 64 and not self.is_broken("row's long numbers", "a number of more than 64 bits is taken"):
            raise Unreadable
        return number

    # 16, the label.

    def label(self, data, vector):
        """The text; empty where its key is known and does not open any more."""
        if not data and self.is_broken("label left out", "a row without a label is shown"):
            return ""
        if self.is_broken("label cut", "bytes behind the 140th are left out"):
            data = data[:140]
        ends = [b""]
        if len(data) == 139 and self.is_broken("label filled up", "a byte that is missing is any"):
            ends = [bytes([byte]) for byte in range(256)]
        length = len(data + ends[0])
        if length != 140 and (length < 45 or not self.is_broken("label of any length", "a label has any length")):
            raise Unreadable
        prefix, nonce = data[:4], data[4:28]
        tries = list(self.tries(vector, prefix))
        if not tries:
            return self.lost(prefix, vector["keys"])
        for key, bound in tries:
            for end in ends:
                text = self.opened(key, nonce, data[28:] + end, bound)
                if text is not None:
                    return self.unpadded(text)
        if self.is_broken("rows of any label", "a session whose label is another's is shown"):
            return ""
        raise Unreadable

    def lost(self, prefix, ring):
        """What becomes of a label whose key does not open."""
        named = [key for key in ring if self.key_id(key["published"])[:4] == prefix]
        if not named and not self.is_broken("label of unknown keys", "a label of an unknown key is lost, its row shown"):
            raise Unreadable
        for mark, switch, says in (
            ("retire", "label lost by age", "a session whose label's key has retired is not shown"),
            ("pruned", "label lost with the secret", "a session whose label's key was pruned is not shown"),
            ("revoked", "label lost by revocation", "a session whose label's key was revoked is not shown"),
        ):
            if self.is_broken(switch, says) and any(mark in key for key in named):
                raise Unreadable
        return ""

    def tries(self, vector, prefix):
        """Keys and what is bound. Rightly there is one of both at most; none where the key does not open."""
        ring = vector["keys"]
        numbers = [one for one in self.keys_that_open(ring) if self.key_id(one)[:4] == prefix]
        if self.is_broken("label of good keys", "all keys that open are tried on a label"):
            numbers = self.keys_that_open(ring)
        if self.is_broken("label of any key", "a key that is unknown is tried on a label"):
            numbers = numbers or [1, 2, 3, 4]
        if self.is_broken("label of retired keys", "keys that retired are tried on a label, too"):
            numbers += [key["published"] for key in ring if "retire" in key]
        if self.is_broken("label of keys that stay", "a key that will retire opens no label"):
            numbers = [one for one in numbers if one not in [key["published"] for key in ring if "retire" in key]]
        if self.is_broken("label of revoked keys", "keys that were revoked are tried on a label, too"):
            numbers += [key["published"] for key in ring if "revoked" in key]
        if self.is_broken("label of keys that seal", "a key that is not active opens no label"):
            numbers = [one for one in numbers if one not in [key["published"] for key in ring if "activate" in key]]
        if self.is_broken("label of the session's key", "no key is tried on a label but that of the session"):
            numbers = [one for one in numbers if self.key_id(one)[:4] in self.keys[:1]]
        audiences, subjects = [vector["audience"]], [vector["subject"]]
        sessions, infos = [bytes.fromhex(vector["row"]["session"])], [b"session label"]
        if self.is_broken("label of any audience", "the audience is not bound to a label"):
            audiences.append("vectors/staging")
        if self.is_broken("label of any subject", "the subject is not bound to a label"):
            subjects.append("bob")
        if self.is_broken("label of any session", "the session is not bound to a label"):
            sessions.append(bytes(range(16, 32)))
        if self.is_broken("label of the cipher", "the key of the cipher will do for a label"):
            infos.append(b"xchacha20poly1305")
        if self.is_broken("label of csrf", "the key of tokens will do for a label"):
            infos.append(b"csrf token")
        for number in numbers:
            ids = [self.key_id(number)]
            if self.is_broken("label of four bytes", "of the key's id four bytes are bound to a label"):
                ids = [self.key_id(number)[:4]]
            secret = hashlib.sha256(b"sealed-session published secret %d" % number).digest()
            extracted = hmac.new(b"sealed-session/v1", secret, hashlib.sha256).digest()
            for info in infos:
                key = hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()
                for id in ids:
                    for bound in self.bound(audiences, subjects, sessions):
                        yield key, bound + id

    def bound(self, audiences, subjects, sessions):
        count = lambda field: len(field.encode())
        if self.is_broken("label's lengths of characters", "characters of an audience are counted for a label"):
            count = len
        for audience in audiences:
            for subject in subjects:
                hashed = b"".join(struct.pack(">Q", len(it.encode())) + it.encode() for it in (audience, subject))
                for session in sessions:
                    fields = [struct.pack(">I", count(field)) + field.encode()
                              for field in ("sealed-session label", audience)]
                    yield b"".join(fields) + hashlib.sha256(hashed).digest()[:16] + session

    def opened(self, key, nonce, sealed, bound):
        try:
            return decrypt(sealed, bound, nonce, key)
        except CryptoError:
            if not self.is_broken("no label tag", "the tag of a label is not verified"):
                return None
        # The stream of the cipher is what it makes of zeros.
        stream = encrypt(bytes(len(sealed) - 16), bound, nonce, key)
        return bytes(one ^ two for one, two in zip(sealed[:-16], stream))

    def unpadded(self, text):
        length, rest = text[0], text[1:]
        if length > len(rest):
            if not self.is_broken("label overrun", "of a label's length beyond the end what is there is taken"):
                raise Unreadable
            length = len(rest)
        text, zeros = rest[:length], rest[length:]
        if self.is_broken("label's first byte", "the first byte of a label's padding is skipped"):
            zeros = zeros[1:]
        if self.is_broken("label's last byte", "the last byte of a label's padding is skipped"):
            zeros = zeros[:-1]
        if any(zeros) and not self.is_broken("label's padding", "padding of a label may be anything"):
            raise Unreadable
        if not text and self.is_broken("label of something", "a label of no bytes is none"):
            raise Unreadable
        try:
            return text.decode()
        except UnicodeDecodeError:
            if self.is_broken("label of any bytes", "what is not UTF-8 is taken for a label"):
                return text.decode(errors="replace")
            if text == b"\xed\xa0\x80" and self.is_broken("label with surrogates", "half UTF-16 pairs are taken in a label"):
                return text.decode(errors="surrogatepass")
            raise Unreadable
