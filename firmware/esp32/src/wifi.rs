//! Joins a Wi-Fi as a station.

use embassy_futures::select::select;
use embassy_net::{Runner, Stack};
use embassy_time::{Duration, with_timeout};
use esp_radio::wifi::scan::ScanConfig;
use esp_radio::wifi::sta::{ScanMethod, StationConfig};
use esp_radio::wifi::{
    AuthenticationMethod, AuthenticationMethodConfig, Config, ConnectionError, ControllerConfig,
    DisconnectReason, Interface, WifiController, WifiError,
};
use meter_device::board::{JoinError, Joined, Radio, Seen};

/// A Wi-Fi that is left says so at once, or never.
const FAREWELL: Duration = Duration::from_secs(2);
/// More are not of use to anybody who chooses one.
const SEEN: usize = 24;

/// Frames that the radio holds at most, in each direction. Its own default is 32, which is 100 KiB
/// of heap for the download of a film; a reading fits one frame.
pub const FRAMES: u16 = 8;
/// Frames that are received while all tasks wait. They take their memory at the start.
pub const WAITING: u8 = 4;

/// The radio, and the network that its frames go to.
pub struct Wifi {
    controller: WifiController<'static>,
    stack: Stack<'static>,
}

/// Keeps the network going.
#[embassy_executor::task]
pub async fn run(mut runner: Runner<'static, Interface>) {
    runner.run().await;
}

/// How the radio is set up.
pub fn config() -> ControllerConfig {
    ControllerConfig::default()
        .with_country_info(*b"DE")
        .with_static_rx_buf_num(WAITING)
        .with_dynamic_rx_buf_num(FRAMES)
        .with_dynamic_tx_buf_num(FRAMES)
        // Fewer than twice those that wait, or the driver complains.
        .with_rx_ba_win(WAITING)
}

impl Wifi {
    pub fn new(controller: WifiController<'static>, stack: Stack<'static>) -> Self {
        Self { controller, stack }
    }

    /// Leaves a Wi-Fi that is joined, or a join that was given up.
    async fn leave(&mut self) {
        // It may not have been in any.
        let _ = with_timeout(FAREWELL, self.controller.disconnect_async()).await;
    }

    async fn associate(&mut self, ssid: &str, password: &str) -> Result<(), JoinError> {
        let station = station(ssid, password).map_err(refused)?;
        self.controller
            .set_config(&Config::Station(station))
            .map_err(refused)?;
        match self.controller.connect_async().await {
            Ok(_) => Ok(()),
            Err(ConnectionError::Failed(why)) => Err(reason(why.reason)),
            Err(_) => Err(JoinError::Broken(0)),
        }
    }
}

/// WPA2 is the least that is taken where there is a password: the radio joins WPA3 by itself then,
/// with protected management frames where the access point has them.
fn station(ssid: &str, password: &str) -> Result<StationConfig, WifiError> {
    let authentication = if password.is_empty() {
        AuthenticationMethodConfig::Open
    } else {
        AuthenticationMethodConfig::Wpa2Personal(password.try_into()?)
    };
    Ok(StationConfig::default()
        .with_ssid(ssid.try_into()?)
        .with_authentication(authentication)
        // Of several access points of one name, the strongest.
        .with_scan_method(ScanMethod::AllChannels))
}

fn refused(error: WifiError) -> JoinError {
    match error {
        WifiError::InvalidPassword => JoinError::Password,
        WifiError::InvalidSsid => JoinError::NotFound,
        _ => JoinError::Broken(0),
    }
}

/// What an access point, or the radio itself, gave as the reason: IEEE 802.11-2020, table 9-49, and
/// from 200 on the radio's own.
fn reason(reason: DisconnectReason) -> JoinError {
    use DisconnectReason as R;
    match reason {
        R::NoAccessPointFound => JoinError::NotFound,
        R::MicFailure
        | R::FourWayHandshakeTimeout
        | R::HandshakeTimeout
        | R::AuthenticationFailed => JoinError::Password,
        R::AuthenticationExpired => JoinError::Broken(2),
        R::AuthenticationLeave => JoinError::Broken(3),
        R::DisassociatedDueToInactivity => JoinError::Broken(4),
        R::AssociationTooMany => JoinError::Broken(5),
        R::AssociationLeave => JoinError::Broken(8),
        R::AkmpInvalid => JoinError::Broken(20),
        R::CipherSuiteRejected => JoinError::Broken(24),
        R::BeaconTimeout => JoinError::Broken(200),
        R::AssociationFailed => JoinError::Broken(203),
        R::ConnectionFailed => JoinError::Broken(205),
        R::NoAccessPointFoundWithCompatibleSecurity => JoinError::Broken(210),
        R::NoAccessPointFoundInAuthmodeThreshold => JoinError::Broken(211),
        R::NoAccessPointFoundInRssiThreshold => JoinError::Broken(212),
        _ => JoinError::Broken(1),
    }
}

impl Radio for Wifi {
    async fn join(
        &mut self,
        ssid: &str,
        password: &str,
        host_name: &str,
    ) -> Result<Joined, JoinError> {
        self.leave().await;
        self.associate(ssid, password).await?;
        let address = device_network::lease(self.stack, host_name).await?;
        Ok(Joined { address })
    }

    async fn lost(&mut self) {
        let left = self.controller.wait_for_disconnect_async();
        let _ = select(left, self.stack.wait_config_down()).await;
    }

    fn signal_dbm(&mut self) -> Option<i8> {
        if !self.controller.is_connected() {
            return None;
        }
        i8::try_from(self.controller.rssi().ok()?).ok()
    }

    async fn scan(&mut self, mut found: impl FnMut(Seen<'_>)) {
        let config = ScanConfig::default().with_max(SEEN);
        let Ok(all) = self.controller.scan_async(&config).await else {
            return;
        };
        for seen in &all {
            found(Seen {
                ssid: seen.ssid.as_str(),
                signal_dbm: seen.signal_strength,
                locked: seen.auth_method != Some(AuthenticationMethod::None),
            });
        }
    }
}
