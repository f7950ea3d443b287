//! A Wi-Fi that is simulated over QEMU's cable: it is there while the cable is plugged in.

use device_network::lease;
use embassy_net::Stack;
use meter_device::board::{self, JoinError, Joined, Seen};

use crate::net;

/// The Wi-Fi that can be joined.
pub const SSID: &str = "qemu";
/// Its password.
pub const PASSWORD: &str = "let me in 1234";
const SIGNAL_DBM: i8 = -55;

/// The radio.
pub struct Radio(Stack<'static>);

impl Radio {
    /// A radio that has joined nothing.
    pub const fn new(stack: Stack<'static>) -> Self {
        Self(stack)
    }
}

impl board::Radio for Radio {
    async fn join(
        &mut self,
        ssid: &str,
        password: &str,
        host_name: &str,
    ) -> Result<Joined, JoinError> {
        net::join(false);
        if ssid != SSID || !net::is_plugged_in() {
            return Err(JoinError::NotFound);
        }
        if password != PASSWORD {
            return Err(JoinError::Password);
        }
        net::join(true);
        self.0.wait_link_up().await;
        let address = lease(self.0, host_name).await?;
        Ok(Joined { address })
    }

    async fn lost(&mut self) {
        self.0.wait_link_down().await;
    }

    fn signal_dbm(&mut self) -> Option<i8> {
        self.0.is_link_up().then_some(SIGNAL_DBM)
    }

    async fn scan(&mut self, mut found: impl FnMut(Seen<'_>)) {
        if net::is_plugged_in() {
            found(Seen {
                ssid: SSID,
                signal_dbm: SIGNAL_DBM,
                locked: true,
            });
            found(Seen {
                ssid: "next door",
                signal_dbm: -82,
                locked: false,
            });
        }
    }
}
