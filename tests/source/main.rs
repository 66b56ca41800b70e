//! How the source is built, and what the documents say: both are read as text.

mod documents;
mod floors;
mod format;
mod house;
mod manual;
mod readme;
