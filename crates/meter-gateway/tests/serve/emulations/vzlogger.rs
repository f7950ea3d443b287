//! vzlogger's own small server.

use meter_core::ServerId;
use serde_json::Value;

use super::{ALL, Read};
use crate::bench::Result;
use crate::client::get;

#[tokio::test]
async fn vzlogger_is_answered_for_each_register() -> Result {
    let read = Read::new(ALL).await?;
    let meter = ServerId(read.head.server_id());
    let time = read.time();
    let meters = get(read.address, "/api/v1/meters").await?.json()?;
    let registers = meters["meters"][0]["registers"].as_array().unwrap().clone();
    let mut channels = Vec::new();
    for register in &read.telegram.registers {
        let obis = register.obis.to_string();
        let listed = registers
            .iter()
            .find(|listed| listed["obis"] == *obis)
            .unwrap();
        let Some(number) = read.telegram.number_text(register.obis) else {
            assert_eq!(listed["uuid"], Value::Null);
            continue;
        };
        let name = format!("meterline:{meter}:{obis}");
        let uuid = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes());
        assert_eq!(listed["uuid"], uuid.to_string());
        channels.push((uuid, format!(
            "{{\"uuid\":\"{uuid}\",\"obis\":\"{obis}\",\"last\":{time},\"interval\":-1,\"protocol\":\"sml\",\
             \"tuples\":[[{time},{number}]]}}"
        )));
    }
    assert!(channels.len() > 10);
    let whole = |data: &str| {
        format!("{{\"version\":\"0.8.10\",\"generator\":\"vzlogger\",\"data\":[{data}]}}")
    };
    let all = get(read.address, "/").await?;
    let data: Vec<_> = channels
        .iter()
        .map(|(_, channel)| channel.as_str())
        .collect();
    assert_eq!(all.body, whole(&data.join(",")));
    assert_eq!(all.kind, "application/json");
    let (uuid, channel) = &channels[0];
    let one = get(read.address, &format!("/{uuid}")).await?;
    assert_eq!(one.body, whole(channel));

    let unknown = get(read.address, "/00000000-0000-4000-8000-000000000000").await?;
    assert_eq!((unknown.status.as_u16(), unknown.body), (404, whole("")));
    assert_eq!(
        get(read.address, "/nothing").await?.kind,
        "application/problem+json"
    );

    let old = read.later(ALL, &[&format!("/{uuid}")]).await?[0].json()?;
    assert_eq!(old["data"][0]["last"], time);
    assert!(old["data"][0].get("tuples").is_none(), "{old}");
    Ok(())
}
