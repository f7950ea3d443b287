//! Runs the console blocks of the documents that are marked `run`, and compares what they
//! show with what the program prints.
//!
//! A line that begins with `$ ` is a command. The lines below it are what it prints; a
//! line `…` stands for any lines. A block that shows no output only has to succeed.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::failure::Failure;
use crate::process;

/// Stands for any number of lines.
const ANYTHING: &str = "…";

/// A code block of a document.
pub struct Block {
    /// The line of its first line, from 1.
    pub line: usize,
    /// What stands behind the fence: the language, then how it is marked.
    pub info: String,
    /// What is in it.
    pub text: String,
}

/// A command of a block and what the document says that it prints.
#[derive(Debug, PartialEq, Eq)]
struct Scene<'a> {
    command: &'a str,
    shown: Vec<&'a str>,
}

/// Runs every marked block of a document, and says how many there are.
pub fn run(document: &Path, programs: &Path) -> Result<usize, Failure> {
    let text = fs::read_to_string(document).map_err(Failure::file(document))?;
    let marked: Vec<_> = blocks(&text)
        .into_iter()
        .filter(|block| block.info.split(' ').eq(["console", "run"]))
        .collect();
    for block in &marked {
        let folder = tempfile::tempdir().map_err(Failure::file(env::temp_dir()))?;
        for scene in scenes(&block.text) {
            play(&scene, folder.path(), programs).map_err(|what| Failure::Document {
                document: document
                    .strip_prefix(process::root())
                    .unwrap_or(document)
                    .display()
                    .to_string(),
                line: block.line,
                what,
            })?;
        }
    }
    Ok(marked.len())
}

/// The fenced code blocks of a document.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        if let Some(info) = line.strip_prefix("```") {
            open = !open;
            if open {
                found.push(Block {
                    line: index + 2,
                    info: info.trim().to_owned(),
                    text: String::new(),
                });
            }
        } else if let Some(block) = found.last_mut().filter(|_| open) {
            block.text.push_str(line);
            block.text.push('\n');
        }
    }
    found
}

fn scenes(text: &str) -> Vec<Scene<'_>> {
    let mut scenes: Vec<Scene<'_>> = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            scenes.push(Scene {
                command,
                shown: Vec::new(),
            });
        } else if let Some(scene) = scenes.last_mut() {
            scene.shown.push(line);
        }
    }
    scenes
}

fn play(scene: &Scene<'_>, folder: &Path, programs: &Path) -> Result<(), String> {
    let output = Command::new("bash")
        .args(["-c", &format!("exec 2>&1\n{}", scene.command)])
        .current_dir(folder)
        .env("PATH", path_with(programs))
        .env("HOME", folder)
        .env("COLUMNS", "100")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("bash: {error}"))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("`{}` failed:\n{printed}", scene.command));
    }
    let printed_lines: Vec<_> = printed.lines().map(str::trim_end).collect();
    if scene.shown.is_empty() || matches(&scene.shown, &printed_lines) {
        Ok(())
    } else {
        Err(format!("`{}` printed:\n{printed}", scene.command))
    }
}

/// Whether `printed` is what `shown` says, with its gaps.
fn matches(shown: &[&str], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((&ANYTHING, rest)) => {
            (0..=printed.len()).any(|skipped| matches(rest, &printed[skipped..]))
        }
        Some((line, rest)) => printed.first() == Some(line) && matches(rest, &printed[1..]),
    }
}

fn path_with(programs: &Path) -> OsString {
    let mut folders = vec![programs.to_path_buf()];
    if let Some(path) = env::var_os("PATH") {
        folders.extend(env::split_paths(&path));
    }
    env::join_paths(folders).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str =
        "Text\n\n```console run\n$ one\nhello\n…\nbye\n$ two\n```\n\n```toml\na = 1\n```\n";

    #[test]
    fn blocks_keep_their_mark_and_place() {
        let found = blocks(DOCUMENT);
        let seen: Vec<_> = found
            .iter()
            .map(|block| (block.line, block.info.as_str()))
            .collect();
        assert_eq!(seen, [(4, "console run"), (12, "toml")]);
        assert_eq!(found[1].text, "a = 1\n");
    }

    #[test]
    fn commands_are_told_from_what_they_print() {
        let found = blocks(DOCUMENT);
        let scenes = scenes(&found[0].text);
        assert_eq!(scenes[0].command, "one");
        assert_eq!(scenes[0].shown, ["hello", "…", "bye"]);
        assert_eq!(scenes[1].command, "two");
        assert!(scenes[1].shown.is_empty());
    }

    #[test]
    fn gaps_stand_for_any_lines() {
        assert!(matches(&["a", "…", "d"], &["a", "b", "c", "d"]));
        assert!(matches(&["a", "…"], &["a"]));
        assert!(!matches(&["a", "…", "d"], &["a", "b"]));
        assert!(!matches(&["a"], &["a", "b"]));
    }

    #[test]
    fn a_command_that_prints_something_else_is_found() {
        let folder = Path::new("/");
        let play_line = |shown| {
            let scene = Scene {
                command: "echo hello",
                shown,
            };
            play(&scene, folder, folder)
        };
        assert_eq!(play_line(vec!["hello"]), Ok(()));
        assert_eq!(play_line(vec![]), Ok(()));
        assert!(play_line(vec!["bye"]).is_err());
    }
}
