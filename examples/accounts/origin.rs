//! Only the application's own pages may change something.
//!
//! 1. A browser says who made it send a request: `Sec-Fetch-Site` on trustworthy origins, and `Origin`
//!    with every cross-site request that is not a plain GET. Pages can set neither.
//! 2. A program that is no browser sends neither, and has no cookie that somebody else could use.
//! 3. This comes on top of SameSite=Lax, which knows sites and not origins: another port or subdomain
//!    is the same site.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError};

use crate::errors::Problem;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses requests with an unsafe method that another origin's page caused (403).
pub async fn same_origin_only<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    if request.method().is_safe() || is_same_origin(request.headers()) {
        let response = next.call(request).await?;
        return Ok(response.map_into_left_body());
    }
    tracing::info!(path = request.path(), "refused a cross-site request");
    let response = Problem::CrossSite.error_response();
    Ok(request.into_response(response).map_into_right_body())
}

fn is_same_origin(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        // "none": typed or bookmarked by the user.
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    // The scheme is left out: a proxy in front may have taken the https off.
    let (Ok(origin), Some(Ok(host))) = (origin.to_str(), headers.get(HOST).map(|h| h.to_str()))
    else {
        return false;
    };
    match origin.split_once("://") {
        Some((_, authority)) => authority.eq_ignore_ascii_case(host),
        // "null": a sandboxed or otherwise nameless page.
        None => false,
    }
}
