//! One connection to the broker, as long as it lasts: what is published on it, and what became of that.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ops::Range;
use std::time::Duration;

use meter_core::payload::homeassistant::BIRTH_TOPIC;
use tokio::time::{Instant, timeout_at};

use super::meters::Meters;
use super::payload::{Plan, Post};
use crate::mqtt::{
    Connection, Fault, Heard, Message, Options, Publication, Reason, Sort, Unsent, Version,
};

/// Within this time after Home Assistant has started, everything is said again, by each program at a
/// moment of its own.
const SPREAD: Duration = Duration::from_secs(10);
/// What the broker has kept comes right after the subscription, in several messages.
const SETTLING: Duration = Duration::from_millis(300);

/// An open connection.
pub(super) struct Session {
    connection: Connection,
    patience: Duration,
    /// What goes along with the next readings, or without any.
    beside: VecDeque<Publication>,
    /// The meters that were introduced to `ThingsBoard`.
    pub(super) introduced: BTreeSet<String>,
    /// When everything has to be said again.
    pub(super) birth: Option<Instant>,
    /// When what the broker has kept was heard.
    pub(super) look: Option<Instant>,
}

/// What became of messages.
#[derive(Debug)]
pub(super) struct Outcome {
    /// So many readings, from the first on, are with the broker.
    pub(super) settled: usize,
    /// Why the one after them is not.
    pub(super) trouble: Option<Trouble>,
    /// Readings that the broker does not want, whereas it took others.
    pub(super) refused: Vec<(usize, Trouble)>,
    /// Why something that went along was not taken.
    pub(super) beside: Option<Trouble>,
}

/// Why a message is not with the broker.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The broker says no.
    #[error("it does not take a message for the topic {topic}: {reason}")]
    Refused {
        topic: String,
        reason: Reason,
        readings: usize,
    },
    /// It cannot be sent at all.
    #[error("a message for the topic {topic} cannot be sent: {why}")]
    Unsent {
        topic: String,
        why: Unsent,
        readings: usize,
    },
    /// There is no connection any more.
    #[error(transparent)]
    Lost(#[from] Fault),
}

/// A message that is not acknowledged yet.
struct Pending {
    topic: String,
    of: Range<usize>,
}

impl Trouble {
    /// Whether it lies in this message, so that any other may be sent.
    fn is_of_message(&self) -> bool {
        match self {
            Self::Refused { reason, .. } => reason.sort() == Sort::Refused,
            Self::Unsent { why, .. } => *why == Unsent::TooLong,
            Self::Lost(_) => false,
        }
    }
}

impl Outcome {
    fn fail(&mut self, of: &Range<usize>, trouble: Trouble) {
        if of.is_empty() {
            self.beside = Some(trouble);
        } else if of.len() == 1 && trouble.is_of_message() {
            // A reading may be in several messages.
            if !self.refused.iter().any(|(index, _)| *index == of.start) {
                self.refused.push((of.start, trouble));
            }
        } else if self.trouble.is_none() || of.start < self.settled {
            self.settled = self.settled.min(of.start);
            self.trouble = Some(trouble);
        }
    }

    fn lose<'a>(&mut self, left: impl Iterator<Item = &'a Range<usize>>, fault: Fault) {
        let first = left.filter(|of| !of.is_empty()).map(|of| of.start).min();
        self.settled = first.map_or(self.settled, |first| self.settled.min(first));
        match first {
            None if self.trouble.is_some() => self.beside = Some(Trouble::Lost(fault)),
            _ => self.trouble = Some(Trouble::Lost(fault)),
        }
    }

    /// What was not taken first, where any reading may be the last word.
    pub(super) fn first_trouble(self) -> Option<Trouble> {
        let refused = self.refused.into_iter().map(|(_, trouble)| trouble);
        self.trouble.into_iter().chain(refused).next()
    }

    /// Whether the connection is of no more use.
    pub(super) fn is_lost(&self) -> bool {
        let troubles = [&self.trouble, &self.beside];
        troubles
            .iter()
            .any(|one| matches!(one, Some(Trouble::Lost(_))))
    }
}

impl Session {
    /// Logs in, says that we are there, and asks for what concerns us.
    pub(super) async fn open(
        options: &Options,
        plan: &Plan,
        meters: Option<&mut Meters>,
    ) -> Result<Self, Trouble> {
        let mut session = Self {
            connection: Connection::open(options).await?,
            patience: options.patience,
            beside: VecDeque::new(),
            introduced: BTreeSet::new(),
            birth: None,
            look: None,
        };
        let Some(meters) = meters else {
            return Ok(session);
        };
        meters.connected();
        let hello = Post {
            publication: meters.hello(plan),
            of: 0..1,
        };
        let discovery = meters.discovery();
        let filters = meters.filters(plan);
        let outcome = session.publish(vec![hello], 1, plan, Some(meters)).await;
        if let Some(trouble) = outcome.first_trouble() {
            return Err(trouble);
        }
        if discovery {
            session.ask(BIRTH_TOPIC).await?;
        }
        for filter in filters {
            session.ask(&filter).await?;
        }
        Ok(session)
    }

    /// Subscribes. Without it less is known, which is no reason to deliver nothing.
    async fn ask(&mut self, filter: &str) -> Result<(), Fault> {
        match self.connection.subscribe(filter).await {
            Err(fault @ Fault::Subscription { .. }) => {
                tracing::debug!("{fault}");
                Ok(())
            }
            other => other,
        }
    }

    /// The version that is spoken.
    pub(super) fn version(&self) -> Version {
        self.connection.version()
    }

    /// Has these published behind the next readings, or without any.
    pub(super) fn say(&mut self, publications: Vec<Publication>) {
        self.beside.extend(publications);
    }

    /// Publishes messages in order, and waits until the broker has them all or says why not. They are of
    /// `readings` readings. May be dropped; the caller has to send the same again.
    pub(super) async fn publish(
        &mut self,
        posts: Vec<Post>,
        readings: usize,
        plan: &Plan,
        mut meters: Option<&mut Meters>,
    ) -> Outcome {
        let mut waiting: VecDeque<Post> = posts.into();
        let mut pending: HashMap<u16, Pending> = HashMap::new();
        let mut outcome = Outcome {
            settled: readings,
            trouble: None,
            refused: Vec::new(),
            beside: None,
        };
        let mut until = Instant::now() + self.patience;
        loop {
            self.fill(&mut waiting, &mut pending, &mut outcome);
            // Without room nothing may be on its way, and there is still something to send.
            let all = waiting.is_empty() && self.beside.is_empty() || outcome.trouble.is_some();
            if pending.is_empty() && all {
                break;
            }
            let limit = self.patience;
            let heard = timeout_at(until, self.connection.next()).await;
            match heard.unwrap_or(Err(Fault::TimedOut { limit })) {
                Ok(Heard::Acknowledged { id, reason }) => {
                    until = Instant::now() + self.patience;
                    if let Some(Pending { topic, of }) = pending.remove(&id)
                        && reason.sort() != Sort::Taken
                    {
                        let readings = of.len();
                        let trouble = Trouble::Refused {
                            topic,
                            reason,
                            readings,
                        };
                        outcome.fail(&of, trouble);
                    }
                }
                Ok(Heard::Message(message)) => {
                    self.hear(&message, plan, meters.as_deref_mut());
                }
                Err(fault) => {
                    let pending = pending.values().map(|pending| &pending.of);
                    let left = waiting.iter().map(|post| &post.of).chain(pending);
                    outcome.lose(left, fault);
                    return outcome;
                }
            }
        }
        // Without acknowledgements, being written is all that can be known.
        if let Err(fault) = self.connection.flush().await {
            outcome.fail(&(0..readings), Trouble::Lost(fault));
        }
        outcome
    }

    /// Sends as much as may be on its way.
    fn fill(
        &mut self,
        waiting: &mut VecDeque<Post>,
        pending: &mut HashMap<u16, Pending>,
        outcome: &mut Outcome,
    ) {
        while self.connection.room() > 0 && outcome.trouble.is_none() {
            let beside = |publication| Post {
                publication,
                of: 0..0,
            };
            let next = waiting.pop_front();
            let Some(post) = next.or_else(|| self.beside.pop_front().map(beside)) else {
                return;
            };
            let Post { publication, of } = post;
            let topic = publication.topic.clone();
            match self.connection.publish(publication) {
                Ok(Some(id)) => {
                    pending.insert(id, Pending { topic, of });
                }
                Ok(None) => {}
                Err(why) => {
                    let readings = of.len();
                    let trouble = Trouble::Unsent {
                        topic,
                        why,
                        readings,
                    };
                    outcome.fail(&of, trouble);
                }
            }
        }
    }

    /// Listens, and keeps the connection alive, until something was heard. May be dropped.
    pub(super) async fn listen(
        &mut self,
        plan: &Plan,
        meters: Option<&mut Meters>,
    ) -> Result<(), Fault> {
        if let Heard::Message(message) = self.connection.next().await? {
            self.hear(&message, plan, meters);
        }
        Ok(())
    }

    fn hear(&mut self, message: &Message, plan: &Plan, meters: Option<&mut Meters>) {
        let Some(meters) = meters else { return };
        if message.topic == BIRTH_TOPIC {
            if message.payload == b"online" && !message.retained {
                self.birth = Some(Instant::now() + SPREAD.mul_f32(rand::random()));
            }
        } else if message.retained {
            meters.hear(message, plan);
            self.look = Some(Instant::now() + SETTLING);
        }
    }

    /// Ends the connection in peace.
    pub(super) async fn close(self) {
        // Whoever does not hear it finds out by itself.
        let _ = self.connection.close().await;
    }
}
