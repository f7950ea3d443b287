//! A server that waits, and tables that go.

use meter_gateway::config;
use meter_gateway::output::State;

use super::setup::*;

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
    let is_held = async || Ok(!setup.server.sql("meters", held)?.is_empty());
    wait_for("locked", is_held).await?;
    setup.append_all(10..20).await?;
    let running = setup.start().await?;
    let words = running.complaint(State::Retrying).await?;
    assert_says(&words, &["/meters: no answer within 1 s"]);
    running.until_delivered().await?;
    running.stop().await?;
    holder.wait()?;
    assert_eq!(setup.rows()?, setup.expected().await?);
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
