"""How the reader of `broken.py` reads activity cookies (docs/FORMAT.md, 9), with the switches of its rules.

Data cookies are read by a reader that keeps every rule: what is broken here is told by these vectors alone.
"""
import base64, hashlib, hmac, re, struct


class Activity:
    def __init__(self, rules, sessions, now):
        """`rules` knows what is broken. `sessions` opens a text under a name, or says that it is none."""
        self.rules, self.sessions, self.now = rules, sessions, now
        self.is_broken, self.limit = rules.is_broken, rules.limit

    def read(self, vector):
        """The session that counts, when it was sealed and last used."""
        best = None
        for name in [vector["cookie"]] + vector.get("previous", []):
            found = self.pairs(vector["headers"], name)
            for cookies in self.candidates(found, name):
                session = self.sessions(cookies, name)
                if session is None:
                    continue
                key, record = session
                used = self.last_use(found, vector, name, key, record)
                read = {"session": record["session"], "refreshed": record["refreshed"], "last_use": used}
                age = (record["serial"], record["refreshed"])
                if self.is_broken("age by activity", "of two cookies the one that was used later is newer"):
                    age = (record["serial"], used)
                if best is None or best[0]["session"] == read["session"] and age > best[1]:
                    best = read, age
        return best and best[0]

    @staticmethod
    def candidates(pairs, name):
        """Data cookies of one name, each with its parts. Of parts these vectors have no more than one each."""
        parts = {key: value for key, value in pairs if re.fullmatch(re.escape(name) + r"\.[1-7]", key)}
        return [parts | {name: value} for key, value in pairs if key == name]

    # 1, as far as the activity cookie is concerned.

    def pairs(self, lines, name):
        if self.is_broken("activity in the first line", "only the first line of the header is read"):
            lines = lines[:1]
        if self.is_broken("activity in the last line", "a line is read before those before it"):
            lines = lines[::-1]
        pairs = []
        for pair in (pair for line in lines for pair in line.split(";")):
            if self.is_broken("activity behind one blank", "only one blank before a name is skipped"):
                pair = pair.removeprefix(" ")
            elif self.is_broken("activity behind blanks", "tabs before a name are not skipped"):
                pair = pair.lstrip(" ")
            elif self.is_broken("activity behind a blank", "a name that no blank precedes is none"):
                pair = pair[1:].lstrip(" \t") if pair[:1] == " " or not pairs else "none=" + pair
            else:
                pair = pair.lstrip(" \t")
            key, equals, value = pair.partition("=")
            if not equals and not self.is_broken("no equals", "a value may stand without a name"):
                continue
            if not equals:
                key, value = name + ".seen", pair
            if self.is_broken("activity names stripped", "a blank behind a name is taken off"):
                key = key.strip()
            if self.is_broken("activity stripped in front", "white space before a value is taken off"):
                value = value.lstrip()
            if self.is_broken("activity stripped behind", "white space behind a value is taken off"):
                value = value.rstrip()
            if self.is_broken("activity unquoted", "quotes around a value are taken off"):
                value = value.strip('"')
            if self.is_broken("activity decoded", "percent-encoding of a value is undone"):
                value = re.sub("%([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), value)
            pairs.append((key, value))
        return pairs

    def is_ours(self, key, name):
        ours = name + ".seen"
        if self.is_broken("activity in any case", "the name is compared without regard to case"):
            return key.lower() == ours.lower()
        if self.is_broken("activity by its beginning", "a name that only begins like it is it"):
            return key.startswith(ours)
        if self.is_broken("activity by its end", "a name that only ends like it is it"):
            return key.endswith(ours)
        if self.is_broken("any activity", "whatever ends in .seen is it"):
            return key.endswith(".seen")
        if self.is_broken("activity of parts", "parts have activity cookies"):
            return re.fullmatch(re.escape(name) + r"(\.[1-7])?\.seen", key)
        if self.is_broken("activity as a pattern", "a full stop stands for anything"):
            return re.fullmatch(ours, key)
        return key == ours

    # 9.

    def last_use(self, pairs, vector, name, key, record):
        refreshed, after = record["refreshed"], vector["refresh_after"]
        since = record["created"] if self.is_broken("after it began", "the session's age is looked at") \
            else refreshed
        if self.is_broken("five minutes", "refresh_after is no setting"):
            after = 5 * 60_000
        after = self.limit("refresh after", after, also=[0])
        if self.now - since < after:
            return refreshed
        of = vector["cookie"] if self.is_broken("current name", "the current name has all activity") else name
        values = [value for key_, value in pairs if self.is_ours(key_, of)]
        if self.is_broken("empty ones left out", "empty ones are not counted"):
            values = [value for value in values if value]
        if self.is_broken("lengths counted", "only those of the right length are counted"):
            values = [value for value in values if len(value) == 30]
        if self.is_broken("equal ones left out", "equal ones are counted once"):
            values = list(dict.fromkeys(values))
        most = self.limit("most activity", 4, also=[1, 16, 1000, 2**20])
        if self.is_broken("the last four", "the last four are looked at"):
            values = values[::-1]
        good_only = self.is_broken("authentic ones counted", "only authentic ones are counted")
        past_only = self.is_broken("good ones counted", "only those that count are counted")
        if self.is_broken("four of all names", "the four are those of all names"):
            everything = [(key_, value) for key_, value in pairs if key_.endswith(".seen")][:most]
            values = [value for key_, value in everything if self.is_ours(key_, of)]
        if not good_only and not past_only:
            values = values[:most]
        times = [self.time(value, vector, name, key, record) for value in values]
        if good_only or past_only:
            times = [time for time in times if time is not None][:most if good_only else None]
        if self.is_broken("one bad spoils all", "one that says nothing spoils all"):
            if None in times:
                return refreshed
        times = [time for time in times if time is not None]
        counting = [self.past(time) for time in times]
        if self.is_broken("one ahead spoils all", "one from the future spoils all"):
            if None in counting:
                return refreshed
        counting = [time for time in counting if time is not None][:most]
        if not counting:
            return refreshed
        if self.is_broken("first activity", "the first that counts is taken"):
            return max(refreshed, counting[0])
        if self.is_broken("last activity", "the last that counts is taken"):
            return max(refreshed, counting[-1])
        if self.is_broken("earliest activity", "the earliest that counts is taken"):
            return max(refreshed, min(counting))
        if self.is_broken("activity alone", "the record's own time counts for nothing beside it"):
            return max(counting)
        if self.is_broken("as it came", "an earlier one than the record's is taken, if it is of the session") \
                and max(counting) >= record["created"]:
            return max(counting)
        return max(refreshed, max(counting))

    def past(self, time):
        """None if it has not come yet."""
        skew = self.limit("activity ahead", 60_000, also=[0, 120_000])
        if self.is_broken("activity cut to now", "a time ahead is taken for now"):
            return min(time, self.now)
        if time > self.now + skew:
            if self.is_broken("any activity ahead", "any time ahead is taken"):
                return time
            if self.is_broken("activity ahead is now", "a time too far ahead is taken for now"):
                return self.now
            return None
        return time

    def time(self, text, vector, name, number, record):
        data = self.bytes(text)
        if data is None:
            return None
        width = 8 if len(data) == 24 and self.is_broken("eight bytes", "a time may have eight bytes") else 6
        time, tag = data[:width], data[width:]
        if len(tag) != 16 and not self.has_odd_tag(tag):
            return None
        for tried in self.tries(vector, name, number, record, time):
            if self.fits(tag, self.mac(*tried)):
                if self.is_broken("little endian", "the time is little endian"):
                    return int.from_bytes(time, "little")
                if self.is_broken("32 bits", "the time is cut to 32 bits"):
                    return int.from_bytes(time[2:], "big")
                if self.is_broken("seconds", "the time is in seconds"):
                    return int.from_bytes(time, "big") * 1000
                return int.from_bytes(time, "big")
        return None

    def has_odd_tag(self, tag):
        return (len(tag) == 0 and self.is_broken("no tag", "a tag may be missing")
                or 0 < len(tag) < 16 and self.is_broken("shorter tags", "a tag may be cut")
                or len(tag) == 17 and self.is_broken("longer tags", "a tag may be longer")
                or len(tag) == 32 and self.is_broken("whole tags", "the whole HMAC is a tag, too"))

    def bytes(self, text):
        if self.is_broken("activity cut", "characters behind the 30th are left out"):
            text = text[:30]
        if self.is_broken("activity with white space", "white space in it is skipped"):
            text = "".join(text.split())
        if self.is_broken("activity padded", "the equals signs of base64 are taken in it"):
            text = text.rstrip("=")
        if self.is_broken("activity of the other alphabet", "plus and slash are taken in it"):
            text = text.replace("+", "-").replace("/", "_")
        if self.is_broken("activity in hexadecimal", "hexadecimal is taken, too"):
            if re.fullmatch("[0-9a-f]{44}", text):
                return bytes.fromhex(text)
        if not re.fullmatch("[A-Za-z0-9_-]*", text) or len(text) % 4 == 1:
            return None
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        if base64.urlsafe_b64encode(data).decode().rstrip("=") != text \
                and not self.is_broken("activity with bits to spare", "bits behind its last byte mean nothing"):
            return None
        if len(data) == 23 and data[0] == 1:
            if self.is_broken("a version before", "a version byte is taken"):
                return data[1:]
        if len(data) > 22 and self.is_broken("bytes over", "bytes behind the 22nd are left out"):
            return data[:22]
        if len(data) == 21 and self.is_broken("bytes filled up", "a missing byte is zero"):
            return data + b"\0"
        return data

    # The tag.

    def tries(self, vector, name, number, record, time):
        """What the tag may be over: key, session, name, audience, time. Rightly there is one of it."""
        session, audience = bytes.fromhex(record["session"]), vector["audience"]
        numbers = [number]
        ring = vector["keys"]
        if self.is_broken("activity of good keys", "all keys that open are tried"):
            numbers += [key["published"] for key in ring if not key.keys() & {"retire", "revoked"}]
        if self.is_broken("activity of retired keys", "keys that retired are tried, too"):
            numbers += [key["published"] for key in ring if "retire" in key]
        if self.is_broken("activity of revoked keys", "keys that were revoked are tried, too"):
            numbers += [key["published"] for key in ring if "revoked" in key]
        if self.is_broken("activity of any key", "keys that nobody gave it are tried, too"):
            numbers += range(1, 5)
        if self.is_broken("activity of keys passed through", "keys of the trail are tried, too"):
            numbers += [key["published"] for key in ring[1:]] if record["earlier_keys"] else []
        if self.is_broken("activity of the first key", "the first key of the ring is tried alone"):
            numbers = [ring[0]["published"]]
        if self.is_broken("activity of keys that seal", "a key that does not seal now has none"):
            numbers = [key["published"] for key in ring if key["published"] == number
                       and not key.keys() & {"activate"}]
        if self.is_broken("activity of keys that stay", "a key that is to retire has none"):
            numbers = [key["published"] for key in ring if key["published"] == number
                       and not key.keys() & {"retire"}]
        sessions, names, audiences, times = [session], [name], [audience], [time]
        if self.is_broken("activity of any session", "the session is not bound"):
            sessions += [bytes(range(16, 32)), session[:-1] + bytes([session[-1] ^ 1])]
        if self.is_broken("activity of half a session", "half of the session's id is bound"):
            sessions += [session[:-1] + bytes([session[-1] ^ 1])]
        if self.is_broken("activity of any name", "the name is not bound"):
            names += ["other"]
        if self.is_broken("activity of any of our names", "it may be of any name that is read"):
            names += [vector["cookie"]] + vector.get("previous", [])
        if self.is_broken("activity of its own name", "the name may be that of the activity cookie"):
            names += [name + ".seen"]
        if self.is_broken("activity of the first name", "the name that is bound is the current one"):
            names = [vector["cookie"]]
        if self.is_broken("activity of a fixed name", "the name that is bound is always the same"):
            names = ["session"]
        if self.is_broken("activity of any audience", "the audience is not bound"):
            audiences += ["vectors/staging"]
        if self.is_broken("first byte of the time", "the first byte of the time is not authenticated"):
            times += [bytes([time[0] ^ 1]) + time[1:]]
        if self.is_broken("last byte of the time", "the last byte of the time is not authenticated"):
            times += [time[:-1] + bytes([time[-1] ^ 1])]
        return [(number, session, name, audience, time, record["serial"]) for number in numbers
                for session in sessions for name in names for audience in audiences for time in times]

    def mac(self, number, session, name, audience, time, serial):
        length = ">I"
        if self.is_broken("activity's lengths the other way", "the lengths are little endian"):
            length = "<I"
        if self.is_broken("activity's lengths in 8 bytes", "the lengths have eight bytes"):
            length = ">Q"
        count = lambda field: len(field.encode())
        if self.is_broken("activity's lengths of characters", "characters are counted and not bytes"):
            count = len
        fields = [struct.pack(length, count(field)) + field.encode() for field in (name, audience)]
        if self.is_broken("activity's lengths left out", "name and audience are joined without lengths"):
            fields = [name.encode(), audience.encode()]
        if self.is_broken("audience first", "the audience comes before the name"):
            fields.reverse()
        fields += [session, time]
        if self.is_broken("time before session", "the time comes before the session"):
            fields[2:] = [time, session]
        if self.is_broken("serial bound", "the serial is bound, too"):
            fields += [bytes([serial])] if serial else []
        info = b"activity"
        if self.is_broken("cipher's key", "the key of the cipher authenticates"):
            info = b"xchacha20poly1305"
        key = hashlib.sha256(b"sealed-session published secret %d" % number).digest()
        if not self.is_broken("secret itself", "the secret itself authenticates"):
            extracted = hmac.new(b"sealed-session/v1", key, hashlib.sha256).digest()
            key = hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()
        if self.is_broken("half a key of activity", "the key has 16 bytes"):
            key = key[:16]
        return hmac.new(key, b"".join(fields), hashlib.sha256).digest()

    def fits(self, tag, right):
        if self.is_broken("no activity tag", "the tag is not verified"):
            return True
        if self.is_broken("first half of the activity tag", "half of the tag is compared"):
            return tag[:8] == right[:8]
        if self.is_broken("second half of the activity tag", "the other half of the tag is compared"):
            return tag[8:16] == right[8:16]
        if self.is_broken("either half", "either half of the HMAC is a tag"):
            return tag in (right[:16], right[16:])
        # Lengths were looked at before: it has another only in a broken reader.
        return tag == right[:len(tag)]
