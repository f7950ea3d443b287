//! What `meterline check` says.

use meter_gateway::output::volkszaehler;
use meter_sim::backend::{self, Answer, Backend, Behaviour};

use super::middleware::{IMPORT, Middleware, config};
use crate::stage::*;

#[tokio::test]
async fn channels_that_are_right() -> Result {
    let middleware = Middleware::start().await?;
    let sentence = volkszaehler::probe(&config(middleware.port)).await?;
    assert_says(
        &sentence,
        &["http://localhost:", "has the channels for 1.8.0, 16.7.0"],
    );
    assert_eq!(middleware.inside().bodies.len(), 0);
    Ok(())
}

#[tokio::test]
async fn channels_that_are_wrong() -> Result {
    let middleware = Middleware::start().await?;
    let mut config = config(middleware.port);

    middleware.inside().resolution = 1.0;
    let error = volkszaehler::probe(&config)
        .await
        .err()
        .ok_or("no complaint")?;
    assert_says(
        &error.to_string(),
        &["channel 1.8.0", "resolution is 1", "to 1000"],
    );

    middleware.inside().channels.remove(IMPORT);
    let error = volkszaehler::probe(&config)
        .await
        .err()
        .ok_or("no complaint")?;
    assert_says(&error.to_string(), &["Invalid UUID", "check the UUIDs"]);

    config.url = format!("http://localhost:{}/", middleware.port);
    let error = volkszaehler::probe(&config)
        .await
        .err()
        .ok_or("no complaint")?;
    assert_says(
        &error.to_string(),
        &["is not the middleware", "/middleware.php"],
    );
    Ok(())
}

#[tokio::test]
async fn another_server_that_refuses_the_path() -> Result {
    let plain = backend::Config {
        tls: false,
        ..backend::Config::default()
    };
    let server = Backend::start(plain)?;
    let refused = Answer::status(400).body("unsupported path requested");
    server.set_behaviour(Behaviour::always(refused));
    let error = volkszaehler::probe(&config(server.port())).await.err();
    let words = error.ok_or("no complaint")?.to_string();
    assert_says(&words, &["unsupported path", "is not the middleware"]);
    Ok(())
}
