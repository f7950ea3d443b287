use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// What the outside asks of the running program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Read the configuration again (SIGHUP).
    Reload,
    /// End, with everything stored (SIGTERM, SIGINT).
    Stop,
}

/// Turns SIGHUP, SIGTERM and SIGINT into [`Signal`]s from now on.
pub fn signals() -> io::Result<mpsc::Receiver<Signal>> {
    let (sender, receiver) = mpsc::channel(4);
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        loop {
            let asked = tokio::select! {
                _ = hangup.recv() => Signal::Reload,
                _ = terminate.recv() => Signal::Stop,
                _ = interrupt.recv() => Signal::Stop,
            };
            if sender.send(asked).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Signal as Kill, getpid, kill_process};

    #[tokio::test]
    async fn the_systems_signals_arrive() -> Result<(), Box<dyn std::error::Error>> {
        let mut signals = signals()?;
        for (sent, wanted) in [
            (Kill::HUP, Signal::Reload),
            (Kill::TERM, Signal::Stop),
            (Kill::INT, Signal::Stop),
        ] {
            kill_process(getpid(), sent)?;
            assert_eq!(signals.recv().await, Some(wanted));
        }
        Ok(())
    }
}
