//! The table `[lifetime]`: what is left out has the default that code has.

use std::time::Duration;

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
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text)
            .map(Self)
            .map_err(|error| serde::de::Error::custom(format!("{text:?}: {error}")))
    }
}
