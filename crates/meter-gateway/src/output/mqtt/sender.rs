//! The sender of one output by MQTT.

use std::fmt::Display;

use meter_core::Shown;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::config::{Config, ConfigError};
use super::diagnostics::Insight;
use super::meters::Meters;
use super::payload::{Plan, Post};
use super::session::{Outcome, Session, Trouble};
use crate::mqtt::{Options, Reason, Sort, Unsent, Will};
use crate::output::Status;
use crate::output::delivery::{Failure, Sender, Sent};
use crate::output::shape::Shaped;
use crate::run::Snapshot;

/// One output at work.
pub(in crate::output) struct Mqtt {
    options: Options,
    plan: Plan,
    /// What is said besides readings; not to `ThingsBoard`, which takes only its own topics.
    meters: Option<Meters>,
    session: Option<Session>,
    status: watch::Receiver<Status>,
    view: watch::Receiver<Snapshot>,
    /// Why something besides readings was not taken, as it was last said.
    beside: Option<String>,
}

impl Mqtt {
    /// For the output with this name. Home Assistant is shown its status, and the state of the lines.
    pub(in crate::output) fn new(
        config: &Config,
        output: &str,
        status: watch::Receiver<Status>,
        view: watch::Receiver<Snapshot>,
    ) -> Result<Self, ConfigError> {
        let mut options = config.options(output)?;
        let plan = Plan::new(config, &options.client_id)?;
        let meters = (!config.format.is_thingsboard())
            .then(|| Meters::new(config, &plan, &options.client_id));
        options.will = meters.as_ref().map(|meters| Will {
            topic: meters.program().to_owned(),
            payload: "offline".to_owned(),
        });
        Ok(Self {
            options,
            plan,
            meters,
            session: None,
            status,
            view,
            beside: None,
        })
    }

    /// The open session, or a new one.
    async fn session(&mut self) -> Result<&mut Session, Failure> {
        let session = if let Some(session) = self.session.take() {
            session
        } else {
            let opened = Session::open(&self.options, &self.plan, self.meters.as_mut()).await;
            opened.map_err(|trouble| self.failure(&trouble))?
        };
        Ok(self.session.insert(session))
    }

    /// What becomes of readings, and of the session.
    fn settle(&mut self, outcome: Outcome) -> Result<Sent, Failure> {
        if outcome.is_lost() {
            self.session = None;
        } else if outcome.trouble.is_some()
            && let Some(meters) = &mut self.meters
        {
            // What was to go along was not sent.
            meters.connected();
        }
        self.mention(outcome.beside.as_ref());
        let readings = outcome.settled;
        let words = |(index, trouble): &(usize, Trouble)| (*index, trouble.to_string());
        let mut refused: Vec<_> = outcome.refused.iter().map(words).collect();
        refused.retain(|(index, _)| *index < readings);
        match outcome.trouble {
            Some(trouble) if readings == 0 => Err(self.failure(&trouble)),
            _ if refused.len() < readings => Ok(Sent { readings, refused }),
            _ => match refused.pop() {
                None => Ok(Sent::all(readings)),
                // It took none of them, which may be its own fault.
                Some((_, answer)) => Err(Failure::Rejected {
                    readings,
                    answer,
                    too_large: false,
                }),
            },
        }
    }

    /// Readings are delivered all the same, so it is said once.
    fn mention(&mut self, trouble: Option<&Trouble>) {
        let Some(trouble @ (Trouble::Refused { .. } | Trouble::Unsent { .. })) = trouble else {
            return;
        };
        let words = format!("{}: {trouble}{}", self.options.url, advice(trouble));
        if self.beside.as_ref() != Some(&words) {
            tracing::warn!("{words}; readings are delivered all the same");
            self.beside = Some(words);
        }
    }

    fn failure(&self, trouble: &Trouble) -> Failure {
        let why = format!("{}: {trouble}{}", self.options.url, advice(trouble));
        let sort = match trouble {
            Trouble::Lost(fault) if fault.lasts() => Sort::Check,
            Trouble::Lost(_) => Sort::Later,
            Trouble::Refused { reason, .. } => reason.sort_of_message(),
            Trouble::Unsent {
                why: Unsent::TooLong,
                ..
            } => Sort::Refused,
            Trouble::Unsent { .. } => Sort::Check,
        };
        match sort {
            Sort::Check => Failure::Misconfigured { why },
            Sort::Later | Sort::Taken => Failure::Retry { why, after: None },
            Sort::Refused => {
                let (readings, long) = match trouble {
                    Trouble::Unsent { readings, .. } => (*readings, true),
                    Trouble::Refused {
                        readings, reason, ..
                    } => (*readings, *reason == Reason::TOO_LONG),
                    Trouble::Lost(_) => (1, false),
                };
                Failure::Rejected {
                    readings,
                    answer: trouble.to_string(),
                    too_large: long && readings > 1,
                }
            }
        }
    }

    /// Does what is due besides readings; returns when there is to be looked again.
    async fn tend(&mut self) -> Result<Option<Instant>, Failure> {
        self.session().await?;
        let (Some(session), Some(meters)) = (&mut self.session, &mut self.meters) else {
            return Ok(None);
        };
        let now = Instant::now();
        if session.birth.is_some_and(|birth| birth <= now) {
            session.birth = None;
            let insight = Insight::new(&self.status, &self.view, 0);
            session.say(meters.show_all(&self.plan, &insight));
        }
        if session.look.is_none_or(|look| look <= now) {
            session.look = None;
            session.say(meters.look(&self.plan));
        }
        let outcome = session
            .publish(Vec::new(), 0, &self.plan, Some(meters))
            .await;
        let next_look = meters.next_look().map(|wait| now + wait.max(LOOK_AGAIN));
        let next = [session.birth, session.look, next_look];
        let next = next.into_iter().flatten().min();
        self.settle(outcome)?;
        Ok(next)
    }

    async fn tend_for_ever(&mut self) -> Result<(), Failure> {
        loop {
            let next = self.tend().await?;
            let Some(session) = &mut self.session else {
                continue;
            };
            let heard = async {
                match next {
                    None => session.listen(&self.plan, self.meters.as_mut()).await,
                    Some(next) => tokio::select! {
                        heard = session.listen(&self.plan, self.meters.as_mut()) => heard,
                        () = sleep_until(next) => Ok(()),
                    },
                }
            };
            if let Err(fault) = heard.await {
                self.session = None;
                return Err(self.failure(&Trouble::Lost(fault)));
            }
        }
    }
}

/// Meters fall silent to the second, but nobody has to be woken for less.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// What a person has to look at.
pub(super) fn advice(trouble: &Trouble) -> &'static str {
    match trouble {
        Trouble::Refused { reason, .. } if reason.sort() == Sort::Check => {
            ": let username write there (the broker's list of rights), or set another topic"
        }
        _ => "",
    }
}

impl Sender for Mqtt {
    const SUSPECT_KEYS: &'static str = "format and topic, and the log of the broker";

    fn to(&self) -> impl Display + Send {
        self.options.url.clone()
    }

    fn most(&self) -> usize {
        self.plan.most()
    }

    async fn send(&mut self, readings: &[Shaped<'_>]) -> Result<Sent, Failure> {
        self.session().await?;
        let Some(session) = &mut self.session else {
            return Ok(Sent::default());
        };
        let telemetry = self.plan.posts(readings);
        let count = telemetry.iter().map(|post| post.of.end).max().unwrap_or(0);
        // A reading that has nothing to publish is delivered.
        let count = count.max(usize::from(telemetry.is_empty()) * readings.len());
        let mut posts = introductions(
            &self.plan,
            session,
            readings.get(..count).unwrap_or(readings),
        );
        posts.extend(telemetry);
        if let Some(meters) = &mut self.meters {
            let sent = readings.get(..count).unwrap_or(readings);
            let insight = Insight::new(&self.status, &self.view, count);
            session.say(meters.see(sent, &self.plan, &insight));
        }
        let outcome = session
            .publish(posts, count, &self.plan, self.meters.as_mut())
            .await;
        self.settle(outcome)
    }

    async fn idle(&mut self) -> Failure {
        match self.tend_for_ever().await {
            Err(failure) => failure,
            Ok(()) => std::future::pending().await,
        }
    }

    async fn close(&mut self) {
        let Some(mut session) = self.session.take() else {
            return;
        };
        if let Some(meters) = &mut self.meters {
            session.say(meters.goodbye(&self.plan));
            session
                .publish(Vec::new(), 0, &self.plan, Some(meters))
                .await;
        }
        session.close().await;
    }
}

/// What `ThingsBoard` has to hear before the first readings of a meter.
fn introductions(plan: &Plan, session: &mut Session, readings: &[Shaped<'_>]) -> Vec<Post> {
    let mut posts = Vec::new();
    for shaped in readings {
        let id = shaped.reading().meter_id().compact().to_string();
        if !session.introduced.contains(&id)
            && let Some(publication) = plan.introduction(shaped.reading())
        {
            session.introduced.insert(id);
            posts.push(Post {
                publication,
                of: 0..1,
            });
        }
    }
    posts
}
