//! Which meter is answered for, where the other programs know of one only.

use std::net::SocketAddr;

use meter_core::ServerId;
use meter_sim::MeterConfig;

use super::ALL;
use crate::bench::{Head, Program, Result};
use crate::client::{self, HTTP, get};

/// Names the meter, and waits until the server has moved to another port.
async fn choose(
    program: &mut Program,
    old: SocketAddr,
    table: &str,
    meter: &str,
) -> Result<SocketAddr> {
    let text = format!("{table}meter = \"{meter}\"\n");
    program.reload(&text).await?;
    let moved = |view: &meter_gateway::run::Snapshot| {
        let now = view.http.as_ref().and_then(|http| http.address);
        now.is_some_and(|now| now != old)
    };
    program.until("moved", moved).await?;
    client::address(program).await
}

#[tokio::test]
async fn of_several_meters_one_has_to_be_chosen() -> Result {
    let mut house = Head::new(&MeterConfig::default()).await?;
    let mut garage = Head::new(&MeterConfig {
        serial: Some(77),
        ..MeterConfig::default()
    })
    .await?;
    let table = house.table("house")? + &garage.table("garage")? + HTTP + ALL;
    let mut program = Program::start(&table)?;
    program.expect("several meters are read");
    let address = client::address(&mut program).await?;
    let early = get(address, "/v1/json").await?;
    assert_eq!(early.status, 503);
    assert!(early.body.contains("no meter was read yet"), "{early:?}");
    house.send(1).await?;
    program.stored(1).await?;
    assert_eq!(get(address, "/v1/json").await?.status, 200);
    garage.send(1).await?;
    program.stored(2).await?;
    for path in [
        "/v1/json",
        "/cm?cmnd=status%2010",
        "/rpc/EM.GetStatus",
        "/shelly",
    ] {
        let refused = get(address, path).await?;
        assert_eq!(refused.status, 503, "{path}");
        for head in [&house, &garage] {
            let name = ServerId(head.server_id()).meter_id().to_string();
            assert!(refused.body.contains(&name), "{refused:?}");
        }
    }
    let chosen = ServerId(garage.server_id()).meter_id().to_string();
    let address = choose(&mut program, address, &table, &chosen).await?;
    assert_eq!(get(address, "/v1/json").await?.status, 200);

    let address = choose(&mut program, address, &table, "1 EMH00 0000 0001").await?;
    let unknown = get(address, "/v1/json").await?;
    assert_eq!(unknown.status, 503);
    assert!(unknown.body.contains(&chosen), "{unknown:?}");
    program.stop().await?;
    Ok(())
}
