//! Devices, for administrators and for adapters to web frameworks.

use std::net::IpAddr;

use crate::client::ClientDevice;
use crate::session::{DeviceError, ListedSession};
use crate::sessions::Sessions;

/// # Devices
impl Sessions {
    /// The sessions of a user, the newest first, as [`Session::list_sessions`](crate::Session::list_sessions) gives them to
    /// the user. [`end_session`](Self::end_session) ends one. The application decides for whom.
    ///
    /// # Errors
    /// [`DeviceError::Off`], [`DeviceError::Store`].
    pub async fn list_sessions(&self, subject: &str) -> Result<Vec<ListedSession>, DeviceError> {
        let service = &self.engine.service;
        service.list(service.subject_key(subject)).await
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
        let peer = peer.filter(|_| devices.tell_address());
        let address = peer.map(|peer| self.client_address(peer, &lines));
        let user_agent = lines("user-agent").next().unwrap_or_default();
        Some(ClientDevice::new(user_agent, address))
    }
}
