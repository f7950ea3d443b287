//! A server as a process, and how it is asked.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Result;

/// Longer than anything takes that is waited for.
const LIMIT: Duration = Duration::from_mins(1);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// A process that ends with its owner.
#[derive(Debug, Default)]
pub struct Process(Option<Child>);

impl Process {
    /// Starts a program, whose words go to `log`.
    pub fn start(&mut self, command: &mut Command, log: &Path) -> Result {
        let log = File::options().create(true).append(true).open(log)?;
        let command = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        self.0 = Some(command.spawn()?);
        Ok(())
    }

    /// The same, with its output, which is no log, in this file.
    pub fn record(&mut self, command: &mut Command, output: &Path) -> Result {
        let output = File::options().create(true).append(true).open(output)?;
        self.0 = Some(command.stdin(Stdio::null()).stdout(output).spawn()?);
        Ok(())
    }

    /// Starts a program whose output is read here.
    pub fn read(&mut self, command: &mut Command) -> Result<ChildStdout> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take();
        self.0 = Some(child);
        Ok(output.ok_or("no output")?)
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        let status = self.0.as_mut().map(Child::try_wait);
        !matches!(status, Some(Ok(None)))
    }

    /// Ends it by this signal, and returns when it is gone.
    pub fn end(&mut self, signal: Signal) {
        if let Some(mut child) = self.0.take() {
            // It may have ended already.
            let _ = kill_process(Pid::from_child(&child), signal);
            let _ = child.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end(Signal::KILL);
    }
}

/// Waits until something is true, with a bound.
pub fn until(what: &str, mut is_true: impl FnMut() -> Result<bool>) -> Result {
    let begin = Instant::now();
    while !is_true()? {
        if begin.elapsed() > LIMIT {
            return Err(format!("in {LIMIT:?} not {what}").into());
        }
        sleep(PAUSE);
    }
    Ok(())
}

/// Waits until a port takes connections.
pub fn until_open(port: u16) -> Result {
    until(&format!("open: port {port}"), || {
        Ok(TcpStream::connect(("127.0.0.1", port)).is_ok())
    })
}

/// Asks an HTTP server on this machine, and gives the body of its answer, which is a success.
pub fn ask(port: u16, method: &str, target: &str) -> Result<String> {
    let (status, body) = exchange(port, method, target)?;
    if status.starts_with('2') {
        Ok(body)
    } else {
        Err(format!("{method} {target}: {status}, {body}").into())
    }
}

/// Asks an HTTP server on this machine, and gives the status and the body of its answer.
pub fn exchange(port: u16, method: &str, target: &str) -> Result<(String, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(LIMIT))?;
    let request =
        format!("{method} {target} HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no HTTP")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    Ok((status.to_owned(), body.to_owned()))
}
