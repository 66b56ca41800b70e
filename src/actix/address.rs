//! The extractor [`ClientAddress`]: the IP address of the client, also behind proxies.

use std::future::{Ready, ready};
use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::http::header::HeaderValue;
use actix_web::{FromRequest, HttpRequest};

use crate::actix::error::NoClientAddress;
use crate::actix::extract;

/// The address of the client: that of the other end of the connection, or the one that trusted proxies name
/// ([`ClientSettings::trusted_proxies`](crate::settings::ClientSettings::trusted_proxies), of the nearest
/// [`SessionMiddleware`](crate::actix::SessionMiddleware) around). What others say of it in headers is ignored.
///
/// For logs, and for limiting how often one address may try. It is no proof of who somebody is. The response does not
/// come to depend on the session, and no session is needed.
///
/// Over a Unix socket the other end has no address: this fails (500), and `Option<ClientAddress>` is `None`. Let the
/// proxy connect by TCP where the address is of use.
///
/// ```
/// use actix_web::{Result, web::Path};
/// use sealed_session::{Session, actix::ClientAddress};
///
/// # fn may_try(_: std::net::IpAddr) -> Result<()> { Ok(()) }
/// async fn login(session: Session, user: Path<String>, client: ClientAddress) -> Result<&'static str> {
///     may_try(client.ip())?; // check the password after that
///     session.authenticate(user.into_inner()).await?;
///     Ok("welcome")
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// The address. One of IPv4 is never in the form of IPv6 (`::ffff:192.0.2.1`).
    pub fn ip(self) -> IpAddr {
        self.0
    }
}

/// Fails when no middleware is around, or the other end has no address (500).
impl FromRequest for ClientAddress {
    type Error = NoClientAddress;
    type Future = Ready<Result<Self, NoClientAddress>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(of(request))
    }
}

fn of(request: &HttpRequest) -> Result<ClientAddress, NoClientAddress> {
    let sessions = extract::sessions(request)?;
    let peer = request.peer_addr().ok_or(NoClientAddress::NoPeer)?;
    let lines = |name| {
        let lines = request.headers().get_all(name);
        lines.map(HeaderValue::as_bytes)
    };
    Ok(ClientAddress(sessions.client_address(peer.ip(), lines)))
}
