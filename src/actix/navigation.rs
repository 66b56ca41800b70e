//! Browsers that go to a page, and where they are sent instead.
//!
//! 1. A browser says that it navigates (Fetch Metadata, section 2.2). One that says nothing of the kind is taken for
//!    one if it wants HTML, which programs and scripts do not unless they say so.
//! 2. Whoever lies gets a redirect instead of a status. Nothing else depends on it.

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{Accept, Header, HeaderName, Quality};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::next_path::next_path;

/// The mode of the request (Fetch Metadata, section 2.2).
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// What is written as it is: RFC 3986's unreserved characters, and the slash, which means nothing in a query.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// How long an address may be. With more, and a cookie beside it, the answer would not fit into nginx' default buffer of
/// 4 KiB; the browser then goes to the page, and comes back to where that leads.
const LONGEST: usize = 2048;

/// Whether a browser goes to a page with it, by a link or by a form.
pub(super) fn navigates(request: &ServiceRequest) -> bool {
    let mut modes = request.headers().get_all(&SEC_FETCH_MODE).peekable();
    match modes.peek() {
        // Browsers send one. Of several each has to say so.
        Some(_) => modes.all(|mode| mode == "navigate"),
        None => wants_html(request),
    }
}

fn wants_html(request: &ServiceRequest) -> bool {
    Accept::parse(request).is_ok_and(|Accept(all)| {
        let mut wanted = all.iter().filter(|it| it.quality > Quality::ZERO);
        wanted.any(|it| it.item.essence_str() == "text/html")
    })
}

/// The address of a page that leads back to the request, if there is a way back: what changes something is not asked
/// for again by a link.
pub(super) fn leading_back(page: &str, request: &ServiceRequest, logout_path: &str) -> String {
    let is_page = matches!(*request.method(), Method::GET | Method::HEAD);
    let own = request.uri().path_and_query().filter(|_| is_page);
    let Some(next) = own.and_then(|own| next_path(own.as_str(), logout_path)) else {
        return page.to_owned();
    };
    let joint = if page.contains('?') { '&' } else { '?' };
    let address = format!("{page}{joint}next={}", utf8_percent_encode(next, ENCODED));
    match address.len() <= LONGEST {
        true => address,
        false => page.to_owned(),
    }
}
