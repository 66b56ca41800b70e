//! Key tables as TOML.
//!
//! By hand, because every value is hexadecimal, base64url or a time, and needs no escaping, and
//! because a serializer would leave copies of the secrets behind.

use std::fmt::{self, Write};

use zeroize::Zeroizing;

use crate::keys::KeyTables;
use crate::keys::tables::{PrunedEntry, RevokedEntry};

impl KeyTables {
    /// Writes the tables as TOML, secrets included. The text is erased when dropped.
    pub fn to_text(&self) -> Zeroizing<String> {
        // Roomy, so that growing leaves no copy of a secret behind.
        let entries = self.keys.len() + self.revoked.len() + self.pruned.len();
        let mut text = Zeroizing::new(String::with_capacity(512 + 256 * entries));
        // Writing to a string cannot fail.
        let _ = self.write_to(&mut text);
        text
    }

    fn write_to(&self, text: &mut String) -> fmt::Result {
        text.push_str(
            "# Session keys. Whoever can read this file can forge sessions: mode 0600.\n",
        );
        text.push_str("# Changed by `sealed-session keys`, which keeps no comments.\n");
        if let Some(time) = self.everyone_before {
            write!(text, "\neveryone_before = \"{time}\"\n")?;
        }
        for key in &self.keys {
            write!(text, "\n[[key]]\nid = \"{}\"\nsecret = \"", key.id)?;
            text.push_str(&key.secret.to_text());
            write!(text, "\"\nactivate = \"{}\"\n", key.activate)?;
            if let Some(retire) = key.retire {
                writeln!(text, "retire = \"{retire}\"")?;
            }
        }
        for RevokedEntry { id, at } in &self.revoked {
            write!(text, "\n[[revoked]]\nid = \"{id}\"\nat = \"{at}\"\n")?;
        }
        for PrunedEntry { id, retired } in &self.pruned {
            write!(
                text,
                "\n[[pruned]]\nid = \"{id}\"\nretired = \"{retired}\"\n"
            )?;
        }
        Ok(())
    }
}
