//! The live view in the terminal, for `demo` and for `run` without a configuration.
//!
//! [`View`] is plain data, [`draw`](draw::draw) a pure function of it; only this file touches
//! the terminal.

mod draw;
mod view;

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use crossterm::style::force_color_output;
use ratatui::DefaultTerminal;
use tokio::sync::mpsc;

use crate::paint::Paint;

pub use view::{Arrival, Condition, Meter, Output, Tone, View};

/// How long the keyboard thread may take to notice that the screen is gone.
const KEYBOARD_POLL: Duration = Duration::from_millis(100);

/// What the person at the terminal did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// `q`, Escape or Ctrl-C
    Quit,
    /// The window has another size.
    Redraw,
}

/// The terminal, taken over until this value goes; also a panic gives it back.
pub struct Screen {
    terminal: DefaultTerminal,
    wishes: mpsc::UnboundedReceiver<Wish>,
    closed: Arc<AtomicBool>,
}

impl Screen {
    /// Whether there is a terminal that can show it, with somebody at its keys.
    pub fn is_possible() -> bool {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        io::stdout().is_terminal() && io::stdin().is_terminal() && !is_dumb
    }

    /// Takes the terminal over.
    pub fn open(paint: Paint) -> io::Result<Self> {
        force_color_output(paint.is_on());
        let terminal = ratatui::try_init()?;
        let (sender, wishes) = mpsc::unbounded_channel();
        let closed = Arc::new(AtomicBool::new(false));
        let watched = Arc::clone(&closed);
        thread::Builder::new()
            .name("keyboard".to_owned())
            .spawn(move || watch_keyboard(&watched, &sender))?;
        Ok(Self {
            terminal,
            wishes,
            closed,
        })
    }

    /// Shows the view.
    pub fn show(&mut self, view: &View) -> io::Result<()> {
        self.terminal
            .draw(|frame| draw::draw(view, frame))
            .map(|_| ())
    }

    /// Waits for the person at the terminal. Can be cancelled.
    pub async fn wish(&mut self) -> Wish {
        // The keyboard thread ends only when the terminal is gone, and then so should we.
        self.wishes.recv().await.unwrap_or(Wish::Quit)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        ratatui::restore();
    }
}

fn watch_keyboard(closed: &AtomicBool, wishes: &mpsc::UnboundedSender<Wish>) {
    while !closed.load(Ordering::Relaxed) {
        let event = match event::poll(KEYBOARD_POLL) {
            Ok(false) => continue,
            Ok(true) => event::read(),
            Err(error) => Err(error),
        };
        let Ok(event) = event else { return };
        if let Some(wish) = wish(&event)
            && wishes.send(wish).is_err()
        {
            return;
        }
    }
}

fn wish(event: &Event) -> Option<Wish> {
    match event {
        Event::Resize(..) => Some(Wish::Redraw),
        Event::Key(key) if key.kind == KeyEventKind::Press => match key.code {
            KeyCode::Char('q' | 'Q') | KeyCode::Esc => Some(Wish::Quit),
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Wish::Quit),
            _ => None,
        },
        _ => None,
    }
}
