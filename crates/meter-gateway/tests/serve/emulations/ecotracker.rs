//! The local answer of everHome's `EcoTracker`.

use super::{ALL, Read, members};
use crate::bench::Result;
use crate::client::get;

#[tokio::test]
async fn the_ecotracker_says_how_old_its_power_is() -> Result {
    let mut read = Read::new(ALL).await?;
    let mut powers = vec![read.whole((16, 7, 0)).parse::<i64>()?];
    for stored in 2..=4 {
        read.telegram = read.head.speak().await?;
        read.program.stored(stored).await?;
        powers.push(read.number((16, 7, 0)).parse()?);
    }
    let mean = powers.iter().sum::<i64>() / 4;
    let answer = get(read.address, "/v1/json").await?;
    assert_eq!(answer.kind, "application/json");
    let age = answer.json()?["agePower"].as_u64().unwrap();
    assert!(age < 20_000);
    let values = members([
        ("power", read.whole((16, 7, 0))),
        ("powerAvg", mean.to_string()),
        ("agePower", age.to_string()),
        ("powerPhase1", read.whole((36, 7, 0))),
        ("powerPhase2", read.whole((56, 7, 0))),
        ("powerPhase3", read.whole((76, 7, 0))),
        ("energyCounterOut", read.number((2, 8, 0))),
        ("energyCounterIn", read.number((1, 8, 0))),
    ]);
    assert_eq!(answer.body, format!("{{{values}}}"));
    assert_eq!(read.later(ALL, &["/v1/json"]).await?[0].status, 503);
    Ok(())
}
