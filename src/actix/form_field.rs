//! Finding one field of a form in the beginning of its body, which arrives in pieces.
//!
//! 1. The first field of the name counts. Its value is taken as it stands: a token needs no escape.
//! 2. Of `application/x-www-form-urlencoded` it is what stands between `NAME=`, at the beginning or behind `&`, and the
//!    next `&` or the end.
//! 3. Of `multipart/form-data` it is what stands between the part's name, the next blank line, and the next CRLF. The
//!    boundary is not looked at, so the same text inside a file would do. That is safe. Whoever can make a browser send
//!    a body of his choice does not know the token, wherever he puts what he has; and a value that is found in the wrong
//!    place can only refuse a request that had a right one behind it.
//! 4. Nothing is looked at twice, so that a body of single bytes costs no more than another.

use actix_web::web::Bytes;
use memchr::memmem;

/// The search for a field.
#[derive(Debug)]
pub(super) struct FieldSearch {
    /// What stands before the value, one after the other, the next one last.
    before: Vec<Vec<u8>>,
    /// What stands behind it.
    behind: &'static [u8],
    /// Whether the end of the body ends it, too.
    ends_with_the_body: bool,
    /// The body so far, behind `lead` bytes that are put before it.
    seen: Vec<u8>,
    lead: usize,
    /// Where the next search begins.
    from: usize,
    /// Where the value begins.
    value: Option<usize>,
}

impl FieldSearch {
    /// The search in a body of this type. `None` where it is no form. The name needs no escape.
    pub(super) fn new(content_type: &str, name: &str) -> Option<Self> {
        if content_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            // As if another field came before.
            let before = vec![format!("&{name}=").into_bytes()];
            Some(Self::after(before, b"&", true, b"&"))
        } else if content_type.eq_ignore_ascii_case("multipart/form-data") {
            let part = format!("; name=\"{name}\"").into_bytes();
            let before = vec![b"\r\n\r\n".to_vec(), part];
            Some(Self::after(before, b"\r\n", false, b""))
        } else {
            None
        }
    }

    fn after(
        before: Vec<Vec<u8>>,
        behind: &'static [u8],
        ends_with_the_body: bool,
        lead: &[u8],
    ) -> Self {
        Self {
            before,
            behind,
            ends_with_the_body,
            seen: lead.to_vec(),
            lead: lead.len(),
            from: 0,
            value: None,
        }
    }

    /// Looks at the next piece. The value, once it is there whole.
    pub(super) fn take(&mut self, piece: &[u8]) -> Option<&[u8]> {
        self.seen.extend_from_slice(piece);
        while let Some(needle) = self.before.last() {
            self.from = next(&self.seen, self.from, needle)
                .inspect_err(|from| self.from = *from)
                .ok()?;
            self.before.pop();
            self.value = self.before.is_empty().then_some(self.from);
        }
        let end = next(&self.seen, self.from, self.behind)
            .inspect_err(|from| self.from = *from)
            .ok()?;
        self.seen.get(self.value?..end - self.behind.len())
    }

    /// The value, where the body has ended.
    pub(super) fn end(&self) -> Option<&[u8]> {
        let start = self.value.filter(|_| self.ends_with_the_body)?;
        self.seen.get(start..)
    }

    /// What was taken of the body.
    pub(super) fn into_body(self) -> Bytes {
        Bytes::from(self.seen).slice(self.lead..)
    }
}

/// Where what is looked for ends, or where to look from when there is more.
fn next(seen: &[u8], from: usize, needle: &[u8]) -> Result<usize, usize> {
    let rest = seen.get(from..).unwrap_or_default();
    match memmem::find(rest, needle) {
        Some(at) => Ok(from + at + needle.len()),
        // It may have begun.
        None => Err(from.max((seen.len() + 1).saturating_sub(needle.len()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FORM: &str = "application/x-www-form-urlencoded";
    const PARTS: &str = "multipart/form-data";

    /// The value, in a body that arrives in pieces of this size, and whether the whole was needed.
    fn found(content_type: &str, body: &[u8], size: usize) -> (Option<Vec<u8>>, bool) {
        let mut search = FieldSearch::new(content_type, "t").unwrap();
        for piece in body.chunks(size) {
            if let Some(value) = search.take(piece) {
                return (Some(value.to_vec()), false);
            }
        }
        let value = search.end().map(<[u8]>::to_vec);
        assert_eq!(search.into_body(), body);
        (value, true)
    }

    fn part(head: &str, value: &str) -> String {
        format!("--b\r\nContent-Disposition: form-data{head}\r\n\r\n{value}\r\n")
    }

    #[test]
    fn the_first_field_of_the_name_is_found_in_pieces_of_any_size() {
        let typed = part("; name=\"t\"\r\nContent-Type: text/plain", "abc");
        let named = part("; name=\"t\"", "abc");
        let file = part("; name=\"f\"; filename=\"t\"", "x");
        let other = part("; name=\"tt\"", "no");
        for (content_type, body, value) in [
            (FORM, "t=abc".to_owned(), Some("abc")),
            (FORM, "t=abc&t=def".into(), Some("abc")),
            (FORM, "a=1&t=abc&b=2".into(), Some("abc")),
            (FORM, "a=%zz&%&=&&t=abc".into(), Some("abc")),
            (FORM, "t=&t=abc".into(), Some("")),
            (FORM, "t=a=b".into(), Some("a=b")),
            (FORM, "tt=abc&xt=abc&a=t=abc&t".into(), None),
            (FORM, "T=abc".into(), None),
            (FORM, "%74=abc".into(), None),
            (FORM, String::new(), None),
            (FORM, named.clone(), None),
            (PARTS, named.clone() + "--b--", Some("abc")),
            (PARTS, file + &other + &typed, Some("abc")),
            (PARTS, named.replace("abc", ""), Some("")),
            // Cut off where it may go on.
            (PARTS, named.trim_end().into(), None),
            (PARTS, part("; name=t", "abc"), None),
            (PARTS, part("; name=\"T\"", "abc"), None),
            (PARTS, "t=abc".into(), None),
            (PARTS, String::new(), None),
        ] {
            for size in [1, 2, 3, 7, 1000] {
                let (found, _) = found(content_type, body.as_bytes(), size);
                let found = found.map(|value| String::from_utf8(value).unwrap());
                assert_eq!(found.as_deref(), value, "{size}: {body}");
            }
        }
    }

    #[test]
    fn the_rest_of_a_body_is_not_waited_for() {
        let named = part("; name=\"t\"", "abc");
        for (content_type, body) in [(FORM, "t=abc&"), (PARTS, named.as_str())] {
            assert_eq!(
                found(content_type, body.as_bytes(), 1),
                (Some(b"abc".to_vec()), false)
            );
        }
    }

    #[test]
    fn other_bodies_are_no_forms() {
        for content_type in ["", "text/plain", "application/json", "multipart/mixed"] {
            assert!(FieldSearch::new(content_type, "t").is_none());
        }
        assert!(FieldSearch::new("Multipart/Form-Data", "t").is_some());
    }

    proptest! {
        #[test]
        fn the_pieces_do_not_matter(
            body in "(t|&|=|; name=\"t\"|\r\n|\r|a){0,40}", size in 1..9usize, is_form: bool,
        ) {
            let content_type = if is_form { FORM } else { PARTS };
            let whole = found(content_type, body.as_bytes(), body.len().max(1)).0;
            prop_assert_eq!(&found(content_type, body.as_bytes(), size).0, &whole);
            if is_form {
                let fields = body.split('&');
                let field = fields.filter_map(|field| field.strip_prefix("t=")).next();
                prop_assert_eq!(whole.as_deref(), field.map(str::as_bytes));
            }
        }
    }
}
