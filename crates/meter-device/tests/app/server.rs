//! Servers of all characters, in memory.

use std::rc::Rc;
use std::time::Duration;

use meter_device::board::ConnectError;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use crate::world::{Received, World};

/// What a server is like.
#[derive(Clone, Debug)]
pub enum Character {
    /// Takes everything.
    Good,
    /// Cannot be connected to.
    Closed(ConnectError),
    /// Takes the request and never answers.
    Stalls,
    /// Takes the request, stores it, and closes before it answers.
    Cuts,
    /// Answers with these bytes, and closes.
    Says(&'static [u8]),
    /// Answers with a status and headers, and stores nothing.
    Answers(&'static str),
    /// Takes everything but bodies that hold this text, which it refuses with 400.
    RefusesWith(String),
    /// Takes one request and closes the connection a while later without a word.
    Forgets,
}

/// Serves one connection, in a mood of its own or as the world wants it.
pub async fn serve(world: Rc<World>, mut stream: DuplexStream, mood: Option<Character>) {
    while let Some((body, event)) = request(&mut stream).await {
        let character = mood
            .clone()
            .unwrap_or_else(|| world.character.borrow().clone());
        let store = |acknowledged| {
            world.received.borrow_mut().push(Received {
                at: world.start.elapsed(),
                body: body.clone(),
                event: event.clone(),
                acknowledged,
            });
        };
        tokio::time::sleep(Duration::from_millis(50)).await;
        let answer = match &character {
            Character::Good | Character::Forgets => {
                store(true);
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_owned()
            }
            Character::RefusesWith(text) if body.contains(text) => {
                "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_owned()
            }
            Character::RefusesWith(_) => {
                store(true);
                "HTTP/1.1 204 No Content\r\n\r\n".to_owned()
            }
            Character::Answers(status) => {
                format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")
            }
            Character::Cuts => {
                store(false);
                return;
            }
            Character::Says(bytes) => {
                let _ = stream.write_all(bytes).await;
                return;
            }
            Character::Stalls => std::future::pending().await,
            Character::Closed(_) => return,
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        if matches!(character, Character::Forgets) {
            tokio::time::sleep(Duration::from_secs(4)).await;
            return;
        }
    }
}

/// The body of the next request, and what it says about the device.
async fn request(stream: &mut DuplexStream) -> Option<(String, Option<String>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let header = |wanted: &str| {
        let mut headers = head.lines().filter_map(|line| line.split_once(": "));
        headers.find_map(|(name, value)| name.eq_ignore_ascii_case(wanted).then_some(value))
    };
    let length = header("content-length")?.parse().ok()?;
    let event = header("meterline-event").map(str::to_owned);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((String::from_utf8(body).ok()?, event))
}
