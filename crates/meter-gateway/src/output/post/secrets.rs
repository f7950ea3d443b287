//! What must not be shown, even when a server repeats it.

use std::fmt;

use http::uri::PathAndQuery;

/// Words that must not be shown, whoever says them.
#[derive(Clone, Default)]
pub(in crate::output) struct Secrets(Vec<String>);

/// Parts of a path that are no secret although they are long enough.
const PLAIN_WORDS: [&str; 8] = [
    "telemetry",
    "attributes",
    "data",
    "write",
    "readings",
    "api",
    "push",
    "ingest",
];

impl Secrets {
    /// Adds a text that is secret as a whole.
    pub(in crate::output) fn add(&mut self, secret: &str) {
        if !secret.is_empty() && !self.0.iter().any(|known| known == secret) {
            self.0.push(secret.to_owned());
            // Longest first, so that no part of a longer one is left standing.
            self.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        }
    }

    /// Adds what stands behind the first space: of `Bearer XYZ` a server may repeat only `XYZ`.
    pub(in crate::output) fn add_word(&mut self, value: &str) {
        self.add(value.split_once(' ').map_or("", |(_, word)| word));
    }

    /// Adds everything in path and query that may be a token.
    pub(in crate::output) fn add_path(&mut self, path: &PathAndQuery) {
        let query = path.query().unwrap_or_default();
        let values = query
            .split('&')
            .map(|pair| pair.split_once('=').map_or(pair, |(_, v)| v));
        let parts = path.path().split('/').chain(values);
        let secret = |part: &&str| part.len() >= 4 && !PLAIN_WORDS.contains(part);
        for part in parts.filter(secret) {
            self.add(part);
        }
    }

    /// `text` with each secret replaced.
    pub(in crate::output) fn strip(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| {
            text.replace(secret.as_str(), "***")
        })
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_every_secret() {
        let mut secrets = Secrets::default();
        let path: PathAndQuery = "/api/v1/A1b2C3d4/telemetry?key=s3cr3t".parse().unwrap();
        secrets.add_path(&path);
        secrets.add("Bearer xyz");
        secrets.add("xyz");
        let said = "bad token A1b2C3d4 in /telemetry?key=s3cr3t with Bearer xyz";
        assert_eq!(
            secrets.strip(said),
            "bad token *** in /telemetry?key=*** with ***"
        );
    }
}
