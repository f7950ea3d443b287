//! What the service manager hears, on a socket of our own.

use std::os::unix::net::UnixDatagram as Std;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use meter_core::clock::Now;
use meter_gateway::notify::Notify;
use meter_gateway::run::{Clocks, HostClocks};
use meter_sim::MeterConfig;
use tokio::net::UnixDatagram;
use tokio::time::timeout;

use crate::bench::{Head, Program, Result, TODAY, TestClocks, notify_socket};

struct Manager(UnixDatagram);

impl Manager {
    /// The next message, unless none comes within the time given.
    async fn hears(&self, within: Duration) -> Option<String> {
        let mut buffer = vec![0; 4096];
        let length = timeout(within, self.0.recv(&mut buffer))
            .await
            .ok()?
            .unwrap();
        buffer.truncate(length);
        Some(String::from_utf8(buffer).unwrap())
    }

    async fn hears_until(&self, wanted: &str) -> Vec<String> {
        let mut heard = Vec::new();
        while !heard
            .iter()
            .any(|message: &String| message.starts_with(wanted))
        {
            let message = self.hears(Duration::from_secs(10)).await;
            heard.push(message.unwrap_or_else(|| unreachable!("only {heard:?}, no {wanted}")));
        }
        heard
    }
}

fn manager(state: &std::path::Path, watchdog: Duration) -> Result<(Manager, Notify)> {
    let (path, address) = notify_socket(state);
    let socket = Std::bind(path)?;
    socket.set_nonblocking(true)?;
    Ok((
        Manager(UnixDatagram::from_std(socket)?),
        Notify::to(&address, Some(watchdog))?,
    ))
}

#[tokio::test]
async fn systemd_is_told_what_it_wants_to_know() -> Result {
    let state = tempfile::tempdir()?;
    let (manager, notify) = manager(state.path(), Duration::from_mins(1))?;
    let mut head = Head::new(&MeterConfig::default()).await?;
    let table = head.table("house")?;
    let mut program = Program::start_with(&table, state, TestClocks::at(TODAY), notify)?;
    program.expect("unknown key");
    manager.hears_until("READY=1\nSTATUS=").await;
    head.send(1).await?;
    manager
        .hears_until("STATUS=1 reading stored from 1 meter")
        .await;

    program.reload("nonsense = 1\n").await?;
    let reloading = manager.hears_until("RELOADING=1\nMONOTONIC_USEC=").await;
    assert!(!reloading.iter().any(|message| message.starts_with("READY")));
    let ready = manager.hears_until("READY=1").await;
    assert!(
        ready
            .iter()
            .any(|message| message.contains("was not taken: meterline.toml:1:1")),
        "{ready:?}"
    );

    let stop = tokio::spawn(program.stop().await.map(drop).map_or_else(
        |error| std::future::ready(Err(error.to_string())),
        |()| std::future::ready(Ok(())),
    ));
    manager.hears_until("STOPPING=1").await;
    stop.await??;
    Ok(())
}

#[tokio::test]
async fn silence_of_the_meter_does_not_starve_the_watchdog() -> Result {
    let state = tempfile::tempdir()?;
    let (manager, notify) = manager(state.path(), Duration::from_millis(400))?;
    let mut head = Head::new(&MeterConfig::default()).await?;
    let program = Program::start_with(&head.table("house")?, state, TestClocks::at(TODAY), notify)?;
    head.connected().await?;
    for _ in 0..20 {
        manager.hears_until("WATCHDOG=1").await;
    }
    program.stop().await?;
    Ok(())
}

/// A clock that does not answer, and with it hangs whoever asks.
#[derive(Default)]
struct Stuck {
    stuck: Mutex<bool>,
    freed: Condvar,
}

impl Clocks for Stuck {
    fn now(&self) -> Now {
        // Only the loop that asks is to hang, and not with it the thread that watches over the sockets
        // of all.
        tokio::task::block_in_place(|| {
            let mut stuck = self.stuck.lock().unwrap();
            while *stuck {
                stuck = self.freed.wait(stuck).unwrap();
            }
        });
        HostClocks.now()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_reading_loop_that_hangs_starves_the_watchdog() -> Result {
    let state = tempfile::tempdir()?;
    let (manager, notify) = manager(state.path(), Duration::from_millis(400))?;
    let clocks = Arc::new(Stuck::default());
    let mut head = Head::new(&MeterConfig::default()).await?;
    let program = Program::start_with(&head.table("house")?, state, clocks.clone(), notify)?;
    head.connected().await?;
    manager.hears_until("WATCHDOG=1").await;

    *clocks.stuck.lock().unwrap() = true;
    // It may be fed for as long as the reading loop may take for one turn.
    let silence = async { while manager.hears(Duration::from_secs(2)).await.is_some() {} };
    let starved = timeout(Duration::from_secs(20), silence).await;
    assert!(starved.is_ok(), "the watchdog is still fed");

    *clocks.stuck.lock().unwrap() = false;
    clocks.freed.notify_all();
    manager.hears_until("WATCHDOG=1").await;
    program.stop().await?;
    Ok(())
}
