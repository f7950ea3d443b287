//! A real mosquitto with TLS, and a client of another make that says what has arrived.

use std::cell::RefCell;

use emulator::Result;
use fixtures::{Message, Mosquitto, Observer, PASSWORD};

use crate::world::{SERVER, WIFI, World};

const RIGHTS: &str = "user device\ntopic write meterline/#\ntopic write homeassistant/device/#\n\
    topic read homeassistant/status\n";

/// A broker that knows the user `device`.
pub(crate) struct Broker<'w> {
    world: &'w World,
    mosquitto: Mosquitto,
    observer: RefCell<Observer>,
}

impl<'w> Broker<'w> {
    /// Starts one with a certificate of the world's authority. `None`, which is said, where it is not
    /// installed.
    pub(crate) fn start(world: &'w World) -> Result<Option<Self>> {
        let identity = world.backend.server_identity(&[SERVER])?;
        let Some(mosquitto) = world.wait(Mosquitto::showing(&identity, RIGHTS, ""))? else {
            return Ok(None);
        };
        let observer = world.wait(mosquitto.observe())?;
        Ok(Some(Self {
            world,
            mosquitto,
            observer: RefCell::new(observer),
        }))
    }

    /// Settings that send each reading to it.
    pub(crate) fn settings(&self, world: &World) -> String {
        let (port, time) = (self.mosquitto.tls, world.time.address());
        let ca = world.file("ca.pem");
        let ca = ca.display();
        format!(
            "interval = \"0s\"\n{WIFI}[time]\nservers = [\"{time}\"]\n\
             [output]\ntype = \"mqtt\"\nhost = \"{SERVER}\"\nport = {port}\nuser = \"device\"\n\
             password = \"{PASSWORD}\"\ndiscovery = true\nca_file = \"{ca}\"\n"
        )
    }

    /// The next message.
    pub(crate) fn next(&self) -> Result<Message> {
        let mut observer = self.observer.borrow_mut();
        Ok(self.world.wait(observer.next())?)
    }

    /// The next message under a topic; those before it are passed over.
    pub(crate) fn next_of(&self, topic: &str) -> Result<Message> {
        let mut observer = self.observer.borrow_mut();
        Ok(self.world.wait(observer.next_of(topic))?)
    }
}
