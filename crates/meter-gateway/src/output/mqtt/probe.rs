use super::config::{Config, ConfigError};
use super::payload::{Plan, Post};
use super::sender::advice;
use super::session::{Session, Trouble};
use crate::mqtt::{BrokerUrl, Listener, Publication, Version};

/// Stands for a meter in the topic that is tried.
const METER: &str = "check";

/// Why a broker was not found good.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The settings cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The broker cannot be reached, is not trusted, does not let us in, or does not allow the topic.
    #[error("{url}: {why}")]
    Broker {
        /// The broker.
        url: BrokerUrl,
        /// What is wrong and what to do.
        why: String,
    },
}

impl Config {
    /// Subscribes at the broker, to see what arrives there.
    ///
    /// # Errors
    ///
    /// When it cannot be reached, is not trusted, or does not let us.
    pub async fn listen(&self, filter: &str) -> Result<Listener, ProbeError> {
        let options = self.options("listener")?;
        let listener = Listener::open(&options, filter).await;
        listener.map_err(|fault| ProbeError::Broker {
            url: self.url.clone(),
            why: fault.to_string(),
        })
    }
}

/// Logs in and publishes an empty message, without sending a reading, and returns a sentence for people.
pub(in crate::output) async fn probe(config: &Config) -> Result<String, ProbeError> {
    config.validate()?;
    // The output may be running: with its client id the broker would throw it out.
    let mut options = config.options(METER)?;
    if config.client_id.is_some() {
        options.client_id.push_str("-check");
    }
    let plan = Plan::new(config, &options.client_id)?;
    let url = &config.url;
    let failed = |trouble: &Trouble| ProbeError::Broker {
        url: url.clone(),
        why: format!("{trouble}{}", advice(trouble)),
    };
    let mut session = Session::open(&options, &plan, None)
        .await
        .map_err(|trouble| failed(&trouble))?;
    let version = session.version();
    let allowed = match version {
        _ if config.format.is_thingsboard() => String::new(),
        Version::V5 => {
            let topic = plan.template.of_probe(METER);
            let said = format!(" and to publish to {topic}");
            let publication = Publication {
                topic,
                payload: Vec::new(),
                retain: false,
                acknowledged: true,
            };
            let posts = vec![Post {
                publication,
                of: 0..1,
            }];
            let outcome = session.publish(posts, 1, &plan, None).await;
            if let Some(trouble) = outcome.first_trouble() {
                return Err(failed(&trouble));
            }
            said
        }
        Version::V3 => {
            ", but with MQTT 3.1.1 it does not say whether a topic is allowed".to_owned()
        }
    };
    session.close().await;
    let trust = if url.tls() {
        "the certificate is good"
    } else {
        "nothing is encrypted (allow_insecure)"
    };
    let version = match version {
        Version::V3 => "3.1.1",
        Version::V5 => "5",
    };
    Ok(format!(
        "{url} speaks MQTT {version}, {trust}, and we are allowed to log in{allowed}; it has not been \
         sent a reading"
    ))
}
