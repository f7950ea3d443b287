//! Where the configuration and the state are.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::{Config, Faults};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened.
    #[error("{}: {}", path.display(), unreadable(error))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file says something that it may not.
    #[error("{0}")]
    Faults(#[from] Faults),
}

fn unreadable(error: &io::Error) -> String {
    let fix = match error.kind() {
        io::ErrorKind::NotFound => "`meterline config example` prints one to begin with",
        io::ErrorKind::PermissionDenied => {
            "run as the user it belongs to, or `chmod a+r` it: secrets belong into files of their own"
        }
        io::ErrorKind::IsADirectory => "name the file in it",
        io::ErrorKind::InvalidData => return "this is no UTF-8 text: save it as UTF-8".to_owned(),
        _ => return error.to_string(),
    };
    format!("{error} ({fix})")
}

impl Error {
    /// The first line, for a log.
    #[must_use]
    pub fn summary(&self) -> String {
        match self {
            Self::Unreadable { .. } => self.to_string(),
            Self::Faults(faults) if faults.count() == 1 => faults.summary().to_owned(),
            Self::Faults(faults) => {
                format!("{} (and {} more)", faults.summary(), faults.count() - 1)
            }
        }
    }
}

/// Variables of the environment; a test brings its own.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<OsString>;

/// The process's own environment.
#[must_use]
pub fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The files that are looked for, in this order: `$XDG_CONFIG_HOME/meterline/meterline.toml` (or
/// below `~/.config`), then `/etc/meterline/meterline.toml`.
#[must_use]
pub fn candidates(env: Environment<'_>) -> Vec<PathBuf> {
    let own =
        base(env, "XDG_CONFIG_HOME", ".config").map(|base| base.join("meterline/meterline.toml"));
    own.into_iter()
        .chain([PathBuf::from("/etc/meterline/meterline.toml")])
        .collect()
}

/// The first candidate that exists, or `None` where nothing was configured yet.
#[must_use]
pub fn find(env: Environment<'_>) -> Option<PathBuf> {
    candidates(env).into_iter().find(|path| path.exists())
}

/// Reads and judges a file.
pub fn load(path: &Path) -> Result<Config, Error> {
    let unreadable = |error| Error::Unreadable {
        path: path.to_owned(),
        error,
    };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    Ok(Config::parse(&path.display().to_string(), &text)?)
}

/// Where the journal lives when the configuration does not say: `$STATE_DIRECTORY` (systemd), for
/// root `/var/lib/meterline`, else `$XDG_STATE_HOME/meterline` (or below `~/.local/state`).
#[must_use]
pub fn default_state_dir(env: Environment<'_>, is_root: bool) -> PathBuf {
    if let Some(given) = env("STATE_DIRECTORY") {
        // systemd separates several by colons; ours is the first.
        return std::env::split_paths(&given).next().unwrap_or_default();
    }
    let system = PathBuf::from("/var/lib/meterline");
    if is_root {
        return system;
    }
    base(env, "XDG_STATE_HOME", ".local/state").map_or(system, |base| base.join("meterline"))
}

/// A base directory of the XDG specification, which has to be absolute.
fn base(env: Environment<'_>, name: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |value: OsString| Some(PathBuf::from(value)).filter(|path| path.is_absolute());
    env(name).and_then(absolute).or_else(|| {
        env("HOME")
            .and_then(absolute)
            .map(|home| home.join(below_home))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(variables: &[(&'static str, &'static str)]) -> impl Fn(&str) -> Option<OsString> {
        let variables = variables.to_vec();
        move |name| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.into())
        }
    }

    #[test]
    fn looks_in_the_users_place_first() {
        let paths = |variables: &[_]| {
            let found = candidates(&env(variables));
            found
                .iter()
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(paths(&[]), "/etc/meterline/meterline.toml");
        assert_eq!(
            paths(&[("HOME", "/home/a")]),
            "/home/a/.config/meterline/meterline.toml /etc/meterline/meterline.toml"
        );
        assert_eq!(
            paths(&[("HOME", "/home/a"), ("XDG_CONFIG_HOME", "/x")]),
            "/x/meterline/meterline.toml /etc/meterline/meterline.toml"
        );
        assert_eq!(
            paths(&[("XDG_CONFIG_HOME", "relative")]),
            "/etc/meterline/meterline.toml"
        );
    }

    #[test]
    fn keeps_its_state_where_it_may() {
        let dir = |variables: &[_], root| {
            default_state_dir(&env(variables), root)
                .display()
                .to_string()
        };
        assert_eq!(
            dir(&[("STATE_DIRECTORY", "/var/lib/m:/var/lib/n")], false),
            "/var/lib/m"
        );
        assert_eq!(dir(&[("HOME", "/root")], true), "/var/lib/meterline");
        assert_eq!(
            dir(&[("HOME", "/home/a")], false),
            "/home/a/.local/state/meterline"
        );
        assert_eq!(dir(&[("XDG_STATE_HOME", "/s")], false), "/s/meterline");
        assert_eq!(dir(&[], false), "/var/lib/meterline");
    }

    #[test]
    fn a_missing_file_says_what_to_do() {
        let error = load(Path::new("/nonexistent/meterline.toml"))
            .map(|_| ())
            .map_err(|error| error.summary());
        assert_eq!(
            error,
            Err(
                "/nonexistent/meterline.toml: No such file or directory (os error 2) \
                 (`meterline config example` prints one to begin with)"
                    .to_owned()
            )
        );
    }
}
