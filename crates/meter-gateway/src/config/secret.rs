use std::borrow::Cow;
use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A password or token, and where it came from. Never printed.
///
/// `"file:PATH"` is the content of a file, `"env:NAME"` an environment variable, and
/// `"credential:NAME"` a credential of systemd (`LoadCredential=NAME:PATH` in the unit). Any other
/// text is the secret itself. It is read once, together with the configuration, so that a missing
/// one is reported at its line, and so that two configurations differ when the secret has changed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    source: Source,
    value: Box<str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Literal,
    File(PathBuf),
    Env(String),
    Credential(String),
}

/// Why a secret cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BadSecret {
    /// The file cannot be read.
    #[error("the secret cannot be read from {}: {error}", path.display())]
    File {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The environment variable is not set, or is not UTF-8.
    #[error("the environment variable {0} is not set: set it, or use \"file:PATH\"")]
    Env(String),
    /// There is no systemd credential directory.
    #[error(
        "credential:{0} is only there when systemd starts the program: add LoadCredential={0}:PATH to the unit, or use \"file:PATH\""
    )]
    NoCredentials(String),
    /// A credential's name with a path in it.
    #[error(
        "credential:{0}: a credential's name is a plain file name; use \"file:PATH\" for a path"
    )]
    CredentialName(String),
    /// There is nothing in it.
    #[error("the secret from {0} is empty")]
    Empty(String),
}

impl Secret {
    /// The secret itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// A secret that stands in the configuration itself.
    #[must_use]
    pub fn literal(value: impl Into<Box<str>>) -> Self {
        Self {
            source: Source::Literal,
            value: value.into(),
        }
    }

    fn file(path: &Path) -> Result<Box<str>, BadSecret> {
        let failed = |error| BadSecret::File {
            path: path.to_owned(),
            error,
        };
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let mode = std::fs::metadata(path)
            .map_err(failed)?
            .permissions()
            .mode();
        if mode & 0o004 != 0 {
            tracing::warn!(
                "everyone on this machine can read the secret in {0}: run `chmod o-r {0}`",
                path.display()
            );
        }
        Ok(text.trim_end_matches(['\r', '\n']).into())
    }

    fn credential(name: &str) -> Result<Box<str>, BadSecret> {
        if name.contains('/') || name == ".." {
            return Err(BadSecret::CredentialName(name.to_owned()));
        }
        let directory = std::env::var_os("CREDENTIALS_DIRECTORY")
            .ok_or_else(|| BadSecret::NoCredentials(name.to_owned()))?;
        Self::file(&PathBuf::from(directory).join(name))
    }
}

impl FromStr for Secret {
    type Err = BadSecret;

    fn from_str(text: &str) -> Result<Self, BadSecret> {
        let (source, value) = if let Some(path) = text.strip_prefix("file:") {
            let path = PathBuf::from(path.trim());
            let value = Self::file(&path)?;
            (Source::File(path), value)
        } else if let Some(name) = text.strip_prefix("env:") {
            let value = std::env::var(name).map_err(|_| BadSecret::Env(name.to_owned()))?;
            (Source::Env(name.to_owned()), value.into())
        } else if let Some(name) = text.strip_prefix("credential:") {
            (Source::Credential(name.to_owned()), Self::credential(name)?)
        } else {
            (Source::Literal, text.into())
        };
        let secret = Self { source, value };
        if secret.value.is_empty() {
            return Err(BadSecret::Empty(secret.to_string()));
        }
        Ok(secret)
    }
}

/// Where it comes from, never what it is.
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Literal => f.write_str("***"),
            Source::File(path) => write!(f, "file:{}", path.display()),
            Source::Env(name) => write!(f, "env:{name}"),
            Source::Credential(name) => write!(f, "credential:{name}"),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Its source, so that a configuration can be shown; a literal secret is masked.
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "examples": ["file:/etc/meterline/token", "credential:token", "env:METERLINE_TOKEN"],
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn reads_a_file_without_its_newline_and_shows_only_the_path() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"hunter2\r\n").unwrap();
        let secret: Secret = format!("file:{}", file.path().display()).parse().unwrap();
        assert_eq!(secret.expose(), "hunter2");
        for shown in [format!("{secret:?}"), secret.to_string()] {
            assert_eq!(shown, format!("file:{}", file.path().display()));
        }
    }

    #[test]
    fn a_literal_is_masked_everywhere() {
        let secret: Secret = "hunter2".parse().unwrap();
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
    }

    #[test]
    fn reads_the_environment() {
        // Cargo and nextest both set this for every test.
        assert_eq!(
            "env:CARGO_PKG_NAME".parse::<Secret>().unwrap().expose(),
            "meter-gateway"
        );
        let missing = "env:METERLINE_NO_SUCH_VARIABLE"
            .parse::<Secret>()
            .unwrap_err();
        assert_eq!(
            missing.to_string(),
            "the environment variable METERLINE_NO_SUCH_VARIABLE is not set: set it, or use \"file:PATH\""
        );
    }

    #[test]
    fn a_changed_file_makes_another_secret() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let source = format!("file:{}", file.path().display());
        std::fs::write(file.path(), "old").unwrap();
        let old: Secret = source.parse().unwrap();
        std::fs::write(file.path(), "new").unwrap();
        assert_ne!(old, source.parse().unwrap());
    }

    #[test]
    fn says_what_is_missing() {
        assert_eq!(
            "file:/nonexistent/token"
                .parse::<Secret>()
                .unwrap_err()
                .to_string(),
            "the secret cannot be read from /nonexistent/token: No such file or directory (os error 2)"
        );
        assert_eq!(
            "credential:../token"
                .parse::<Secret>()
                .unwrap_err()
                .to_string(),
            "credential:../token: a credential's name is a plain file name; use \"file:PATH\" for a path"
        );
    }
}
