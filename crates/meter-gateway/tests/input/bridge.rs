//! A Tibber bridge: just enough of a web server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// An answer: status and body.
pub type Answer = (u16, Vec<u8>);

#[derive(Default)]
pub struct Pages {
    /// What is answered to each path with its query; anything else is 404.
    pub answers: HashMap<String, Answer>,
    /// Which paths were asked for, and when.
    pub asked: Vec<(String, Instant)>,
    /// `Authorization` that is asked for.
    pub authorization: Option<String>,
    /// How many connections there were.
    pub connections: usize,
    pub closing: Closing,
}

/// When a connection is closed from this side.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Closing {
    #[default]
    Never,
    /// After each answer, without a word about it.
    AfterAnswer,
    /// Before the last byte of each answer.
    WithinAnswer,
}

#[derive(Clone)]
pub struct Bridge {
    pub pages: Arc<Mutex<Pages>>,
    pub url: String,
}

pub async fn bridge(nodes: &str) -> Bridge {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let pages = Arc::new(Mutex::new(Pages::default()));
    let bridge = Bridge { pages, url };
    bridge.answer("/nodes.json", 200, nodes);
    let server = bridge.clone();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            server.pages.lock().unwrap().connections += 1;
            tokio::spawn(server.clone().serve(connection));
        }
    });
    bridge
}

impl Bridge {
    pub fn answer(&self, page: &str, status: u16, body: impl AsRef<[u8]>) {
        let answer = (status, body.as_ref().to_vec());
        self.pages
            .lock()
            .unwrap()
            .answers
            .insert(page.to_owned(), answer);
    }

    /// The times at which data was asked for.
    pub fn polls(&self) -> Vec<Instant> {
        let pages = self.pages.lock().unwrap();
        let data = pages
            .asked
            .iter()
            .filter(|(page, _)| page.starts_with("/data.json"));
        data.map(|(_, at)| *at).collect()
    }

    async fn serve(self, mut connection: TcpStream) {
        loop {
            let mut lines = BufReader::new(&mut connection).lines();
            let mut head = Vec::new();
            while let Ok(Some(line)) = lines.next_line().await {
                if line.is_empty() {
                    break;
                }
                head.push(line);
            }
            let Some(page) = head.first().and_then(|line| line.split(' ').nth(1)) else {
                return;
            };
            let (status, body) = self.look_up(page, &head);
            let head = format!(
                "HTTP/1.1 {status} .\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let mut answer = [head.as_bytes(), &body].concat();
            let closing = self.pages.lock().unwrap().closing;
            if closing == Closing::WithinAnswer {
                answer.pop();
            }
            if connection.write_all(&answer).await.is_err() || closing != Closing::Never {
                return;
            }
        }
    }

    fn look_up(&self, page: &str, head: &[String]) -> Answer {
        let mut pages = self.pages.lock().unwrap();
        pages.asked.push((page.to_owned(), Instant::now()));
        let given = head.iter().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("authorization")
                .then(|| value.to_owned())
        });
        if pages.authorization.is_some() && pages.authorization != given {
            return (401, b"401".to_vec());
        }
        let missing = (404, b"Nothing matches the given URI".to_vec());
        pages.answers.get(page).cloned().unwrap_or(missing)
    }
}
