//! Readings by MQTT over TLS to a real broker, and what Home Assistant is told.

use emulator::Result;
use meter_sim::{Meter, MeterConfig, model};

use crate::broker::Broker;
use crate::readings::{Sent, numbers};
use crate::world::World;

#[test]
fn a_broker_gets_readings_discovery_and_the_last_will() -> Result {
    let Some(world) = World::new()? else {
        return Ok(());
    };
    let Some(broker) = Broker::start(&world)? else {
        return Ok(());
    };
    let Some(mut board) = world.bring_up(&broker.settings(&world))? else {
        return Ok(());
    };
    let availability = "meterline/meterline/availability";
    assert_eq!(broker.next_of(availability)?.payload, "online");

    let meter = Meter::new(model::find("iskra-mt631")?, &MeterConfig::default());
    let mut id = String::new();
    for (index, telegram) in meter.take(4).enumerate() {
        board.send(&telegram.bytes)?;
        let sent = Sent::now(&telegram);
        let reading = broker.next()?;
        assert_eq!(sent.differs(&reading.json()), None);
        if index == 0 {
            let topic = reading.topic.strip_prefix("meterline/");
            topic.ok_or("another topic")?.clone_into(&mut id);
            let config = broker.next()?;
            assert_eq!(
                config.topic,
                format!("homeassistant/device/meterline_{id}/config")
            );
            let config = config.json();
            assert_eq!(config["stat_t"], format!("meterline/{id}/state"));
            assert_eq!(config["avty_t"], availability);
        }
        assert_eq!(reading.topic, format!("meterline/{id}"));
        let state = broker.next()?;
        assert_eq!(state.topic, format!("meterline/{id}/state"));
        // Home Assistant sees what was read, under its own names.
        let values: Vec<String> = state
            .json()
            .as_object()
            .ok_or("no object")?
            .values()
            .map(ToString::to_string)
            .collect();
        let read = numbers(&reading.json());
        assert!(
            read.iter().any(|(_, number)| values.contains(number)),
            "{state:?}"
        );
    }
    let info = world.info(&board)?;
    assert_eq!(info["overrun"], 0, "{info}");

    // Power off: the broker says what the device cannot say any more.
    drop(board);
    assert_eq!(broker.next_of(availability)?.payload, "offline");
    Ok(())
}

#[test]
fn a_broker_with_another_certificate_gets_nothing() -> Result {
    let (Some(world), Some(other)) = (World::new()?, World::new()?) else {
        return Ok(());
    };
    // Its certificate is of the other world's authority.
    let Some(broker) = Broker::start(&other)? else {
        return Ok(());
    };
    let Some(mut board) = world.bring_up(&broker.settings(&world))? else {
        return Ok(());
    };
    board.until("nobody who is trusted has issued the server's certificate")?;
    world.configure(&mut board, &broker.settings(&other))?;
    assert_eq!(broker.next()?.payload, "online");
    Ok(())
}
