//! What carries a token: a header, or a field of a form.

use crate::error::ConfigError;

/// The most characters of either.
const LONGEST: usize = 64;

/// The two names.
#[derive(Debug)]
pub(crate) struct TokenNames {
    /// In lower case.
    pub(crate) header: String,
    pub(crate) field: String,
}

impl TokenNames {
    /// # Errors
    /// When a name is empty or longer than 64 characters, or has other characters than these: in a header letters, digits
    /// and hyphens, because proxies drop headers with underscores; in a field what every encoding of a form leaves as
    /// it is.
    pub(super) fn new(header: &str, field: &str) -> Result<Self, ConfigError> {
        let check = |setting, name: &str, others: &[char]| {
            let is_fine = |c: char| c.is_ascii_alphanumeric() || others.contains(&c);
            if name.is_empty() || name.len() > LONGEST || !name.chars().all(is_fine) {
                let others = others.iter().map(|it| format!(" {it}")).collect::<String>();
                let problem =
                    format!("{name:?} is no name of 1 to {LONGEST} letters, digits and{others}");
                return Err(ConfigError::setting(setting, problem));
            }
            Ok(())
        };
        check("csrf.header", header, &['-'])?;
        check("csrf.field", field, &['-', '.', '_'])?;
        Ok(Self {
            header: header.to_ascii_lowercase(),
            field: field.to_owned(),
        })
    }
}
