//! Of which site a request is (`Sec-Fetch-Site`, `Origin`, `Host`), for `csrf`.

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{HOST, HeaderName, HeaderValue, ORIGIN, UPGRADE};

use crate::csrf::RequestSource;

/// Where the request comes from (Fetch Metadata, section 2.4).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Where a request comes from that could change something: none for others, which are the most.
pub(super) fn source(request: &ServiceRequest) -> Option<RequestSource<'_>> {
    let headers = request.headers();
    // HTTP/2 asks by CONNECT (RFC 8441).
    let is_upgrade = headers.contains_key(UPGRADE) || request.method() == Method::CONNECT;
    let is_safe = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if is_safe && !is_upgrade {
        return None;
    }
    // Browsers send each once. A header that came twice says nothing that is fine.
    let only = |name: &HeaderName| {
        let mut lines = headers.get_all(name).map(HeaderValue::as_bytes);
        let first = lines.next()?;
        Some(lines.next().map_or(first, |_| b"several"))
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = request
        .uri()
        .authority()
        .map_or(host, |it| Some(it.as_str()));
    Some(RequestSource {
        method: request.method().as_str(),
        path: request.uri().path(),
        host: host.unwrap_or_default(),
        sec_fetch_site: only(&SEC_FETCH_SITE),
        origin: only(&ORIGIN),
        is_upgrade,
    })
}
