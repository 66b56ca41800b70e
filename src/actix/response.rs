//! The response after the commit: its status, its cookies, and who may store it.
//!
//! 1. An error of the commit takes the place of the handler's response. What inner middleware said about the exchange
//!    stays.
//! 2. A response that sets a cookie is stored by nobody. One whose handler looked at the session is private, unless the
//!    handler said otherwise, and varies by cookie.

use actix_web::body::EitherBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, SET_COOKIE, VARY,
};
use actix_web::{Error, HttpResponse, ResponseError};

use crate::sessions::{CommitError, Committed};

/// What the browser forgets of this site (W3C, Clear Site Data).
const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// Answers in the place of the handler.
pub(super) fn refuse<B>(
    request: ServiceRequest,
    problem: impl Into<Error>,
) -> ServiceResponse<EitherBody<B>> {
    request.error_response(problem).map_into_right_body()
}

/// Another response in the place of one.
pub(super) fn replace<B>(
    response: ServiceResponse<B>,
    by: HttpResponse,
) -> ServiceResponse<EitherBody<B>> {
    let (request, old) = response.into_parts();
    ServiceResponse::new(request, replaced(&old, by)).map_into_right_body()
}

/// The new response with what inner middleware said about the exchange, such as the headers of CORS, without
/// which a browser does not show the error to the page.
pub(super) fn replaced<B>(old: &HttpResponse<B>, mut new: HttpResponse) -> HttpResponse {
    let own: Vec<_> = new.headers().keys().cloned().collect();
    for (name, value) in old.headers() {
        let adds = *name == SET_COOKIE || *name == VARY || !own.contains(name);
        let of_the_content = OF_THE_CONTENT.iter().chain(&TARGETED);
        if adds && !of_the_content.into_iter().any(|field| field == name) {
            new.headers_mut().append(name.clone(), value.clone());
        }
    }
    new
}

/// Fields that describe the response that is replaced.
const OF_THE_CONTENT: [&str; 28] = [
    "accept-ranges",
    "age",
    "cache-control",
    "clear-site-data",
    "content-digest",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    "digest",
    "etag",
    "expires",
    "last-modified",
    "location",
    "refresh",
    "repr-digest",
    "retry-after",
    "transfer-encoding",
    "www-authenticate",
    "x-accel-buffering",
    "x-accel-charset",
    "x-accel-expires",
    "x-accel-redirect",
    "x-sendfile",
];

pub(super) fn finish<B>(
    response: ServiceResponse<B>,
    outcome: Committed,
) -> ServiceResponse<EitherBody<B>> {
    let mut response = match &outcome.error {
        None => response.map_into_left_body(),
        Some(error) => {
            report(error);
            replace(response, error.error_response())
        }
    };
    set_headers(response.headers_mut(), outcome);
    response
}

/// An inner middleware's error becomes its response later and elsewhere; the headers are added then.
pub(super) fn finish_error(mut error: Error, outcome: Committed) -> Error {
    if let Some(problem) = &outcome.error {
        report(problem);
    }
    error.add_response_mapper(move |mut response: HttpResponse| {
        if let Some(problem) = &outcome.error {
            response = replaced(&response, problem.error_response());
        }
        set_headers(response.headers_mut(), outcome.clone());
        response
    });
    error
}

/// Errors that a client can cause at will are no cause for alarm.
fn report(error: &CommitError) {
    match error {
        CommitError::NotWritable(_) | CommitError::Ended => {
            tracing::debug!(%error, "a session was not changed")
        }
        _ => tracing::error!(%error, "a session could not be committed"),
    }
}

fn set_headers(headers: &mut HeaderMap, outcome: Committed) {
    let sets = !outcome.cookies.is_empty();
    for cookie in outcome.cookies {
        // Everything in it was checked to be printable when the settings were made.
        if let Ok(value) = HeaderValue::try_from(cookie) {
            headers.append(SET_COOKIE, value);
        }
    }
    if sets {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // Caches that know a field of their own do not look at Cache-Control (RFC 9213).
        for targeted in TARGETED {
            // There is none as a rule, and names are compared faster than they are hashed: what a write adds to a request
            // takes 7 % longer otherwise.
            if headers.keys().any(|name| name == targeted) {
                headers.remove(targeted);
            }
        }
    } else if outcome.looked && !says_who_may_cache(headers) {
        // Caches that ignore Vary would hand it to others.
        headers.append(CACHE_CONTROL, HeaderValue::from_static("private"));
    }
    if let Some(what) = &outcome.clear_site_data
        && let Ok(value) = HeaderValue::from_str(what)
    {
        // Beside what the handler said itself: the browser clears all of it.
        headers.append(CLEAR_SITE_DATA, value);
    }
    if (outcome.looked || sets) && !already_varies(headers) {
        headers.append(VARY, HeaderValue::from_static("Cookie"));
    }
}

/// Whether the handler decided about caches that others share, in either way.
fn says_who_may_cache(headers: &HeaderMap) -> bool {
    list(headers, &CACHE_CONTROL).any(|directive| {
        let (name, _) = directive.split_once('=').unwrap_or((directive, ""));
        let known = ["public", "s-maxage", "private", "no-store"];
        known.iter().any(|it| it.eq_ignore_ascii_case(name.trim()))
    })
}

/// Fields that are Cache-Control for certain caches alone.
const TARGETED: [&str; 4] = [
    "cdn-cache-control",
    "surrogate-control",
    "cloudflare-cdn-cache-control",
    "akamai-cache-control",
];

fn already_varies(headers: &HeaderMap) -> bool {
    list(headers, &VARY).any(|name| name == "*" || name.eq_ignore_ascii_case("cookie"))
}

/// The members of a header that is a list (RFC 9110, section 5.6.1).
fn list<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    headers
        .get_all(name)
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
}
