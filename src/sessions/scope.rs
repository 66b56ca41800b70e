//! The names of cookies that sessions are read from, and what a request carried of each.

use super::candidates::Indexes;
use crate::cookie::Template;
use crate::seal::Binding;

/// A name of a cookie that sessions are read from.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) template: Template,
    pub(crate) binding: Binding,
    /// Cookies of the same name and another domain or path. A request does not tell them apart.
    pub(crate) others: Vec<Template>,
}

/// What the browser holds: made by [`Sessions::load`](crate::Sessions::load) and used up by
/// [`Sessions::commit`](crate::Sessions::commit), so that no session is committed twice.
#[derive(Debug)]
pub struct Ticket {
    /// What the request carried of the cookie that is written.
    pub(crate) current: HeldCookies,
    /// The same of those that are only read, in their order.
    pub(crate) earlier: Vec<HeldCookies>,
    /// What removes the cookie of another library, if the request carried a session in it.
    pub(crate) old: Option<String>,
    /// Whether the response is a part of a page, which others load beside it.
    pub(crate) is_asset: bool,
}

/// What the request carried of one cookie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeldCookies {
    pub(crate) indexes: Indexes,
    pub(crate) activity: bool,
    /// Whether it may be removed although nobody asked for it: none of it can be a session.
    pub(crate) worthless: bool,
}

impl Scope {
    /// Removes what the browser holds under this name, whichever its domain and path.
    pub(super) fn removals(&self, held: HeldCookies) -> impl Iterator<Item = String> {
        let templates = std::iter::once(&self.template).chain(&self.others);
        templates.flat_map(move |template| removals(template, held))
    }
}

/// Removes a cookie, and its activity cookie with it: alone that is none of ours.
pub(super) fn removals(template: &Template, held: HeldCookies) -> impl Iterator<Item = String> {
    let activity = held.activity && !held.indexes.is_empty();
    let activity = activity.then(|| template.activity_removal());
    let data = held.indexes.iter();
    data.map(|index| template.removal(index)).chain(activity)
}
