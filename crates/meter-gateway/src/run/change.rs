//! What a new configuration does to the parts that run.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::output;

/// What happens to one input or output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Added,
    Changed,
    Removed,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        })
    }
}

/// The tables that differ, by name. Those that are equal go on as they are.
pub(super) fn changes<C: PartialEq>(
    old: &BTreeMap<String, C>,
    new: &BTreeMap<String, C>,
) -> Vec<(String, Change)> {
    let removed = old.keys().filter(|name| !new.contains_key(*name));
    let removed = removed.map(|name| (name.clone(), Change::Removed));
    let others = new.iter().filter_map(|(name, config)| match old.get(name) {
        None => Some((name.clone(), Change::Added)),
        Some(before) if before != config => Some((name.clone(), Change::Changed)),
        Some(_) => None,
    });
    removed.chain(others).collect()
}

/// What is in the files that each output reads when it starts; certificates are renewed without any
/// change of the configuration.
pub(super) fn contents(configs: &BTreeMap<String, output::Config>) -> BTreeMap<String, u64> {
    let hash = |config: &output::Config| {
        let mut hasher = DefaultHasher::new();
        for file in config.files() {
            std::fs::read(file).ok().hash(&mut hasher);
        }
        hasher.finish()
    };
    configs
        .iter()
        .map(|(name, config)| (name.clone(), hash(config)))
        .collect()
}

/// Adds those whose files differ, if they were there and are not known to have changed.
pub(super) fn add_renewed(
    changes: &mut Vec<(String, Change)>,
    old: &BTreeMap<String, u64>,
    new: &BTreeMap<String, u64>,
) {
    for (name, hash) in new {
        let differs = old.get(name).is_some_and(|before| before != hash);
        if differs && changes.iter().all(|(changed, _)| changed != name) {
            changes.push((name.clone(), Change::Changed));
        }
    }
}

/// One line for the log: `input house changed, output backend added`.
pub(super) fn sentence(parts: &[(&str, &[(String, Change)])], settings: &[&str]) -> String {
    let named = parts.iter().flat_map(|(kind, changes)| {
        changes
            .iter()
            .map(move |(name, change)| format!("{kind} {name} {change}"))
    });
    let settings = settings.iter().map(|&setting| setting.to_owned());
    let all: Vec<_> = named.chain(settings).collect();
    if all.is_empty() {
        "nothing has changed".to_owned()
    } else {
        all.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(entries: &[(&str, u32)]) -> BTreeMap<String, u32> {
        entries
            .iter()
            .map(|&(name, config)| (name.to_owned(), config))
            .collect()
    }

    #[test]
    fn only_what_differs_is_touched() {
        let old = tables(&[("cellar", 1), ("house", 1), ("roof", 1)]);
        let new = tables(&[("garage", 1), ("house", 2), ("roof", 1)]);
        let inputs = changes(&old, &new);
        assert_eq!(
            sentence(&[("input", &inputs), ("output", &[])], &["[guard] changed"]),
            "input cellar removed, input garage added, input house changed, [guard] changed"
        );
        assert_eq!(
            sentence(&[("input", &changes(&old, &old))], &[]),
            "nothing has changed"
        );
    }
}
