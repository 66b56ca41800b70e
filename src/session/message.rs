//! A flash message and its kinds.

use serde::{Deserialize, Serialize};

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FlashKind {
    /// Something was done.
    Success,
    /// Something is so.
    Info,
    /// Something may go wrong.
    Warning,
    /// Something was not done.
    Error,
}

impl FlashKind {
    /// In the order of the numbers by which they are kept.
    pub(super) const ALL: [Self; 4] = [Self::Success, Self::Info, Self::Warning, Self::Error];

    /// A class for style sheets: `flash-success`, `flash-info`, `flash-warning`, `flash-error`.
    pub fn css_class(self) -> &'static str {
        match self {
            Self::Success => "flash-success",
            Self::Info => "flash-info",
            Self::Warning => "flash-warning",
            Self::Error => "flash-error",
        }
    }

    /// A character that shows it without colours.
    pub fn icon(self) -> &'static str {
        match self {
            Self::Success => "✓",
            Self::Info => "ℹ",
            Self::Warning => "⚠",
            Self::Error => "✕",
        }
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FlashMessage {
    /// What it is about.
    pub kind: FlashKind,
    /// What it says, as the application wrote it: a page escapes it.
    pub text: String,
}

impl FlashMessage {
    /// A message.
    pub fn new(kind: FlashKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
        }
    }
}
