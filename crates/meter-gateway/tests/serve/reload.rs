//! The server comes, goes and moves with the configuration.

use meter_sim::MeterConfig;
use tokio::net::TcpListener;

use crate::bench::{Head, Program, Result};
use crate::client::{self, HTTP, get};

#[tokio::test]
async fn a_reload_starts_moves_and_ends_the_server() -> Result {
    let mut head = Head::new(&MeterConfig::default()).await?;
    let table = head.table("house")?;
    let mut program = Program::start(&table)?;
    program.expect("no [output.NAME]");
    head.send(1).await?;
    assert!(program.stored(1).await?.http.is_none());

    program.reload(&format!("{table}{HTTP}")).await?;
    let first = client::address(&mut program).await?;
    assert!(get(first, "/metrics").await?.status.is_success());

    let quiet = format!("{table}{HTTP}metrics = false\n");
    program.reload(&quiet).await?;
    program
        .until("moved", |view| {
            let now = view.http.as_ref().and_then(|http| http.address);
            now.is_some_and(|now| now != first)
        })
        .await?;
    let second = client::address(&mut program).await?;
    assert_eq!(get(second, "/metrics").await?.status, 404);
    assert!(get(first, "/metrics").await.is_err());

    program.reload(&table).await?;
    program.until("gone", |view| view.http.is_none()).await?;
    assert!(get(second, "/metrics").await.is_err());
    program.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_with_the_fix_and_had_when_it_is_free() -> Result {
    let other = TcpListener::bind("127.0.0.1:0").await?;
    let taken = other.local_addr()?;
    let mut head = Head::new(&MeterConfig::default()).await?;
    let text = format!("{}[http]\nlisten = \"{taken}\"\n", head.table("house")?);
    let mut program = Program::start(&text)?;
    program.expect("is taken by another program");
    let view = program
        .until("trouble", |view| {
            view.http
                .as_ref()
                .is_some_and(|http| http.trouble.is_some())
        })
        .await?;
    let trouble = view.http.and_then(|http| http.trouble).unwrap();
    assert!(trouble.contains("listen of [http]"), "{trouble}");
    // The meter is read all the same.
    head.send(1).await?;
    let line = program.stored(1).await?.to_string();
    assert!(line.contains("; http: port"), "{line}");

    drop(other);
    assert_eq!(client::address(&mut program).await?, taken);
    assert!(get(taken, "/metrics").await?.status.is_success());
    program.stop().await?;
    Ok(())
}
