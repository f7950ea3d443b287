//! A journal, a broker, and one output between them.

use std::ops::{Deref, DerefMut, Range};
use std::time::SystemTime;

use fixtures::{Mosquitto, PASSWORD};
use meter_gateway::config::Secret;
use meter_gateway::output;
use meter_gateway::output::mqtt::Config;

pub use crate::stage::*;

/// Where readings of the first meter go.
pub const TOPIC: &str = "meterline/1EMH0012345678";
/// Where the output says that it is there.
pub const AVAILABILITY: &str = "meterline/under-test/availability";

/// One output between a journal and a broker.
pub struct Setup {
    pub config: Config,
    stage: Stage,
}

impl Deref for Setup {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl DerefMut for Setup {
    fn deref_mut(&mut self) -> &mut Stage {
        &mut self.stage
    }
}

impl Setup {
    /// To a broker at this address, with a user that may do everything it needs. Reading 0 was taken now, and
    /// counts 2941645.9 Wh.
    pub async fn new(url: &str, broker: &Mosquitto) -> Result<Self> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let mut stage = Stage::beginning(i64::try_from(now.as_millis())?).await?;
        stage.counter = 29_416_459;
        let mut config = Config::new(url.parse()?);
        config.client_id = Some("under-test".to_owned());
        config.username = Some(Secret::literal("meterline"));
        config.password = Some(Secret::literal(PASSWORD));
        impatient(&mut config.remote);
        config.remote.allow_insecure = true;
        if config.url.tls() {
            config.remote.ca_file = Some(broker.ca());
        }
        Ok(Self { config, stage })
    }

    /// Appends readings with these numbers, each a second after the one before.
    pub async fn append(&self, indices: Range<i64>) -> Result {
        self.stage.append_all(indices).await
    }

    /// Starts the output.
    pub async fn run(&self) -> Result<Running> {
        let output = output::Config::Mqtt(self.config.clone());
        self.stage.start(output).await
    }

    /// What `meterline check` says.
    pub async fn check(&self) -> std::result::Result<String, String> {
        let output = output::Config::Mqtt(self.config.clone());
        output.probe().await.map_err(|error| error.to_string())
    }
}
