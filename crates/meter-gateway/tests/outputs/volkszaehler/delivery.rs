//! Every value arrives once, whatever happens.

use axum::http::StatusCode;
use meter_gateway::output::volkszaehler::Config;
use meter_gateway::output::{self, State};
use meter_sim::backend::{self, Backend, Certificate};

use super::middleware::{IMPORT, Middleware, POWER, config};
use crate::influx::proxy::Proxy;
use crate::stage::*;

fn output(config: &Config) -> output::Config {
    output::Config::Volkszaehler(config.clone())
}

#[tokio::test]
async fn the_channels_hold_the_journal_s_values_after_a_fault_run() -> Result {
    let mut middleware = Middleware::away()?;
    let stage = Stage::new().await?;
    let proxy = Proxy::start(middleware.port, 3).await?;
    let mut config = config(middleware.port);
    config.batch_size = 10.try_into()?;
    stage.append_all(0..50).await?;
    let running = stage.start(output(&config)).await?;
    let error = running.complaint(State::Retrying).await?;
    assert_says(
        &error,
        &["http://localhost:", "refuses connections on port"],
    );
    running.stop().await?;
    stage.append_all(50..101).await?;
    let all = stage.records().await?;

    // Some answers are lost on the way, and then the database is away for the second channel.
    middleware.come_back().await?;
    let busy = (2, StatusCode::SERVICE_UNAVAILABLE, "gone away".to_owned());
    middleware.inside().faults.insert(POWER.to_owned(), busy);
    config.url = format!("http://localhost:{}/middleware.php", proxy.port);
    let status = stage.deliver_all(output(&config)).await?;
    assert_eq!((status.delivered, status.rejected), (101, 0));
    assert_eq!((proxy.lost(), all.len()), (3, 101));
    middleware.assert_holds(&all)?;
    assert!(middleware.inside().repeated > 0);
    Ok(())
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
    assert_eq!(stage.records().await?.len(), 5);
    middleware.inside().faults.clear();
    running.until_delivered().await?;
    running.stop().await?;
    middleware.assert_holds(&all)
}

#[tokio::test]
async fn a_refused_value_sets_its_reading_aside() -> Result {
    let middleware = Middleware::start().await?;
    let stage = Stage::new().await?;
    stage.append_all(0..20).await?;
    middleware.inside().refused = Some(START + 7000);
    let config = config(middleware.port);
    let status = stage.deliver_all(output(&config)).await?;
    assert_eq!((status.delivered, status.rejected), (19, 1));
    assert_eq!(stage.rejected_indices().await?, [7]);
    let answer = &stage.rejected().await?[0].answer;
    assert_says(answer, &["channel 1", "Numeric value out of range"]);
    assert_eq!(middleware.inside().channels[IMPORT].len(), 19);
    Ok(())
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
    stage.append_other_meter(3).await?;
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

#[tokio::test]
async fn a_certificate_is_verified() -> Result {
    let stage = Stage::new().await?;
    stage.append(0).await?;
    let server = Backend::start(backend::Config {
        certificate: Certificate::WrongName,
        ..backend::Config::default()
    })?;
    let mut ca = tempfile::NamedTempFile::new()?;
    std::io::Write::write_all(&mut ca, server.ca_pem().as_bytes())?;
    let mut config = config(0);
    config.url = server.url("/middleware.php");
    config.remote.allow_insecure = false;
    config.remote.ca_file = Some(ca.path().to_owned());
    let running = stage.start(output(&config)).await?;
    let error = running.complaint(State::Retrying).await?;
    assert_says(&error, &["is for elsewhere.example, not for localhost"]);
    running.stop().await?;
    assert_eq!(stage.records().await?.len(), 1);
    Ok(())
}
