//! The documents lead somewhere: each link to a file or a heading of the project.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use meter_gateway::config::Config;

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for link in links(&text) {
            if let Err(why) = follow(&document, &text, &link) {
                broken.push(format!("{}: ({link}): {why}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// The headings of the page that are messages quote what the program says: each part of one,
/// between gaps, is in the source.
#[test]
fn messages_are_what_the_program_says() {
    let source = source();
    let page = fs::read_to_string(root().join("docs/troubleshooting.md")).unwrap();
    let mut unknown = Vec::new();
    let messages: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'))
        .collect();
    assert!(!messages.is_empty(), "the page has no message");
    for message in messages {
        let missing = not_said(message, &source);
        if !missing.is_empty() {
            unknown.push(format!("{message}: {missing:?}"));
        }
    }
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

/// The parts of a message that the source does not have; all of a message that says nothing.
fn not_said<'a>(message: &'a str, source: &str) -> Vec<&'a str> {
    let parts: Vec<_> = message
        .split('…')
        .map(|part| part.trim_matches([' ', ':', ';', '.', ',', '(', ')']))
        .filter(|part| !part.is_empty())
        .collect();
    // One word is in the source for another reason.
    if !parts.iter().any(|part| part.contains(' ')) {
        return vec![message];
    }
    let missing = parts.into_iter().filter(|part| !source.contains(part));
    missing.collect()
}

/// All that the program is made of, with texts that go on in the next line joined, but not its
/// tests, which quote messages too.
fn source() -> String {
    let joined = |file: &str| {
        let program = file.split("\n#[cfg(test)]\n").next().unwrap();
        let mut pieces = program.split("\\\n");
        let first = pieces.next().unwrap_or_default().to_owned();
        pieces.fold(first, |text, piece| text + piece.trim_start())
    };
    let files = listed("crates/*/src/*.rs");
    assert!(!files.is_empty(), "the program has sources");
    files
        .into_iter()
        .map(|file| joined(&fs::read_to_string(file).unwrap()))
        .collect()
}

#[test]
fn a_message_that_nobody_says_is_found() {
    let source = "format!(\"the journal {path} is damaged\")";
    assert!(not_said("the journal … is damaged", source).is_empty());
    assert_eq!(not_said("the journal … is lost", source), ["is lost"]);
    assert_eq!(not_said("…: …", source), ["…: …"]);
}

/// Every `toml` block of every document, but for those of a device, which the program's own tests read.
#[test]
fn configurations_are_valid() {
    let mut checked = 0;
    for document in documents() {
        if document.ends_with("docs/device-settings.md") {
            continue;
        }
        let text = fs::read_to_string(&document).unwrap();
        for block in text.split("\n```toml\n").skip(1) {
            let block = block.split("\n```").next().unwrap();
            let name = document.file_name().unwrap().to_string_lossy();
            if let Err(faults) = Config::parse(&name, &with_secrets(block)) {
                panic!("{faults}");
            }
            checked += 1;
        }
    }
    assert!(checked > 0, "no document shows a configuration");
}

/// The secrets that a document reads from elsewhere are not on this machine.
fn with_secrets(block: &str) -> String {
    ["\"file:", "\"credential:"]
        .into_iter()
        .fold(block.to_owned(), |text, elsewhere| {
            let mut parts = text.split(elsewhere);
            let first = parts.next().unwrap().to_owned();
            parts.fold(first, |text, part| {
                text + "\"secret\"" + part.split_once('"').unwrap().1
            })
        })
}

/// Every `json` block of every document.
#[test]
fn json_can_be_read() {
    let mut checked = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for block in text.split("\n```json\n").skip(1) {
            let block = block.split("\n```").next().unwrap();
            let read = serde_json::from_str::<serde_json::Value>(block);
            assert!(read.is_ok(), "{}: {read:?}\n{block}", document.display());
            checked += 1;
        }
    }
    assert!(checked > 0, "no document shows JSON");
}

/// Goes where a link goes, as far as the project reaches.
fn follow(document: &Path, text: &str, link: &str) -> Result<(), &'static str> {
    if link.contains("://") || link.starts_with("mailto:") {
        return Ok(());
    }
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = document.parent().unwrap().join(path);
    if path.is_empty() {
        return named(text, heading);
    }
    if !target.exists() {
        return Err("no such file");
    }
    if heading.is_empty() {
        return Ok(());
    }
    named(&fs::read_to_string(target).unwrap(), heading)
}

fn named(text: &str, heading: &str) -> Result<(), &'static str> {
    if headings(text).contains(heading) {
        Ok(())
    } else {
        Err("no such heading")
    }
}

/// The names by which headings are linked to.
fn headings(text: &str) -> BTreeSet<String> {
    prose(text)
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter))
                .map(|letter| if letter == ' ' { '-' } else { letter })
                .collect()
        })
        .collect()
}

/// The targets of `[text](target)` outside code.
fn links(text: &str) -> Vec<String> {
    prose(text)
        .flat_map(|line| {
            let spans: String = line.split('`').step_by(2).collect();
            spans
                .split("](")
                .skip(1)
                .filter_map(|rest| rest.split_once(')').map(|(target, _)| target.to_owned()))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The lines outside of code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

fn documents() -> Vec<PathBuf> {
    listed("*.md")
}

/// The project's own files that match.
fn listed(pattern: &str) -> Vec<PathBuf> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            pattern,
        ])
        .current_dir(root())
        .output()
        .unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|file| root().join(file))
        .filter(|file| file.exists())
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn a_broken_link_is_found() {
    let document = root().join("README.md");
    assert!(follow(&document, "# One", "#one").is_ok());
    assert!(follow(&document, "# One", "#two").is_err());
    assert!(follow(&document, "", "no-such-file.md").is_err());
    assert_eq!(links("see [a](b.md), `[c](d)` and [e](#f)"), ["b.md", "#f"]);
}
