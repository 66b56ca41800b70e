//! The table `[lifetime]`: what is left out has the default that code has.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use crate::time::{Lifetimes, Limits};

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LifetimeTable {
    idle: Option<Span>,
    absolute: Option<Span>,
    remembered_idle: Option<Span>,
    remembered_absolute: Option<Span>,
    refresh_after: Option<Span>,
    renew_grace: Option<Span>,
}

impl LifetimeTable {
    pub(crate) fn lifetimes(&self) -> Lifetimes {
        let default = Lifetimes::default();
        let or = |span: Option<Span>, default| span.map_or(default, |span| span.0);
        Lifetimes {
            standard: Limits {
                idle: or(self.idle, default.standard.idle),
                absolute: or(self.absolute, default.standard.absolute),
            },
            remembered: Limits {
                idle: or(self.remembered_idle, default.remembered.idle),
                absolute: or(self.remembered_absolute, default.remembered.absolute),
            },
            refresh_after: self.refresh_after.map(|span| span.0),
            renew_grace: or(self.renew_grace, default.renew_grace),
        }
    }
}

/// A duration in words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span(pub(crate) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(SpanVisitor)
    }
}

struct SpanVisitor;

impl Visitor<'_> for SpanVisitor {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string such as \"5m\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
        humantime::parse_duration(text)
            .map(Span)
            .map_err(|error| E::custom(format!("{text:?}: {error}; write it as in \"5m\"")))
    }
}
