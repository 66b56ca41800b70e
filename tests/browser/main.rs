//! The example `accounts` in a real browser: Chromium, driven over WebDriver.

#![cfg(all(target_os = "linux", feature = "actix", feature = "redb"))]

mod chromium;
