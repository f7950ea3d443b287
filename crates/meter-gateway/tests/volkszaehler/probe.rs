//! What `meterline check` says.

use meter_gateway::output::volkszaehler;

use crate::delivering::*;
use crate::middleware::{IMPORT, Middleware, config};

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
