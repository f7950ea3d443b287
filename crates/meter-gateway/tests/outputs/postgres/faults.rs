//! Servers that refuse, wait, and drop what they accepted.

use std::time::Duration;

use meter_gateway::config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::setup::*;

#[tokio::test]
async fn a_refused_reading_is_set_aside_and_the_others_arrive() -> Result {
    let Some(setup) = Setup::new().await? else {
        return Ok(());
    };
    setup.append_all(0..10).await?;
    setup.deliver_all().await?;
    // Reading 33 has 1000003.3 in its counter.
    setup.server.sql(
        "meters",
        "ALTER TABLE meterline.registers ADD CONSTRAINT picky CHECK (value <> 1000003.3)",
    )?;
    setup.append_all(10..60).await?;
    setup.deliver_all().await?;
    let rejected = setup.journal.rejected(10).await?;
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0].record.time.0, START + 33_000);
    assert_says(&rejected[0].answer, &["23514", "picky"]);
    let mut records = setup.records().await?;
    records.retain(|record| record.time.0 != START + 33_000);
    assert_eq!(records.len(), 59);
    assert_eq!(setup.rows()?, expected(&records)?);
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_slow_is_waited_for() -> Result {
    let Some(mut setup) = Setup::new().await? else {
        return Ok(());
    };
    setup.append_all(0..10).await?;
    setup.deliver_all().await?;
    setup.config.remote.timeout = config::Duration::from_secs(1);
    let lock = "BEGIN; LOCK TABLE meterline.registers; SELECT pg_sleep(3); COMMIT";
    let mut holder = setup.server.psql("meters", lock).spawn()?;
    let held = "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted \
                AND relation = 'meterline.registers'::regclass";
    let deadline = std::time::Instant::now() + LIMIT;
    while setup.server.sql("meters", held)?.is_empty() {
        assert!(std::time::Instant::now() < deadline, "never locked");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    setup.append_all(10..20).await?;
    let running = setup.start().await?;
    let words = running.until_retrying().await?;
    assert_says(&words, &["/meters: no answer within 1 s"]);
    running.until_delivered().await?;
    running.stop().await?;
    holder.wait()?;
    assert_eq!(setup.rows()?, setup.expected().await?);
    Ok(())
}

/// Between the output and the server; cuts each connection after so many bytes of the output's.
async fn cutting(to: u16) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        let mut allowed = 0;
        while let Ok((mut from, _)) = listener.accept().await {
            let Ok(mut server) = tokio::net::TcpStream::connect(("127.0.0.1", to)).await else {
                continue;
            };
            allowed += 400;
            tokio::spawn(async move {
                let (mut from_read, mut from_write) = from.split();
                let (mut to_read, mut to_write) = server.split();
                let there = async {
                    let mut left = allowed;
                    let mut buffer = [0; 256];
                    while left > 0 {
                        let most = left.min(buffer.len());
                        let Ok(count) = from_read.read(&mut buffer[..most]).await else {
                            return;
                        };
                        if count == 0 || to_write.write_all(&buffer[..count]).await.is_err() {
                            return;
                        }
                        left -= count;
                    }
                };
                let back = async {
                    let _ = tokio::io::copy(&mut to_read, &mut from_write).await;
                };
                tokio::select! { () = there => {}, () = back => {} }
            });
        }
    });
    Ok(port)
}

#[tokio::test]
async fn a_server_that_accepts_and_then_drops_the_connection() -> Result {
    let Some(mut setup) = Setup::new().await? else {
        return Ok(());
    };
    let port = cutting(setup.server.port).await?;
    setup.config.url = format!("postgres://localhost:{port}/meters");
    setup.config.batch_size = 5.try_into()?;
    setup.append_all(0..40).await?;
    let running = setup.start().await?;
    running.until_retrying().await?;
    running.until_delivered().await?;
    running.stop().await?;
    assert_eq!(setup.rows()?, setup.expected().await?);
    assert_eq!(setup.journal.rejected(10).await?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_table_that_is_gone_is_made_again() -> Result {
    let Some(setup) = Setup::new().await? else {
        return Ok(());
    };
    setup.append_all(0..10).await?;
    let running = setup.start().await?;
    running
        .until("at 10", |status| status.delivered == 10)
        .await?;
    setup
        .server
        .sql("meters", "DROP SCHEMA meterline CASCADE")?;
    setup.append_all(10..20).await?;
    running
        .until("at 20", |status| status.delivered == 20)
        .await?;
    running.stop().await?;
    assert_eq!(setup.rows()?.len(), 10 * 5);
    Ok(())
}
