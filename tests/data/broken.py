#!/usr/bin/env python3
"""Proves that the vectors are strict: whatever a reader gets wrong, one of them notices.

A complete reader, written from docs/FORMAT.md and sharing nothing with the crate or with make.py.
How it reads activity cookies stands in read_activity.py, tokens against cross-site requests in read_csrf.py, and rows of
an index of sessions in read_labels.py.
Each of its rules can be broken by a switch. Unbroken it has to read every vector as the vector says; with any
one of the switches thrown it must not.

    pip install pynacl
    python3 tests/data/broken.py            # every switch, and how many vectors notice
    python3 tests/data/broken.py SWITCH     # one, and which vectors
"""
import base64, hashlib, hmac, json, os, re, struct, sys
from datetime import datetime

from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt as decrypt
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as encrypt
from nacl.exceptions import CryptoError

# What lies here is packaged: no compiled copy of the other file.
sys.dont_write_bytecode = True
from read_activity import Activity
from read_csrf import Token
from read_labels import Row

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "v1")
SWITCHES = {}
DAY = 24 * 3600 * 1000
SKEW = 60_000


class Rejected(Exception):
    pass


class Reader:
    def __init__(self, broken=None):
        self.broken = broken

    def is_broken(self, switch, says):
        """Whether the rule is not to be kept here. Asking is what makes the switch known."""
        SWITCHES[switch] = says
        return self.broken == switch

    def limit(self, name, right, also=()):
        """A limit, which a switch moves by one either way, or to another number."""
        for move, says in ((1, "one more is taken"), (-1, "one less is taken")):
            if self.is_broken(f"{name} {move:+}", f"{name}: {says}"):
                return right + move
        for other in also:
            if self.is_broken(f"{name} = {other}", f"{name}: {other} instead of {right}"):
                return other
        return right

    # 1, cookies to text.

    def text_of(self, cookies, name):
        if self.is_broken("names in any case", "names are compared without regard to case"):
            cookies = {key.lower(): value for key, value in reversed(cookies.items())}
        first = cookies.get(name)
        if self.is_broken("names by their beginning", "a name that only begins like ours is ours"):
            first = next(value for key, value in cookies.items() if key.startswith(name[:-1]))
        if self.is_broken("values stripped", "white space around a value is taken off"):
            cookies = {key: value.strip() for key, value in cookies.items()}
            first = cookies[name]
        if self.is_broken("values unquoted", "quotes around a value are taken off"):
            first = first.strip('"')
        if self.is_broken("values decoded", "percent-encoding is undone"):
            first = re.sub("%(..)", lambda found: chr(int(found[1], 16)), first)
        if first[1:2] != ".":
            if self.is_broken("parts without a count", "parts are joined although there is no count"):
                return first + cookies.get(name + ".1", ""), 1
            return first, 1
        least = 2
        if self.is_broken("count of 1", "a count of one is taken"):
            least = 1
        if self.is_broken("count of 0", "a count of none is taken"):
            least = 0
        most = self.limit("most parts", 8)
        if not first[0].isdigit() or not least <= int(first[0]) <= most:
            if self.is_broken("any count", "a count that makes no sense is one"):
                return first[2:], 1
            raise Rejected("Malformed")
        count, parts = int(first[0]), [first[2:]]
        if self.is_broken("count from what is there", "parts are counted, not the count taken"):
            while f"{name}.{len(parts)}" in cookies:
                parts.append(cookies[f"{name}.{len(parts)}"])
            return "".join(parts), len(parts)
        for place in range(1, count):
            part = cookies.get(f"{name}.{place}")
            if part is None:
                if self.is_broken("missing parts", "a missing part is an empty one"):
                    continue
                raise Rejected("Malformed")
            parts.append(part)
        if self.is_broken("parts the other way", "the parts are joined in the wrong order"):
            parts.reverse()
        if self.is_broken("all parts", "parts beyond the count are joined, too"):
            parts += [cookies[f"{name}.{place}"] for place in range(count, 9) if f"{name}.{place}" in cookies]
        return "".join(parts), max(count, 1)

    # 2, text to bytes.

    def bytes_of(self, text):
        longest = self.limit("longest text", 32768, also=[2**20, 4096, 32763])
        if len(text) > longest:
            raise Rejected("Length")
        if self.is_broken("white space", "white space in a text is skipped"):
            text = "".join(text.split())
        if self.is_broken("padding of base64", "the equals signs of base64 are taken"):
            text = text.rstrip("=")
        if self.is_broken("other alphabet", "plus and slash are taken"):
            text = text.replace("+", "-").replace("/", "_")
        if not re.fullmatch("[A-Za-z0-9_-]*", text) or len(text) % 4 == 1:
            raise Rejected("Malformed")
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        if base64.urlsafe_b64encode(data).decode().rstrip("=") != text \
                and not self.is_broken("bits to spare", "bits behind the last byte may be anything"):
            raise Rejected("Malformed")
        return data

    # 3, the envelope.

    def key_of(self, id, keys, now):
        """Number of the key that the id picks."""
        found = None
        for key in keys:
            theirs = derived(key["published"])[0]
            if self.is_broken("ids by 4 bytes", "ids are compared by their first four bytes"):
                theirs, id = theirs[:4], id[:4]
            if theirs == id:
                found = key
        if found is None:
            if self.is_broken("unknown key", "where the id is unknown the first key is tried"):
                return keys[0]["published"]
            raise Rejected("UnknownKey")
        if "revoked" in found:
            if not self.is_broken("revoked key", "a revoked key opens"):
                raise Rejected("RevokedKey")
        if "pruned" in found:
            raise Rejected("RetiredKey")
        if "activate" in found and self.is_broken("key to come", "a key that is not active does not open"):
            if now < time(found["activate"]):
                raise Rejected("UnknownKey")
        if "retire" in found:
            retire = time(found["retire"])
            if self.is_broken("key retires later", "a key opens at the very moment it retires"):
                retire += 1
            if self.is_broken("key retires earlier", "a key that is to retire does not open"):
                retire = 0
            if now >= retire and not self.is_broken("retired key", "a retired key opens"):
                raise Rejected("RetiredKey")
        return found["published"]

    def opened(self, data, chunks, vector, now):
        shortest = self.limit("shortest head", 21)
        if len(data) < shortest:
            raise Rejected("Length")
        if self.is_broken("length before version", "the length is judged before the version"):
            if len(data) < 93:
                raise Rejected("Length")
        version, id, minutes = data[0], data[1:17], data[17:21]
        versions = {1}
        if self.is_broken("version 0", "version 0 is read as 1 is"):
            versions.add(0)
        if self.is_broken("version 2", "version 2 is read as 1 is"):
            versions.add(2)
        if version not in versions:
            raise Rejected("Version")
        nonce, ciphertext, tag = data[21:45], data[45:-16], data[-16:]
        if len(data) < 61 or (len(ciphertext) == 0
                              and not self.is_broken("no block", "a token may seal nothing")):
            raise Rejected("Length")
        if self.is_broken("rest of a block", "bytes beyond whole blocks are left out"):
            ciphertext = ciphertext[:len(ciphertext) // 32 * 32]
        if len(ciphertext) % 32 and not self.is_broken("parts of blocks", "blocks need not be whole"):
            raise Rejected("Length")
        number = self.key_of(id, vector["keys"], now)
        tries = [number]
        if self.is_broken("other keys", "where the key does not fit the others are tried"):
            tries += [key["published"] for key in vector["keys"]]
        if self.is_broken("first key", "the first key opens everything"):
            tries = [vector["keys"][0]["published"]]
        cookies, audiences, counts = [vector["cookie"]], [vector["audience"]], [chunks]
        if self.is_broken("cookie not bound", "a token of another cookie opens"):
            cookies.append("other")
        if self.is_broken("audience not bound", "a token of another audience opens"):
            audiences.append("vectors/staging")
        if self.is_broken("count not bound", "a token of more or fewer parts opens"):
            counts += range(1, 10)
        times = [minutes]
        if self.is_broken("time not bound", "the time of sealing is not authenticated"):
            times += [minutes[:3] + bytes([minutes[3] ^ 1])]
        for tried in ((number, cookie, audience, count, minutes) for number in tries for cookie in cookies
                      for audience in audiences for count in counts for minutes in times):
            plaintext = self.decrypted(version, id, nonce, ciphertext, tag, *tried)
            if plaintext is not None:
                return plaintext
        raise Rejected("NotAuthentic")

    # 5, the cipher.

    def decrypted(self, version, id, nonce, ciphertext, tag, number, cookie, audience, count, minutes):
        bound = {"label": b"sealed-session", "version": bytes([version]), "key id": id,
                 "sealed at": minutes, "cookie": cookie.encode(), "audience": audience.encode(),
                 "count": bytes([count])}
        for field in list(bound):
            if self.is_broken(f"without {field}", f"the associated data lack the field: {field}"):
                del bound[field]
        if self.is_broken("label of 15 bytes", "the label ends with a zero"):
            bound["label"] += b"\0"
        if self.is_broken("lengths left out", "the associated data are joined without lengths"):
            data = b"".join(bound.values())
        elif self.is_broken("lengths the other way", "the lengths are little endian"):
            data = b"".join(struct.pack("<I", len(field)) + field for field in bound.values())
        else:
            data = b"".join(struct.pack(">I", len(field)) + field for field in bound.values())
        key = derived(number)[1]
        verified = slice(16)
        if self.is_broken("no tag", "the tag is not verified"):
            verified = slice(0)
        if self.is_broken("half a tag", "the first half of the tag is verified"):
            verified = slice(8)
        if self.is_broken("other half of a tag", "the second half of the tag is verified"):
            verified = slice(8, 16)
        if verified != slice(16):
            stream = encrypt(bytes(len(ciphertext)), b"", nonce, key)[:-16]
            plaintext = bytes(one ^ other for one, other in zip(ciphertext, stream))
            right = encrypt(plaintext, data, nonce, key)[-16:]
            return plaintext if right[verified] == tag[verified] else None
        try:
            return decrypt(ciphertext + tag, data, nonce, key)
        except CryptoError:
            return None

    def unpadded(self, padded):
        if len(padded) < 4:
            raise Rejected("Implausible")
        length, = struct.unpack("<I" if self.is_broken("length the other way",
                                                       "the record's length is little endian") else ">I",
                                padded[:4])
        content, zeros = padded[4:4 + length], padded[4 + length:]
        if len(content) < length:
            if not self.is_broken("length beyond", "a length beyond the end is cut"):
                raise Rejected("Implausible")
            length = len(content)
        if self.is_broken("length not looked at", "the record ends where the zeros begin"):
            return padded[4:].rstrip(b"\0")
        if self.is_broken("padding not looked at", "padding may be anything"):
            zeros = bytes(len(zeros))
        if self.is_broken("end of padding", "only the end of the padding has to be zero"):
            zeros = zeros[-1:]
        if self.is_broken("beginning of padding", "only the beginning of the padding has to be zero"):
            zeros = zeros[:1] + bytes(len(zeros[1:]))
        if any(zeros):
            raise Rejected("Implausible")
        if len(padded) != (length + 4 + 31) // 32 * 32 \
                and not self.is_broken("blocks of padding", "there may be more padding than needed"):
            raise Rejected("Implausible")
        return content

    # 6, the record.

    def take(self, count):
        if count > len(self.rest):
            cut = self.is_broken("bytes beyond", "of a length beyond the end what is there is taken")
            if not cut or not self.rest:
                raise Rejected("Implausible")
            count = len(self.rest)
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def number(self, bits, name):
        most = (bits + 6) // 7
        number = 0
        for place in range(most + 10):
            byte, = self.take(1)
            number |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                if byte == 0 and place > 0 and not (
                        self.is_broken(f"longer {name}", f"a longer form is taken: {name}")
                        or self.is_broken("longer numbers", "numbers are taken in a longer form")):
                    raise Rejected("Implausible")
                break
        else:
            raise Rejected("Implausible")
        if number >> bits:
            if not self.is_broken(f"more than {bits} bits", f"a number of more than {bits} bits is cut"):
                raise Rejected("Implausible")
            number &= 2**bits - 1
        return number

    def bytes(self, name):
        return self.take(self.number(64, name + " length"))

    def string(self, name):
        self.raw = data = self.bytes(name)
        try:
            return data.decode()
        except UnicodeDecodeError:
            if self.is_broken(f"{name} of any bytes", f"what is not UTF-8 is taken: {name}"):
                return data.decode(errors="surrogateescape")
            if self.is_broken(f"{name} with surrogates", f"half UTF-16 pairs are taken: {name}"):
                try:
                    return data.decode(errors="surrogatepass")
                except UnicodeDecodeError:
                    pass
            raise Rejected("Implausible")

    def option(self, name):
        option, = self.take(1)
        if option > 1 and not self.is_broken(f"option of {name}", f"any byte is something: {name}"):
            raise Rejected("Implausible")
        return option > 0

    def ascend(self, name, items):
        """Whether each is above the one before."""
        keys = items
        if items and isinstance(items[0], str):
            if self.is_broken(f"order of {name} as UTF-16", f"UTF-16 makes the order: {name}"):
                keys = [item.encode("utf-16-be", "surrogatepass") for item in items]
            if self.is_broken(f"order of {name} by length", f"the length comes first: {name}"):
                keys = [(len(item), item) for item in items]
            if self.is_broken(f"order of {name} without case", f"case makes no difference: {name}"):
                keys = [item.lower() for item in items]
        if self.is_broken(f"order of {name} by half", f"only the beginning is compared: {name}"):
            keys = [item[:8] for item in items]
        pairs = list(zip(keys, keys[1:]))
        if self.is_broken(f"order of {name} at first", f"only the first two are compared: {name}"):
            pairs = pairs[:1]
        equal = self.is_broken(f"equal {name}", f"equal ones are taken: {name}")
        if self.is_broken(f"order of {name}", f"any order is taken: {name}"):
            return len(set(keys)) == len(keys)
        return all(one < other or equal and one == other for one, other in pairs)

    def login(self, audience):
        subject = self.string("subject")
        raw, key = self.raw, self.take(16)
        generation, at = self.number(64, "generation"), self.number(64, "authenticated")
        size = len(raw)
        if self.is_broken("subject in characters", "a subject has up to 255 characters"):
            size = len(subject)
        least = 0 if self.is_broken("empty subject", "a subject may be empty") else 1
        if not least <= size <= self.limit("longest subject", 255):
            raise Rejected("Implausible")
        self.subject_fits(audience, raw, key)
        count = self.number(64, "roles")
        if count > self.limit("most roles", 32):
            raise Rejected("Implausible")
        roles = [self.string("role") for _ in range(count)]
        least = 0 if self.is_broken("empty role", "a role may be empty") else 1
        longest = self.limit("longest role", 64)
        if not all(least <= len(role.encode(errors="surrogatepass")) <= longest for role in roles):
            raise Rejected("Implausible")
        if not self.ascend("roles", roles):
            raise Rejected("Implausible")
        count = self.number(64, "groups")
        if count > self.limit("most groups", 8):
            if not self.is_broken("groups counted", "more groups than there may be are cut"):
                raise Rejected("Implausible")
            count = 8
        groups = [(self.take(16), self.number(64, "group generation")) for _ in range(count)]
        if self.is_broken("groups with generations", "groups differ by their generations, too"):
            ascend = groups == sorted(set(groups))
        else:
            ascend = self.ascend("groups", [key for key, _ in groups])
        if not ascend:
            raise Rejected("Implausible")
        fingerprint = self.take(16) if self.option("fingerprint") else None
        return {"subject": subject, "key": key.hex(), "generation": generation, "at": at, "roles": roles,
                "groups": [{"key": key.hex(), "generation": number} for key, number in groups],
                "fingerprint": fingerprint and fingerprint.hex()}

    def subject_fits(self, audience, subject, key):
        names = [audience.encode(), subject]
        if self.is_broken("key without audience", "the subject's key is of the subject alone"):
            names = names[1:]
        lengths = not self.is_broken("key without lengths", "the subject's key is of names run together")
        hashed = b"".join((struct.pack(">Q", len(name)) if lengths else b"") + name for name in names)
        right = hashlib.sha256(hashed).digest()[:16]
        if self.is_broken("any key", "the subject's key may be anything"):
            return
        if self.is_broken("half a key", "half of the subject's key is compared"):
            right, key = right[:8], key[:8]
        if right != key:
            raise Rejected("Implausible")

    def trail(self, keys, ring):
        if len(keys) % 4 and not self.is_broken("part of a key", "keys need not be whole"):
            raise Rejected("Implausible")
        keys = [keys[at:at + 4] for at in range(0, len(keys), 4)]
        if len(keys) > self.limit("most keys", 16):
            raise Rejected("Implausible")
        if self.is_broken("keys next to one another", "only neighbours are compared"):
            equal = any(one == other for one, other in zip(keys, keys[1:]))
        else:
            equal = len(set(keys)) < len(keys)
        if equal and not self.is_broken("equal keys", "a key may be there twice"):
            raise Rejected("Implausible")
        dead = [derived(key["published"])[0][:4] for key in ring if "revoked" in key]
        if self.is_broken("retired in the trail", "a retired key ends what passed through it"):
            dead += [derived(key["published"])[0][:4] for key in ring if "retire" in key]
        looked = keys
        if self.is_broken("first of the trail", "only the first key is looked at"):
            looked = keys[:1]
        if self.is_broken("last of the trail", "only the last key is looked at"):
            looked = keys[-1:]
        if self.is_broken("trail", "what a session passed through is not looked at"):
            looked = []
        if any(key in dead for key in looked):
            raise Rejected("RevokedKey")
        return len(keys)

    def record(self, content, vector, now):
        self.rest = content
        version, = self.take(1)
        versions = {1}
        if self.is_broken("record version 0", "record version 0 is taken"):
            versions.add(0)
        if self.is_broken("record version 2", "record version 2 is taken"):
            versions.add(2)
        if version not in versions:
            raise Rejected("Implausible")
        read = {"session": self.take(16).hex(), "serial": self.number(32, "serial")}
        read["login"] = self.login(vector["audience"]) if self.option("login") else None
        for name in ("everyone", "created", "refreshed", "expires"):
            read[name] = self.number(64, name)
        lifetime, = self.take(1)
        if lifetime > 1 and not self.is_broken("any class", "a class above 1 is remembered"):
            raise Rejected("Implausible")
        read["remembered"] = lifetime >= 1
        read["earlier_keys"] = self.trail(self.bytes("keys"), vector["keys"])
        count = self.number(64, "entries")
        entries = []
        while len(entries) < count:
            if not self.rest and self.is_broken("missing entries", "fewer entries than announced are taken"):
                break
            entries.append((self.string("name"), self.bytes("value")))
        if self.rest and not self.is_broken("bytes left over", "bytes behind the record are taken"):
            raise Rejected("Implausible")
        if not self.ascend("names", [name for name, _ in entries]):
            raise Rejected("Implausible")
        read["entries"] = {name: value.hex() for name, value in entries}
        self.plausible(read, now)
        return read

    # 7, what an honest writer can have made.

    def plausible(self, read, now):
        skew = self.limit("clock skew", SKEW, also=[0])
        times = {"created": read["created"], "refreshed": read["refreshed"],
                 "authenticated": read["login"]["at"] if read["login"] else 0}
        for name, at in times.items():
            if at > now + skew and not self.is_broken(f"{name} ahead", f"any time is taken: {name}"):
                raise Rejected("Implausible")
        life = read["expires"] - read["created"]
        if self.is_broken("life since refreshed", "a life is counted from the last sealing"):
            life = read["expires"] - read["refreshed"]
        if life <= 0 and not (life == 0 and self.is_broken("no life", "a session may end as it begins")) \
                and not self.is_broken("any end", "a session may end before it begins"):
            raise Rejected("Implausible")
        if life > self.limit("longest life", 400 * DAY, also=[365 * DAY]) \
                and not self.is_broken("any life", "a session may live for any time"):
            raise Rejected("Implausible")
        last = self.limit("last serial", 2**32 - 4, also=[2**32 - 2, 2**32 - 1])
        if read["serial"] > last:
            raise Rejected("Implausible")

    # 6, values.

    def value(self, data):
        self.rest = data
        read = self.one_value(0)
        if self.rest and not self.is_broken("value with more", "bytes behind a value are taken"):
            raise Rejected("value")
        return read

    def one_value(self, level):
        mark, = self.take(1)
        many = lambda bytes: int.from_bytes(self.take(bytes), "big")
        if mark < 0x80:
            return mark
        if mark >= 0xE0:
            return mark - 256
        if mark in (0xC0, 0xC2, 0xC3):
            return {0xC0: None, 0xC2: False, 0xC3: True}[mark]
        if 0xCC <= mark <= 0xCF:
            return many(1 << mark - 0xCC)
        if 0xA0 <= mark < 0xC0 or 0xD9 <= mark <= 0xDB:
            length = mark & 31 if mark < 0xC0 else many(1 << mark - 0xD9)
            try:
                return self.take(length).decode()
            except UnicodeDecodeError:
                raise Rejected("value")
        if mark < 0x90 or mark in (0xDE, 0xDF):
            if level + 1 > 128 and not self.is_broken("deep maps", "maps are not counted"):
                raise Rejected("value")
            count = mark & 15 if mark < 0x90 else many(2 << mark - 0xDE)
            return {self.one_value(level + 1): self.one_value(level + 1) for _ in range(count)}
        if mark < 0xA0 or mark in (0xDC, 0xDD):
            if level + 1 > self.limit("deepest list", 128, also=[1023]):
                raise Rejected("value")
            count = mark & 15 if mark < 0xA0 else many(2 << mark - 0xDC)
            return [self.one_value(level + 1) for _ in range(count)]
        raise Rejected("value")

    # All of it.

    def read(self, vector):
        now = time(vector["now"])
        text, chunks = self.text_of(vector["cookies"], vector["cookie"])
        plaintext = self.opened(self.bytes_of(text), chunks, vector, now)
        return self.record(self.unpadded(plaintext), vector, now)

    def agrees(self, vector):
        kinds = {"session": self.agrees_on_session, "activity": self.agrees_on_activity,
                 "csrf": self.agrees_on_csrf, "listed": self.agrees_on_listed}
        return kinds[vector["kind"]](vector)

    def agrees_on_activity(self, vector):
        now = time(vector["now"])
        whole = Reader()

        def session(cookies, name):
            here = vector | {"cookies": cookies, "cookie": name}
            try:
                text, chunks = whole.text_of(cookies, name)
                data = whole.bytes_of(text)
                record = whole.record(whole.unpadded(whole.opened(data, chunks, here, now)), here, now)
                return whole.key_of(data[1:17], vector["keys"], now), record
            except Rejected:
                return None

        return Activity(self, session, now).read(vector) == vector["expect"]

    def agrees_on_csrf(self, vector):
        now = time(vector["now"])
        whole = Reader()
        name, _, value = vector["headers"][0].partition("=")
        here = vector | {"cookies": {name: value}, "cookie": name}
        data = whole.bytes_of(value)
        record = whole.record(whole.unpadded(whole.opened(data, 1, here, now)), here, now)

        number = whole.key_of(data[1:17], vector["keys"], now)
        token = Token(self, lambda number: derived(number)[0], self.keys_that_open(now))
        return token.is_good(vector, number, record) == vector["expect"]

    def agrees_on_listed(self, vector):
        now = time(vector["now"])
        row = Row(self, lambda number: derived(number)[0], self.keys_that_open(now))
        return row.read(vector) == vector["expect"]

    def keys_that_open(self, now):
        """The numbers of a ring's keys that open now."""
        whole = Reader()

        def opens(number, ring):
            try:
                return whole.key_of(derived(number)[0], ring, now) == number
            except Rejected:
                return False

        return lambda ring: [key["published"] for key in ring if opens(key["published"], ring)]

    def agrees_on_session(self, vector):
        expected = vector["expect"]
        try:
            found = self.read(vector)
        except Rejected as reason:
            return expected.get("rejected") == str(reason)
        except (LookupError, ValueError, TypeError, AttributeError):
            # It trips over what it took by mistake: nothing was opened.
            return "rejected" in expected
        opens = dict(expected.get("opens", {}))
        values = {name: opens.pop(name, {}) for name in ("values", "readable", "unreadable")}
        if found != opens:
            return False
        reads = lambda name: self.value(bytes.fromhex(found["entries"][name]))
        try:
            for name, value in values["values"].items():
                if reads(name) != value:
                    return False
            for name in values["readable"]:
                reads(name)
        except Rejected:
            return False
        for name in values["unreadable"]:
            try:
                reads(name)
                return False
            except Rejected:
                pass
        return True


def derived(number):
    """Id and cipher key of a published secret (4)."""
    secret = hashlib.sha256(b"sealed-session published secret %d" % number).digest()
    extracted = hmac.new(b"sealed-session/v1", secret, hashlib.sha256).digest()
    expand = lambda info: hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()
    return expand(b"key id")[:16], expand(b"xchacha20poly1305")


def time(text):
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def main(only):
    vectors = {}
    for file in sorted(os.listdir(HERE)):
        with open(os.path.join(HERE, file)) as lines:
            vectors[file.removesuffix(".json")] = json.load(lines)
    disagree = lambda reader: [name for name in vectors if not reader.agrees(vectors[name])]
    wrong = disagree(Reader())
    if wrong:
        sys.exit(f"the reader that keeps every rule disagrees with {wrong}")
    if only:
        print("\n".join(disagree(Reader(only))))
        return
    unnoticed = []
    # Some switches are known only once another one is thrown.
    tried = set()
    while waiting := sorted(SWITCHES.keys() - tried):
        for switch in waiting:
            tried.add(switch)
            notice = disagree(Reader(switch))
            print(f"{len(notice):4}  {SWITCHES[switch]}" + (f"  ({notice[0]})" if notice else ""))
            if not notice:
                unnoticed.append(switch)
    print(f"{len(vectors)} vectors, {len(tried)} ways to break a reader")
    if unnoticed:
        sys.exit(f"no vector notices: {unnoticed}")


main(sys.argv[1] if len(sys.argv) > 1 else None)
