//! What a middleware holds, and what holds readings back.

use axum::http::StatusCode;
use meter_gateway::output::volkszaehler::Config;
use meter_gateway::output::{self, State};

use super::middleware::{Middleware, POWER, config};
use crate::stage::*;

fn output(config: &Config) -> output::Config {
    output::Config::Volkszaehler(config.clone())
}

#[tokio::test]
async fn values_are_exact_and_a_channel_has_one_request() -> Result {
    let middleware = Middleware::start().await?;
    let stage = Stage::new().await?;
    stage.append_all(0..2).await?;
    let config = config(middleware.port);
    stage.deliver_all(output(&config)).await?;
    assert_eq!(
        middleware.inside().bodies,
        [
            "[[1780000000000,1000000.0],[1780000001000,1000000.1]]",
            "[[1780000000000,-105.5],[1780000001000,-105.5]]"
        ]
    );
    assert_eq!(stage.warnings(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_channel_that_waits_holds_the_readings_back() -> Result {
    let middleware = Middleware::start().await?;
    let stage = Stage::new().await?;
    stage.append_all(0..5).await?;
    let all = stage.records().await?;
    let wrong = (
        u32::MAX,
        StatusCode::UNAUTHORIZED,
        "Access denied".to_owned(),
    );
    middleware.inside().faults.insert(POWER.to_owned(), wrong);
    let running = stage.start(output(&config(middleware.port))).await?;
    let error = running.complaint(State::Misconfigured).await?;
    assert_says(&error, &["channel 16.7.0", "Access denied", "firewall"]);
    assert_eq!(stage.cursor().await?.backlog().await?.readings, 5);
    middleware.inside().faults.clear();
    running.until_delivered().await?;
    running.stop().await?;
    middleware.assert_holds(&all)
}

#[tokio::test]
async fn bodies_become_smaller_when_they_are_too_long() -> Result {
    let middleware = Middleware::start().await?;
    let stage = Stage::new().await?;
    stage.append_all(0..60).await?;
    let all = stage.records().await?;
    middleware.inside().longest = Some(400);
    let config = config(middleware.port);
    let status = stage.deliver_all(output(&config)).await?;
    assert_eq!((status.delivered, status.rejected), (60, 0));
    middleware.assert_holds(&all)
}

#[tokio::test]
async fn two_meters_are_not_mixed() -> Result {
    let middleware = Middleware::start().await?;
    let stage = Stage::new().await?;
    stage.append_all(0..3).await?;
    let first = stage.records().await?;
    stage.append_of(&OTHER_METER, 3).await?;
    let mut config = config(middleware.port);
    let running = stage.start(output(&config)).await?;
    let error = running.complaint(State::Misconfigured).await?;
    assert_says(
        &error,
        &["1 EMH00 1234 5678", "would mix", "say with meters"],
    );
    running.stop().await?;
    config.remote.delivery.meters = vec!["1 EMH00 1234 5678".parse()?];
    let status = stage.deliver_all(output(&config)).await?;
    assert_eq!(status.left_out, 1);
    middleware.assert_holds(&first)
}

#[tokio::test]
async fn what_somebody_has_to_mend_is_named_and_loses_nothing() -> Result {
    let middleware = Middleware::start().await?;
    let right = config(middleware.port);
    let with = |change: fn(&mut Config)| {
        let mut config = right.clone();
        change(&mut config);
        config
    };
    let unknown = "00000000-00d5-11e0-bab1-856ed5f959ae";
    for (config, words) in [
        (
            with(|config| {
                let channel = config.channels.get_mut("1.8.0");
                if let Some(uuid) = channel {
                    "00000000-00d5-11e0-bab1-856ed5f959ae".clone_into(uuid);
                }
            }),
            [unknown, "check the UUIDs in channels"],
        ),
        (
            with(|config| config.url = config.url.replace("/middleware.php", "/frontend")),
            ["is not the middleware", "check url"],
        ),
    ] {
        let stage = Stage::new().await?;
        stage.append_all(0..5).await?;
        let running = stage.start(output(&config)).await?;
        let error = running.complaint(State::Misconfigured).await?;
        assert_says(&error, &words);
        running.stop().await?;
        assert_eq!(stage.deliver_all(output(&right)).await?.delivered, 5);
    }
    Ok(())
}
