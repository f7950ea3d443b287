//! The public SDK of Improv against the device's own side of the protocol, on a socket.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use emulator::{Result, improv};
use meter_device::console::{Command, Done, Event, Port};
use meter_device::improv::{Command as Question, Error, Packet, Request, State};
use serde_json::{Value, json};

/// A device that knows one Wi-Fi, and talks of other things in between.
#[derive(Default)]
struct Device {
    name: String,
    is_joined: bool,
}

const PAGE: &str = "https://host/devices";

impl Device {
    fn serve(&mut self, mut line: impl Read + Write) {
        let mut port = Port::new();
        let mut octet = [0];
        while line.read(&mut octet).is_ok_and(|count| count == 1) {
            let packets = match port.push(octet[0]) {
                Some(Event::Improv(request)) => self.answer(request),
                Some(Event::BadPacket(error)) => vec![Packet::error(error)],
                Some(Event::Command(Command::Restart)) => {
                    let _ = writeln!(line, "{}", Done::Restarting);
                    return;
                }
                Some(_) | None => continue,
            };
            for packet in packets {
                let log = b"\xff\n00:00:01 WARN IMPROVing\r\nx\n";
                if line.write_all(log).is_err() || line.write_all(packet.octets()).is_err() {
                    return;
                }
            }
        }
    }

    fn answer(&mut self, request: Request<'_>) -> Vec<Packet> {
        let texts = |texts: &[&str]| vec![Packet::answer(request.command(), texts)];
        match request {
            Request::Wifi {
                ssid: "House",
                password: "correct horse",
            } => {
                self.is_joined = true;
                vec![
                    Packet::state(State::Provisioning),
                    Packet::state(State::Provisioned),
                    Packet::answer(Question::Wifi, &[PAGE]),
                ]
            }
            Request::Wifi { .. } => vec![
                Packet::state(State::Provisioning),
                Packet::error(Error::CannotConnect),
                Packet::state(State::Ready),
            ],
            Request::State if self.is_joined => vec![
                Packet::state(State::Provisioned),
                Packet::answer(Question::State, &[PAGE]),
            ],
            Request::State => vec![Packet::state(State::Ready)],
            Request::Info => texts(&["meterline", "0.1.0", "qemu-virt", &self.name]),
            Request::Scan => vec![
                Packet::network("House", -61, true),
                Packet::network("Café", -80, false),
                Packet::answer(Question::Scan, &[]),
            ],
            Request::HostName(Some(name)) if name.contains(' ') => {
                vec![Packet::error(Error::BadHostName)]
            }
            Request::HostName(name) | Request::DeviceName(name) => {
                if let Some(name) = name {
                    name.clone_into(&mut self.name);
                }
                vec![Packet::answer(request.command(), &[&self.name])]
            }
            Request::Network => texts(&[if self.is_joined { "3" } else { "2" }]),
        }
    }
}

/// What the SDK says of these calls, each time to the same device.
fn ask(calls: &[Value]) -> Result<Option<Vec<Value>>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let place = format!("tcp:{}", listener.local_addr()?);
    thread::spawn(move || {
        let mut device = Device {
            name: "meterline".to_owned(),
            ..Device::default()
        };
        for line in listener.incoming().flatten() {
            device.serve(&line);
        }
    });
    let mut said = Vec::new();
    for calls in calls {
        match improv::browser(&place, calls)? {
            Some(told) => said.push(told),
            None => return Ok(None),
        }
    }
    Ok(Some(said))
}

#[test]
fn a_browser_sets_a_device_up() -> Result {
    let first = json!([
        ["scan"],
        ["getHostname"],
        ["setHostname", "my meter"],
        ["setHostname", "cellar"],
        ["setDeviceName", "cellar-2"],
        ["requestNetworkState"],
        ["provision", "House", "wrong"],
        ["provision", "House", "correct horse"],
    ]);
    let second = json!([["requestNetworkState"]]);
    let Some(said) = ask(&[first, second])? else {
        return Ok(());
    };
    let [first, second] = &said[..] else {
        return Err("it was asked twice".into());
    };
    let network = |online| {
        json!({"done": {
            "online": online, "supportsWifi": true, "supportsEthernet": false,
            "supportsThread": false, "supportsModem": false, "urls": [],
        }})
    };
    assert_eq!(
        *first,
        json!({
            "info": {
                "firmware": "meterline", "version": "0.1.0", "name": "cellar-2",
                "chipFamily": "qemu-virt", "osName": null, "osVersion": null,
            },
            "states": [2, 3, 2, 3, 4],
            "results": [
                {"done": [
                    {"name": "Café", "rssi": -80, "secured": false},
                    {"name": "House", "rssi": -61, "secured": true},
                ]},
                {"done": "meterline"},
                {"refused": "BAD_HOSTNAME"},
                {"done": "cellar"},
                {"done": "cellar-2"},
                network(false),
                {"refused": "UNABLE_TO_CONNECT"},
                {"done": null},
            ],
            "nextUrl": PAGE,
        })
    );
    // Who comes later is told the address at once.
    assert_eq!(second["nextUrl"], PAGE);
    assert_eq!(second["results"], json!([network(true)]));
    Ok(())
}
