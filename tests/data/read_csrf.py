"""How `broken.py` reads tokens against cross-site requests (docs/FORMAT.md, 15), and how it can get them wrong."""
import base64, hashlib, hmac, re, struct


class Token:
    def __init__(self, reader, key_id, keys_that_open):
        """`key_id` makes the id of a number; `keys_that_open` those of a ring, now."""
        self.is_broken = reader.is_broken
        self.key_id = key_id
        self.keys_that_open = keys_that_open

    def is_good(self, vector, number, record):
        """Whether the vector's token is one of the session whose record this is, sealed under the key `number`."""
        if record["login"] is None and self.is_broken("csrf of users", "visitors have no tokens"):
            return False
        data = self.bytes(vector["token"])
        if data is None:
            return False
        if len(data) == 20 and self.is_broken("csrf without a mask", "a token without a mask is taken"):
            data = data[:4] + bytes(16) + data[4:]
        if len(data) != 36:
            return False
        prefix, mask, masked = data[:4], data[4:20], data[20:]
        tag = bytes(one ^ two for one, two in zip(mask, masked))
        tags = [tag]
        if self.is_broken("csrf unmasked", "a tag that is not masked is taken, too"):
            tags.append(masked)
        if mask == bytes(16) and self.is_broken("csrf of any mask but zeros", "a mask of zeros is none"):
            return False
        return any(self.fits(tag, right) for tag in tags for right in self.rights(vector, number, record, prefix))

    def bytes(self, text):
        if self.is_broken("csrf cut", "characters behind the 48th are left out"):
            text = text[:48]
        if self.is_broken("csrf with white space", "white space in it is skipped"):
            text = "".join(text.split())
        if self.is_broken("csrf padded", "the equals signs of base64 are taken in it"):
            text = text.rstrip("=")
        if self.is_broken("csrf of the other alphabet", "plus and slash are taken in it"):
            text = text.replace("+", "-").replace("/", "_")
        if self.is_broken("csrf in hexadecimal", "hexadecimal is taken, too"):
            if re.fullmatch("[0-9a-f]{72}", text):
                return bytes.fromhex(text)
        if not re.fullmatch("[A-Za-z0-9_-]*", text) or len(text) % 4 == 1:
            return None
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        if len(data) == 35 and self.is_broken("csrf filled up", "a byte that is missing is any"):
            return base64.urlsafe_b64decode(text + "4")
        return data

    def rights(self, vector, number, record, prefix):
        """What the tag may be. Rightly there is one of it at most."""
        ring = vector["keys"]
        numbers = [one for one in self.keys_that_open(ring) if self.key_id(one)[:4] == prefix]
        if self.is_broken("csrf of good keys", "all keys that open are tried"):
            numbers = self.keys_that_open(ring)
        if self.is_broken("csrf of any key", "the first key stands in for one that is unknown"):
            numbers = numbers or [1, 2, 3, 4]
        if self.is_broken("csrf of retired keys", "keys that retired are tried, too"):
            numbers += [key["published"] for key in ring if "retire" in key]
        if self.is_broken("csrf of revoked keys", "keys that were revoked are tried, too"):
            numbers += [key["published"] for key in ring if "revoked" in key]
        if self.is_broken("csrf of the cookie's key", "no key is tried but that of the cookie"):
            numbers = [one for one in numbers if one == number]
        if self.is_broken("csrf of keys that seal", "a key that does not seal now has none"):
            inactive = [key["published"] for key in ring if "activate" in key]
            numbers = [one for one in numbers if one not in inactive]
        sessions, names, audiences = [bytes.fromhex(record["session"])], [vector["cookie"]], [vector["audience"]]
        if self.is_broken("csrf of any session", "the session is not bound"):
            sessions.append(bytes(range(16, 32)))
        if self.is_broken("csrf of any name", "the name is not bound"):
            names.append("other")
        if self.is_broken("csrf of any audience", "the audience is not bound"):
            audiences.append("vectors/staging")
        infos = [b"csrf token"]
        if self.is_broken("csrf of activity", "the key of activity cookies will do"):
            infos.append(b"activity")
        if self.is_broken("csrf of the cipher", "the key of the cipher will do"):
            infos.append(b"xchacha20poly1305")
        return [self.mac(one, session, name, audience, info) for one in numbers for session in sessions
                for name in names for audience in audiences for info in infos]

    def mac(self, number, session, name, audience, info):
        count = lambda field: len(field.encode())
        if self.is_broken("csrf's lengths of characters", "characters are counted and not bytes"):
            count = len
        fields = [struct.pack(">I", count(field)) + field.encode() for field in (name, audience)]
        if self.is_broken("csrf's lengths left out", "name and audience are joined without lengths"):
            fields = [name.encode(), audience.encode()]
        secret = hashlib.sha256(b"sealed-session published secret %d" % number).digest()
        extracted = hmac.new(b"sealed-session/v1", secret, hashlib.sha256).digest()
        key = hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()
        return hmac.new(key, b"".join(fields) + session, hashlib.sha256).digest()[:16]

    def fits(self, tag, right):
        if self.is_broken("no csrf tag", "the tag is not verified"):
            return True
        if self.is_broken("first half of the csrf tag", "half of the tag is compared"):
            return tag[:8] == right[:8]
        if self.is_broken("most of the csrf tag", "the last byte of the tag is not compared"):
            return tag[:15] == right[:15]
        if self.is_broken("second half of the csrf tag", "the other half of the tag is compared"):
            return tag[8:] == right[8:]
        return tag == right
