use super::{Connection, Fault, Heard, Options};

/// Hears what is published from now on, for those who want to see what arrives at a broker.
pub struct Listener {
    connection: Connection,
}

impl Listener {
    /// Logs in and subscribes.
    pub(crate) async fn open(options: &Options, filter: &str) -> Result<Self, Fault> {
        let mut connection = Connection::open(options).await?;
        connection.subscribe(filter).await?;
        Ok(Self { connection })
    }

    /// Waits for the next message and gives what is in it. May be dropped.
    ///
    /// # Errors
    ///
    /// When the connection is over.
    pub async fn next(&mut self) -> Result<Vec<u8>, Fault> {
        loop {
            if let Heard::Message(message) = self.connection.next().await?
                && !message.retained
            {
                return Ok(message.payload);
            }
        }
    }
}
