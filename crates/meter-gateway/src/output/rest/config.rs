//! The settings of one REST output.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sender::Rest;
use crate::config::Secret;
use crate::output::delivery::{Remote, RemoteError};
use crate::output::post::UrlError;

/// Where and how readings are sent by HTTP.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to send, as in `https://HOST/api/v1/{token}/telemetry`. `{token}`
    /// stands for the key `token`; a secret may also stand in the URL itself.
    pub url: Secret,
    /// What `{token}` in `url` stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// The HTTP method.
    #[serde(default)]
    pub method: Method,
    /// Further headers, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Secret>,
    /// Sent as `Authorization: Bearer …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_token: Option<Secret>,
    /// User name for basic authorization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Password for basic authorization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// What the body looks like.
    #[serde(default)]
    pub format: Format,
    /// The body for `format = "template"`, in minijinja's language, with the
    /// variables of docs/payloads.md. A template that uses `readings` gets
    /// several in one POST; any other gets one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The header `Content-Type`; JSON unless told otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Most readings in one POST. `classic` always sends one.
    #[serde(default = "default_batch_size")]
    pub batch_size: NonZeroU32,
    /// What all outputs over a network have in common.
    #[serde(rename = "*")]
    #[schemars(flatten)]
    pub remote: Remote,
}

/// The HTTP method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// What nearly every API wants.
    #[default]
    Post,
    /// For APIs that want it.
    Put,
    /// For APIs that want it.
    Patch,
}

/// What a body looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `ThingsBoard`'s telemetry with time stamps.
    #[default]
    Thingsboard,
    /// The JSON of `uP_SmartMeter`, one reading in each POST.
    Classic,
    /// Every register exactly, as documented by its JSON Schema.
    Json,
    /// The user's own.
    Template,
}

fn default_batch_size() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(49)
}

impl Config {
    /// Everything else at its default.
    #[must_use]
    pub fn new(url: Secret) -> Self {
        Self {
            url,
            token: None,
            method: Method::default(),
            headers: BTreeMap::new(),
            bearer_token: None,
            username: None,
            password: None,
            format: Format::default(),
            template: None,
            content_type: None,
            batch_size: default_batch_size(),
            remote: Remote::default(),
        }
    }

    /// Finds what is wrong without connecting anywhere. Reads the files that
    /// the settings name.
    pub fn validate(&self) -> Result<(), ConfigError> {
        Rest::new(self)?;
        Ok(())
    }
}

/// What is wrong with the settings, known before anything is sent.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The key `url`.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// `{token}` without `token`, or the other way round.
    #[error("url and token do not fit together: `{{token}}` in url stands for the key token")]
    Token,
    /// A header that cannot be sent.
    #[error("the header `{0}` has a name or value that HTTP does not allow")]
    Header(String),
    /// Two keys that set the same header.
    #[error("the header Authorization is set twice: keep one of bearer_token, username, headers")]
    Authorization,
    /// `format = "template"` without a template, or the other way round.
    #[error("template and format = \"template\" need each other")]
    TemplateMissing,
    /// The template does not compile.
    #[error("the template has a fault: {0}")]
    Template(String),
    /// The template uses a variable that does not exist.
    #[error("the template uses `{name}`, which there is not: there are {variables}")]
    TemplateVariable {
        /// The variable.
        name: String,
        /// Those that there are.
        variables: String,
    },
    /// A template for several readings uses a variable of one.
    #[error(
        "the template uses `readings` and `{0}` side by side: write `{{% for r in readings %}}` and \
         `r.{0}`, or leave `readings` out"
    )]
    TemplateMixed(String),
    /// The template compiles, and fails all the same.
    #[error(
        "the template cannot write a made-up reading: {error}; there are {variables}, and \
         docs/payloads.md says what is in them"
    )]
    TemplateFails {
        /// What the template engine says.
        error: String,
        /// The variables that there are.
        variables: String,
    },
    /// What outputs over a network have in common.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

impl ConfigError {
    /// The key that is wrong. Where two do not fit together, the one that is usually there.
    pub(in crate::output) fn key(&self) -> Option<&'static str> {
        match self {
            Self::Url(_) | Self::Token => Some("url"),
            Self::Header(_) => Some("headers"),
            Self::Template(_)
            | Self::TemplateVariable { .. }
            | Self::TemplateMixed(_)
            | Self::TemplateFails { .. } => Some("template"),
            Self::TemplateMissing => Some("format"),
            Self::Authorization => None,
            Self::Remote(error) => error.key(),
        }
    }
}
