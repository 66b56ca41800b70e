//! Methods of [`Sessions`] for devices: listing and ending a user's, and a request's device for adapters.

use std::net::IpAddr;

use crate::client::ClientDevice;
use crate::ids::SessionId;
use crate::session::observer::LogoutScope;
use crate::session::{DeviceError, ListedSession};
use crate::sessions::Sessions;

/// # Devices
impl Sessions {
    /// The sessions of a user, the newest first, as [`Session::list_sessions`](crate::Session::list_sessions) gives them to
    /// the user. [`revoke`](Self::revoke) ends one. The application decides for whom.
    ///
    /// # Errors
    /// [`DeviceError::Off`], [`DeviceError::Store`].
    pub async fn list_sessions(&self, subject: &str) -> Result<Vec<ListedSession>, DeviceError> {
        let service = &self.engine.service;
        service.list(service.subject_key(subject)).await
    }

    /// Ends one of a user's sessions, as [`Session::revoke`](crate::Session::revoke) does for the user: for administrators,
    /// and for a login page that offers to end one where there are as many as there may be.
    ///
    /// # Errors
    /// [`DeviceError::NotFound`] where the user has no such session; [`DeviceError::Off`], [`DeviceError::Store`].
    pub async fn revoke(&self, subject: &str, id: SessionId) -> Result<(), DeviceError> {
        let service = &self.engine.service;
        let logout = self.logout(Some(id), Some(subject), LogoutScope::This);
        let key = service.subject_key(subject);
        service.revoke_listed(key, id, logout).await
    }

    /// What a request tells of its device, for [`Incoming::device`](crate::adapter::Incoming::device). `None` where no index
    /// is kept: then no header is asked for.
    ///
    /// `peer` and `lines` are as for [`client_address`](Self::client_address) and [`fingerprint`](Self::fingerprint). The
    /// address is a part of the label where the settings say so
    /// ([`DeviceSettings::address`](crate::settings::DeviceSettings::address)).
    pub fn device<'h, L: DoubleEndedIterator<Item = &'h [u8]>>(
        &self,
        peer: Option<IpAddr>,
        lines: impl Fn(&'static str) -> L,
    ) -> Option<ClientDevice> {
        let devices = self.engine.service.devices.as_ref()?;
        let peer = peer.filter(|_| devices.settings.address);
        let address = peer.map(|peer| self.client_address(peer, &lines));
        let user_agent = lines("user-agent").next().unwrap_or_default();
        Some(ClientDevice::new(user_agent, address))
    }
}
