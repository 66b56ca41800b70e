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
        let by = Duration::from_secs(u64::from(self.offset.unsigned_abs()) * 60);
        let local = match self.offset < 0 {
            true => time.minus(by),
            false => time + by,
        };
        let local = local.to_string();
        let (day, clock) = local.split_once('T').unwrap_or_default();
        let length = if self.seconds { 8 } else { 5 };
        let clock = clock.get(..length).unwrap_or_default();
        html! { time datetime=(time) { (day) " " (clock) " " (zone(self.offset)) } }
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
