//! A browser sets up the Wi-Fi of a device that has no settings yet, by the public SDK of Improv.

use emulator::{Result, improv};
use serde_json::{Value, json};

use crate::world::World;

#[test]
fn a_browser_brings_the_device_into_the_network() -> Result {
    let Some(world) = World::new()? else {
        return Ok(());
    };
    let Some(mut board) = world.switch_on()? else {
        return Ok(());
    };
    let calls = json!([
        ["scan"],
        ["requestNetworkState"],
        ["provision", "qemu", "let me in"],
        ["provision", "qemu", "let me in 1234"],
        ["requestNetworkState"],
    ]);
    let Some(said) = improv::browser(&board.place(), &calls)? else {
        return Ok(());
    };
    assert_eq!(said["info"]["firmware"], "meterline");
    assert_eq!(said["info"]["chipFamily"], "qemu-virt");
    let results = said["results"].as_array().ok_or("no results")?;
    let [found, before, refused, joined, after] = &results[..] else {
        return Err(format!("other results: {said}").into());
    };
    let networks = json!([
        {"name": "next door", "rssi": -82, "secured": false},
        {"name": "qemu", "rssi": -55, "secured": true},
    ]);
    assert_eq!(found["done"], networks);
    assert_eq!(before["done"]["online"], false);
    assert_eq!(refused["refused"], "UNABLE_TO_CONNECT");
    assert_eq!(*joined, json!({"done": null}));
    assert_eq!(after["done"]["online"], true);
    let info = world.info(&board)?;
    assert_eq!(info["network"]["address"], "10.0.2.15", "{info}");
    // It is in flash.
    world.device(&board, &["restart"])?;
    board.until("wifi: joined qemu as 10.0.2.15")?;
    let info = world.info(&board)?;
    assert_eq!(info["settings"]["wifi"][0]["ssid"], "qemu", "{info}");
    assert_eq!(info["settings_error"], Value::Null, "{info}");
    Ok(())
}
