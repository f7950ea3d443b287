//! An address by DHCP.

use core::net::Ipv4Addr;

use embassy_net::{ConfigV4, DhcpConfig, Stack};
use heapless::String;
use meter_device::board::JoinError;

use embassy_time::{Duration, with_timeout};

/// A DHCP server answers within a second; a busy one may be asked a few times.
const PATIENCE: Duration = Duration::from_secs(20);

/// How the stack is to be started: it asks for an address as soon as there is a link.
#[must_use]
pub fn configure(host_name: &str) -> DhcpConfig {
    let mut dhcp = DhcpConfig::default();
    dhcp.hostname = String::try_from(host_name).ok();
    dhcp
}

/// Asks for an address as a host of this name, and waits for it. The link is up.
pub async fn lease(stack: Stack<'_>, host_name: &str) -> Result<Ipv4Addr, JoinError> {
    // Set anew, it forgets the address of the network before.
    stack.set_config_v4(ConfigV4::Dhcp(configure(host_name)));
    with_timeout(PATIENCE, async {
        loop {
            stack.wait_config_up().await;
            if let Some(config) = stack.config_v4() {
                return config.address.address();
            }
        }
    })
    .await
    .map_err(|_| JoinError::NoAddress)
}
