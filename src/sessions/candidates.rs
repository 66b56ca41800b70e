//! Finding our cookies among all that a request carries.
//!
//! 1. All Cookie header lines count: HTTP/2 splits them.
//! 2. Names are compared byte for byte. Blanks and tabs before a name are skipped, because browsers trim just
//!    these. Nothing else is trimmed, decoded or unquoted: what another parser would read as our name is not
//!    our name.
//! 3. Of several values of one name the first few are kept.
//! 4. `NAME.seen` is the activity cookie of `NAME`. Alone it is no cookie of ours.

use std::borrow::Cow;

use memchr::memchr;

use crate::wire::chunks::{self, MAX_CHUNKS};

/// How many values of one name are looked at.
const MAX_VALUES: u8 = 16;
/// How many activity cookies of one name are looked at.
const MAX_ACTIVITY: usize = 4;

/// Our cookies among those of a request.
#[derive(Debug, Default)]
pub(crate) struct FoundCookies<'h> {
    /// Each with its chunk index, in the order in which they came. Mostly there is no more than one.
    first: Option<(u8, &'h [u8])>,
    more: Vec<(u8, &'h [u8])>,
    /// How many there are of each index.
    counts: [u8; MAX_CHUNKS as usize],
    /// Whether there were more than are kept.
    pub(super) overflowed: bool,
    /// The values of the activity cookie, in the order in which they came.
    activity: [Option<&'h [u8]>; MAX_ACTIVITY],
}

const _: () = assert!(MAX_CHUNKS as u32 <= u8::BITS, "a bit for each");

/// Some of the chunk indexes: a bit for each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Indexes(u8);

impl Indexes {
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Without those below this one.
    pub(crate) fn from(self, first: u8) -> Self {
        let kept = u8::MAX.checked_shl(first.into());
        Self(self.0 & kept.unwrap_or(0))
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = u8> {
        (0..MAX_CHUNKS).filter(move |index| self.0 >> index & 1 == 1)
    }
}

impl<'h> FoundCookies<'h> {
    /// Looks through all Cookie header lines (HTTP/2 splits them).
    pub(crate) fn scan(lines: impl Iterator<Item = &'h [u8]>, name: &str) -> Self {
        let mut found = Self::default();
        for pair in lines.flat_map(pairs) {
            // The grammar has exactly one blank after a semicolon (RFC 6265, section 4.2.1).
            let pair = match pair {
                [b' ', rest @ ..] if !matches!(rest, [b' ' | b'\t', ..]) => rest,
                [b' ' | b'\t', ..] => trimmed(pair),
                _ => pair,
            };
            let Some(rest) = pair.strip_prefix(name.as_bytes()) else {
                continue;
            };
            let (index, value) = match rest {
                [b'=', value @ ..] => (0, value),
                [b'.', digit @ b'1'..=b'7', b'=', value @ ..] => (digit - b'0', value),
                [b'.', b's', b'e', b'e', b'n', b'=', value @ ..] => {
                    if let Some(place) = found.activity.iter_mut().find(|it| it.is_none()) {
                        *place = Some(value);
                    }
                    continue;
                }
                _ => continue,
            };
            match found.counts.get_mut(usize::from(index)) {
                Some(count) if *count < MAX_VALUES => *count += 1,
                _ => {
                    found.overflowed = true;
                    continue;
                }
            }
            match found.first {
                None => found.first = Some((index, value)),
                Some(_) => found.more.push((index, value)),
            }
        }
        found
    }

    fn all(&self) -> impl Iterator<Item = &(u8, &'h [u8])> {
        self.first.iter().chain(&self.more)
    }

    /// The values of one chunk index.
    fn of(&self, index: u8) -> impl Iterator<Item = &'h [u8]> + '_ {
        let values = self.all().filter(move |(of, _)| *of == index);
        values.map(|(_, value)| *value)
    }

    /// The values of the activity cookie.
    pub(super) fn activity(&self) -> impl Iterator<Item = &'h [u8]> + '_ {
        self.activity.iter().flatten().copied()
    }

    /// Which chunk indexes the browser holds.
    pub(crate) fn indexes(&self) -> Indexes {
        let held = (0..).zip(self.counts).filter(|(_, count)| *count > 0);
        Indexes(held.fold(0, |held, (index, _)| held | 1 << index))
    }

    /// The tokens that the values may form.
    ///
    /// Where a name occurs several times, the n-th first part goes with the n-th of the others, and then with
    /// the rest: an attacker who can set a cookie of our name may have set only one of the parts.
    ///
    /// Each is its text, and over how many cookies it is spread. `None` if their number cannot be read, or one is missing.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = Option<(u8, Cow<'h, [u8]>)>> + '_ {
        let first = self.of(0).enumerate();
        first.flat_map(move |(nth, value)| {
            let first = chunks::first(value);
            let choices = match first {
                None | Some((1, _)) => 1,
                Some((count, _)) => self.most(count),
            };
            (0..choices).map(move |step| match first? {
                (1, part) => Some((1, Cow::Borrowed(part))),
                (count, part) => self.joined(count, part, (nth + step) % choices),
            })
        })
    }

    /// How often the part occurs of which there are most, of a token of so many.
    fn most(&self, parts: u8) -> usize {
        let counts = self.counts.iter().take(parts.into()).skip(1);
        counts.copied().max().unwrap_or(1).max(1).into()
    }

    fn joined(&self, count: u8, first: &'h [u8], choice: usize) -> Option<(u8, Cow<'h, [u8]>)> {
        let mut text = first.to_vec();
        for index in 1..count {
            // As many of them in, or the last where there are fewer.
            text.extend_from_slice(self.of(index).take(choice + 1).last()?);
        }
        Some((count, Cow::Owned(text)))
    }
}

/// Without blanks and tabs before it.
fn trimmed(pair: &[u8]) -> &[u8] {
    let blanks = pair.iter().take_while(|it| matches!(it, b' ' | b'\t'));
    pair.get(blanks.count()..).unwrap_or_default()
}

/// The parts of one line, between its semicolons.
fn pairs(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let end = memchr(b';', line);
        let (pair, after) = line.split_at(end.unwrap_or(line.len()));
        rest = after.split_first().map(|(_, after)| after);
        Some(pair)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan<'h>(lines: &[&'h str]) -> Vec<&'h [u8]> {
        let lines = lines.iter().map(|line| line.as_bytes());
        FoundCookies::scan(lines, "s").of(0).collect()
    }

    #[test]
    fn a_cookies_name_is_compared_byte_for_byte() {
        assert_eq!(scan(&["a=1; s=2; b=3"]), [b"2"]);
        assert_eq!(scan(&["s=1;s=2; s=3"]), [b"1", b"2", b"3"]);
        assert_eq!(scan(&["s=1", "a=0; s=2"]), [b"1", b"2"]);
        assert_eq!(scan(&["s=a=b=c"]), [b"a=b=c"]);
        for blanks in ["", " ", "  ", "\t", " \t ", "\t\t"] {
            assert_eq!(scan(&[&format!("{blanks}s=1;{blanks}s=2")]), [b"1", b"2"]);
        }
        for other in [
            "S=1",
            "ss=1",
            "as=1",
            "s =1",
            "=s=1",
            "\u{b}s=1",
            "\u{a0}s=1",
            "s.seen=1",
            "s",
            "\"s\"=1",
            "%73=1",
            "s.0=1",
            "s.9=1",
            "s.1=1",
        ] {
            assert_eq!(scan(&[other]), Vec::<&[u8]>::new(), "{other:?}");
        }
    }

    #[test]
    fn of_each_part_the_first_few_count() {
        for name in ["s", "s.1", "s.7"] {
            let most = usize::from(MAX_VALUES);
            let line = |values: usize| vec![format!("{name}=1"); values].join("; ");
            let overflows =
                |line: &str| FoundCookies::scan(std::iter::once(line.as_bytes()), "s").overflowed;
            assert!(!overflows(&line(most)), "{name}");
            assert!(overflows(&line(most + 1)), "{name}");
        }
        let all: Vec<_> = (1..8).map(|part| format!("s.{part}=1")).collect();
        let line = all.join(";");
        let found = FoundCookies::scan(std::iter::once(line.as_bytes()), "s");
        assert_eq!(
            found.indexes().iter().collect::<Vec<_>>(),
            (1..8).collect::<Vec<_>>()
        );
    }
}
