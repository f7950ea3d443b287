//! A server for the push data of vzlogger.

use meter_gateway::output::volkszaehler::{self, Config, Format};
use meter_gateway::output::{self, State};
use meter_sim::backend::{self, Answer, Backend, Behaviour, Step};

use super::middleware::{IMPORT, POWER, config_of};
use crate::stage::*;

fn config(server: &Backend) -> Config {
    let mut config = config_of(server.url("/push/T0pS3cr3t"));
    config.format = Format::Push;
    config
}

fn server() -> Result<Backend> {
    let plain = backend::Config {
        tls: false,
        ..backend::Config::default()
    };
    Ok(Backend::start(plain)?)
}

#[tokio::test]
async fn all_channels_come_in_one_request() -> Result {
    let server = server()?;
    let stage = Stage::new().await?;
    stage.append_all(0..2).await?;
    server.set_behaviour(Behaviour::first([
        Step::Answer(Answer::status(500)),
        Step::Close,
        Step::Late(std::time::Duration::from_secs(5), Answer::status(200)),
        Step::Accept,
    ]));
    let output = output::Config::Volkszaehler(config(&server));
    let status = stage.deliver_all(output).await?;
    assert_eq!(status.delivered, 2);
    assert_says(
        &status.last_error.unwrap_or_default(),
        &["no answer within 2 s"],
    );
    let taken: Vec<_> = server
        .received()
        .into_iter()
        .filter(backend::Received::accepted)
        .collect();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].path, "/push/T0pS3cr3t");
    assert_eq!(
        String::from_utf8(taken[0].body.clone())?,
        format!(
            "{{\"data\":[{{\"uuid\":\"{IMPORT}\",\"tuples\":[[1780000000000,1000000.0],[1780000001000,1000000.1]]}},\
             {{\"uuid\":\"{POWER}\",\"tuples\":[[1780000000000,-105.5],[1780000001000,-105.5]]}}]}}"
        )
    );
    Ok(())
}

#[tokio::test]
async fn what_is_secret_in_the_address_is_not_shown() -> Result {
    let server = server()?;
    let config = config(&server);
    let sentence = volkszaehler::probe(&config).await?;
    assert_says(&sentence, &["/…", "OPTIONS: 200"]);
    let stage = Stage::new().await?;
    stage.append(0).await?;
    let gone = Answer::status(404).body("nothing at /push/T0pS3cr3t");
    server.set_behaviour(Behaviour::always(gone));
    let running = stage.start(output::Config::Volkszaehler(config)).await?;
    let error = running.complaint(State::Misconfigured).await?;
    assert_says(&error, &["nothing at /push/***", "check url"]);
    assert!(!error.contains("T0pS3cr3t") && !sentence.contains("T0pS3cr3t"));
    running.stop().await
}
