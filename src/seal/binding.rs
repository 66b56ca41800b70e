//! The associated data: where a token is valid.
//!
//! A token of one cookie, application or environment does not open in another, although they may
//! share keys. Each field is preceded by its length (four bytes, big endian), so that no two
//! different sets of fields give the same bytes:
//!
//! ```text
//! "sealed-session"   format label
//! version            1 byte
//! key id            16 bytes
//! sealed at          4 bytes, big endian
//! cookie name
//! audience
//! chunk count        1 byte
//! ```

use std::sync::Arc;

use crate::error::ConfigError;
use crate::seal::names::Names;
use crate::wire::envelope::Head;

/// What stands before the fields, with dots for what each token says itself.
const BEFORE: [u8; 51] =
    *b"\0\0\0\x0esealed-session\0\0\0\x01.\0\0\0\x10................\0\0\0\x04....";

/// What all tokens of one cookie are bound to.
pub(crate) struct Binding {
    pub(crate) cookie: String,
    /// The subjects of the application, and its audience.
    pub(crate) names: Arc<Names>,
    /// The cookie's name and the audience as they stand in the associated data, each after its length.
    pub(super) fields: Vec<u8>,
}

impl Binding {
    pub(crate) fn new(cookie: &str, audience: &str) -> Self {
        Self::of(cookie, Arc::new(Names::new(audience)))
    }

    fn of(cookie: &str, names: Arc<Names>) -> Self {
        let mut fields = Vec::new();
        push(&mut fields, cookie.as_bytes());
        push(&mut fields, names.audience.as_bytes());
        Self {
            cookie: cookie.to_owned(),
            names,
            fields,
        }
    }

    /// The same for another cookie of the same application.
    pub(crate) fn for_cookie(&self, cookie: &str) -> Self {
        Self::of(cookie, self.names.clone())
    }

    /// The associated data of one token.
    pub(super) fn associated_data(&self, head: Head, chunks: u8) -> Vec<u8> {
        let mut before = BEFORE;
        before[22] = head.version;
        before[27..43].copy_from_slice(head.key.as_bytes());
        before[47..51].copy_from_slice(&head.sealed_at.to_bytes());
        let mut data = Vec::with_capacity(AROUND + self.fields.len());
        data.extend_from_slice(&before);
        data.extend_from_slice(&self.fields);
        data.extend_from_slice(&[0, 0, 0, 1, chunks]);
        data
    }
}

/// # Errors
/// When the audience is empty or longer than 255 bytes.
pub(crate) fn check_audience(audience: &str) -> Result<(), ConfigError> {
    if audience.is_empty() || audience.len() > 255 {
        let problem = "must name the application and its environment, in 1 to 255 bytes";
        return Err(ConfigError::setting("audience", problem));
    }
    Ok(())
}

/// What the associated data holds beside the cookie's name and the audience.
const AROUND: usize = BEFORE.len() + 5;

/// Appends one field, after its length.
pub(super) fn push(data: &mut Vec<u8>, field: &[u8]) {
    // Names and audiences are capped far below 4 GiB when they are configured.
    let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
    data.extend_from_slice(&length.to_be_bytes());
    data.extend_from_slice(field);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::KeyId;
    use crate::time::UnixMillis;
    use crate::wire::envelope::{Minutes, VERSION};

    #[test]
    fn fields_do_not_run_together() {
        let head = Head {
            version: VERSION,
            key: KeyId::from_bytes([1; 16]),
            sealed_at: Minutes::at(UnixMillis::EPOCH),
        };
        let data = |cookie, audience| Binding::new(cookie, audience).associated_data(head, 1);
        assert_ne!(data("ab", "c"), data("a", "bc"));
        assert_ne!(data("a", "b"), data("b", "a"));
        let one = Binding::new("a", "b").associated_data(head, 1);
        assert_ne!(one, Binding::new("a", "b").associated_data(head, 2));
    }
}
