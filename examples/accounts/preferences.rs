//! How somebody wants times to be shown: an entry of the session, with a type of its own.
//!
//! The entry is one among the others, so anybody can write into it by the form for entries. What has another type is
//! discarded by the library; an offset that nobody can choose counts as none.

use actix_web::{HttpResponse, Result};
use maud::{Markup, html};
use sealed_session::Session;
use sealed_session::session::{FlashKind, SessionData, TypedSession};
use sealed_session::time::UnixMillis;
use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::errors::Problem;
use crate::pages::{Fields, field, say, see_other};

/// From west to east, in minutes: every half hour from UTC−12 to UTC+14.
const FARTHEST_WEST: i32 = -12 * 60;
const FARTHEST_EAST: i32 = 14 * 60;
const STEP: i32 = 30;

/// In seconds.
const DAY: u64 = 24 * 60 * 60;
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Preferences {
    /// How far local time is ahead of UTC, in minutes.
    offset: i32,
    seconds: bool,
}

impl SessionData for Preferences {
    const NAME: &'static str = "preferences";
}

impl Preferences {
    pub fn of(session: &Session) -> Self {
        let mut it: Self = session.get_or_discard(Self::NAME).unwrap_or_default();
        if !is_offset(it.offset) {
            it.offset = 0;
        }
        it
    }

    /// A time as it was asked for.
    pub fn moment(&self, time: Option<UnixMillis>) -> Markup {
        let Some(time) = time else {
            return Markup::default();
        };
        let local = self.local(time).to_string();
        let (day, clock) = local.split_once('T').unwrap_or_default();
        let length = if self.seconds { 8 } else { 5 };
        let clock = clock.get(..length).unwrap_or_default();
        html! { time datetime=(time) { (day) " " (clock) " " (zone(self.offset)) } }
    }

    /// How long ago that was, in words. What is still to come, by another node's clock, is just now.
    pub fn ago(&self, time: UnixMillis, now: UnixMillis) -> String {
        let minutes = now.since(time).as_secs() / 60;
        let [today, day] = [now, time].map(|time| self.local(time).as_secs() / DAY);
        match (minutes, today.saturating_sub(day)) {
            (0, _) => "just now".to_owned(),
            (1, _) => "1 minute ago".to_owned(),
            (2..60, _) => format!("{minutes} minutes ago"),
            (60..120, _) => "1 hour ago".to_owned(),
            // Last evening is not yesterday yet to somebody who is up.
            (120..360, _) | (_, 0) => format!("{} hours ago", minutes / 60),
            (_, 1) => "yesterday".to_owned(),
            _ => format!("on {}", self.date(time)),
        }
    }

    /// The day, such as 3 November 2026.
    fn date(&self, time: UnixMillis) -> String {
        let local = self.local(time).to_string();
        let (date, _) = local.split_once('T').unwrap_or_default();
        let mut parts = date.splitn(3, '-');
        let mut part = || parts.next().and_then(|part| part.parse::<usize>().ok());
        let (year, month, day) = (part(), part(), part());
        match (
            year,
            month.and_then(|it| MONTHS.get(it.wrapping_sub(1))),
            day,
        ) {
            (Some(year), Some(month), Some(day)) => format!("{day} {month} {year}"),
            // Later than years have four digits.
            _ => local,
        }
    }

    /// The time that a clock shows there, as if it were one of UTC.
    fn local(&self, time: UnixMillis) -> UnixMillis {
        let by = Duration::from_secs(u64::from(self.offset.unsigned_abs()) * 60);
        match self.offset < 0 {
            true => time.minus(by),
            false => time + by,
        }
    }
}

/// The form is on the account page, which is for those who are logged in.
pub async fn save(mut it: TypedSession<Preferences>, form: Fields) -> Result<HttpResponse> {
    let offset = field(&form, "offset").parse();
    let offset = offset.map_err(|_| Problem::InvalidPreferences)?;
    if !is_offset(offset) {
        return Err(Problem::InvalidPreferences.into());
    }
    let seconds = !field(&form, "seconds").is_empty();
    it.update(|it| *it = Preferences { offset, seconds })?;
    say(it.session(), FlashKind::Success, "Times are shown so now.");
    Ok(see_other("/"))
}

pub fn form(it: &Preferences) -> Markup {
    html! {
        section.card aria-labelledby="preferences-title" {
            h2 id="preferences-title" { "Times" }
            form method="post" action="/preferences" {
                label for="offset" { "Shown in" }
                select id="offset" name="offset" {
                    @for offset in offsets() {
                        option value=(offset) selected[offset == it.offset] { (zone(offset)) }
                    }
                }
                label.check {
                    input type="checkbox" name="seconds" checked[it.seconds];
                    "With seconds"
                }
                button type="submit" { "Save" }
            }
        }
    }
}

fn offsets() -> impl Iterator<Item = i32> {
    (FARTHEST_WEST..=FARTHEST_EAST).filter(|offset| offset % STEP == 0)
}

fn is_offset(offset: i32) -> bool {
    offsets().any(|it| it == offset)
}

fn zone(offset: i32) -> String {
    let sign = match offset {
        0 => return "UTC".to_owned(),
        ..0 => '−',
        _ => '+',
    };
    let minutes = offset.unsigned_abs();
    format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}
